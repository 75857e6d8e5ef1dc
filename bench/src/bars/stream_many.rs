use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use node::api;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::Pair;
use crate::{
    endpoint::Raw,
    host::plain,
    node_role::{Answer, Order},
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
    allow_descriptors(u64::from(args.streams) * 4 + 1000)?;
    let mut pair = Pair::start().await?;
    let for_s = Duration::from_secs(args.seconds);
    let sinks = Sinks::start(args.streams).await?;

    // Ben offers and Ann opens: what a flow takes of the one that offers.
    pair.ben
        .order(&Order::OfferStream {
            name: "peas".into(),
            to: "Ann".into(),
            target: sinks.address.clone(),
            flows: args.streams,
        })
        .await?;
    let open = api::OpenStream { stream: "Ben/peas".into(), ..api::OpenStream::default() };
    let listener = pair.ann.node.open_stream(pair.circle, open).await.map_err(plain)?;
    let before = process::usage(pair.ben.pid())?.resident;
    let begun = Instant::now();
    let clients = clients(&listener.address, args.streams, &sinks).await?;
    let offering = per(process::usage(pair.ben.pid())?.resident, before, args.streams);
    eprintln!(
        "{} flows opened in {:.1} s; each takes {offering:.1} KiB of the one that offers",
        args.streams,
        begun.elapsed().as_secs_f64()
    );
    drop(clients);
    sinks.until(0).await;
    pair.stop().await?;
    let mut pair = Pair::start().await?;

    // Ann offers and Ben opens.
    let offer = api::NewStreamOffer {
        name: "beans".into(),
        target: api::StreamTarget::Tcp(sinks.address.clone()),
        label: None,
        class: api::StreamClass::File,
        rate: 0,
        flows: Some(args.streams),
        members: vec!["Ben".into()],
        role: None,
    };
    pair.ann.node.offer_stream(pair.circle, offer).await.map_err(plain)?;
    let Answer::Address { address } =
        pair.ben.order(&Order::OpenStream { stream: "Ann/beans".into() }).await?
    else {
        bail!("Ben did not say where he listens");
    };
    let before = process::usage(pair.ben.pid())?.resident;
    let mut clients = self::clients(&address, args.streams, &sinks).await?;
    let opening = per(process::usage(pair.ben.pid())?.resident, before, args.streams);
    eprintln!("each takes {opening:.1} KiB of the one that opens");

    let raw = Raw::start().await?;
    let bare = raw.many(args.streams, for_s).await?;
    sinks.take_counts();
    let sending: Vec<_> = clients.drain(..).map(|client| tokio::spawn(flood(client, for_s))).collect();
    tokio::time::sleep(for_s).await;
    let counts = sinks.take_counts();
    let total: u64 = counts.iter().sum();
    let ours = total as f64 / 1e6 / for_s.as_secs_f64();
    let fair = jain(&counts);
    eprintln!(
        "all sending: {ours:.1} MB/s, Jain {fair:.3}; bare iroh {:.1} MB/s, Jain {:.3}",
        bare.0, bare.1
    );
    for one in sending {
        one.abort();
    }
    let slowed = stalled(&address, &sinks, &mut pair).await?;
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
async fn stalled(address: &str, sinks: &Sinks, pair: &mut Pair) -> Result<f64> {
    sinks.until(0).await;
    let still = TcpListener::bind("127.0.0.1:0").await?;
    let offer = api::NewStreamOffer {
        name: "still".into(),
        target: api::StreamTarget::Tcp(still.local_addr()?.to_string()),
        label: None,
        class: api::StreamClass::File,
        rate: 0,
        flows: None,
        members: vec!["Ben".into()],
        role: None,
    };
    pair.ann.node.offer_stream(pair.circle, offer).await.map_err(plain)?;
    let Answer::Address { address: silent } =
        pair.ben.order(&Order::OpenStream { stream: "Ann/still".into() }).await?
    else {
        bail!("Ben did not say where he listens");
    };
    let mut rates = Vec::new();
    for beside in [false, true] {
        let held = if beside {
            let client = TcpStream::connect(&silent).await?;
            let unread = still.accept().await?;
            let flooding = tokio::spawn(flood(client, 3 * ALONE));
            // Until all on its way is full.
            tokio::time::sleep(ALONE / 2).await;
            Some((flooding, unread))
        } else {
            None
        };
        let client = TcpStream::connect(address).await?;
        sinks.take_counts();
        let sending = tokio::spawn(flood(client, ALONE));
        tokio::time::sleep(ALONE).await;
        rates.push(sinks.take_counts().iter().sum::<u64>() as f64);
        sending.abort();
        drop(held);
        sinks.until(0).await;
    }
    match rates.as_slice() {
        [alone, beside] => Ok(beside / alone),
        _ => bail!("two rates are to be compared"),
    }
}

/// Connects so many, so many at a time as the other side opens.
async fn clients(address: &str, count: u32, sinks: &Sinks) -> Result<Vec<TcpStream>> {
    let mut all = Vec::new();
    while all.len() < count as usize {
        for _ in 0..64.min(count as usize - all.len()) {
            all.push(TcpStream::connect(address).await.context("connecting")?);
        }
        sinks.until(all.len() as u64).await;
    }
    Ok(all)
}

async fn flood(mut client: TcpStream, for_s: Duration) {
    let block = vec![7; 16 << 10];
    let until = Instant::now() + for_s;
    while Instant::now() < until && client.write_all(&block).await.is_ok() {}
}

/// A program that swallows what comes on very many connections and counts it.
struct Sinks {
    address: String,
    counts: Arc<Vec<AtomicU64>>,
    open: Arc<AtomicU64>,
}

impl Sinks {
    async fn start(most: u32) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let counts: Arc<Vec<_>> = Arc::new((0..most).map(|_| AtomicU64::new(0)).collect());
        let open = Arc::<AtomicU64>::default();
        let (all, opened) = (counts.clone(), open.clone());
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                opened.fetch_add(1, Ordering::Relaxed);
                let (all, opened) = (all.clone(), opened.clone());
                tokio::spawn(async move {
                    let mut buffer = Vec::with_capacity(16 << 10);
                    while let Ok(read @ 1..) = stream.read_buf(&mut buffer).await {
                        buffer.clear();
                        if let Some(count) = all.get(number % all.len()) {
                            count.fetch_add(read as u64, Ordering::Relaxed);
                        }
                    }
                    opened.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(Self { address, counts, open })
    }

    async fn until(&self, count: u64) {
        while self.open.load(Ordering::Relaxed) != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn take_counts(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.swap(0, Ordering::Relaxed)).collect()
    }
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
