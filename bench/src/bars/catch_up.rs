use std::time::Instant;

use anyhow::{Result, bail};

use crate::{
    child::Child,
    node_role::{Answer, Order},
    process::{self, mib},
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many messages are written meanwhile.
    #[arg(long, default_value_t = 100_000)]
    messages: u64,
}

/// Ben's device is off while Ann writes; then it starts and gets all of it. Ann's runs in a process of its own too,
/// so that each side's memory is told apart.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let folder = process::folder()?;
    let home = |name: &str| folder.path().join(name).display().to_string();
    let mut ann = Child::start(&["node", &home("ann")])?;
    ann.order(&Order::found("Ann")).await?;
    let Answer::Invitation { link } = ann.order(&Order::Invite).await? else { bail!("no invitation") };
    let mut ben = Child::start(&["node", &home("ben")])?;
    let join = Order::join(link, "Ben");
    let Answer::Circle { device, .. } = ben.order(&join).await? else { bail!("Ben did not join") };
    ann.order(&Order::Tunnels { count: 1 }).await?;
    ben.order(&Order::Stop).await?;
    drop(ben);

    let write = Order::Write { to: "Ben".to_owned(), count: args.messages, bytes: 300, in_flight: 512 };
    let Answer::Written { conversation, len } = ann.order(&write).await? else { bail!("nothing written") };
    // Ann's device starts anew too: what it holds in memory after writing is not what is measured.
    ann.order(&Order::Stop).await?;
    let mut ann = Child::start(&["node", &home("ann")])?;
    ann.order(&Order::Unlock).await?;
    let idle = process::usage(ann.pid())?.resident;

    let started = Instant::now();
    let mut ben = Child::start(&["node", &home("ben")])?;
    ben.order(&Order::Unlock).await?;
    let unlocked = started.elapsed();
    ann.order(&Order::Stored { conversation, device, count: len }).await?;
    let took = started.elapsed().as_secs_f64();

    let (anns, bens) = (process::usage(ann.pid())?.peak, process::usage(ben.pid())?.peak);
    ben.order(&Order::Stop).await?;
    ann.order(&Order::Stop).await?;
    eprintln!(
        "{len} messages of 300 B while away; process up and unlocked in {:.2} s",
        unlocked.as_secs_f64()
    );
    eprintln!("all stored at Ben and known so at Ann in {took:.2} s: {:.0}/s", len as f64 / took);
    eprintln!(
        "memory at most: Ann {:.1} MiB (idle before: {:.1}), Ben {:.1} MiB",
        mib(anns),
        mib(idle),
        mib(bens)
    );
    Ok(Verdict {
        figure: format!("{took:.2} s; at most {:.0} and {:.0} MiB", mib(anns), mib(bens)),
        holds: took <= 10.0 && anns.max(bens) <= 150 << 20,
        rows: vec![
            Row::new("catch-up of 100,000", "s", took, None),
            Row::new("catch-up, peak memory", "MiB", mib(anns.max(bens)), None),
        ],
    })
}
