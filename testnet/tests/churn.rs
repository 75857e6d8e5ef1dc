//! Many messages while devices die, lines break and clocks run wrong: none is lost, none is doubled.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::{collections::BTreeSet, env, time::Duration};

use hexode_testnet::{Person, Seeded, Weather, World};
use wire::MessageId;

const NAMES: [&str; 4] = ["Ann", "Ben", "Cara", "Dave"];

/// Sends about so many messages in bursts, and between them lets happen what happens.
fn run(seed: u64, count: usize) {
    let mut world = World::new(seed);
    let people = world.circle(NAMES);
    let mut rng = Seeded::new(seed);
    let mut confirmed = BTreeSet::new();
    while confirmed.len() < count {
        let (who, other) = (pick(&mut rng, &people), pick(&mut rng, &people));
        match rng.below(10) {
            0 => world.kill(who),
            1 => world.kill_after_commit(who),
            2 if who != other => world.cut(who, other),
            3 if who != other => world.mend(who, other),
            4 if who != other => {
                let latency = Duration::from_millis(rng.below(500));
                world.weather(who, other, Weather { latency, loss: rng.below(30), up: true });
            }
            5 => world.skew(who, i64::try_from(rng.below(1 << 32)).unwrap() - (1 << 31)),
            _ => world.pass(Duration::from_millis(rng.below(3000))),
        }
        for person in people {
            if !world.is_on(person) && rng.below(3) == 0 {
                world.restart(person);
            }
        }
        for _ in 0..rng.below(100) {
            if world.is_on(who)
                && let Ok(message) = world.try_send(who, "everyone", &confirmed.len().to_string())
            {
                assert!(confirmed.insert(message.id), "an id for each");
            }
        }
    }
    for (at, person) in people.iter().enumerate() {
        world.skew(*person, 0);
        if !world.is_on(*person) {
            world.restart(*person);
        }
        for other in &people[at + 1..] {
            world.weather(*person, *other, Weather::default());
        }
    }
    world.settle();
    let mut digests = BTreeSet::new();
    for person in people {
        let circle = world.first_circle(person);
        let shown =
            world.ask(person, |node| async move { node.conversation(circle, "everyone".into()).await });
        let shown = shown.unwrap();
        assert_eq!(shown.messages, confirmed.len() as u64, "{} holds as many", world.name(person));
        digests.insert(shown.history_digest);
    }
    assert_eq!(digests.len(), 1, "all hold the same history");
    let read: Vec<MessageId> =
        world.messages(people[1], "everyone").iter().map(|message| message.id).collect();
    assert_eq!(read.len(), confirmed.len(), "none is doubled");
    assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), confirmed, "none is lost");
}

fn pick(rng: &mut Seeded, people: &[Person]) -> Person {
    let at = usize::try_from(rng.below(people.len() as u64)).unwrap();
    people[at]
}

/// Reads how much is wanted; `cargo xtask bar messages` wants more than a test run.
fn number(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn none_of_many_messages_is_lost_or_doubled_under_churn() {
    let count = usize::try_from(number("CHURN_MESSAGES", 1000)).unwrap();
    run(number("CHURN_SEED", 1), count);
}
