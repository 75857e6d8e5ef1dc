//! Anything that can happen, in any order, against a model of a few lines: what was confirmed as sent is what
//! everybody reads in the end, once, in one order; and what is called delivered is there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hexode_testnet::{Person, Weather, World};
use proptest::prelude::*;
use wire::MessageId;

const NAMES: [&str; 4] = ["Ann", "Ben", "Cara", "Dave"];

/// One thing that happens. People are numbers; Ann, the founder, is 0.
#[derive(Debug, Clone)]
enum Step {
    Send { from: usize, burst: u8 },
    Kill(usize),
    KillAfterCommit(usize),
    Restart(usize),
    Cut(usize, usize),
    Mend(usize, usize),
    Weather { a: usize, b: usize, latency: u16, loss: u8 },
    Pass(u16),
    MoveClock { who: usize, hours: i16 },
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..NAMES.len();
    prop_oneof![
        8 => (who.clone(), 1..4u8).prop_map(|(from, burst)| Step::Send { from, burst }),
        2 => who.clone().prop_map(Step::Kill),
        2 => who.clone().prop_map(Step::KillAfterCommit),
        4 => who.clone().prop_map(Step::Restart),
        2 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::Cut(a, b)),
        2 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::Mend(a, b)),
        1 => (who.clone(), who.clone(), 0..2000u16, 0..50u8)
            .prop_map(|(a, b, latency, loss)| Step::Weather { a, b, latency, loss }),
        6 => (0..1500u16).prop_map(Step::Pass),
        1 => (who, -9000..9000i16).prop_map(|(who, hours)| Step::MoveClock { who, hours }),
        1 => (1..NAMES.len()).prop_map(Step::Remove),
    ]
}

/// What should be: who belongs to the circle, and what each was told is stored.
#[derive(Default)]
struct Model {
    removed: BTreeSet<usize>,
    confirmed: BTreeMap<usize, Vec<String>>,
    count: u64,
}

impl Model {
    fn apply(&mut self, world: &mut World, people: &[Person], step: &Step) {
        match *step {
            Step::Send { from, burst } => {
                for _ in 0..burst {
                    self.count += 1;
                    let text = format!("{} {}", NAMES[from], self.count);
                    if world.is_on(people[from]) && world.try_send(people[from], "everyone", &text).is_ok() {
                        self.confirmed.entry(from).or_default().push(text);
                    }
                }
            }
            Step::Kill(who) => world.kill(people[who]),
            Step::KillAfterCommit(who) => world.kill_after_commit(people[who]),
            Step::Restart(who) => {
                if !world.is_on(people[who]) {
                    world.restart(people[who]);
                }
            }
            Step::Cut(a, b) if a != b => world.cut(people[a], people[b]),
            Step::Mend(a, b) if a != b => world.mend(people[a], people[b]),
            Step::Weather { a, b, latency, loss } if a != b => {
                let latency = Duration::from_millis(latency.into());
                world.weather(people[a], people[b], Weather { latency, loss: loss.into(), up: true });
            }
            Step::Cut(..) | Step::Mend(..) | Step::Weather { .. } => {}
            Step::Pass(millis) => world.pass(Duration::from_millis(millis.into())),
            Step::MoveClock { who, hours } => world.skew(people[who], i64::from(hours) * 3_600_000),
            Step::Remove(who) => {
                // Never more than one, so that the rest can still tell each other everything.
                if self.removed.is_empty() && world.is_on(people[0]) {
                    world.remove(people[0], people[who]).expect("the founder removes a member");
                    self.removed.insert(who);
                }
            }
        }
    }

    /// What holds at every moment on every device that is on.
    fn check_now(&self, world: &mut World, people: &[Person]) {
        let mut held: BTreeMap<usize, BTreeSet<MessageId>> = BTreeMap::new();
        let mut ids = BTreeMap::new();
        let on: Vec<_> = people.iter().enumerate().filter(|(_, person)| world.is_on(**person)).collect();
        for (at, person) in on {
            let messages = world.messages(*person, "everyone");
            let set: BTreeSet<_> = messages.iter().map(|message| message.id).collect();
            assert_eq!(set.len(), messages.len(), "{} shows a message twice", NAMES[at]);
            held.insert(at, set);
            ids.insert(at, messages);
        }
        for (at, messages) in &ids {
            for message in messages.iter().filter(|message| message.mine) {
                let others = held.iter().filter(|(other, _)| *other != at);
                let have = others.filter(|(_, set)| set.contains(&message.id)).count();
                let off = people.len() - held.len();
                assert!(
                    message.delivery.delivered as usize <= have + off,
                    "{} is told that a message was delivered that is not there",
                    NAMES[*at]
                );
            }
        }
    }

    /// What holds when everything is on, every line is mended and nothing more happens.
    fn check_end(&self, world: &mut World, people: &[Person]) {
        let live: Vec<usize> = (0..people.len()).filter(|who| !self.removed.contains(who)).collect();
        let screens: Vec<_> = live.iter().map(|who| world.messages(people[*who], "everyone")).collect();
        let ids = |at: usize| screens[at].iter().map(|message| message.id).collect::<Vec<_>>();
        let digests: BTreeSet<_> = live.iter().map(|who| world.view(people[*who]).roster_digest).collect();
        assert_eq!(digests.len(), 1, "all see the same roster");
        for at in 1..live.len() {
            assert_eq!(ids(0), ids(at), "{} and {} read the same", NAMES[live[0]], NAMES[live[at]]);
        }
        for who in &live {
            let by_him: Vec<_> = screens[0]
                .iter()
                .filter(|message| message.member_name == NAMES[*who])
                .filter_map(|message| message.text.clone())
                .collect();
            let confirmed = self.confirmed.get(who).cloned().unwrap_or_default();
            assert_eq!(by_him, confirmed, "what {} was told is stored", NAMES[*who]);
        }
        for who in &self.removed {
            let confirmed = self.confirmed.get(who).cloned().unwrap_or_default();
            let by_him = screens[0].iter().filter(|message| message.member_name == NAMES[*who]);
            let by_him: Vec<_> = by_him.filter_map(|message| message.text.clone()).collect();
            assert_eq!(by_him, confirmed[..by_him.len()], "of a removed member a prefix is kept");
        }
    }
}

fn run(seed: u64, steps: &[Step]) {
    let mut world = World::new(seed);
    let people = world.circle(NAMES);
    let mut model = Model::default();
    for step in steps {
        model.apply(&mut world, &people, step);
        model.check_now(&mut world, &people);
    }
    for (at, person) in people.iter().enumerate() {
        world.skew(*person, 0);
        if !world.is_on(*person) {
            world.restart(*person);
        }
        for other in people.iter().skip(at + 1) {
            world.weather(*person, *other, Weather::default());
        }
    }
    world.settle();
    model.check_end(&mut world, &people);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_lost_doubled_or_reordered(
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        run(seed, &steps);
    }
}
