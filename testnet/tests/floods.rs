//! What members can pour over others, and all of them at once: nobody stops, forgets, or is told something else for it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends at the first thing amiss, and a measurement says what it found"
)]

use std::{collections::BTreeSet, env, time::Duration};

use charter::{Action, Entry, Signed};
use hexode_testnet::{Person, World};
use journal::Content;
use node::api::{self, CircleState, ErrorKind};
use wire::{Blob, ChainHead, ConversationFrontier, DeviceId, EntryId, Frame, limits};

fn history(world: &mut World, person: Person) -> String {
    let circle = world.first_circle(person);
    let shown = world.ask(person, |node| async move { node.conversation(circle, "everyone".into()).await });
    shown.unwrap().history_digest
}

fn frames(world: &World, person: Person, kind: &str) -> u64 {
    world.sent(person).get(kind).map_or(0, |(frames, _)| *frames)
}

/// How often somebody says what nobody can place.
const ROUNDS: u64 = 30;

fn hash(number: u64) -> [u8; 32] {
    crypto::hash("hexode/testnet/made-up/1", &[&number.to_be_bytes()])
}

/// Reads how much is wanted; `cargo xtask bar flood` wants more than a test run.
fn number(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn so_many_tiny_entries_hold_up_nobody_elses_words() {
    let mut world = World::new(71);
    let [mallory, ben, cara] = world.circle(["Mallory", "Ben", "Cara"]);
    world.kill(mallory);
    let mut forger = world.forger(mallory);
    world.restart(mallory);
    world.settle();
    let count = number("FLOOD", 3000);
    world.count_costs();
    let (mut said, mut sent) = (0, None);
    while said < count {
        let part =
            (said..count.min(said + 512)).map(|at| forger.write(at + 1, None, &Content::Text("x".into())));
        let part = part.collect();
        world.say(mallory, ben, &forger.say(part));
        said += 512;
        world.pass(Duration::from_millis(1));
        if sent.is_none() && said >= count / 2 {
            sent = Some((world.try_send(cara, "everyone", "Fire!").unwrap().id, world.now()));
        }
    }
    let (fire, sent_at) = sent.unwrap();
    let circle = world.first_circle(ben);
    while world.ask(ben, |node| async move { node.message(circle, fire).await }).is_err() {
        world.pass(Duration::from_millis(50));
    }
    let after = world.now() - sent_at;
    println!("FLOOD {count} {}", after.as_millis());
    assert!(after <= Duration::from_secs(5), "Ben hears of the fire after {after:?}");
    world.settle();
    let held = |world: &mut World, person| {
        let circle = world.first_circle(person);
        let shown =
            world.ask(person, |node| async move { node.conversation(circle, "everyone".into()).await });
        shown.unwrap().messages
    };
    assert_eq!((held(&mut world, ben), held(&mut world, cara)), (count + 1, count + 1));
    assert_eq!(history(&mut world, ben), history(&mut world, cara));
}

#[test]
fn charter_entries_with_unknown_parents_for_ever_keep_nobody_from_letting_others_in() {
    let mut world = World::new(72);
    let [ann, ben, mallory] = world.circle(["Ann", "Ben", "Mallory"]);
    world.kill(mallory);
    let key = world.key(mallory);
    world.restart(mallory);
    world.settle();
    let circle = world.first_circle(ben);
    let orphan = |at: u64| {
        let entry = Entry {
            circle,
            author: DeviceId::new(key.public()),
            seq: at + 100,
            previous: Some(EntryId::new(hash(at))),
            parents: vec![EntryId::new(hash(at))],
            lamport: at + 1000,
            claimed_ms: 0,
            cite: EntryId::new(hash(7)),
            action: Action::Leave,
        };
        Signed::new(&entry, &key).to_blob()
    };
    let before = frames(&world, ben, "charter have");
    for round in 0..ROUNDS {
        let part = (round * 100..round * 100 + 100).map(orphan).collect();
        world.say(mallory, ben, &Frame::CharterEntries(part));
        world.settle();
    }
    let asked = frames(&world, ben, "charter have") - before;
    assert!((1..=ROUNDS).contains(&asked), "Ben has asked {asked} times for what nobody has");
    // Three thousand that wait for ever, and room for whoever keeps the rules.
    let dave = world.person("Dave");
    let link = world.invite(ann, api::Role::Member);
    world.join(dave, &link);
    world.settle();
    assert_eq!(world.view(dave).state, CircleState::Member);
    assert_eq!(world.view(ben).members, 4);
    world.remove(ann, mallory).unwrap();
    world.settle();
    let digests: BTreeSet<_> = [ann, ben, dave].map(|person| world.view(person).roster_digest).into();
    assert_eq!((world.view(ben).members, digests.len()), (3, 1));
}

#[test]
fn long_lists_of_made_up_heads_are_forgotten_and_silence_nobody() {
    let mut world = World::new(73);
    let [mallory, ben, cara] = world.circle(["Mallory", "Ben", "Cara"]);
    world.send(ben, "everyone", "one");
    world.settle();
    let bens = world.view(ben).device;
    let before = frames(&world, ben, "entries");
    for round in 0..20 {
        let made_up = |at| ChainHead { author: DeviceId::new(hash(at)), seq: u64::MAX - at, hash: hash(at) };
        let base = round * 10_000;
        let mut chains: Vec<_> = (base..base + limits::FRONTIER as u64 - 2).map(made_up).collect();
        // Ben's own chain, he says, is longer than Ben knows.
        chains.push(ChainHead { author: bens, seq: 1 << 40, hash: hash(0) });
        chains.sort_by_key(|head| head.author);
        let everyone = ConversationFrontier { descriptor: Blob(everyone()), chains };
        world.say(mallory, ben, &Frame::Frontier(vec![everyone], false));
        world.pass(Duration::from_millis(100));
    }
    assert!(
        frames(&world, ben, "entries") - before <= 20,
        "each is answered with what it says is lacking, at most"
    );
    let refused = world.try_send(ben, "everyone", "two").unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "it could be true");
    world.pass(Duration::from_secs(61));
    world.send(ben, "everyone", "two");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ben: one\nBen: two\n");
    assert_eq!(world.view(ben).trouble, None, "nothing of it was true, and nobody is alarmed");
    // The same again is not believed.
    let chains = vec![ChainHead { author: bens, seq: 1 << 41, hash: hash(0) }];
    let everyone = ConversationFrontier { descriptor: Blob(everyone()), chains };
    world.say(mallory, ben, &Frame::Frontier(vec![everyone], false));
    world.pass(Duration::from_millis(100));
    world.send(ben, "everyone", "three");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ben: one\nBen: two\nBen: three\n");
}

/// The descriptor of the conversation of all.
fn everyone() -> Vec<u8> {
    journal::Descriptor::Everyone.encode().0
}

#[test]
fn when_all_remove_each_other_at_once_the_rest_agree_on_who_is_left() {
    let mut world = World::new(74);
    let people = world.circle(["Ann", "Ben", "Cara", "Dave", "Eve", "Frank"]);
    let [ann, ben, cara, dave, eve, frank] = people;
    let circle = world.first_circle(ann);
    for name in ["Ben", "Cara"] {
        world
            .ask(ann, |node| async move {
                let members = node.members(circle).await?;
                let id = members.iter().find(|member| member.name == name).unwrap().id;
                node.set_role(circle, id, api::Role::Admin).await
            })
            .unwrap();
        world.settle();
    }
    world.send(dave, "everyone", "before");
    world.settle();
    for (at, one) in people.iter().enumerate() {
        people[at + 1..].iter().for_each(|other| world.cut(*one, *other));
    }
    world.settle();
    let pairs = [(ann, ben), (ben, dave), (ben, eve), (ben, frank), (cara, dave), (cara, frank)];
    for (by, whom) in pairs {
        world.remove(by, whom).unwrap();
    }
    for (by, whom) in [(ben, cara), (ben, ann), (cara, ann), (dave, eve), (eve, frank)] {
        world.remove(by, whom).unwrap_err();
    }
    for person in people {
        let text = format!("{} alone", world.name(person));
        world.send(person, "everyone", &text);
    }
    world.mend_all();
    world.settle();
    // Ann's word is above Ben's, who had not seen it: what he did is void. Cara's stands.
    let left = [ann, cara, eve];
    for person in left {
        assert_eq!((world.view(person).state, world.view(person).members), (CircleState::Member, 3));
    }
    let rosters: BTreeSet<_> = left.map(|person| world.view(person).roster_digest).into();
    let histories: BTreeSet<_> = left.map(|person| history(&mut world, person)).into();
    let screens: BTreeSet<_> = left.map(|person| world.screen(person, "everyone")).into();
    assert_eq!((rosters.len(), histories.len(), screens.len()), (1, 1, 1), "{screens:?}");
    let mut lines: Vec<_> = screens.first().unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["Ann: Ann alone", "Cara: Cara alone", "Dave: before", "Eve: Eve alone"]);
}
