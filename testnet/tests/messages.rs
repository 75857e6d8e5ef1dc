//! What one writes, the others read: the same, once, in the same order.

use std::time::Duration;

use hexode_testnet::{Weather, World};
use node::api;

#[test]
fn a_message_goes_from_one_to_the_other_and_its_state_is_told() {
    let mut world = World::new(1);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ann, "Ben", "Hello Ben");
    world.settle();
    assert_eq!(world.screen(ben, "Ann"), "Ann: Hello Ben\n");
    let state = |world: &mut World| world.messages(ann, "Ben").remove(0).delivery;
    assert_eq!(state(&mut world), api::Delivery { devices: 1, delivered: 1, read: 0 });

    let circle = world.first_circle(ben);
    assert_eq!(world.view(ben).unread, 1);
    world
        .ask(ben, |node| async move {
            let conversation = node.conversation(circle, "Ann".into()).await?.id;
            node.mark_read(circle, conversation).await
        })
        .unwrap();
    world.settle();
    assert_eq!(world.view(ben).unread, 0);
    assert_eq!(state(&mut world), api::Delivery { devices: 1, delivered: 1, read: 1 });
}

#[test]
fn a_receipt_that_a_crash_took_is_told_again_on_the_next_link() {
    let mut world = World::new(8);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ann, "Ben", "Hello Ben");
    // It is there and back in no time, and Ann's device dies before it has stored what Ben's said.
    world.pass(Duration::from_millis(200));
    let delivered = |world: &mut World| world.messages(ann, "Ben").remove(0).delivery.delivered;
    assert_eq!(delivered(&mut world), 1);
    world.kill(ann);
    world.cut(ann, ben);
    world.restart(ann);
    assert_eq!(delivered(&mut world), 0, "the crash came before the receipt was stored");
    world.mend(ann, ben);
    world.settle();
    assert_eq!(delivered(&mut world), 1);
    // Stored this time.
    world.kill(ann);
    world.cut(ann, ben);
    world.restart(ann);
    assert_eq!(delivered(&mut world), 1);
}

#[test]
fn all_read_the_same_in_the_same_order_whoever_was_faster() {
    let mut world = World::new(2);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.weather(ann, cara, Weather { latency: Duration::from_millis(900), ..Weather::default() });
    world.weather(ben, cara, Weather { loss: 30, ..Weather::default() });
    for round in 0..5 {
        world.send(ann, "everyone", &format!("Ann {round}"));
        world.send(ben, "everyone", &format!("Ben {round}"));
        world.pass(Duration::from_millis(30));
        world.send(cara, "everyone", &format!("Cara {round}"));
    }
    world.settle();
    let screen = world.screen(ann, "everyone");
    assert_eq!(screen.lines().count(), 15);
    assert_eq!(world.screen(ben, "everyone"), screen);
    assert_eq!(world.screen(cara, "everyone"), screen);
}

#[test]
fn a_direct_conversation_stays_between_two() {
    let mut world = World::new(3);
    let [ann, _ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(ann, "Ben", "for you only");
    world.settle();
    let circle = world.first_circle(cara);
    let shown = world.ask(cara, |node| async move { node.conversations(circle).await }).unwrap();
    assert!(shown.iter().all(|conversation| conversation.messages == 0), "{shown:?}");
}

#[test]
fn a_group_is_known_to_its_members_alone_and_at_once() {
    let mut world = World::new(4);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    let circle = world.first_circle(ann);
    let group = api::NewGroup { name: "Board".into(), members: vec!["Ben".into()] };
    world.ask(ann, |node| async move { node.found_group(circle, group).await }).unwrap();
    world.settle();
    world.send(ben, "Board", "here already");
    world.settle();
    assert_eq!(world.screen(ann, "Board"), "Ben: here already\n");
    let refused = world.try_send(cara, "Board", "and me?").unwrap_err();
    assert_eq!(refused.kind, api::ErrorKind::NotFound);
}

#[test]
fn who_was_away_gets_what_was_said_also_from_others_than_the_author() {
    let mut world = World::new(5);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.kill(cara);
    for number in 0..1000 {
        world.send(ann, "everyone", &number.to_string());
    }
    world.settle();
    world.kill(ann);
    world.restart(cara);
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), world.screen(ben, "everyone"));
    assert_eq!(world.screen(cara, "everyone").lines().count(), 1000);
}

#[test]
fn two_who_cannot_reach_each_other_talk_through_a_third() {
    let mut world = World::new(6);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.cut(ann, cara);
    world.settle();
    world.send(ann, "everyone", "through Ben");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ann: through Ben\n");
    world.kill(ben);
    world.send(ann, "everyone", "nobody carries this");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ann: through Ben\n");
    world.mend(ann, cara);
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ann: through Ben\nAnn: nobody carries this\n");
}

#[test]
fn a_kill_between_commit_and_sending_loses_and_doubles_nothing() {
    let mut world = World::new(7);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    for number in 0..20 {
        world.send(ann, "Ben", &format!("a{number}"));
        world.send(ben, "Ann", &format!("b{number}"));
        world.pass(Duration::from_millis(number * 3));
        let victim = if number % 2 == 0 { ann } else { ben };
        world.kill_after_commit(victim);
        world.pass(Duration::from_millis(10));
        world.restart(victim);
    }
    world.settle();
    let screen = world.screen(ann, "Ben");
    assert_eq!(screen, world.screen(ben, "Ann"));
    for number in 0..20 {
        for writer in ["a", "b"] {
            let line = format!(": {writer}{number}\n");
            assert_eq!(screen.matches(&line).count(), 1, "{line}");
        }
    }
}

#[test]
fn a_clock_a_year_off_changes_neither_order_nor_delivery() {
    let mut world = World::new(8);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.skew(ann, -365 * 86_400_000);
    world.send(ann, "Ben", "one");
    world.settle();
    world.skew(ben, 365 * 86_400_000);
    world.send(ben, "Ann", "two");
    world.settle();
    world.skew(ann, 3_600_000);
    world.send(ann, "Ben", "three");
    world.settle();
    assert_eq!(world.screen(ben, "Ann"), "Ann: one\nBen: two\nAnn: three\n");
    assert_eq!(world.screen(ann, "Ben"), world.screen(ben, "Ann"));
}

#[test]
fn the_longest_text_passes_and_one_byte_more_is_refused_with_a_hint() {
    let mut world = World::new(9);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    let longest = "x".repeat(64 << 10);
    for _ in 0..20 {
        world.send(ann, "Ben", &longest);
    }
    let error = world.try_send(ann, "Ben", &format!("{longest}x")).unwrap_err();
    assert_eq!(error.kind, api::ErrorKind::User);
    assert!(error.hint.is_some());
    world.settle();
    assert_eq!(world.messages(ben, "Ann").len(), 20);
}
