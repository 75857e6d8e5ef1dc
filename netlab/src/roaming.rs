use std::{
    net::SocketAddr,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hexode_netlab::{Device, Flow, Lab, Line, Space, Tap, allow_each_other};

use crate::Verdict;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often each kind of change is made.
    #[arg(long, default_value_t = 15)]
    each: u32,
    /// Makes one kind of change only.
    #[arg(long)]
    only: Option<String>,
}

/// Forces changes of the network under a tunnel that carries fifty packets a second each way, and measures for how
/// long nothing comes.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let (mut survived, mut made) = (0, 0);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for kind in KINDS.iter().filter(|kind| args.only.as_deref().is_none_or(|only| only == kind.name)) {
        let mut gaps = Vec::new();
        let mut world = (kind.world)()?;
        for round in 0..args.each {
            made += 1;
            match world.change(kind, round)? {
                Some(gap) => {
                    survived += 1;
                    gaps.push(gap);
                }
                None => {
                    eprintln!("{}: did not survive change {round}", kind.name);
                    world = (kind.world)()?;
                }
            }
        }
        eprintln!("{:<28} {} ({})", kind.name, Gaps(&gaps), world.turns());
        if kind.second_path { two.extend(gaps) } else { one.extend(gaps) }
    }
    let p95 = |gaps: &[Duration]| Gaps(gaps).percentile(95);
    Ok(Verdict {
        figure: format!(
            "{survived} of {made} survive; second path: {}; no second path: {}",
            Gaps(&two),
            Gaps(&one)
        ),
        holds: survived * 100 >= made * 99
            && p95(&two) <= Duration::from_millis(300)
            && p95(&one) <= Duration::from_millis(1500),
    })
}

/// One kind of change.
struct Kind {
    name: &'static str,
    second_path: bool,
    world: fn() -> Result<World>,
    make: fn(&World, u32) -> Result<()>,
    /// Makes everything as it was, after the measurement.
    mend: fn(&World, u32) -> Result<()>,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "caller's address",
        second_path: false,
        world: || World::new(Shape::Wlan),
        make: |world, round| world.readdress(&world.ann, "wlan", "10.1.0", round),
        mend: |_, _| Ok(()),
    },
    Kind {
        name: "answerer's address",
        second_path: false,
        world: || World::new(Shape::Wlan),
        make: |world, round| world.readdress(&world.ben, "eth", "10.8.0", round),
        mend: |_, _| Ok(()),
    },
    Kind {
        name: "interface taken down",
        second_path: true,
        world: || World::new(Shape::WlanAndCable),
        make: |world, round| world.ann.ip(&format!("link set {} down", way(round))),
        mend: |world, round| {
            world.ann.ip(&format!("link set {} up", way(round)))?;
            world.routes()
        },
    },
    Kind {
        name: "interface falls silent",
        second_path: true,
        world: || World::new(Shape::WlanAndCable),
        make: |world, round| world.silence(way(round)),
        mend: |world, _| world.router.nft("flush ruleset"),
    },
    Kind {
        name: "long way falls silent",
        second_path: true,
        world: || World::new(Shape::LongWays),
        make: |world, round| world.silence(way(round)),
        mend: |world, _| world.router.nft("flush ruleset"),
    },
    Kind {
        name: "translator forgets, both talk",
        second_path: false,
        world: || World::new(Shape::BehindNat { both: true }),
        make: |world, _| world.rebind(),
        mend: |_, _| Ok(()),
    },
    Kind {
        name: "translator forgets, one talks",
        second_path: false,
        world: || World::new(Shape::BehindNat { both: false }),
        make: |world, _| world.rebind(),
        mend: |_, _| Ok(()),
    },
];

fn way(round: u32) -> &'static str {
    if round.is_multiple_of(2) { "wlan" } else { "cable" }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Wlan,
    WlanAndCable,
    /// Two ways with a round trip of 40 ms each.
    LongWays,
    BehindNat {
        /// Whether the one inside talks, too.
        both: bool,
    },
}

/// Ann and Ben with a router between them.
struct World {
    shape: Shape,
    // Dropped before the namespaces.
    flows: Vec<Flow>,
    talk: (Arc<Device>, Arc<Device>),
    ann: Space,
    router: Space,
    ben: Space,
}

impl World {
    fn new(shape: Shape) -> Result<Self> {
        let lab = Lab::new();
        let (ann, router, ben) = (lab.space("ann")?, lab.router("net")?, lab.space("ben")?);
        ann.cable("wlan", "10.1.0.2/24", &router, "wlan", "10.1.0.1/24")?;
        ben.cable("eth", "10.8.0.2/24", &router, "ben", "10.8.0.1/24")?;
        if matches!(shape, Shape::WlanAndCable | Shape::LongWays) {
            // A second way on its own wires.
            ann.cable("cable", "10.2.0.2/24", &router, "cable", "10.2.0.1/24")?;
            ben.cable("eth2", "10.9.0.2/24", &router, "ben2", "10.9.0.1/24")?;
        }
        if let Shape::BehindNat { .. } = shape {
            router.nft(NAT)?;
        }
        let talk = (Arc::new(Device::start(&ann, 1)?), Arc::new(Device::start(&ben, 2)?));
        let mut world = Self { shape, flows: Vec::new(), talk, ann, router, ben };
        world.routes()?;
        world.meet()?;
        Ok(world)
    }

    fn routes(&self) -> Result<()> {
        if matches!(self.shape, Shape::WlanAndCable | Shape::LongWays) {
            self.ann.ip("route replace 10.8.0.0/24 via 10.1.0.1 dev wlan")?;
            self.ann.ip("route replace 10.9.0.0/24 via 10.2.0.1 dev cable")?;
            self.ben.ip("route replace 10.1.0.0/24 via 10.8.0.1 dev eth")?;
            return self.ben.ip("route replace 10.2.0.0/24 via 10.9.0.1 dev eth2");
        }
        self.ann.ip("route replace default via 10.1.0.1 dev wlan")?;
        if self.shape == Shape::Wlan {
            self.ben.ip("route replace default via 10.8.0.1 dev eth")?;
        }
        Ok(())
    }

    fn meet(&mut self) -> Result<()> {
        let (ann, ben) = &self.talk;
        ann.addresses()?;
        allow_each_other(&[ann, ben]);
        ann.know(ben.id, self.bens()?);
        ensure!(
            ann.until_up(ben.id, LIMIT).is_some() && ben.until_up(ann.id, LIMIT).is_some(),
            "no link came up"
        );
        if self.shape != (Shape::BehindNat { both: false }) {
            self.flows.push(ann.talk(ben.id));
        }
        self.flows.push(ben.talk(ann.id));
        self.settle().context("the talk did not start")
    }

    /// Where Ann finds Ben.
    fn bens(&self) -> Result<Vec<SocketAddr>> {
        let listens = self.talk.1.addresses()?;
        if self.shape != Shape::LongWays {
            return Ok(listens);
        }
        // What stands in for a long way also stands in for Ben.
        let mut taps = Vec::new();
        for (way, device) in [("10.1.0.1", "10.8.0."), ("10.2.0.1", "10.9.0.")] {
            let address = listens.iter().find(|address| address.to_string().starts_with(device));
            let line = Line { delay: Duration::from_millis(20), ..Line::default() };
            let at = SocketAddr::new(way.parse()?, 4000);
            let device = *address.context("Ben does not listen on both ways")?;
            taps.push(Tap::on(&self.router, at, device, line, line)?.address);
        }
        Ok(taps)
    }

    /// Waits until both ends have been hearing each other for a while.
    fn settle(&self) -> Option<()> {
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            self.heard();
            let from = Instant::now();
            sleep(STEADY);
            if self
                .heard()
                .iter()
                .all(|frames| longest(from, frames, Instant::now()) < Duration::from_millis(80))
            {
                return Some(());
            }
        }
        None
    }

    /// Returns when frames came at each end that should hear some.
    fn heard(&self) -> Vec<Vec<Instant>> {
        let (ann, ben) = &self.talk;
        let times = |device: &Device| device.frames().into_iter().map(|(at, _)| at).collect();
        match self.shape {
            Shape::BehindNat { both: false } => vec![times(ann)],
            _ => vec![times(ann), times(ben)],
        }
    }

    /// Makes a change; returns for how long nothing came at one of the ends, or nothing if no more came.
    fn change(&self, kind: &Kind, round: u32) -> Result<Option<Duration>> {
        self.heard();
        let behind = matches!(self.shape, Shape::BehindNat { .. });
        let seen = if behind { self.seen()? } else { None };
        let start = Instant::now();
        (kind.make)(self, round)?;
        let mut heard = vec![Vec::new(); self.heard().len()];
        let mut gap = None;
        while start.elapsed() < LIMIT && gap.is_none() {
            sleep(STEADY);
            for (all, new) in heard.iter_mut().zip(self.heard()) {
                all.extend(new);
            }
            // Over when frames have come steadily for a while at both ends.
            let now = Instant::now();
            let steady =
                |frames: &Vec<Instant>| longest(now - STEADY * 3, frames, now) < Duration::from_millis(80);
            if start.elapsed() > STEADY * 4 && heard.iter().all(steady) {
                gap = heard.iter().map(|frames| longest(start, frames, now)).max();
            }
        }
        if behind {
            let new = self.seen()?;
            ensure!(new != seen, "the translator did not forget: {seen:?} {new:?}");
        }
        (kind.mend)(self, round)?;
        Ok(if self.settle().is_some() { gap } else { None })
    }

    fn readdress(&self, space: &Space, interface: &str, net: &str, round: u32) -> Result<()> {
        let address = |round: u32| format!("{net}.{}/24", 2 + round % 200);
        space.ip(&format!("addr del {} dev {interface}", address(round)))?;
        space.address(interface, &address(round + 1))?;
        self.routes()
    }

    fn silence(&self, interface: &str) -> Result<()> {
        self.router.nft(&format!(
            "table ip silent {{\n chain forwarded {{\n type filter hook forward priority 0\n \
             iifname \"{interface}\" drop\n oifname \"{interface}\" drop\n }}\n \
             chain arriving {{\n type filter hook input priority 0\n iifname \"{interface}\" drop\n }}\n \
             chain leaving {{\n type filter hook output priority 0\n oifname \"{interface}\" drop\n }}\n}}\n"
        ))
    }

    /// Makes the translator forget everything.
    fn rebind(&self) -> Result<()> {
        // While it does, acknowledgements that are under way would open it again at once, as luck has it.
        self.router.nft(
            "table ip silent {\n chain forwarded {\n type filter hook forward priority 0\n drop\n }\n}\n",
        )?;
        // The kernel drops what was translated for an interface that goes down.
        self.router.ip("link set ben down")?;
        sleep(Duration::from_millis(40));
        self.router.ip("link set ben up")?;
        self.router.nft("delete table ip silent")
    }

    /// Tells as what port of the translator Ann is seen.
    fn seen(&self) -> Result<Option<String>> {
        let table =
            self.router.within(|| Ok(std::fs::read_to_string("/proc/thread-self/net/nf_conntrack")?))?;
        Ok(table.lines().filter(|line| line.contains("src=10.1.0.2")).find_map(|line| {
            // The second of two is where answers go.
            line.split_whitespace().filter_map(|word| word.strip_prefix("dport=")).nth(1).map(str::to_owned)
        }))
    }

    fn turns(&self) -> String {
        let (ups, downs) = self.talk.0.turns();
        format!("{} new connections, {downs:?}", ups - 1)
    }
}

/// Returns the longest time in which nothing came.
fn longest(from: Instant, frames: &[Instant], to: Instant) -> Duration {
    let inside = frames.iter().copied().filter(|at| *at >= from);
    let (last, longest) = inside.fold((from, Duration::ZERO), |(last, longest), at| {
        (at, longest.max(at.saturating_duration_since(last)))
    });
    longest.max(to.saturating_duration_since(last))
}

struct Gaps<'a>(&'a [Duration]);

impl Gaps<'_> {
    fn percentile(&self, share: usize) -> Duration {
        let mut sorted = self.0.to_vec();
        sorted.sort_unstable();
        let at = (sorted.len() * share).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Gaps<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |share| self.percentile(share).as_millis();
        write!(f, "gap p50 {} ms, p95 {} ms, most {} ms of {}", ms(50), ms(95), ms(100), self.0.len())
    }
}

/// After how long without any change for the better a tunnel has not survived.
const LIMIT: Duration = Duration::from_secs(15);
const STEADY: Duration = Duration::from_millis(250);
/// A translator whose ports change with every mapping.
const NAT: &str = "table ip nat {
 chain post {
  type nat hook postrouting priority 100
  ip protocol udp oifname \"ben\" masquerade to :20000-60000 fully-random
 }
}
";
