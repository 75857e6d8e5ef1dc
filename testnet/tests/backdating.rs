//! A removal says where the removed one's chains end: what he writes later, with whoever's help, counts nowhere.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use hexode_testnet::{Person, World};
use node::api;
use wire::{Frame, MemberId};

fn digest(world: &mut World, person: Person) -> String {
    let circle = world.first_circle(person);
    let shown = world.ask(person, |node| async move { node.conversation(circle, "everyone".into()).await });
    shown.unwrap().history_digest
}

fn member(world: &mut World, seen_by: Person, name: &str) -> MemberId {
    let circle = world.first_circle(seen_by);
    let members = world.ask(seen_by, |node| async move { node.members(circle).await }).unwrap();
    members.iter().find(|member| member.name == name).expect("in the circle").id
}

#[test]
fn what_a_removed_member_writes_on_is_void_on_every_device_also_with_help_from_inside() {
    let mut world = World::new(51);
    let [ann, ben, cara, dave] = world.circle(["Ann", "Ben", "Cara", "Dave"]);
    world.send(cara, "everyone", "one");
    world.settle();
    // Ben helps Cara: cut off from the others, he goes on taking what she writes after her removal, dated as she likes.
    for other in [ann, dave] {
        world.cut(other, ben);
        world.cut(other, cara);
    }
    world.settle();
    world.remove(ann, cara).unwrap();
    world.settle();
    world.skew(cara, -86_400_000);
    world.send(cara, "everyone", "dated back");
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Cara: one\nCara: dated back\n");
    // Ben meets Dave first, then Ann.
    world.mend(ben, dave);
    world.settle();
    assert_eq!(world.screen(dave, "everyone"), "Cara: one\n");
    assert_eq!(world.screen(ben, "everyone"), "Cara: one\n", "what he took is void with him too");
    world.mend(ben, ann);
    world.settle();
    let digests = [ann, ben, dave].map(|person| digest(&mut world, person));
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    for person in [ben, dave] {
        world.kill(person);
        world.restart(person);
        world.settle();
        assert_eq!(world.screen(person, "everyone"), "Cara: one\n");
    }
}

#[test]
fn what_a_remover_said_before_it_was_known_that_he_is_one_counts_from_then_on() {
    let mut world = World::new(82);
    let [ann, cara, dave] = world.circle(["Ann", "Cara", "Dave"]);
    world.send(dave, "everyone", "one");
    world.settle();
    // Cara hears where Dave's chain ends, and not why; Dave hears neither.
    world.cut(ann, dave);
    world.withhold(ann, |frame| matches!(frame, Frame::CharterEntries(_)));
    world.remove(ann, dave).unwrap();
    world.settle();
    world.send(dave, "everyone", "two");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Dave: one\nDave: two\n");
    world.withhold(ann, |_| false);
    world.cut(ann, cara);
    world.mend(ann, cara);
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Dave: one\n");
    assert_eq!(digest(&mut world, ann), digest(&mut world, cara));
}

#[test]
fn what_the_remover_had_seen_still_reaches_who_was_away() {
    let mut world = World::new(52);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.kill(ben);
    world.settle();
    for text in ["one", "two", "three"] {
        world.send(cara, "everyone", text);
    }
    world.settle();
    world.remove(ann, cara).unwrap();
    world.settle();
    world.restart(ben);
    world.settle();
    for person in [ann, ben] {
        assert_eq!(world.screen(person, "everyone"), "Cara: one\nCara: two\nCara: three\n");
    }
    assert_eq!(digest(&mut world, ann), digest(&mut world, ben));
}

#[test]
fn a_removal_that_turns_out_void_ends_no_chain() {
    let mut world = World::new(53);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    let cara = world.person("Cara");
    let link = world.invite(ann, api::Role::Admin);
    world.join(cara, &link);
    world.settle();
    world.send(ben, "everyone", "one");
    world.settle();
    world.cut(ann, cara);
    world.cut(ann, ben);
    world.cut(ben, cara);
    world.settle();
    world.remove(ann, cara).unwrap();
    world.remove(cara, ben).unwrap();
    world.send(ben, "everyone", "two");
    world.mend(ben, cara);
    world.settle();
    world.mend(ann, ben);
    world.settle();
    for person in [ann, ben] {
        assert_eq!(world.screen(person, "everyone"), "Ben: one\nBen: two\n");
    }
    assert_eq!(digest(&mut world, ann), digest(&mut world, ben));
}

#[test]
fn who_had_a_higher_role_before_he_was_removed_is_out_just_as_much() {
    let mut world = World::new(54);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(ben, "everyone", "one");
    world.settle();
    let (circle, id) = (world.first_circle(ann), member(&mut world, ann, "Ben"));
    world.ask(ann, |node| async move { node.set_role(circle, id, api::Role::Guest).await }).unwrap();
    world.settle();
    // Ben has not heard of his removal yet when he writes to Cara, who has not either.
    world.cut(ann, ben);
    world.cut(ann, cara);
    let known = world.lan_secrets(ben);
    world.remove(ann, ben).unwrap();
    world.send(ben, "everyone", "two");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ben: one\nBen: two\n");
    world.mend(ann, cara);
    world.settle();
    for person in [ann, cara] {
        assert_eq!(world.screen(person, "everyone"), "Ben: one\n");
        assert!(!known.contains(&world.lan_secrets(person)[0]), "he cannot find the others any more");
    }
    assert_eq!(digest(&mut world, ann), digest(&mut world, cara));
}
