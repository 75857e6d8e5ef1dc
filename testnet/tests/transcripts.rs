//! Scenes as everybody's screen shows them, for a reader who does not program: see `snapshots/`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::{fmt::Write, time::Duration};

use hexode_testnet::{Person, World};
use node::api;

/// Writes down what each person sees.
fn screens(world: &mut World, people: &[Person], conversation: &str) -> String {
    let mut all = String::new();
    for person in people {
        let circle = world.view(*person);
        let name = world.name(*person);
        let standing = match circle.state {
            api::CircleState::Member => "is in the circle",
            api::CircleState::Joining => "waits to be let in",
            api::CircleState::Removed => "was removed",
            api::CircleState::Refused => "was turned away",
        };
        let (members, connected) = (circle.members, circle.connected);
        writeln!(all, "── {name} {standing}; members {members}, connected to {connected}").unwrap();
        for message in world.messages(*person, conversation) {
            let api::Delivery { devices, delivered, read } = message.delivery;
            let state = if message.mine {
                format!("  [on {delivered} of {devices}, read on {read}]")
            } else {
                String::new()
            };
            writeln!(all, "   {}: {}{state}", message.member_name, message.text.unwrap()).unwrap();
        }
    }
    all
}

#[test]
fn three_talk_and_one_of_them_is_away_for_a_while() {
    let mut world = World::new(1);
    let people = world.circle(["Ann", "Ben", "Cara"]);
    let [ann, ben, cara] = people;
    world.send(ann, "everyone", "Who is coming on Sunday?");
    world.settle();
    world.kill(cara);
    world.send(ben, "everyone", "I am.");
    world.settle();
    let away = screens(&mut world, &[ann, ben], "everyone");
    world.restart(cara);
    world.settle();
    world.send(cara, "everyone", "Me too!");
    world.settle();
    let back = screens(&mut world, &people, "everyone");
    insta::assert_snapshot!(format!("While Cara is away\n{away}\nWhen she is back\n{back}"));
}

#[test]
fn one_is_removed_while_the_line_to_another_is_cut() {
    let mut world = World::new(2);
    let people = world.circle(["Ann", "Ben", "Cara", "Dave"]);
    let [ann, ben, cara, dave] = people;
    world.cut(ann, ben);
    world.cut(cara, ben);
    world.settle();
    world.remove(ann, dave).unwrap();
    world.pass(Duration::from_millis(5));
    world.send(ben, "everyone", "Ben does not know yet that Dave is gone");
    world.settle();
    world.mend(ann, ben);
    world.mend(cara, ben);
    world.settle();
    world.send(ben, "everyone", "now he does");
    world.settle();
    insta::assert_snapshot!(screens(&mut world, &people, "everyone"));
}
