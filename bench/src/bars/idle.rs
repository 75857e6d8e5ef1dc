use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use crate::{
    cable::{Cable, End},
    child::Child,
    node_role::{Answer, Order},
    process::{self, Usage, mib},
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For how long each figure is taken, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long tunnels are left alone before that, in seconds.
    #[arg(long, default_value_t = 20)]
    settle: u64,
    /// How many contacts; the first is what the bar is for.
    #[arg(long, value_delimiter = ',', default_value = "10,100")]
    contacts: Vec<usize>,
}

/// A node that does nothing but keep its tunnels: what it costs in memory, processor, bytes and wake-ups.
///
/// It lives in a network namespace of its own, so that the bytes are those of the wire; all its contacts are real
/// nodes in one other process, connected among themselves too.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let cable = Cable::new()?;
    let bare = bare().await?;
    let mut rows = vec![];
    let mut first = None;
    for &contacts in &args.contacts {
        let idle = measure(args, &cable, contacts).await?;
        idle.tell(&format!("node with {contacts} contacts"), contacts);
        let (memory, cpu, bytes, wakes) =
            NAMES.get(usize::from(first.is_some())).context("two rows at most")?;
        let day = idle.bytes_a_day() / contacts as f64;
        rows.push(Row::new(memory, "MiB", mib(idle.usage.resident), Some(mib(bare.usage.resident))));
        rows.push(Row::new(cpu, "% of a core", idle.cpu_share() * 100.0, Some(bare.cpu_share() * 100.0)));
        rows.push(Row::new(bytes, "KiB/h", idle.bytes_a_day() / 24.0 / 1024.0, None));
        rows.push(Row::new(wakes, "1/h", idle.wakes_an_hour(), Some(bare.wakes_an_hour())));
        first.get_or_insert((idle, day));
    }
    let Some((idle, day)) = first else { bail!("no number of contacts was given") };
    let (resident, share) = (idle.usage.resident, idle.cpu_share());
    Ok(Verdict {
        figure: format!(
            "{:.1} MiB resident, {:.3} % of a core, {:.2} MiB a day per contact",
            mib(resident),
            share * 100.0,
            day / f64::from(1 << 20)
        ),
        holds: resident <= 25 << 20 && share <= 0.001 && day <= f64::from(1 << 20),
        rows,
    })
}

/// What a process used in a stretch of time.
struct Idle {
    usage: Usage,
    cpu: Duration,
    wakes: u64,
    /// On the wire, both directions, with the headers of IP and UDP.
    bytes: u64,
    packets: u64,
    took: Duration,
}

impl Idle {
    fn cpu_share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.took.as_secs_f64()
    }

    fn bytes_a_day(&self) -> f64 {
        self.bytes as f64 / self.took.as_secs_f64() * 86_400.0
    }

    fn wakes_an_hour(&self) -> f64 {
        self.wakes as f64 / self.took.as_secs_f64() * 3600.0
    }

    fn tell(&self, what: &str, contacts: usize) {
        eprintln!(
            "{what}: {:.1} MiB resident ({:.1} proportional), {:.3} % of a core, {:.0} wake-ups an hour",
            mib(self.usage.resident),
            mib(self.usage.proportional),
            self.cpu_share() * 100.0,
            self.wakes_an_hour()
        );
        if contacts > 0 {
            eprintln!(
                "  {} B in {} packets in {:.0} s = {:.0} B a packet, {:.2} MiB a day per contact",
                self.bytes,
                self.packets,
                self.took.as_secs_f64(),
                self.bytes as f64 / self.packets.max(1) as f64,
                self.bytes_a_day() / contacts as f64 / f64::from(1 << 20)
            );
        }
    }
}

async fn measure(args: &Args, cable: &Cable, contacts: usize) -> Result<Idle> {
    let folder = process::folder()?;
    let home = |name: &str| folder.path().join(name).display().to_string();
    let [near, far] = [End::Near, End::Far].map(|end| end.address().to_string());
    let mut node = cable.start(End::Near, &["node", &home("node"), "--bind", &near])?;
    node.order(&Order::found("Ann")).await?;
    let mut invitations = Vec::new();
    for _ in 0..contacts {
        let Answer::Invitation { link } = node.order(&Order::Invite).await? else { bail!("no invitation") };
        invitations.push(link);
    }
    let started = Instant::now();
    let mut crowd = cable.start(End::Far, &["node", &home("crowd"), "--bind", &far])?;
    crowd.order(&Order::Crowd { invitations }).await?;
    node.order(&Order::Tunnels { count: contacts }).await?;
    eprintln!("{contacts} contacts joined in {:.0} s", started.elapsed().as_secs_f64());
    // What the joining took is not idleness: the node starts anew, as after a night, and gets its tunnels back.
    node.order(&Order::Stop).await?;
    let mut node = cable.start(End::Near, &["node", &home("node"), "--bind", &near])?;
    node.order(&Order::Unlock).await?;
    node.order(&Order::Tunnels { count: contacts }).await?;
    let idle = watch(args, node.pid(), || cable.count()).await?;
    // All of them were there all the time, or it is no measurement.
    node.order(&Order::Tunnels { count: contacts }).await?;
    node.order(&Order::Stop).await?;
    Ok(idle)
}

/// A bare endpoint that nobody dials.
async fn bare() -> Result<Idle> {
    let mut child = Child::start(&["endpoint"])?;
    child.line().await?;
    let idle =
        watch(&Args { settle: 2, seconds: 20, contacts: Vec::new() }, child.pid(), || Ok((0, 0))).await?;
    idle.tell("bare iroh endpoint, not dialled", 0);
    Ok(idle)
}

async fn watch(args: &Args, pid: u32, count: impl Fn() -> Result<(u64, u64)>) -> Result<Idle> {
    sleep(Duration::from_secs(args.settle)).await;
    let (before, cpu, (bytes, packets)) = (process::usage(pid)?, process::cpu(pid)?, count()?);
    let started = Instant::now();
    sleep(Duration::from_secs(args.seconds)).await;
    let took = started.elapsed();
    let (after, cpu_after, (bytes_after, packets_after)) =
        (process::usage(pid)?, process::cpu(pid)?, count()?);
    Ok(Idle {
        usage: after,
        cpu: cpu_after.saturating_sub(cpu),
        wakes: after.wakes.saturating_sub(before.wakes),
        bytes: bytes_after.saturating_sub(bytes),
        packets: packets_after.saturating_sub(packets),
        took,
    })
}

/// What the rows are called, for the first and the second number of contacts.
const NAMES: [(&str, &str, &str, &str); 2] = [
    (
        "idle, 10 contacts: resident",
        "idle, 10 contacts: processor",
        "idle, 10 contacts: on the wire",
        "idle, 10 contacts: wake-ups",
    ),
    (
        "idle, 100 contacts: resident",
        "idle, 100 contacts: processor",
        "idle, 100 contacts: on the wire",
        "idle, 100 contacts: wake-ups",
    ),
];
