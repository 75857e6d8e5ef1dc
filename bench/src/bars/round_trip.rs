use std::time::Instant;

use anyhow::Result;
use node::api::{self, Event};
use wire::DeviceId;

use super::Pair;
use crate::{
    commits::Commits,
    endpoint::Raw,
    host::{plain, text},
    process,
    samples::Samples,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many messages.
    #[arg(long, default_value_t = 3000)]
    messages: u64,
}

/// Sends messages one at a time, each until Ann's node says that Ben's has stored it, and in the same run, turn
/// about, echoes on a bare iroh stream and commits of one row.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let pair = Pair::start().await?;
    let raw = Raw::start().await?;
    let mut echo = raw.echo().await?;
    let folder = process::folder()?;
    let mut commits = Commits::new(folder.path())?;
    let to = pair.ann.node.conversation(pair.circle, "Ben".to_owned()).await.map_err(plain)?.id;
    let payload = text(0, BYTES).into_bytes();
    let (mut trips, mut stored, mut echoes, mut single) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());

    let mut events = pair.ann.node.events();
    for number in 0..args.messages + WARM_UP {
        let warm = number >= WARM_UP;
        let request = api::Send { to: to.to_string(), text: text(number, BYTES) };
        let started = Instant::now();
        let message = pair.ann.node.send(pair.circle, request).await.map_err(plain)?;
        let here = started.elapsed();
        while !covers(&events.recv().await?, pair.bens, message.seq) {}
        let took = started.elapsed();
        let back = echo.one(&payload).await?;
        let commit = commits.one()?;
        if warm {
            trips.push(took);
            stored.push(here);
            echoes.push(back);
            single.push(commit);
        }
    }
    echo.close();
    pair.stop().await?;

    eprintln!("message, durable at both ends: {trips}");
    eprintln!("  of it, until durable here:   {stored}");
    eprintln!("bare iroh stream echo:         {echoes}");
    eprintln!("one commit of one row:         {single}");
    let limit = 3.0 * echoes.percentile(50) + 2.0 * single.percentile(50);
    let ours = trips.percentile(50);
    eprintln!("3 echoes + 2 commits:          {limit:.0} µs");
    Ok(Verdict {
        figure: format!("p50 {ours:.0} µs = {:.2} × (3 echoes + 2 commits = {limit:.0} µs)", ours / limit),
        holds: ours <= limit,
        rows: vec![
            Row::new("round trip p50", "µs", ours, Some(echoes.percentile(50))),
            Row::new("round trip p99", "µs", trips.percentile(99), Some(echoes.percentile(99))),
            Row::new("one commit p50", "µs", single.percentile(50), None),
        ],
    })
}

/// Whether an event says that a device has stored this one's chain beyond a place.
fn covers(event: &Event, device: DeviceId, place: u64) -> bool {
    matches!(event, Event::Receipt { device: by, stored, .. } if *by == device && *stored > place)
}

const BYTES: usize = 300;
/// Messages before those that count, while paths are validated and caches filled.
const WARM_UP: u64 = 200;
