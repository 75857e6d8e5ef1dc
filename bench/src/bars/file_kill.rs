use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use node::api::File;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;
use wire::MessageId;

use crate::{
    child::Child,
    files,
    node_role::{Answer, Order},
    process,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many times a process is killed.
    #[arg(long, default_value_t = 100)]
    kills: u64,
    /// How many MiB the file has.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
}

/// Ben fetches a file from Ann; at random points one of the two is killed and started again.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let size = args.mib << 20;
    let folder = process::folder()?;
    let source = folder.path().join("source");
    files::make(&source, size)?;
    let mut ann = Side::start(folder.path().join("ann"))?;
    let mut ben = Side::start(folder.path().join("ben"))?;
    ann.process.order(&Order::found("Ann")).await?;
    let Answer::Invitation { link } = ann.process.order(&Order::Invite).await? else {
        bail!("no invitation");
    };
    ben.process.order(&Order::join(link, "Ben")).await?;
    let Answer::File { file } =
        ann.process.order(&Order::SendFile { to: "Ben".into(), path: source.clone() }).await?
    else {
        bail!("no offer");
    };
    let message = file.message;
    ben.process.order(&Order::Accept { message }).await?;

    let started = Instant::now();
    // What Ann gave and what of it Ben held, when this span between two kills began.
    let (mut given, mut held) = (0, 0);
    let (mut most, mut total, mut whole) = (0, 0, 0);
    let mut done = 0;
    while done < args.kills {
        // So far that all kills find something under way: the rest is shared among those that are left.
        let step = (size - held) / (args.kills - done + 1);
        let until = held + random(2 * step.max(1));
        loop {
            let seen = ben.file(message).await?;
            if seen.held >= until.min(size - 1) {
                break;
            }
            sleep(Duration::from_micros(500)).await;
        }
        sleep(Duration::from_micros(random(2000))).await;
        let kill_ben = random(2) == 0;
        let gave = if kill_ben {
            ben.process.kill().await?;
            // What Ann had written is all that can have gone out; she notices nothing yet.
            let gave = ann.file(message).await?.given;
            // She gives nothing more until Ben has looked what he holds.
            ann.signal(Signal::STOP)?;
            ben.restart().await?;
            gave
        } else {
            // Ben takes nothing more, so that what Ann has given can be asked before she is killed.
            ben.signal(Signal::STOP)?;
            sleep(Duration::from_millis(20)).await;
            let gave = ann.file(message).await?.given;
            ann.process.kill().await?;
            ben.signal(Signal::CONT)?;
            // What had arrived is still being stored.
            sleep(Duration::from_millis(50)).await;
            gave
        };
        let now_held = ben.settled(message).await?;
        ensure!(now_held >= held, "Ben lost what he held: {now_held} of {held}");
        let again = (gave - given).saturating_sub(now_held - held);
        most = most.max(again);
        total += again;
        if again > LIMIT {
            whole += 1;
        }
        held = now_held;
        if kill_ben {
            given = gave;
            ann.signal(Signal::CONT)?;
        } else {
            given = 0;
            ann.restart().await?;
        }
        done += 1;
        if held == size {
            bail!("the file was whole after {done} kills: a larger one is needed");
        }
        if done % 20 == 0 {
            eprintln!(
                "{done} kills in {:.0} s, {:.0} of {} MiB held",
                started.elapsed().as_secs_f64(),
                process::mib(held),
                args.mib
            );
        }
    }
    ben.process.order(&Order::Held { message }).await?;
    let out = folder.path().join("out");
    ben.process.order(&Order::Save { message, path: out.clone() }).await?;
    let exact = files::are_same(&source, &out)?;
    ann.process.order(&Order::Stop).await?;
    ben.process.order(&Order::Stop).await?;
    Ok(Verdict {
        figure: format!(
            "{done} kills, sent again {:.0} KiB at most and {:.0} on average, {}",
            most as f64 / 1024.0,
            total as f64 / 1024.0 / done as f64,
            if exact { "bit-exact" } else { "NOT THE SAME" }
        ),
        holds: exact && whole == 0,
        rows: vec![Row::new("sent again at most", "KiB", most as f64 / 1024.0, None)],
    })
}

/// One of the two, whose process comes and goes.
struct Side {
    home: PathBuf,
    process: Child,
}

impl Side {
    fn start(home: PathBuf) -> Result<Self> {
        let process = start(&home)?;
        Ok(Self { home, process })
    }

    async fn restart(&mut self) -> Result<()> {
        self.process = start(&self.home)?;
        self.process.order(&Order::Unlock).await.map(drop)
    }

    async fn file(&mut self, message: MessageId) -> Result<Box<File>> {
        match self.process.order(&Order::File { message }).await? {
            Answer::File { file } => Ok(file),
            answer => bail!("{answer:?} is no file"),
        }
    }

    /// Waits until what is held is counted and does not grow by what came before, and returns it.
    async fn settled(&mut self, message: MessageId) -> Result<u64> {
        for _ in 0..2000 {
            let seen = self.file(message).await?;
            // A first look after a start finds what is there before anybody is asked.
            if seen.held > 0 {
                return Ok(seen.held);
            }
            sleep(Duration::from_millis(5)).await;
        }
        bail!("nothing is held")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.process.pid())?).context("a process has a number")?;
        Ok(kill_process(pid, signal)?)
    }
}

fn start(home: &Path) -> Result<Child> {
    Child::start(&["node", home.to_str().context("a folder with a strange name")?])
}

fn random(below: u64) -> u64 {
    u64::from_be_bytes(crypto::Entropy::bytes(&mut crypto::OsEntropy)) % below
}

/// How many bytes may be sent again after a kill.
const LIMIT: u64 = 1 << 20;
