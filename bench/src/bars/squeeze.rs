use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use node::api::{self, Event, StreamClass};

use super::Pair;
use crate::{
    cable, files,
    host::{plain, text},
    many::{Clients, Sinks},
    node_role::{Answer, Order},
    process,
    samples::Samples,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How much the cable carries, in kbit/s.
    #[arg(long, default_value_t = 2000)]
    kbit: u32,
    /// How many full packets wait in front of it, as in a router at home.
    #[arg(long, default_value_t = 25)]
    queue: u32,
    /// How many bulk streams send.
    #[arg(long, default_value_t = 100)]
    streams: u32,
    /// For how long it is measured, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// Sends messages, one at a time, each until it is durable at the other end: first alone, then while a file and bulk streams want more than
/// the cable has.
pub(crate) async fn message(args: &Args) -> Result<Verdict> {
    let mut pair = Pair::start().await?;
    narrow(args)?;
    let alone = write(&pair, args.seconds / 3).await?;
    let load = Load::start(&mut pair, args).await?;
    let squeezed = write(&pair, args.seconds).await?;
    let moved = load.end(&mut pair).await?;
    pair.stop().await?;
    eprintln!("messages alone:    {alone}");
    eprintln!("messages squeezed: {squeezed}; meanwhile {moved}");
    let late = squeezed.percentile(95) / 1e3;
    Ok(Verdict {
        figure: format!("p95 {late:.0} ms (alone {:.0} ms)", alone.percentile(95) / 1e3),
        holds: late <= 250.0,
        rows: vec![Row::new("message in the squeeze, p95", "ms", late, None)],
    })
}

/// What fills the cable: one file and many streams of the class *bulk*, all from Ann to Ben.
struct Load {
    clients: Clients,
    sinks: Sinks,
    message: wire::MessageId,
    _folder: process::Folder,
}

impl Load {
    async fn start(pair: &mut Pair, args: &Args) -> Result<Self> {
        let folder = process::folder()?;
        let path = folder.path().join("file");
        files::make(&path, 64 << 20)?;
        let message = files::send(&pair.ann.node, pair.circle, "Ben".into(), &path).await?.message;
        let mut sinks = Sinks::start(args.streams).await?;
        let target = sinks.address.clone();
        offer(pair, ("bulk", &target, false), (StreamClass::Bulk, args.streams)).await?;
        let open = api::OpenStream { stream: "Ben/bulk".into(), ..api::OpenStream::default() };
        let address = pair.ann.node.open_stream(pair.circle, open).await.map_err(plain)?.address;
        let mut clients = Clients::start(&address)?;
        clients.connect(u64::from(args.streams), &mut sinks).await?;
        clients.flood(Duration::from_secs(args.seconds + 60)).await?;
        pair.ben.order(&Order::Accept { message }).await?;
        // Until all that there is between them is full.
        tokio::time::sleep(SETTLE).await;
        sinks.take_counts().await?;
        Ok(Self { clients, sinks, message, _folder: folder })
    }

    /// Returns how much it carried, in words.
    async fn end(mut self, pair: &mut Pair) -> Result<String> {
        let carried: u64 = self.sinks.take_counts().await?.iter().sum();
        drop(self.clients);
        let held = pair.ben.order(&Order::File { message: self.message }).await;
        let file = match held {
            Ok(Answer::File { file }) => file.held,
            _ => 0,
        };
        Ok(format!("{} KiB on the bulk streams, {} KiB of the file", carried >> 10, file >> 10))
    }
}

/// Sends a message now and then, for so long; each until it is durable at the other end.
async fn write(pair: &Pair, seconds: u64) -> Result<Samples> {
    let to = pair.ann.node.conversation(pair.circle, "Ben".to_owned()).await.map_err(plain)?.id;
    let mut events = pair.ann.node.events();
    let mut samples = Samples::default();
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let begun = Instant::now();
        let request = api::Send { to: to.to_string(), text: text(samples.len() as u64, 300) };
        let sent = pair.ann.node.send(pair.circle, request).await.map_err(plain)?;
        loop {
            let event = events.recv().await;
            if matches!(event, Ok(Event::Receipt { device, stored, .. }) if device == pair.bens && stored > sent.seq)
            {
                break;
            }
        }
        samples.push(begun.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(samples)
}

/// Lets Ben offer Ann what the far end has.
async fn offer(
    pair: &mut Pair,
    (name, target, udp): (&str, &str, bool),
    (class, flows): (StreamClass, u32),
) -> Result<()> {
    let (name, to, target) = (name.to_owned(), "Ann".to_owned(), target.to_owned());
    pair.ben.order(&Order::OfferStream { name, to, target, udp, class, flows }).await.map(drop)
}

/// Lets the cable carry no more than so much, each way.
fn narrow(args: &Args) -> Result<()> {
    ensure!(cable::is_there(), "a cable that is narrow needs root");
    let (rate, limit) = (format!("{}kbit", args.kbit), (args.queue * 1500).to_string());
    let words = [
        "qdisc",
        "replace",
        "dev",
        cable::CABLE,
        "root",
        "tbf",
        "rate",
        &rate,
        "burst",
        "3000",
        "limit",
        &limit,
    ];
    for mut command in [Command::new("tc"), cable::far("tc")] {
        let status = command.args(words).status().context("`tc` did not start: install iproute2")?;
        ensure!(status.success(), "tc ended with {status}");
    }
    Ok(())
}

/// How long it takes until all is as it will be.
const SETTLE: Duration = Duration::from_secs(5);
/// How long is waited between two messages.
const PAUSE: Duration = Duration::from_millis(200);
