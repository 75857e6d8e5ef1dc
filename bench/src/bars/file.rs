use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::Pair;
use crate::{
    endpoint::Raw,
    files,
    node_role::{Answer, Order},
    process::{self, mib},
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many MiB the file has.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// How many files are sent, each after a run of the bare endpoints.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// One round's figures.
struct Round {
    bare: f64,
    /// Without and with the taking in.
    ours: f64,
    whole: f64,
    cpu_per_gb: f64,
    bare_cpu_per_gb: f64,
}

/// Ann offers a file, Ben fetches it: sealed on both disks, verified, durable at the end. Beside it bare endpoints, from memory to
/// memory.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let size = args.mib << 20;
    let folder = process::folder()?;
    let mut rounds = Vec::new();
    let mut pair = Pair::start().await?;
    let raw = Raw::start().await?;
    let pids = [std::process::id(), pair.ben.pid()];
    let resting = process::usage(pids[1])?.resident;
    let mut peak = [0; 2];
    for number in 0..args.rounds {
        let before = process::cpu(pids[0])? + process::cpu(raw.other_pid())?;
        let bare = raw.bulk(size).await?;
        let bare_cpu = process::cpu(pids[0])? + process::cpu(raw.other_pid())? - before;

        let path = folder.path().join(format!("file-{number}"));
        files::make(&path, size)?;
        let begun = Instant::now();
        let offered = files::send(&pair.ann.node, pair.circle, "Ben".into(), &path).await?;
        let taken = begun.elapsed();
        let before = cpu(pids)?;
        let begun = Instant::now();
        pair.ben.order(&Order::Accept { message: offered.message }).await?;
        let Answer::File { file } = pair.ben.order(&Order::Held { message: offered.message }).await? else {
            bail!("Ben did not say what he holds");
        };
        let took = begun.elapsed();
        let used = cpu(pids)? - before;
        ensure!(file.held == size && file.id == offered.id, "Ben holds something else");
        for (peak, pid) in peak.iter_mut().zip(pids) {
            *peak = process::usage(pid)?.peak;
        }
        if number == 0 {
            let out = folder.path().join("out");
            pair.ben.order(&Order::Save { message: offered.message, path: out.clone() }).await?;
            ensure!(files::are_same(&path, &out)?, "what Ben has is not what Ann sent");
            std::fs::remove_file(out)?;
        }
        std::fs::remove_file(path)?;
        let rate = |span: Duration| size as f64 / 1e6 / span.as_secs_f64();
        let per_gb = |used: Duration| used.as_secs_f64() / (size as f64 / 1e9);
        let round = Round {
            bare: rate(bare),
            ours: rate(took),
            whole: rate(took + taken),
            cpu_per_gb: per_gb(used),
            bare_cpu_per_gb: per_gb(bare_cpu),
        };
        eprintln!(
            "bare {:.0} MB/s ({:.1} CPU-s/GB) · taken in {:.0} MB/s · fetched {:.0} MB/s ({:.1} CPU-s/GB) · both {:.0} MB/s",
            round.bare,
            round.bare_cpu_per_gb,
            rate(taken),
            round.ours,
            round.cpu_per_gb,
            round.whole
        );
        rounds.push(round);
        pair.ann.node.delete(pair.circle, offered.message).await.map_err(crate::host::plain)?;
    }
    pair.stop().await?;
    let ratio = median(rounds.iter().map(|round| round.ours / round.bare));
    let whole = median(rounds.iter().map(|round| round.whole / round.bare));
    let cost = median(rounds.iter().map(|round| round.cpu_per_gb));
    let bare_cost = median(rounds.iter().map(|round| round.bare_cpu_per_gb));
    // Ann is this process, which also made the file and ran the bare end: Ben's peak is a node's.
    eprintln!(
        "Ben resident: {:.1} MiB before, {:.1} at most; Ann at most {:.1}",
        mib(resting),
        mib(peak[1]),
        mib(peak[0])
    );
    Ok(Verdict {
        figure: format!(
            "{ratio:.2} × bare ({whole:.2} with the taking in), {cost:.1} CPU-s per GB (bare {bare_cost:.1}), {:.0} MiB at most",
            mib(peak[1])
        ),
        holds: ratio >= RATIO && cost <= COST && peak[1] <= MEMORY,
        rows: vec![
            Row::new(
                "file",
                "MB/s",
                median(rounds.iter().map(|round| round.ours)),
                Some(median(rounds.iter().map(|round| round.bare))),
            ),
            Row::new("processor", "CPU-s/GB", cost, Some(bare_cost)),
        ],
    })
}

fn cpu(pids: [u32; 2]) -> Result<Duration> {
    let [ann, ben] = pids;
    Ok(process::cpu(ann)? + process::cpu(ben)?)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

const RATIO: f64 = 0.75;
const COST: f64 = 4.0;
const MEMORY: u64 = 100 << 20;
