use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use tokio::time::sleep;

use crate::{
    child::Child,
    node_role::{Answer, Line, Order},
    process,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many times a process is killed.
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// What decides whom and when; printed, so that a run can be had again.
    #[arg(long)]
    seed: Option<u64>,
}

/// Three people write to each other all the time, and now and then one of their nodes is killed and started again.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let seed =
        args.seed.unwrap_or_else(|| u64::from_be_bytes(crypto::Entropy::bytes(&mut crypto::OsEntropy)));
    eprintln!("seed {seed}");
    let mut dice = Dice(seed);
    let folder = process::folder()?;
    let mut people = gather(folder.path()).await?;
    let started = Instant::now();
    for kill in 0..args.kills {
        // Mostly in the flow, now and then while the node is still starting or in the middle of catching up.
        if dice.roll(4) == 0 {
            sleep(Duration::from_micros(dice.roll(30_000))).await;
        } else {
            for person in &mut people {
                person.hear_it_flow().await?;
            }
            sleep(Duration::from_micros(dice.roll(150_000))).await;
        }
        let who = usize::try_from(dice.roll(3))?;
        let Some(person) = people.get_mut(who) else { bail!("nobody to kill") };
        person.restart().await?;
        if (kill + 1) % 50 == 0 {
            eprintln!("{} kills in {:.0} s", kill + 1, started.elapsed().as_secs_f64());
        }
    }
    let mut stories = Vec::new();
    for person in &mut people {
        person.process.tell(&Order::Hush)?;
        person.hear_until_done().await?;
    }
    settle(&mut people).await?;
    for person in &mut people {
        let Answer::Messages { messages } =
            person.process.order(&Order::Dump { to: EVERYONE.into() }).await?
        else {
            bail!("no messages");
        };
        stories.push(messages);
    }
    let forks = {
        let mut forks = 0;
        for person in &mut people {
            forks += person.forks().await?;
            person.process.order(&Order::Stop).await?;
        }
        forks
    };
    let confirmed: BTreeSet<String> =
        people.iter().flat_map(|person| person.confirmed.iter().cloned()).collect();
    let found = Findings::of(&stories, &confirmed);
    eprintln!(
        "{} kills in {:.0} s; {} messages confirmed, {} stored on each device",
        args.kills,
        started.elapsed().as_secs_f64(),
        confirmed.len(),
        stories.first().map_or(0, Vec::len)
    );
    ensure!(confirmed.len() > 10 * usize::try_from(args.kills)?, "too few messages flowed to show anything");
    Ok(Verdict {
        figure: format!(
            "{} kills, {} messages: {} lost, {} doubled, {} forked, {} orders",
            args.kills,
            confirmed.len(),
            found.lost,
            found.doubled,
            found.forked as u64 + forks,
            found.orders
        ),
        holds: found.lost == 0 && found.doubled == 0 && found.forked == 0 && forks == 0 && found.orders == 1,
        rows: vec![Row::new("kills survived", "", f64::from(args.kills), None)],
    })
}

/// What is wrong with what the devices hold.
#[derive(Debug, PartialEq, Eq)]
struct Findings {
    /// Messages that were confirmed and are not on every device.
    lost: usize,
    /// Texts that a device holds twice.
    doubled: usize,
    /// Places in a chain that hold two messages, on one device or on two.
    forked: usize,
    /// How many different orders there are: one, if all are the same.
    orders: usize,
}

impl Findings {
    fn of(stories: &[Vec<Line>], confirmed: &BTreeSet<String>) -> Self {
        let (mut lost, mut doubled, mut forked) = (0, 0, 0);
        let mut places: BTreeMap<_, &Line> = BTreeMap::new();
        for story in stories {
            let texts: BTreeSet<_> = story.iter().filter_map(|line| line.text.as_ref()).collect();
            lost += confirmed.iter().filter(|text| !texts.contains(text)).count();
            doubled += story.iter().filter(|line| line.text.is_some()).count() - texts.len();
            for line in story {
                let there = places.entry((line.author, line.seq)).or_insert(line);
                forked += usize::from(*there != line);
            }
        }
        let orders: BTreeSet<_> = stories.iter().collect();
        Self { lost, doubled, forked, orders: orders.len() }
    }
}

/// One person's node, through all its lives.
struct Person {
    home: PathBuf,
    process: Child,
    /// The texts that its node confirmed, in any of its lives.
    confirmed: Vec<String>,
    /// Whether it has confirmed one since it was started last, and how many orders it has done since.
    flows: bool,
    done: usize,
}

impl Person {
    fn start(home: PathBuf) -> Result<Self> {
        let process = Child::start(&["node", &home.display().to_string()])?;
        Ok(Self { home, process, confirmed: Vec::new(), flows: false, done: 0 })
    }

    /// Kills the process wherever it is, and starts another one on its vault.
    async fn restart(&mut self) -> Result<()> {
        let last = self.process.kill().await?;
        self.note(last)?;
        (self.flows, self.done) = (false, 0);
        self.process = Child::start(&["node", &self.home.display().to_string()])?;
        self.process.tell(&Order::Unlock)?;
        self.process.tell(&chatter())
    }

    fn note(&mut self, answers: Vec<Answer>) -> Result<()> {
        for answer in answers {
            match answer {
                Answer::Sent { text } => self.confirmed.push(text),
                Answer::Failed { why } => bail!("a node that was started again: {why}"),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads what the process says until it has confirmed a message in this life.
    async fn hear_it_flow(&mut self) -> Result<()> {
        while !self.flows {
            let answer = self.process.answer().await?;
            self.flows = matches!(answer, Answer::Sent { .. });
            self.done += usize::from(matches!(answer, Answer::Done));
            self.note(vec![answer])?;
        }
        Ok(())
    }

    /// Reads what the process says until it has done what it was told last.
    async fn hear_until_done(&mut self) -> Result<()> {
        // Unlock was answered with who it is, chatter and hush with one more each.
        while self.done < 2 {
            let answer = self.process.answer().await?;
            self.done += usize::from(matches!(answer, Answer::Done));
            self.note(vec![answer])?;
        }
        Ok(())
    }

    async fn forks(&mut self) -> Result<u64> {
        let asked = self.process.order(&Order::Conversation { to: EVERYONE.into() }).await?;
        let Answer::Conversation { forks, .. } = asked else { bail!("no conversation") };
        Ok(forks)
    }

    async fn digest(&mut self) -> Result<(u64, String)> {
        let asked = self.process.order(&Order::Conversation { to: EVERYONE.into() }).await?;
        let Answer::Conversation { messages, digest, .. } = asked else { bail!("no conversation") };
        Ok((messages, digest))
    }
}

async fn gather(folder: &std::path::Path) -> Result<Vec<Person>> {
    let mut ann = Person::start(folder.join("ann"))?;
    ann.process.order(&Order::found("Ann")).await?;
    let mut people = Vec::new();
    for name in ["Ben", "Cara"] {
        let Answer::Invitation { link } = ann.process.order(&Order::Invite).await? else {
            bail!("no invitation");
        };
        let mut person = Person::start(folder.join(name.to_lowercase()))?;
        person.process.order(&Order::join(link, name)).await?;
        people.push(person);
    }
    people.insert(0, ann);
    for person in &mut people {
        person.process.order(&Order::Tunnels { count: 2 }).await?;
        person.process.tell(&chatter())?;
    }
    Ok(people)
}

fn chatter() -> Order {
    Order::Chatter { to: EVERYONE.into(), every_ms: 4 }
}

/// Waits until all devices hold the same history; whether that is all of it is looked at later.
async fn settle(people: &mut [Person]) -> Result<()> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let mut digests = BTreeSet::new();
        for person in people.iter_mut() {
            digests.insert(person.digest().await?);
        }
        if digests.len() == 1 || Instant::now() > deadline {
            eprintln!("histories after the last kill: {}", digests.len());
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// SplitMix64: enough for whom and when.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

const EVERYONE: &str = "everyone";
/// How long the devices may take to bring each other up to date after the last kill.
const SETTLE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use wire::DeviceId;

    use super::*;

    fn line(author: u8, seq: u64, text: &str) -> Line {
        Line { author: DeviceId::new([author; 32]), seq, text: Some(text.to_owned()) }
    }

    #[test]
    fn each_fault_is_found() {
        let good = vec![line(1, 0, "a"), line(2, 0, "b")];
        let confirmed: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        let found = |other: Vec<Line>| Findings::of(&[good.clone(), other], &confirmed);
        let fine = Findings { lost: 0, doubled: 0, forked: 0, orders: 1 };
        assert_eq!(found(good.clone()), fine);
        assert_eq!(found(vec![line(1, 0, "a")]), Findings { lost: 1, orders: 2, ..fine });
        let twice = vec![line(1, 0, "a"), line(2, 0, "b"), line(2, 1, "b")];
        assert_eq!(found(twice), Findings { doubled: 1, orders: 2, ..fine });
        let turned = vec![line(2, 0, "b"), line(1, 0, "a")];
        assert_eq!(found(turned), Findings { orders: 2, ..fine });
        let forked = vec![line(1, 0, "b"), line(2, 0, "a")];
        assert_eq!(found(forked), Findings { forked: 2, orders: 2, ..fine });
    }
}
