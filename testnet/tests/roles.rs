//! Who leaves is out; who is given another role has it everywhere; who was removed can come back.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use hexode_testnet::{Person, World};
use node::api::{ApiError, CircleState, ErrorKind, Role};
use wire::MemberId;

fn member(world: &mut World, seen_by: Person, name: &str) -> MemberId {
    let circle = world.first_circle(seen_by);
    let members = world.ask(seen_by, |node| async move { node.members(circle).await }).unwrap();
    members.iter().find(|member| member.name == name).expect("in the circle").id
}

fn set_role(world: &mut World, by: Person, member: MemberId, role: Role) -> Result<(), ApiError> {
    let circle = world.first_circle(by);
    world.ask(by, |node| async move { node.set_role(circle, member, role).await })
}

fn leave(world: &mut World, who: Person) {
    let circle = world.first_circle(who);
    world.ask(who, |node| async move { node.leave(circle).await }).unwrap();
}

#[test]
fn who_leaves_is_out_everywhere_and_reads_on_what_he_has() {
    let mut world = World::new(41);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(cara, "everyone", "farewell");
    world.settle();
    let known = world.lan_secrets(cara);
    leave(&mut world, cara);
    world.settle();
    world.send(ann, "everyone", "she is gone");
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Cara: farewell\nAnn: she is gone\n");
    assert_eq!(world.screen(cara, "everyone"), "Cara: farewell\n");
    assert_eq!(world.view(cara).state, CircleState::Removed);
    let refused = world.try_send(cara, "everyone", "hello?").unwrap_err();
    assert_eq!(refused.message, "this device has left the circle");
    for person in [ann, ben] {
        assert_eq!(world.view(person).members, 2);
        assert!(!known.contains(&world.lan_secrets(person)[0]), "she cannot find the others any more");
    }
}

#[test]
fn who_leaves_while_alone_is_out_once_somebody_hears_of_it() {
    let mut world = World::new(42);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.cut(ann, ben);
    world.settle();
    leave(&mut world, ben);
    world.kill(ben);
    world.restart(ben);
    world.send(ann, "everyone", "are you there?");
    world.settle();
    assert_eq!(world.view(ann).members, 2);
    world.mend(ann, ben);
    world.settle();
    assert_eq!(world.view(ann).members, 1);
    assert_eq!(world.screen(ben, "everyone"), "");
}

#[test]
fn a_role_is_given_and_taken_back() {
    let mut world = World::new(43);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    assert_eq!(world.remove(ben, cara).unwrap_err().kind, ErrorKind::NotAllowed);
    let id = member(&mut world, ann, "Ben");
    assert_eq!(set_role(&mut world, cara, id, Role::Admin).unwrap_err().kind, ErrorKind::NotAllowed);
    set_role(&mut world, ann, id, Role::Admin).unwrap();
    world.settle();
    assert_eq!(world.view(ben).role, Some(Role::Admin));
    world.invite(ben, Role::Member);
    set_role(&mut world, ann, id, Role::Guest).unwrap();
    world.settle();
    assert_eq!(world.view(ben).role, Some(Role::Guest));
    assert_eq!(world.remove(ben, cara).unwrap_err().kind, ErrorKind::NotAllowed);
    // He goes on writing: a demotion takes the role, not the place.
    world.send(ben, "everyone", "still here");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ben: still here\n");
    let digests = [ann, ben, cara].map(|person| world.view(person).roster_digest);
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn who_was_removed_comes_back_with_the_same_device() {
    let mut world = World::new(44);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(cara, "everyone", "one");
    world.settle();
    let id = member(&mut world, ann, "Cara");
    world.remove(ann, cara).unwrap();
    world.settle();
    world.send(ann, "everyone", "without her");
    world.settle();
    set_role(&mut world, ann, id, Role::Member).unwrap();
    world.settle();
    world.kill(cara);
    world.restart(cara);
    world.settle();
    assert_eq!(world.view(cara).state, CircleState::Member);
    world.send(cara, "everyone", "back again");
    world.settle();
    for person in [ann, ben, cara] {
        assert_eq!(world.screen(person, "everyone"), "Cara: one\nAnn: without her\nCara: back again\n");
    }
}
