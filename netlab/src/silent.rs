use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use crypto::{Entropy, OsEntropy};
use hexode_netlab::{Device, Lab, Space, Tap, allow_each_other};
use tunnel::Command;

use crate::Verdict;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many packets.
    #[arg(long, default_value_t = 1_000_000)]
    packets: u64,
    /// How many a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
}

/// Sends what a stranger can send to a node's port, while two members talk: counts every byte that comes back.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let lab = Lab::new();
    let (net, ann_space) = (lab.router("net")?, lab.space("ann")?);
    let (ben_space, stranger) = (lab.space("ben")?, lab.space("mal")?);
    ann_space.cable("eth", "10.1.0.2/24", &net, "ann", "10.1.0.1/24")?;
    ben_space.cable("eth", "10.2.0.2/24", &net, "ben", "10.2.0.1/24")?;
    stranger.cable("eth", "10.3.0.2/24", &net, "mal", "10.3.0.1/24")?;
    for (space, gateway) in [(&ann_space, "10.1.0.1"), (&ben_space, "10.2.0.1"), (&stranger, "10.3.0.1")] {
        space.ip(&format!("route add default via {gateway}"))?;
    }
    stranger.nft(COUNT)?;

    let (ann, ben) = (Arc::new(Device::start(&ann_space, 1)?), Arc::new(Device::start(&ben_space, 2)?));
    let node = v4(&ann)?;
    let tap = Tap::start(&net, SocketAddr::from(([10, 2, 0, 1], 4000)), node)?;
    allow_each_other(&[&ann, &ben]);
    ben.know(ann.id, vec![tap.address]);
    ensure!(
        ben.until_up(ann.id, LIMIT).is_some() && ann.until_up(ben.id, LIMIT).is_some(),
        "no link came up"
    );
    let talk = Talk { ann: ann.clone(), ben: ben.clone() };
    talk.echo(200)?;
    // What an observer of the line has by now, the first packets included.
    let recorded: Vec<_> =
        tap.heard().into_iter().filter(|copy| copy.from_caller).map(|copy| copy.bytes).collect();
    ensure!(
        recorded.iter().any(|bytes| bytes.first().is_some_and(|byte| byte & 0xf0 == 0xc0)),
        "no first packet"
    );

    let undisturbed = talk.echo(3000)?;
    let before = resident()?;
    let (flooding, done) = (AtomicBool::new(true), AtomicBool::new(false));
    let disturbed = thread::scope(|scope| -> Result<_> {
        let flood = scope.spawn(|| {
            let sent = stranger.within(|| flood(args, node, &recorded));
            flooding.store(false, Ordering::Relaxed);
            sent
        });
        let mut took = Vec::new();
        while flooding.load(Ordering::Relaxed) {
            took.extend(talk.echo(100)?);
        }
        done.store(true, Ordering::Relaxed);
        let sent = flood.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        eprintln!(
            "{sent} packets sent in {:?}; {} echoes meanwhile",
            took.iter().sum::<Duration>(),
            took.len()
        );
        Ok(took)
    })?;
    // The list of what was measured is this program's, and long where echoes are quick.
    let listed = u64::try_from(size_of_val(disturbed.as_slice()))?;
    let grown = resident()?.saturating_sub(before).saturating_sub(listed);
    let (turns, downs) = ann.turns();
    ensure!(turns == 1 && downs.is_empty(), "the members' link did not last: {downs:?}");
    let back = comes_back(talk, &ben_space, &stranger, &recorded)?;
    let (answers, bytes) = stranger.counted("ip count")?;
    let (calm, noisy) = (p99(undisturbed), p99(disturbed));
    Ok(Verdict {
        figure: format!(
            "{bytes} bytes answered to {} packets ({answers} packets), {:.1} MiB more memory, echo p99 {:.2} ms, undisturbed {:.2} ms; a member comes back among recordings in {:.0} ms",
            args.packets,
            grown as f64 / f64::from(1 << 20),
            noisy.as_secs_f64() * 1e3,
            calm.as_secs_f64() * 1e3,
            back.as_secs_f64() * 1e3,
        ),
        holds: bytes == 0 && grown < 8 << 20 && noisy <= 2 * calm && back < BACK,
    })
}

/// Replays first packets of a member who is gone, more of them than a member may send, and has him come back from where
/// nobody expects him, so that it is he who dials; returns how long that took.
fn comes_back(talk: Talk, space: &Space, stranger: &Space, recorded: &[Vec<u8>]) -> Result<Duration> {
    let Talk { ann, ben } = talk;
    let (id, node) = (ben.id, v4(&ann)?);
    ben.send(Command::Shutdown);
    ensure!(ann.until_down(id, LIMIT), "a link outlived its end");
    drop(ben);
    stranger.within(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        let is_first = |bytes: &&Vec<u8>| bytes.first().is_some_and(|byte| byte & 0xf0 == 0xc0);
        for bytes in recorded.iter().filter(is_first).cycle().take(REPLAYED) {
            socket.send_to(bytes, node)?;
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })?;
    let start = Instant::now();
    let ben = Device::start(space, 2)?;
    allow_each_other(&[&ann, &ben]);
    ben.know(ann.id, vec![node]);
    ensure!(ben.until_up(ann.id, LIMIT).is_some(), "recordings shut a member out");
    Ok(start.elapsed())
}

struct Talk {
    ann: Arc<Device>,
    ben: Arc<Device>,
}

impl Talk {
    /// Has so many messages echoed, and returns how long each took.
    fn echo(&self, count: usize) -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        for _ in 0..count {
            let start = Instant::now();
            self.ben.say(self.ann.id, vec![7; 300]);
            let heard = self.ann.until_frame(LIMIT).context("a message did not arrive")?;
            self.ann.say(self.ben.id, heard);
            self.ben.until_frame(LIMIT).context("an answer did not arrive")?;
            took.push(start.elapsed());
        }
        Ok(took)
    }
}

fn v4(device: &Device) -> Result<SocketAddr> {
    device.addresses()?.into_iter().find(SocketAddr::is_ipv4).context("no IPv4 address")
}

/// Sends everything a stranger may think of.
fn flood(args: &Args, node: SocketAddr, recorded: &[Vec<u8>]) -> Result<u64> {
    let sockets: Vec<_> = (0..16).map(|_| UdpSocket::bind("0.0.0.0:0")).collect::<std::io::Result<_>>()?;
    let mut dice = Dice(u64::from_be_bytes(OsEntropy.bytes()));
    let start = Instant::now();
    for number in 0..args.packets {
        let packet = match number % 6 {
            0 => dice.bytes(1 + number as usize % 1400),
            1 => first(&mut dice, *in_turn(number, &[8, 20, 0, 255]), 1),
            2 => first(&mut dice, 20, *in_turn(number, &[0, 2, 0x6b33_43cf, 0x0a1a_2a3a])),
            3 => {
                // A short header for a connection id that is not.
                let mut packet = dice.bytes(40 + number as usize % 1200);
                packet.iter_mut().take(1).for_each(|byte| *byte = 0x40 | *byte & 0x3f);
                packet
            }
            4 => dice.choose(recorded)?.clone(),
            _ => {
                let mut packet = dice.choose(recorded)?.clone();
                for _ in 0..1 + dice.next() % 4 {
                    let at = dice.next() as usize % packet.len().max(1);
                    packet.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8));
                }
                packet
            }
        };
        if let Some(socket) = sockets.get(dice.next() as usize % sockets.len()) {
            // A full queue drops it.
            let _ = socket.send_to(&packet, node);
        }
        if number % 64 == 0 {
            let due = start + Duration::from_secs_f64(number as f64 / args.rate as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    // Whatever wants to answer has the time to.
    thread::sleep(Duration::from_secs(1));
    Ok(args.packets)
}

/// Takes the values in turn.
fn in_turn<T>(number: u64, values: &[T; 4]) -> &T {
    let [a, b, c, d] = values;
    match number / 6 % 4 {
        0 => a,
        1 => b,
        2 => c,
        _ => d,
    }
}

/// Makes a first packet of a connection, as far as a stranger can.
fn first(dice: &mut Dice, id: u8, version: u32) -> Vec<u8> {
    let mut packet = vec![0xc0 | dice.next() as u8 & 0x0f];
    packet.extend(version.to_be_bytes());
    packet.push(id);
    packet.extend(dice.bytes(1194));
    packet
}

/// Numbers that need not be secret, fast.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| self.next().to_be_bytes()).collect();
        bytes.truncate(length);
        bytes
    }

    fn choose<'a, T>(&mut self, all: &'a [T]) -> Result<&'a T> {
        all.get(self.next() as usize % all.len().max(1)).context("nothing was recorded")
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

const LIMIT: Duration = Duration::from_secs(20);
/// How many recordings come before a member does.
const REPLAYED: usize = 200;
/// How soon he has to be in all the same: at his first try.
const BACK: Duration = Duration::from_secs(2);
const COUNT: &str = "table ip count {
 chain arrivals {
  type filter hook prerouting priority -400
  counter
 }
}
";
