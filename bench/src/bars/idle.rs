use std::{
    net::Ipv4Addr,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::time::sleep;

use crate::{
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
    let wire = Wire::new()?;
    let bare = bare().await?;
    let mut rows = vec![];
    let mut first = None;
    for &contacts in &args.contacts {
        let idle = measure(args, &wire, contacts).await?;
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

async fn measure(args: &Args, wire: &Wire, contacts: usize) -> Result<Idle> {
    let folder = process::folder()?;
    let home = |name: &str| folder.path().join(name).display().to_string();
    let mut node = wire.start(Side::Node, &["node", &home("node"), "--bind", &NODE.to_string()])?;
    node.order(&Order::found("Ann")).await?;
    let mut invitations = Vec::new();
    for _ in 0..contacts {
        let Answer::Invitation { link } = node.order(&Order::Invite).await? else { bail!("no invitation") };
        invitations.push(link);
    }
    let started = Instant::now();
    let mut crowd = wire.start(Side::Crowd, &["node", &home("crowd"), "--bind", &CROWD.to_string()])?;
    crowd.order(&Order::Crowd { invitations }).await?;
    node.order(&Order::Tunnels { count: contacts }).await?;
    eprintln!("{contacts} contacts joined in {:.0} s", started.elapsed().as_secs_f64());
    // What the joining took is not idleness: the node starts anew, as after a night, and gets its tunnels back.
    node.order(&Order::Stop).await?;
    let mut node = wire.start(Side::Node, &["node", &home("node"), "--bind", &NODE.to_string()])?;
    node.order(&Order::Unlock).await?;
    node.order(&Order::Tunnels { count: contacts }).await?;
    let idle = watch(args, node.pid(), || wire.count()).await?;
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

#[derive(Clone, Copy)]
enum Side {
    Node,
    Crowd,
}

/// Two network namespaces joined by a cable that counts.
struct Wire {
    names: [String; 2],
}

impl Wire {
    fn new() -> Result<Self> {
        let number = std::process::id();
        let wire = Self { names: ["n", "c"].map(|side| format!("hexode-{number}-{side}")) };
        let [node, crowd] = &wire.names;
        for name in &wire.names {
            ip(&["netns", "add", name]).context(
                "network namespaces need root: without them the bytes of one node can't be counted",
            )?;
        }
        ip(&["-n", node, "link", "add", CABLE, "type", "veth", "peer", "name", CABLE, "netns", crowd])?;
        for (name, address) in [(node, NODE), (crowd, CROWD)] {
            ip(&["-n", name, "addr", "add", &format!("{address}/24"), "dev", CABLE])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            ip(&["-n", name, "link", "set", CABLE, "up"])?;
        }
        Ok(wire)
    }

    fn name(&self, side: Side) -> &str {
        let [node, crowd] = &self.names;
        match side {
            Side::Node => node,
            Side::Crowd => crowd,
        }
    }

    fn start(&self, side: Side, words: &[&str]) -> Result<Child> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name(side)]).arg(std::env::current_exe()?);
        // `ip` becomes the program it is to start, so the process is the node's.
        Child::start_as(&mut command, words)
    }

    /// Counts bytes and packets over the cable, both ways, without the Ethernet header.
    fn count(&self) -> Result<(u64, u64)> {
        let script = ["rx_bytes", "tx_bytes", "rx_packets", "tx_packets"]
            .map(|name| format!("/sys/class/net/{CABLE}/statistics/{name}"))
            .join(" ");
        let output = Command::new("ip")
            .args(["netns", "exec", self.name(Side::Node), "sh", "-c", &format!("cat {script}")])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        let [received, sent, packets_in, packets_out] = numbers[..] else {
            bail!("the cable's counters cannot be read")
        };
        let packets = packets_in + packets_out;
        Ok((received + sent - ETHERNET * packets, packets))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for name in &self.names {
            // With the last process in it gone the namespace goes, and the cable with it.
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

fn ip(words: &[&str]) -> Result<()> {
    let status = Command::new("ip").args(words).status().context("`ip` did not start")?;
    ensure!(status.success(), "ip {} ended with {status}", words.join(" "));
    Ok(())
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

const CABLE: &str = "cable";
const NODE: Ipv4Addr = Ipv4Addr::new(10, 213, 77, 1);
const CROWD: Ipv4Addr = Ipv4Addr::new(10, 213, 77, 2);
const ETHERNET: u64 = 14;
