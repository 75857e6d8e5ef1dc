//! One person, two devices: the same history on both, and what is lost can be shut out from the other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

use std::time::Duration;

use hexode_testnet::{Person, World};
use node::api;

fn digests(world: &mut World, person: Person) -> Vec<(String, String)> {
    let circle = world.first_circle(person);
    let shown = world.ask(person, |node| async move { node.conversations(circle).await }).unwrap();
    let mut digests: Vec<_> = shown
        .into_iter()
        .filter(|conversation| conversation.messages > 0)
        .map(|conversation| (conversation.id.to_string(), conversation.history_digest))
        .collect();
    digests.sort();
    digests
}

/// Adds a device to a person's own, by an invitation from one of them.
fn link(world: &mut World, person: Person, name: &str) -> Person {
    link_since(world, person, name, None)
}

/// The same, with what was said in so many seconds before.
fn link_since(world: &mut World, person: Person, name: &str, history_s: Option<u64>) -> Person {
    let circle = world.first_circle(person);
    let invite = api::Invite { role: api::Role::Member, valid_s: 3600, own_device: true };
    let link =
        world.ask(person, |node| async move { node.invite(circle, invite).await }).unwrap().link.unwrap();
    let device = world.person(name);
    world.join_since(device, &link, history_s);
    world.settle();
    device
}

#[test]
fn a_second_device_gets_the_whole_history_and_what_became_of_it() {
    let mut world = World::new(1);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(ann, "Ben", "between us");
    world.send(ben, "everyone", "taken back");
    world.send(cara, "everyone", "stays");
    world.settle();
    let slip = world.find(ben, "everyone", "taken back");
    let first = world.find(ann, "Ben", "between us");
    let circle = world.first_circle(ben);
    world.ask(ben, |node| async move { node.delete(circle, slip).await }).unwrap();
    world.settle();
    let tablet = link(&mut world, ann, "Tablet");
    assert_eq!(world.screen(tablet, "everyone"), world.screen(ann, "everyone"));
    assert_eq!(world.screen(tablet, "Ben"), "Ann: between us\n");
    assert_eq!(digests(&mut world, tablet), digests(&mut world, ann));

    // Either device corrects what the other one said, and what is read on one is read on the other.
    let text = api::Text { text: "between the two of us".into() };
    world.ask(tablet, |node| async move { node.edit(circle, first, text).await }).unwrap();
    world.send(ben, "Ann", "yes");
    world.settle();
    let screen = "Ann: between the two of us (edited)\nBen: yes\n";
    for (person, with) in [(ann, "Ben"), (tablet, "Ben"), (ben, "Ann")] {
        assert_eq!(world.screen(person, with), screen);
    }
    assert!(world.view(ann).unread > 0);
    for conversation in ["Ben", "everyone"] {
        world
            .ask(tablet, |node| async move {
                let conversation = node.conversation(circle, conversation.into()).await?.id;
                node.mark_read(circle, conversation).await
            })
            .unwrap();
    }
    world.settle();
    assert_eq!((world.view(ann).unread, world.view(tablet).unread), (0, 0));
}

#[test]
fn a_second_device_takes_as_much_of_the_history_as_its_person_chose() {
    let mut world = World::new(3);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    for to in ["Ben", "everyone"] {
        world.send(ann, to, "of last year");
    }
    world.settle();
    world.pass(Duration::from_secs(3600));
    world.send(ben, "Ann", "of today");
    world.send(ann, "everyone", "of today");
    world.settle();
    let tablet = link_since(&mut world, ann, "Tablet", Some(1800));
    let shown = |world: &mut World| [world.screen(tablet, "Ben"), world.screen(tablet, "everyone")];
    assert_eq!(shown(&mut world), ["Ben: of today\n", "Ann: of today\n"]);
    // What both hold is the same: each chain from its beginning, with or without the words.
    assert_eq!(digests(&mut world, tablet), digests(&mut world, ann));
    world.kill(tablet);
    assert_eq!(world.pages_with(tablet, "of last year"), 0);
    world.restart(tablet);
    world.settle();
    world.send(tablet, "Ben", "and from here");
    world.settle();
    assert_eq!(shown(&mut world), ["Ben: of today\nAnn: and from here\n", "Ann: of today\n"]);
    assert_eq!(digests(&mut world, tablet), digests(&mut world, ann));
    assert_eq!(world.screen(ben, "Ann").lines().count(), 3, "others have it as before");
}

#[test]
fn a_lost_device_is_shut_out_from_the_other_one() {
    let mut world = World::new(2);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    let tablet = link(&mut world, ben, "Tablet");
    world.send(ann, "Ben", "to both of your devices");
    world.settle();
    assert_eq!(world.screen(tablet, "Ann"), "Ann: to both of your devices\n");
    let circle = world.first_circle(ben);
    let lost = world.view(tablet).device;
    world.ask(ben, |node| async move { node.remove_device(circle, lost).await }).unwrap();
    world.settle();
    world.send(ann, "Ben", "to the one that is left");
    world.settle();
    assert_eq!(world.messages(ben, "Ann").len(), 2);
    assert_eq!(world.screen(tablet, "Ann"), "Ann: to both of your devices\n");
    assert_eq!(world.view(tablet).state, api::CircleState::Removed);
    let members = world.ask(ann, |node| async move { node.members(circle).await }).unwrap();
    assert_eq!(members.iter().find(|member| member.name == "Ben").unwrap().devices.len(), 1);
}
