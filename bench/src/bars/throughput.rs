use std::time::{Duration, Instant};

use anyhow::Result;

use super::Pair;
use crate::{
    endpoint::Raw,
    host,
    process::{self, mib},
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many messages.
    #[arg(long, default_value_t = 200_000)]
    messages: u64,
    /// How many a front end has under way at once.
    #[arg(long, default_value_t = 512)]
    in_flight: u64,
}

/// Ann writes to Ben as fast as both can store, until Ben's receipt covers all.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let raw = Raw::start().await?;
    let bare = raw.stream(args.messages, BYTES).await?;
    drop(raw);
    let pair = Pair::start().await?;

    let pids = [std::process::id(), pair.ben.pid()];
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let sampling = tokio::spawn(sample(pids, stopped));
    let before = cpu(pids)?;
    let started = Instant::now();
    let (to, len) =
        host::write(&pair.ann.node, pair.circle, "Ben", (args.messages, BYTES, args.in_flight)).await?;
    let written = started.elapsed();
    let chain = (to, pair.bens, pair.anns);
    pair.ann.wait(|seen| seen.stored.get(&chain).filter(|stored| **stored >= len).copied()).await?;
    let took = started.elapsed();
    let used = cpu(pids)? - before;
    let _ = stop.send(());
    let samples = sampling.await??;
    pair.stop().await?;

    let rate = args.messages as f64 / took.as_secs_f64();
    let bare_rate = args.messages as f64 / bare.as_secs_f64();
    eprintln!(
        "{} messages of {BYTES} B, {} under way: written in {:.2} s, stored at both ends in {:.2} s: {rate:.0}/s",
        args.messages,
        args.in_flight,
        written.as_secs_f64(),
        took.as_secs_f64()
    );
    eprintln!("a bare iroh stream carries {bare_rate:.0}/s and stores nothing");
    eprintln!(
        "processor: {:.1} µs a message, both ends; {:.2} cores",
        used.as_secs_f64() * 1e6 / args.messages as f64,
        used.as_secs_f64() / took.as_secs_f64()
    );
    // What the first tenth needs to fill caches and pools is not growth.
    let growth = |at: usize| {
        let side: Vec<u64> = samples.iter().filter_map(|both| both.get(at).copied()).collect();
        let settled = side.len() / 2;
        let first = side.iter().take(settled).skip(settled / 5).max().copied().unwrap_or(0);
        let second = side.iter().skip(settled).max().copied().unwrap_or(0);
        (first, second)
    };
    let (ann, ben) = (growth(0), growth(1));
    for (who, (first, second)) in [("Ann", ann), ("Ben", ben)] {
        eprintln!(
            "{who} resident: {:.1} MiB in the first half, {:.1} in the second",
            mib(first),
            mib(second)
        );
    }
    let flat = [ann, ben].iter().all(|(first, second)| *second <= first + GROWTH);
    Ok(Verdict {
        figure: format!(
            "{rate:.0} messages/s; resident {:.0} → {:.0} MiB and {:.0} → {:.0} MiB",
            mib(ann.0),
            mib(ann.1),
            mib(ben.0),
            mib(ben.1)
        ),
        holds: rate >= RATE && flat,
        rows: vec![Row::new("messages one way", "1/s", rate, Some(bare_rate))],
    })
}

async fn sample(pids: [u32; 2], mut stopped: tokio::sync::oneshot::Receiver<()>) -> Result<Vec<[u64; 2]>> {
    let mut samples = Vec::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(samples),
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                let [ann, ben] = pids;
                samples.push([process::usage(ann)?.resident, process::usage(ben)?.resident]);
            }
        }
    }
}

fn cpu(pids: [u32; 2]) -> Result<Duration> {
    let [ann, ben] = pids;
    Ok(process::cpu(ann)? + process::cpu(ben)?)
}

const BYTES: usize = 300;
const RATE: f64 = 10_000.0;
/// How much more may be resident in the second half than in the first.
const GROWTH: u64 = 4 << 20;
