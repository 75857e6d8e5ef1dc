//! How far a member is believed, and how much of a device he may fill.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

use std::time::Duration;

use hexode_testnet::World;
use journal::{Content, Descriptor};
use wire::{ChainHead, ConversationFrontier, EntryBody, EntryPlace, Frame};

#[test]
fn who_claims_to_hold_more_of_ones_own_chain_holds_up_writing_once_and_raises_no_alarm() {
    let mut world = World::new(91);
    let [ann, ben, mallory] = world.circle(["Ann", "Ben", "Mallory"]);
    world.send(ben, "everyone", "one");
    world.settle();
    let head = ChainHead { author: world.view(ben).device, seq: 1_000_000_000, hash: [7; 32] };
    let descriptor = Descriptor::Everyone.encode();
    let lie = Frame::Frontier(vec![ConversationFrontier { descriptor, chains: vec![head] }], true);
    world.say(mallory, ben, &lie);
    world.settle();
    let refused = world.try_send(ben, "everyone", "two").unwrap_err();
    assert!(refused.message.contains("getting back"), "it may be true: {}", refused.message);
    world.pass(Duration::from_secs(61));
    world.send(ben, "everyone", "two");
    // Once was enough: he is not believed again, however often he says so.
    for text in ["three", "four"] {
        world.say(mallory, ben, &lie);
        world.settle();
        world.send(ben, "everyone", text);
    }
    world.settle();
    assert_eq!(world.screen(ann, "everyone"), "Ben: one\nBen: two\nBen: three\nBen: four\n");
    assert!(world.view(ben).trouble.is_none(), "nobody put an old copy back");
}

#[test]
fn bodies_that_come_by_themselves_count_and_so_does_what_devices_wrote_that_are_gone() {
    let mut world = World::new(92);
    let [ann, mallory] = world.circle(["Ann", "Mallory"]);
    let everyone = Descriptor::Everyone.id(&world.first_circle(ann));
    let taken = |world: &mut World| {
        let circle = world.first_circle(ann);
        let members = world.ask(ann, |node| async move { node.members(circle).await }).unwrap();
        members.iter().find(|member| member.name == "Mallory").map(|member| member.taken)
    };
    world.kill(mallory);
    let mut forger = world.forger(mallory);
    world.restart(mallory);
    world.settle();
    let long = |at: u64| Content::Text(format!("{at} {}", "x".repeat(wire::limits::TEXT - 8)));
    let heavy: Vec<_> = (0..4u64).map(|at| forger.write(at + 1, None, &long(at))).collect();
    let bare = heavy.iter().map(|entry| journal::Entry { body: None, ..entry.clone() }).collect();
    world.withhold(mallory, |frame| matches!(frame, Frame::Bodies(..)));
    world.say(mallory, ann, &forger.say(bare));
    world.settle();
    let before = taken(&mut world).unwrap();
    let bodies = heavy.into_iter().map(|entry| EntryBody {
        place: EntryPlace { conversation: everyone, author: entry.header.author, seq: entry.header.seq },
        body: entry.body.unwrap(),
    });
    world.say(mallory, ann, &Frame::Bodies(4, bodies.collect()));
    world.settle();
    let after = taken(&mut world).unwrap();
    assert!(after - before >= 4 * (wire::limits::TEXT as u64 - 8), "{before} and {after}");
}
