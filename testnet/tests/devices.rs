//! One person, two devices: the same history on both, and what is lost can be shut out from the other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

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
    let circle = world.first_circle(person);
    let invite = api::Invite { role: api::Role::Member, valid_s: 3600, own_device: true };
    let link =
        world.ask(person, |node| async move { node.invite(circle, invite).await }).unwrap().link.unwrap();
    let device = world.person(name);
    world.join(device, &link);
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
