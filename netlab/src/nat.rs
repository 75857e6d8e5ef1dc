use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hexode_netlab::{Device, Internet, Kind, allow_each_other};

use crate::Verdict;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many cells at once.
    #[arg(long, default_value_t = 3)]
    at_once: usize,
    /// Where the table is written.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Looks at the pairs of one kind only.
    #[arg(long)]
    only: Option<String>,
}

/// Puts two members behind every pair of kinds, with and without a third, and sees whether and how they meet.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let mut cells = Vec::new();
    for third in Third::ALL {
        for (at, one) in Kind::ALL.into_iter().enumerate() {
            cells.extend(Kind::ALL.into_iter().skip(at).map(|other| Cell { one, other, third }));
        }
    }
    if let Some(only) = &args.only {
        cells.retain(|cell| [cell.one, cell.other].iter().any(|kind| kind.to_string() == *only));
    }
    let (queue, done) = (Mutex::new(cells.clone().into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..args.at_once {
            scope.spawn(|| {
                while let Some(cell) = next(&queue) {
                    let outcome = cell.measure();
                    eprintln!("{cell}: {}", shown(&outcome));
                    if let Ok(mut done) = done.lock() {
                        done.push((cell, outcome));
                    }
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_default().into_iter();
    let done: Vec<_> = done.map(|(cell, outcome)| Ok((cell, outcome?))).collect::<Result<_>>()?;
    let table = Table(&done);
    println!("{table}");
    if let Some(path) = &args.write {
        write(path, &table)?;
    }
    let reachable: Vec<_> = done.iter().filter(|(cell, _)| cell.third == Third::Reachable).collect();
    let soon = reachable.iter().filter(|(_, met)| met.took.is_some_and(|took| took <= SOON)).count();
    let alone: Vec<_> =
        done.iter().filter(|(cell, _)| cell.third == Third::None && cell.can_be_direct()).collect();
    let met = alone.iter().filter(|(_, met)| met.took.is_some()).count();
    let could: Vec<_> = reachable.iter().filter(|(cell, _)| cell.can_be_direct()).collect();
    let direct = could.iter().filter(|(_, met)| met.direct).count();
    Ok(Verdict {
        figure: format!(
            "with a reachable third {soon} of {} pairs within 3 s, direct in {direct} of {} where it can be; alone {met} of {}",
            reachable.len(),
            could.len(),
            alone.len()
        ),
        holds: soon * 100 >= reachable.len() * 99 && direct == could.len() && met == alone.len(),
    })
}

fn next(queue: &Mutex<std::vec::IntoIter<Cell>>) -> Option<Cell> {
    queue.lock().ok()?.next()
}

/// What other member there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Third {
    None,
    /// Behind a home router: reaches, and is reached by whom it reaches.
    Home,
    Reachable,
}

impl Third {
    const ALL: [Self; 3] = [Self::None, Self::Home, Self::Reachable];

    fn title(self) -> &'static str {
        match self {
            Self::None => "No third member",
            Self::Home => "A third member behind a home router",
            Self::Reachable => "A third member whom everybody reaches",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    one: Kind,
    other: Kind,
    third: Third,
}

/// How two members met.
#[derive(Debug, Clone, Copy)]
struct Met {
    took: Option<Duration>,
    direct: bool,
}

impl Cell {
    fn measure(self) -> Result<Met> {
        let net = Internet::new()?;
        let (here, there) = (net.site(1, self.one)?, net.site(2, self.other)?);
        let third = match self.third {
            Third::None => None,
            Third::Home => Some(net.site(3, Kind::Home)?),
            Third::Reachable => Some(net.site(3, Kind::Open)?),
        };
        net.count(&here, &there)?;
        let (ann, ben) = (Device::at(&here.space, 1, here.port)?, Device::at(&there.space, 2, there.port)?);
        let cara = third.as_ref().map(|site| Device::at(&site.space, 3, site.port)).transpose()?;
        let all: Vec<_> = [Some(&ann), Some(&ben), cara.as_ref()].into_iter().flatten().collect();
        allow_each_other(&all);
        let start = Instant::now();
        if let (Some(cara), Some(site)) = (&cara, &third) {
            ann.know(cara.id, site.outside.clone());
            ben.know(cara.id, site.outside.clone());
            cara.know(ann.id, here.outside.clone());
            cara.know(ben.id, there.outside.clone());
        }
        // Whom everybody reaches has to bring together even those who know nothing of each other.
        if self.third != Third::Reachable {
            ann.know(ben.id, there.outside.clone());
            ben.know(ann.id, here.outside.clone());
        }
        let up = ann.until_up(ben.id, LIMIT).is_some() && ben.until_up(ann.id, LIMIT).is_some();
        let took = (up && self.talks(&ann, &ben)).then(|| start.elapsed());
        // A forwarded path is left for a direct one soon after, if there is one.
        let mut direct = false;
        let until = Instant::now() + MOVE;
        while took.is_some() && !direct && Instant::now() < until {
            let before = net.counted()?;
            for _ in 0..WORDS {
                self.talks(&ann, &ben);
            }
            direct = net.counted()? >= before + WORDS;
        }
        Ok(Met { took, direct })
    }

    /// Says something until it is heard: what was on its way when one link took another's place is gone, and an engine
    /// sends it again.
    fn talks(self, ann: &Device, ben: &Device) -> bool {
        let end = Instant::now() + LIMIT;
        // What was said twice may have been heard twice.
        ben.frames();
        while Instant::now() < end {
            ann.say(ben.id, vec![7; 100]);
            if ben.until_frame(AGAIN).is_some() {
                return true;
            }
        }
        false
    }

    /// Whether packets can get from one to the other at all without help on the way.
    fn can_be_direct(self) -> bool {
        let (a, b) = (self.one, self.other);
        // Open devices have both protocols, the others IPv4 alone.
        if (a == Kind::Ipv6) != (b == Kind::Ipv6) {
            return (a == Kind::Open || b == Kind::Open) && a != Kind::NoUdp && b != Kind::NoUdp;
        }
        // Where no UDP gets out, TCP does; that has to be let in at the other end.
        let punches = a.keeps_its_port() && b.keeps_its_port();
        a.lets_in() || b.lets_in() || punches
    }

    /// Why two did not meet, or not directly, or late.
    fn why(self, met: Met) -> &'static str {
        let (a, b) = (self.one, self.other);
        match (met.took, self.can_be_direct()) {
            (Some(took), false) if took > SOON => {
                "there is no direct way, and the one through the third was found late"
            }
            (Some(took), true) if took > SOON => "late",
            (_, true) => "should be direct; a fault",
            _ if a == Kind::NoUdp || b == Kind::NoUdp => {
                "from a network without UDP only TCP gets out, and nobody else's is let in here"
            }
            _ if (a == Kind::Ipv6) != (b == Kind::Ipv6) => {
                "one has IPv6 alone and the other IPv4 alone; somebody with both, whom both reach, has to forward"
            }
            _ if self.third == Third::Home => {
                "neither lets in what it did not ask for, nor does the third, and a port that changes with the address cannot be told beforehand"
            }
            _ => {
                "neither lets in what it did not ask for, and a port that changes with the address cannot be told beforehand"
            }
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} and {}, {}", self.one, self.other, self.third.title().to_lowercase())
    }
}

fn shown(outcome: &Result<Met>) -> String {
    match outcome {
        Ok(Met { took: None, .. }) => "–".to_owned(),
        Ok(Met { took: Some(took), direct }) => {
            let way = if *direct { "" } else { "via " };
            format!("{way}{:.1} s", took.as_secs_f64())
        }
        Err(error) => format!("{error:#}"),
    }
}

/// The results, as a person reads them.
struct Table<'a>(&'a [(Cell, Met)]);

impl Table<'_> {
    fn find(&self, one: Kind, other: Kind, third: Third) -> Option<&(Cell, Met)> {
        self.0.iter().find(|(cell, _)| {
            cell.third == third
                && ((cell.one, cell.other) == (one, other) || (cell.one, cell.other) == (other, one))
        })
    }
}

impl std::fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for third in Third::ALL {
            write!(f, "\n## {}\n\n| |", third.title())?;
            Kind::ALL.iter().try_for_each(|kind| write!(f, " {kind} |"))?;
            write!(f, "\n|---|{}\n", "---|".repeat(Kind::ALL.len()))?;
            for (at, one) in Kind::ALL.into_iter().enumerate() {
                write!(f, "| {one} |")?;
                for (column, other) in Kind::ALL.into_iter().enumerate() {
                    let cell = self.find(one, other, third).filter(|_| column >= at);
                    write!(f, " {} |", cell.map(|(_, met)| shown(&Ok(*met))).unwrap_or_default())?;
                }
                writeln!(f)?;
            }
            let mut causes = std::collections::BTreeMap::<_, Vec<String>>::new();
            for (cell, met) in self.0.iter().filter(|(cell, _)| cell.third == third) {
                let fails = met.took.is_none()
                    || met.took.is_some_and(|took| took > SOON)
                    || (cell.can_be_direct() && !met.direct);
                if fails {
                    causes.entry(cell.why(*met)).or_default().push(format!("{} + {}", cell.one, cell.other));
                }
            }
            for (cause, pairs) in causes {
                write!(f, "\n- {}: {cause}.", pairs.join("; "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn write(path: &Path, table: &Table<'_>) -> Result<()> {
    let mut text = HEAD.to_owned();
    write!(text, "{table}")?;
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

const LIMIT: Duration = Duration::from_secs(6);
/// How soon two members should have met.
const SOON: Duration = Duration::from_secs(3);
/// How long a forwarded path may last where a direct one is possible.
const MOVE: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(200);
/// How many frames show which way packets go.
const WORDS: u64 = 10;
const HEAD: &str = "# Who reaches whom

Written by `cargo xtask bar nat`: real tunnels in network namespaces (`netlab`), every pair of networks, with and without a third member. Each
cell says after how long a first message had arrived, and whether packets go straight or `via` the third; `–` means not within six seconds. Below each table:
why cells are empty, forwarded or late.

| network | is |
|---|---|
| open | an address of its own, IPv4 and IPv6, no firewall |
| home | a router that keeps ports and lets in only answers (endpoint-independent mapping, address- and port-dependent filtering) |
| home, mapped | the same, and the router lets the device's port in, UDP and TCP, as asked for by hand or by a port-mapping protocol |
| address-dep. | a translator that takes another port for each address it sends to |
| symmetric | a translator that takes a random port for each conversation |
| carrier | a carrier's translator (100.64.0.0/10 inside) that keeps ports |
| double | a home router behind a carrier's translator |
| IPv6 only | no IPv4, and no translator to it (464XLAT is not in this lab); a firewall that lets in only answers |
| no UDP | a firewall that lets no UDP through, and TCP only outwards |

Each knows where the other was seen when they last met, and so of the third member; with one whom everybody reaches, the two know nothing of each other.
";
