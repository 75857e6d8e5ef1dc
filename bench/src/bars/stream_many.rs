use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use node::api;

use super::Pair;
use crate::{
    endpoint::Raw,
    host::plain,
    many::{Clients, Sinks},
    node_role::Order,
    process,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many streams.
    #[arg(long, default_value_t = 10_000)]
    streams: u32,
    /// For how many seconds all of them send.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

/// Opens very many flows and looks what they take of a node's memory, at either end; then all send, beside as many streams of bare
/// iroh; then one of the readers stands still.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    allow_descriptors(u64::from(args.streams) + 1000)?;
    let mut pair = Pair::start().await?;
    let for_s = Duration::from_secs(args.seconds);
    let mut sinks = Sinks::start(args.streams).await?;
    offer(&mut pair, "peas", &sinks.address, args.streams).await?;
    let address = open(&pair, "Ben/peas").await?;
    let pids = [std::process::id(), pair.ben.pid()];
    let [anns, bens] = resident(pids)?;
    let begun = Instant::now();
    let mut clients = Clients::start(&address)?;
    clients.connect(u64::from(args.streams), &mut sinks).await?;
    let [ann, ben] = resident(pids)?;
    let (opening, offering) = (per(ann, anns, args.streams), per(ben, bens, args.streams));
    eprintln!(
        "{} flows opened in {:.1} s; each takes {opening:.1} KiB of the one that opens, {offering:.1} KiB of the one that offers",
        args.streams,
        begun.elapsed().as_secs_f64()
    );

    let raw = Raw::start().await?;
    let bare = raw.many(args.streams, for_s).await?;
    sinks.take_counts().await?;
    clients.flood(for_s).await?;
    tokio::time::sleep(for_s).await;
    let counts = sinks.take_counts().await?;
    let total: u64 = counts.iter().sum();
    let ours = total as f64 / 1e6 / for_s.as_secs_f64();
    let fair = jain(&counts);
    eprintln!(
        "all sending: {ours:.1} MB/s, Jain {fair:.3}; bare iroh {:.1} MB/s, Jain {:.3}",
        bare.0, bare.1
    );
    drop(clients);
    sinks.until(0).await?;
    let slowed = stalled(&address, &mut sinks, &mut pair).await?;
    eprintln!("one flow beside one whose reader stands still: {slowed:.2} × alone");
    pair.stop().await?;
    let share = ours / bare.0;
    Ok(Verdict {
        figure: format!(
            "{offering:.1} and {opening:.1} KiB a flow; {share:.2} × bare iroh with as many ({ours:.1} MB/s), Jain {fair:.3}; {slowed:.2} × beside one that stands still"
        ),
        holds: offering.max(opening) <= 20.0 && share >= 0.9 && fair >= 0.95 && slowed >= 0.9,
        rows: vec![
            Row::new("memory of the one that offers", "KiB", offering, None),
            Row::new("memory of the one that opens", "KiB", opening, None),
            Row::new("all sending", "MB/s", ours, Some(bare.0)),
            Row::new("Jain", "", fair, Some(bare.1)),
        ],
    })
}

/// Returns how fast one flow is beside one whose reader takes nothing, against how fast it is alone.
async fn stalled(address: &str, sinks: &mut Sinks, pair: &mut Pair) -> Result<f64> {
    offer(pair, "still", &sinks.still, 2).await?;
    let silent = open(pair, "Ben/still").await?;
    let mut rates = Vec::new();
    for beside in [false, true] {
        if beside {
            let mut unread = Clients::start(&silent)?;
            unread.connect_one().await?;
            unread.flood(3 * ALONE).await?;
            // Until all on its way is full.
            tokio::time::sleep(ALONE / 2).await;
            rates.push(alone(address, sinks).await?);
        } else {
            rates.push(alone(address, sinks).await?);
        }
    }
    match rates.as_slice() {
        [alone, beside] => Ok(beside / alone),
        _ => bail!("two rates are to be compared"),
    }
}

/// Returns how much one flow carries.
async fn alone(address: &str, sinks: &mut Sinks) -> Result<f64> {
    let mut client = Clients::start(address)?;
    client.connect(1, sinks).await?;
    sinks.take_counts().await?;
    client.flood(ALONE).await?;
    tokio::time::sleep(ALONE).await;
    let carried = sinks.take_counts().await?.iter().sum::<u64>() as f64;
    drop(client);
    sinks.until(0).await?;
    Ok(carried)
}

/// Lets Ben offer Ann what the far end has.
async fn offer(pair: &mut Pair, name: &str, target: &str, flows: u32) -> Result<()> {
    let (name, to, target) = (name.to_owned(), "Ann".to_owned(), target.to_owned());
    pair.ben
        .order(&Order::OfferStream { name, to, target, udp: false, class: api::StreamClass::File, flows })
        .await
        .map(drop)
}

/// Lets Ann listen for it; returns where.
async fn open(pair: &Pair, stream: &str) -> Result<String> {
    let open = api::OpenStream { stream: stream.to_owned(), ..api::OpenStream::default() };
    Ok(pair.ann.node.open_stream(pair.circle, open).await.map_err(plain)?.address)
}

fn resident(pids: [u32; 2]) -> Result<[u64; 2]> {
    let [ann, ben] = pids;
    Ok([process::usage(ann)?.resident, process::usage(ben)?.resident])
}

fn per(now: u64, before: u64, count: u32) -> f64 {
    now.saturating_sub(before) as f64 / 1024.0 / f64::from(count)
}

/// Jain's index: 1 if all got the same, 1/n if one got all.
pub(crate) fn jain(counts: &[u64]) -> f64 {
    let (sum, squares) = counts.iter().fold((0.0, 0.0), |(sum, squares), count| {
        let count = *count as f64;
        (sum + count, squares + count * count)
    });
    if squares == 0.0 { 0.0 } else { sum * sum / (counts.len() as f64 * squares) }
}

/// For how long one flow sends.
const ALONE: Duration = Duration::from_secs(5);

fn allow_descriptors(wanted: u64) -> Result<()> {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        limit.maximum = limit.maximum.map(|most| most.max(wanted));
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)
            .context("more open files are needed; run as root")?;
    }
    ensure!(
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.is_none_or(|now| now >= wanted),
        "too few open files are allowed"
    );
    Ok(())
}
