//! A message to everyone in a large circle: how soon the last one has it, and how often its author sends it.
//!
//! Whole nodes on virtual links of 20 ms; what their turns take on this machine passes in the world, too. Commits do not
//! wait for the disk.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test ends at the first thing amiss, and a measurement says what it found"
)]

use std::{env, time::Duration};

use hexode_testnet::{Person, World};
use node::api::Role;

fn circle(count: usize) -> (World, Vec<Person>) {
    let mut world = World::new(81);
    let people: Vec<_> = (0..count).map(|at| world.person(&format!("P{at}"))).collect();
    world.found(people[0], "Circle");
    world.settle();
    // They come in one by one and meet when all are in: on the way a large circle would say everything n² times.
    for person in &people[1..] {
        world.introduce_by(*person, people[0]);
        let link = world.invite(people[0], Role::Member);
        world.join(*person, &link);
        world.settle();
    }
    world.mend_all();
    world.settle();
    (world, people)
}

fn holds(world: &mut World, person: Person, text: &str) -> bool {
    world.messages(person, "everyone").iter().any(|message| message.text.as_deref() == Some(text))
}

/// Reads how much is wanted; `cargo xtask bar everyone` wants more than a test run.
fn number(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn everyone_has_it_soon_and_its_author_sends_few_copies() {
    let (mut world, people) = circle(number("EVERYONE", 24));
    // Once before: from then on all are told of the conversation.
    world.send(people[0], "everyone", "is this thing on?");
    world.settle();
    let author = people[people.len() / 2];
    world.send(author, "everyone", "let us begin");
    world.settle();
    let text = "x".repeat(2000);
    world.count_costs();
    let (began, before) = (world.now(), world.sent(author));
    let said = |world: &World| -> u64 {
        let entries = people.iter().filter_map(|person| world.sent(*person).get("entries").copied());
        entries.map(|(frames, _)| frames).sum()
    };
    let before_all = said(&world);
    world.send(author, "everyone", &text);
    let mut waiting: Vec<_> = people.iter().copied().filter(|person| *person != author).collect();
    while !waiting.is_empty() && world.now() < began + Duration::from_secs(60) {
        world.pass(Duration::from_millis(20));
        waiting.retain(|person| !holds(&mut world, *person, &text));
    }
    let last = world.now() - began;
    world.pass(Duration::from_secs(30));
    let (mut frames, mut bytes) = (0, 0);
    for (kind, sent) in world.sent(author) {
        let known = before.get(kind).copied().unwrap_or_default();
        let (more, weight) = (sent.0 - known.0, sent.1 - known.1);
        if more > 0 {
            println!("the author sent {more} frames of {kind}, {weight} bytes");
        }
        (frames, bytes) = (frames + more, bytes + weight);
    }
    let copies = bytes as f64 / text.len() as f64;
    println!("EVERYONE {} {} {copies:.2} {frames}", people.len(), last.as_millis());
    assert!(waiting.is_empty(), "{} have it not", waiting.len());
    assert_eq!(
        said(&world) - before_all,
        people.len() as u64 - 1,
        "nobody gets it twice, its author least of all"
    );
    assert!(last <= Duration::from_secs(2), "the last had it after {last:?}");
    assert!(copies <= 8.0, "the author sent {copies:.1} copies");
}

#[test]
fn who_comes_back_gets_what_he_missed_from_a_few_and_not_from_all() {
    let (mut world, people) = circle(24);
    let away = people[5];
    world.send(away, "everyone", "gone for a while");
    world.settle();
    world.kill(away);
    let text = "x".repeat(1000);
    for at in 0..30 {
        world.send(people[10 + at % 7], "everyone", &format!("{text} {at}"));
        world.pass(Duration::from_millis(100));
    }
    world.settle();
    let said = |world: &World| -> u64 {
        let entries = people.iter().filter_map(|person| world.sent(*person).get("entries").copied());
        entries.map(|(_, bytes)| bytes).sum()
    };
    let (began, before) = (world.now(), said(&world));
    world.restart(away);
    while world.messages(away, "everyone").len() < 31 && world.now() < began + Duration::from_secs(60) {
        world.pass(Duration::from_millis(20));
    }
    assert!(world.now() - began < Duration::from_secs(1), "it came after {:?}", world.now() - began);
    world.settle();
    let copies = (said(&world) - before) as f64 / (30 * text.len()) as f64;
    assert!(copies <= 5.0, "{copies:.1} times what he had missed was sent");
    // Whoever was told later sends as well as the others.
    for at in [0, 7, 23] {
        world.send(people[at], "everyone", &format!("welcome {at}"));
    }
    world.settle();
    assert_eq!(world.messages(away, "everyone").len(), 34);
}

#[test]
fn who_is_linked_to_one_device_only_gets_it_too() {
    let (mut world, people) = circle(16);
    let (lonely, friend) = (people[15], people[9]);
    for person in &people[..15] {
        if *person != friend {
            world.cut(*person, lonely);
        }
    }
    world.settle();
    for (at, author) in [people[3], lonely, people[12]].into_iter().enumerate() {
        world.send(author, "everyone", &format!("word {at}"));
    }
    world.settle();
    let wanted = world.messages(friend, "everyone").len();
    assert_eq!(wanted, 3);
    for person in people {
        assert_eq!(world.messages(person, "everyone").len(), wanted, "{}", world.name(person));
    }
}
