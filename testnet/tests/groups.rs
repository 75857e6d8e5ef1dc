//! Groups whose members come and go: who is in one reads it, who is not gets nothing of it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::time::Duration;

use hexode_testnet::{Person, World};
use node::api::{self, ApiError, ErrorKind};
use wire::Frame;

fn found(world: &mut World, by: Person, name: &str, members: &[&str]) {
    let circle = world.first_circle(by);
    let members = members.iter().map(ToString::to_string).collect();
    let group = api::NewGroup { name: name.into(), members };
    world.ask(by, |node| async move { node.found_group(circle, group).await }).unwrap();
    world.settle();
}

fn show(world: &mut World, person: Person, name: &str) -> Result<api::Group, ApiError> {
    let (circle, name) = (world.first_circle(person), name.to_owned());
    world.ask(person, |node| async move {
        let id = node.conversation(circle, name).await?.id;
        node.group(circle, id).await
    })
}

fn add(world: &mut World, by: Person, group: &str, who: &str, history: bool) -> Result<api::Group, ApiError> {
    let (circle, id) = (world.first_circle(by), show(world, by, group)?.id);
    let request = api::AddToGroup { members: vec![who.into()], history };
    world.ask(by, |node| async move { node.add_to_group(circle, id, request).await })
}

fn remove(world: &mut World, by: Person, group: &str, who: &str) -> Result<api::Group, ApiError> {
    let circle = world.first_circle(by);
    let shown = show(world, by, group)?;
    let member = shown.members.iter().find(|member| member.name == who).expect("in the group").id;
    world.ask(by, |node| async move { node.remove_from_group(circle, shown.id, member).await })
}

fn leave(world: &mut World, who: Person, group: &str) -> Result<api::Group, ApiError> {
    let (circle, id) = (world.first_circle(who), show(world, who, group)?.id);
    world.ask(who, |node| async move { node.leave_group(circle, id).await })
}

fn names(group: &api::Group) -> Vec<&str> {
    group.members.iter().map(|member| member.name.as_str()).collect()
}

/// Everything a device says that is content of a conversation or says who is in a group.
fn of_groups(frame: &Frame) -> bool {
    matches!(frame, Frame::Entries(_) | Frame::Bodies(..) | Frame::GroupActs(..))
}

#[test]
fn who_is_brought_in_reads_what_was_said_before_and_answers() {
    let mut world = World::new(31);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    found(&mut world, ann, "Board", &["Ben"]);
    world.send(ann, "Board", "one");
    world.settle();
    world.send(ben, "Board", "two");
    world.settle();
    assert_eq!(show(&mut world, cara, "Board").unwrap_err().kind, ErrorKind::NotFound);
    add(&mut world, ben, "Board", "Cara", true).unwrap();
    world.settle();
    assert_eq!(world.screen(cara, "Board"), "Ann: one\nBen: two\n");
    world.send(cara, "Board", "thank you");
    world.settle();
    for person in [ann, ben, cara] {
        assert_eq!(world.screen(person, "Board"), "Ann: one\nBen: two\nCara: thank you\n");
        assert_eq!(names(&show(&mut world, person, "Board").unwrap()), ["Ann", "Ben", "Cara"]);
    }
}

#[test]
fn a_newcomer_without_history_gets_no_word_of_what_was_said_before() {
    let mut world = World::new(32);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    found(&mut world, ann, "Board", &["Ben"]);
    world.send(ann, "Board", "a secret of before");
    world.send(ben, "Board", "another one");
    world.settle();
    add(&mut world, ann, "Board", "Cara", false).unwrap();
    world.settle();
    world.send(ann, "Board", "welcome");
    world.settle();
    assert_eq!(world.screen(cara, "Board"), "Ann: welcome\n");
    let view = |world: &mut World, person| {
        let circle = world.first_circle(person);
        world.ask(person, |node| async move { node.conversation(circle, "Board".into()).await }).unwrap()
    };
    let (anns, caras) = (view(&mut world, ann), view(&mut world, cara));
    assert_eq!((caras.messages, caras.unread), (1, 1));
    assert_eq!(anns.history_digest, caras.history_digest, "the chains are the same, bodies or not");
    world.kill(cara);
    assert_eq!(world.pages_with(cara, "a secret of before"), 0);
    world.restart(cara);
    world.settle();
    assert_eq!(view(&mut world, cara).unread, 1, "after a restart too");
    assert_eq!(world.screen(cara, "Board"), "Ann: welcome\n");
    // Brought in again with the history, she gets it.
    remove(&mut world, ann, "Board", "Cara").unwrap();
    world.settle();
    add(&mut world, ann, "Board", "Cara", true).unwrap();
    world.settle();
    assert_eq!(world.screen(cara, "Board"), world.screen(ann, "Board"));
    assert_eq!(world.screen(cara, "Board").lines().count(), 3);
}

#[test]
fn who_comes_back_without_history_is_heard_before_he_has_heard_the_rest() {
    let mut world = World::new(37);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    found(&mut world, ann, "Board", &["Ben", "Cara"]);
    leave(&mut world, ben, "Board").unwrap();
    world.settle();
    for at in 0..5 {
        world.send(cara, "Board", &format!("without him {at}"));
    }
    world.settle();
    add(&mut world, ann, "Board", "Ben", false).unwrap();
    // What was said meanwhile takes its time to come.
    while !show(&mut world, ben, "Board").unwrap().member {
        world.pass(Duration::from_millis(1));
    }
    world.send(ben, "Board", "here I am");
    world.settle();
    for person in [ann, ben, cara] {
        assert!(
            world.screen(person, "Board").ends_with("Ben: here I am\n"),
            "{}",
            world.screen(person, "Board")
        );
    }
}

#[test]
fn who_was_taken_out_gets_nothing_of_the_group_any_more() {
    let mut world = World::new(33);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    found(&mut world, ann, "Board", &["Ben", "Cara"]);
    world.send(cara, "Board", "still here");
    world.settle();
    remove(&mut world, ann, "Board", "Cara").unwrap();
    world.settle();
    let caras = show(&mut world, cara, "Board").unwrap();
    assert!(!caras.member && names(&caras) == ["Ann", "Ben"], "she was told");
    let refused = world.try_send(cara, "Board", "hello?").unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotAllowed);
    // From here on Ann and Ben keep back, so that the test can read it, whatever they would say to anybody.
    world.cut(ann, ben);
    world.settle();
    for person in [ann, ben] {
        world.withhold(person, of_groups);
    }
    world.send(ann, "Board", "without her");
    add(&mut world, ann, "Board", "Ben", true).unwrap_err();
    let circle = world.first_circle(ann);
    let id = show(&mut world, ann, "Board").unwrap().id;
    let rename = api::Rename { name: "Inner board".into() };
    world.ask(ann, |node| async move { node.rename_group(circle, id, rename).await }).unwrap();
    world.settle();
    for restarted in [false, true] {
        if restarted {
            world.kill(cara);
            world.restart(cara);
            world.settle();
        }
        for frame in [ann, ben].map(|person| world.withhold(person, of_groups)).into_iter().flatten() {
            // On a new link she is told once more that she was taken out, and nothing that came after.
            let Frame::GroupActs(_, acts) = &frame else { panic!("{frame:?}") };
            assert!(restarted && acts.len() == 1, "{frame:?}");
        }
    }
    assert_eq!(world.screen(cara, "Board"), "Cara: still here\n");
    assert_eq!(show(&mut world, cara, "Board").unwrap().name, "Board");
}

#[test]
fn what_somebody_writes_who_was_taken_out_and_does_not_know_it_is_void_everywhere() {
    let mut world = World::new(34);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    found(&mut world, ann, "Board", &["Ben", "Cara"]);
    world.send(cara, "Board", "one");
    world.settle();
    // Ben alone hears what Cara says after Ann took her out; then he hears of it.
    world.cut(ann, cara);
    world.cut(ann, ben);
    world.settle();
    remove(&mut world, ann, "Board", "Cara").unwrap();
    world.send(cara, "Board", "two");
    world.send(cara, "Board", "three");
    world.settle();
    assert_eq!(world.screen(ben, "Board"), "Cara: one\nCara: two\nCara: three\n");
    world.mend(ann, ben);
    world.settle();
    for person in [ann, ben] {
        assert_eq!(world.screen(person, "Board"), "Cara: one\n");
    }
    let digest = |world: &mut World, person| {
        let circle = world.first_circle(person);
        let shown = world.ask(person, |node| async move { node.conversation(circle, "Board".into()).await });
        shown.unwrap().history_digest
    };
    assert_eq!(digest(&mut world, ann), digest(&mut world, ben));
    // Brought in again, she is forgiven what she wrote meanwhile.
    add(&mut world, ann, "Board", "Cara", true).unwrap();
    world.mend(ann, cara);
    world.settle();
    for person in [ann, ben, cara] {
        assert_eq!(world.screen(person, "Board"), "Cara: one\nCara: two\nCara: three\n");
    }
    assert_eq!(digest(&mut world, ann), digest(&mut world, cara));
}

#[test]
fn whoever_leaves_a_group_gets_no_more_and_the_rest_go_on() {
    let mut world = World::new(35);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    found(&mut world, ann, "Board", &["Ben", "Cara"]);
    leave(&mut world, ben, "Board").unwrap();
    world.settle();
    world.send(ann, "Board", "Ben left");
    world.settle();
    assert_eq!(world.screen(cara, "Board"), "Ann: Ben left\n");
    assert_eq!(world.screen(ben, "Board"), "");
    let shown = show(&mut world, cara, "Board").unwrap();
    assert_eq!(names(&shown), ["Ann", "Cara"]);
    assert!(shown.gone[0].left);
    assert_eq!(remove(&mut world, cara, "Board", "Ann").unwrap_err().kind, ErrorKind::NotAllowed);
    leave(&mut world, ann, "Board").unwrap();
    world.settle();
    assert_eq!(names(&show(&mut world, cara, "Board").unwrap()), ["Cara"]);
}

#[test]
fn all_agree_who_is_in_a_group_after_both_sides_of_a_break_changed_it() {
    let mut world = World::new(36);
    let [ann, ben, cara, dave, eve] = world.circle(["Ann", "Ben", "Cara", "Dave", "Eve"]);
    found(&mut world, ann, "Board", &["Ben", "Cara"]);
    world.settle();
    for (one, other) in [(ann, ben), (ann, dave), (ann, eve), (cara, ben), (cara, dave), (cara, eve)] {
        world.cut(one, other);
    }
    world.settle();
    remove(&mut world, ann, "Board", "Ben").unwrap();
    add(&mut world, ben, "Board", "Dave", true).unwrap();
    world.settle();
    add(&mut world, dave, "Board", "Eve", true).unwrap();
    world.settle();
    world.send(eve, "Board", "here I am");
    world.settle();
    for (one, other) in [(ann, ben), (ann, dave), (ann, eve), (cara, ben), (cara, dave), (cara, eve)] {
        world.mend(one, other);
    }
    world.settle();
    for person in [ann, cara] {
        assert_eq!(names(&show(&mut world, person, "Board").unwrap()), ["Ann", "Cara"]);
        assert_eq!(world.screen(person, "Board"), "");
    }
    // What Ben had done was not seen by Ann when she took him out.
    for person in [ben, dave, eve] {
        assert!(!show(&mut world, person, "Board").unwrap().member);
    }
}

#[test]
fn who_is_removed_from_the_circle_is_out_of_its_groups_too() {
    let mut world = World::new(37);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    found(&mut world, ann, "Board", &["Ben", "Cara"]);
    world.send(cara, "Board", "one");
    world.settle();
    world.remove(ann, cara).unwrap();
    world.settle();
    assert_eq!(names(&show(&mut world, ben, "Board").unwrap()), ["Ann", "Ben"]);
    assert_eq!(show(&mut world, ben, "Board").unwrap().gone.len(), 1);
    assert_eq!(world.screen(ben, "Board"), "Cara: one\n");
}
