use std::{
    collections::BTreeSet,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hexode_netlab::{Device, Internet, Kind, Lab, allow_each_other};
use tunnel::{Command, Remote, Snapshot};
use wire::DeviceId;

use crate::Verdict;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many times each pair of networks is tried.
    #[arg(long, default_value_t = 5)]
    each: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CostArgs {
    /// How many MiB are sent each way of measuring.
    #[arg(long, default_value_t = 64)]
    mib: usize,
}

/// Lets two members, each behind a translator, find that they may talk, with a reachable third between them.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let (mut first, mut moves, mut lost) = (Vec::new(), Vec::new(), 0);
    for (one, other) in
        [(Kind::Home, Kind::Home), (Kind::Carrier, Kind::Home), (Kind::Symmetric, Kind::Symmetric)]
    {
        for _ in 0..args.each {
            let met = meet(one, other)?;
            eprintln!("{one} and {other}: {met:?}");
            first.push(met.first);
            lost += met.lost;
            if one.keeps_its_port() && other.keeps_its_port() {
                moves.push(met.moved);
            } else {
                ensure!(met.moved.is_none(), "a direct path where there can be none");
            }
        }
    }
    let slowest = first.iter().max().copied().unwrap_or_default();
    let moved: Option<Vec<_>> = moves.iter().copied().collect();
    let last_move = moved.as_ref().and_then(|moved| moved.iter().max().copied());
    Ok(Verdict {
        figure: format!(
            "first byte after at most {:.2} s, direct in {} of {} pairs that can be, at most {} later, {lost} frames lost",
            slowest.as_secs_f64(),
            moves.iter().flatten().count(),
            moves.len(),
            last_move.map_or("-".into(), |last| format!("{:.2} s", last.as_secs_f64())),
        ),
        holds: slowest <= FIRST && last_move.is_some_and(|last| last <= MOVED) && lost == 0,
    })
}

#[derive(Debug)]
struct Met {
    first: Duration,
    moved: Option<Duration>,
    lost: u64,
}

fn meet(one: Kind, other: Kind) -> Result<Met> {
    let net = Internet::new()?;
    let (here, there, third) = (net.site(1, one)?, net.site(2, other)?, net.site(3, Kind::Open)?);
    let ann = Device::at(&here.space, 1, here.port)?;
    let ben = Device::at(&there.space, 2, there.port)?;
    let cara = Device::at(&third.space, 3, third.port)?;
    cara.send(Command::Allow([ann.id, ben.id].into()));
    for device in [&ann, &ben] {
        device.send(Command::Allow([cara.id].into()));
        device.know(cara.id, third.outside.clone());
        device.until_up(cara.id, LIMIT).context("no link to the third")?;
    }
    // All is known but that the two may talk.
    let start = Instant::now();
    ann.send(Command::Allow([ben.id, cara.id].into()));
    ben.send(Command::Allow([ann.id, cara.id].into()));
    ann.until_up(ben.id, LIMIT).context("no link between the two")?;
    ben.until_up(ann.id, LIMIT).context("no link between the two")?;
    let (mut sent, mut heard, mut first, mut moved) = (0_u64, 0_u64, None, None);
    let mut lost = 0;
    while start.elapsed() < WATCHED {
        ann.say(ben.id, sent.to_be_bytes().to_vec());
        sent += 1;
        let frame = ben.until_frame(LIMIT).context("nothing is heard")?;
        first.get_or_insert_with(|| start.elapsed());
        let number = u64::from_be_bytes(frame.as_slice().try_into().context("another's frame")?);
        lost += number.abs_diff(heard);
        heard = number + 1;
        let direct = matches!(remote(&ann.snapshot()?, ben.id), Some(Remote::Address(_)));
        if direct && moved.is_none() {
            moved = Some(start.elapsed());
        }
        if moved.is_some_and(|moved| start.elapsed() > moved + AFTER) {
            break;
        }
        thread::sleep(PACE);
    }
    let first = first.context("nothing was said")?;
    ensure!(ann.turns().0 == 2, "the link between the two came up more than once");
    Ok(Met { first, moved: moved.map(|moved| moved.saturating_sub(first)), lost })
}

fn remote(snapshot: &Snapshot, device: DeviceId) -> Option<Remote> {
    snapshot.links.iter().find(|link| link.device == device).map(|link| link.remote)
}

/// Compares what forwarding costs the one in the middle with what his own tunnel costs him, on one line each way.
pub(crate) fn cost(args: &CostArgs) -> Result<Verdict> {
    let lab = Lab::new();
    let spaces = [lab.space("ann")?, lab.space("ben")?, lab.space("cara")?];
    let [a, b, c] = &spaces;
    // Cara is no router: what goes from the one to the other goes through her tunnels.
    a.cable("eth", "10.1.0.2/24", c, "ann", "10.1.0.1/24")?;
    b.cable("eth", "10.2.0.2/24", c, "ben", "10.2.0.1/24")?;
    let (ann, ben, cara) = (Device::start(a, 1)?, Device::start(b, 2)?, Device::start(c, 3)?);
    cara.send(Command::Will(tunnel::Willing { on: true, daily: None, rate: None }));
    allow_each_other(&[&ann, &ben, &cara]);
    let at = cara.addresses()?;
    ann.know(cara.id, at.clone());
    ben.know(cara.id, at);
    for (device, other) in [(&ann, cara.id), (&ben, cara.id), (&ann, ben.id), (&ben, ann.id)] {
        device.until_up(other, LIMIT).context("no link")?;
    }
    let through = remote(&ann.snapshot()?, ben.id);
    ensure!(through == Some(Remote::Member(cara.id)), "the two found another way: {through:?}");
    let round_trip = |device: &Device, other: DeviceId| -> Result<Duration> {
        let snapshot = device.snapshot()?;
        let link = snapshot.links.iter().find(|link| link.device == other).context("no link")?;
        Ok(link.round_trip)
    };
    // An echo of a hundred small frames settles the smoothed round trips.
    for (from, to) in [(&ann, &cara), (&ben, &cara), (&ann, &ben)] {
        for _ in 0..100 {
            from.say(to.id, vec![1]);
            to.until_frame(LIMIT).context("nothing is heard")?;
            to.say(from.id, vec![1]);
            from.until_frame(LIMIT).context("nothing is heard")?;
        }
    }
    let legs = round_trip(&ann, cara.id)? + round_trip(&ben, cara.id)?;
    let added = round_trip(&ann, ben.id)?.saturating_sub(legs);
    let raw_in = carried(&ann, &cara, args.mib)?;
    let raw_out = carried(&cara, &ben, args.mib)?;
    let forwarded = carried(&ann, &ben, args.mib)?;
    eprintln!("in {raw_in:?}, out {raw_out:?}, through {forwarded:?}; round trip {legs:?} + {added:?}");
    // On a machine with fewer cores than devices the wall clock says how busy the ends are. What the one in the
    // middle could carry is told by her own thread's time.
    let raw = f64::from(u32::try_from(2 * args.mib)?) / (raw_in.own + raw_out.own).as_secs_f64();
    let passed = f64::from(u32::try_from(args.mib)?) / forwarded.own.as_secs_f64();
    Ok(Verdict {
        figure: format!(
            "{passed:.0} MiB/s of a core's time against {raw:.0} raw: {:.2} ×; {:.0} against {:.0} MiB/s by the clock; {:.2} ms added",
            passed / raw,
            forwarded.rate(args.mib),
            raw_in.rate(args.mib),
            added.as_secs_f64() * 1000.0
        ),
        holds: passed >= raw / 2.0 && added <= Duration::from_millis(2),
    })
}

#[derive(Debug)]
struct Carried {
    /// By the clock.
    took: Duration,
    /// Of the middle one's thread.
    own: Duration,
}

impl Carried {
    fn rate(&self, mib: usize) -> f64 {
        mib as f64 / self.took.as_secs_f64()
    }
}

/// Sends so much from one to another; measures the third device's thread.
fn carried(from: &Device, to: &Device, mib: usize) -> Result<Carried> {
    let (start, own) = (Instant::now(), busy("device 3")?);
    let frames = mib * (1 << 20) / FRAME;
    let (mut sent, mut heard) = (0, 0);
    while heard < frames {
        while sent < frames && sent < heard + UNDER_WAY {
            ensure!(from.say(to.id, vec![7; FRAME]), "a link went down");
            sent += 1;
        }
        to.until_frame(LIMIT).context("nothing is heard")?;
        heard += 1;
    }
    Ok(Carried { took: start.elapsed(), own: busy("device 3")?.saturating_sub(own) })
}

/// For how long a thread of this process has been running, by its name.
fn busy(name: &str) -> Result<Duration> {
    let mut names = BTreeSet::new();
    for task in fs::read_dir("/proc/self/task")? {
        let folder = task?.path();
        let comm = fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if comm.trim() == name {
            // Nanoseconds on a processor come first.
            let stat = fs::read_to_string(folder.join("schedstat"))?;
            let ran = stat.split(' ').next().context("no time in schedstat")?;
            return Ok(Duration::from_nanos(ran.parse()?));
        }
        names.insert(comm);
    }
    anyhow::bail!("no thread {name} among {names:?}")
}

const FIRST: Duration = Duration::from_secs(1);
const MOVED: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(20);
/// For how long it is watched whether a pair moves.
const WATCHED: Duration = Duration::from_secs(4);
/// For how long more is said after a move.
const AFTER: Duration = Duration::from_millis(500);
const PACE: Duration = Duration::from_millis(5);
const FRAME: usize = 64 << 10;
/// How many frames may be under way: two mebibytes, as much as an engine keeps.
const UNDER_WAY: usize = 32;
