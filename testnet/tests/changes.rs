//! What was said can be answered, corrected, taken back, marked and found; the same on every device.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

use std::{fmt::Write, future::Future, time::Duration};

use hexode_testnet::{Person, World};
use node::{
    Node,
    api::{self, Absence, ApiError, ErrorKind},
};
use wire::{CircleId, MessageId};

/// Asks a person's node something about his circle.
fn ask<T, F: Future<Output = Result<T, ApiError>>>(
    world: &mut World,
    person: Person,
    request: impl FnOnce(Node, CircleId) -> F,
) -> Result<T, ApiError> {
    let circle = world.first_circle(person);
    world.ask(person, |node| request(node, circle))
}

fn reply(world: &mut World, person: Person, message: MessageId, text: &str) {
    let text = api::Text { text: text.into() };
    ask(world, person, |node, circle| async move { node.reply(circle, message, text).await }).unwrap();
}

fn edit(world: &mut World, person: Person, message: MessageId, text: &str) -> Result<api::Message, ApiError> {
    let text = api::Text { text: text.into() };
    ask(world, person, |node, circle| async move { node.edit(circle, message, text).await })
}

fn delete(world: &mut World, person: Person, message: MessageId) -> Result<api::Message, ApiError> {
    ask(world, person, |node, circle| async move { node.delete(circle, message).await })
}

fn react(world: &mut World, person: Person, message: MessageId, sign: &str) {
    let sign = api::React { sign: sign.into() };
    ask(world, person, |node, circle| async move { node.react(circle, message, sign).await }).unwrap();
}

fn pin(world: &mut World, person: Person, message: MessageId, pinned: bool) {
    ask(world, person, |node, circle| async move { node.pin(circle, message, pinned).await }).unwrap();
}

fn expire(world: &mut World, person: Person, conversation: &str, after_s: u64) {
    let to = conversation.to_owned();
    ask(world, person, |node, circle| async move {
        let conversation = node.conversation(circle, to).await?.id;
        node.set_expiry(circle, conversation, api::Expire { after_s }).await
    })
    .unwrap();
}

fn search(world: &mut World, person: Person, words: &str) -> Vec<String> {
    let query = api::SearchQuery { words: words.into(), ..api::SearchQuery::default() };
    let found = ask(world, person, |node, circle| async move { node.search(circle, query).await }).unwrap();
    found.messages.into_iter().filter_map(|message| message.text).collect()
}

/// Writes down what each person sees of the conversation with everyone.
fn screens(world: &mut World, people: &[Person]) -> String {
    let mut all = String::new();
    for person in people {
        let name = world.name(*person);
        writeln!(all, "── {name} sees").unwrap();
        for line in world.screen(*person, "everyone").lines() {
            writeln!(all, "   {line}").unwrap();
        }
    }
    all
}

#[test]
fn three_correct_answer_mark_and_take_back() {
    let mut world = World::new(1);
    let people = world.circle(["Ann", "Ben", "Cara"]);
    let [ann, ben, cara] = people;
    world.send(ann, "everyone", "Sunday at there?");
    world.send(ben, "everyone", "My number is 0123");
    world.settle();
    let sunday = world.find(cara, "everyone", "Sunday at there?");
    let number = world.find(cara, "everyone", "My number is 0123");
    reply(&mut world, cara, sunday, "At three, @ben?");
    react(&mut world, ben, sunday, "👍");
    react(&mut world, cara, sunday, "👎");
    react(&mut world, cara, sunday, "👍");
    pin(&mut world, ben, sunday, true);
    world.settle();
    edit(&mut world, ann, sunday, "Sunday at three?").unwrap();
    delete(&mut world, ben, number).unwrap();
    world.settle();
    insta::assert_snapshot!(screens(&mut world, &people));
    let answer =
        world.messages(ben, "everyone").into_iter().find(|message| message.reply_to.is_some()).unwrap();
    assert!(answer.mentions_me);
    assert!(!world.messages(ann, "everyone").iter().any(|message| message.mentions_me));
    let conversation = answer.conversation;
    let pins =
        ask(&mut world, ann, |node, circle| async move { node.pins(circle, conversation).await }).unwrap();
    assert_eq!(pins.iter().map(|message| message.id).collect::<Vec<_>>(), [sunday]);
    // Signs, edits and the like are no messages.
    let shown =
        ask(
            &mut world,
            ann,
            |node, circle| async move { node.conversation(circle, "everyone".into()).await },
        );
    assert_eq!(shown.unwrap().messages, 3);
    assert_eq!(world.view(ann).unread, 2);
}

#[test]
fn nobody_changes_what_another_one_said() {
    let mut world = World::new(2);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ann, "everyone", "mine");
    world.settle();
    let message = world.find(ben, "everyone", "mine");
    assert_eq!(edit(&mut world, ben, message, "yours").unwrap_err().kind, ErrorKind::NotAllowed);
    assert_eq!(delete(&mut world, ben, message).unwrap_err().kind, ErrorKind::NotAllowed);
    let unknown = MessageId::new([7; 32]);
    assert_eq!(delete(&mut world, ben, unknown).unwrap_err().kind, ErrorKind::NotFound);
    let sign = api::React { sign: "x".repeat(33) };
    let refused = ask(&mut world, ben, |node, circle| async move { node.react(circle, message, sign).await });
    assert_eq!(refused.unwrap_err().kind, ErrorKind::User);
}

#[test]
fn two_edits_at_once_end_in_one_text_on_all_devices() {
    let mut world = World::new(3);
    let people = world.circle(["Ann", "Ben", "Cara"]);
    let [ann, ben, cara] = people;
    world.send(ann, "everyone", "first");
    world.settle();
    let message = world.find(ann, "everyone", "first");
    world.cut(ann, ben);
    edit(&mut world, ann, message, "second").unwrap();
    react(&mut world, ben, message, "a");
    world.settle();
    edit(&mut world, ann, message, "third").unwrap();
    react(&mut world, ben, message, "");
    react(&mut world, cara, message, "c");
    world.mend(ann, ben);
    world.settle();
    for person in people {
        assert_eq!(world.screen(person, "everyone"), "Ann: third (edited)  c Cara\n");
    }
}

#[test]
fn what_was_taken_back_reaches_nobody_who_was_away() {
    let mut world = World::new(4);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.kill(cara);
    world.send(ann, "everyone", "a slip of the tongue");
    world.send(ann, "everyone", "what is meant");
    world.settle();
    let slip = world.find(ann, "everyone", "a slip of the tongue");
    edit(&mut world, ann, slip, "another slip").unwrap();
    react(&mut world, ben, slip, "!");
    world.settle();
    delete(&mut world, ann, slip).unwrap();
    world.settle();
    // Cara hears of it from Ben, who has no body left to send.
    world.kill(ann);
    world.restart(cara);
    world.settle();
    let screen = "Ann: (deleted)\nAnn: what is meant\n";
    assert_eq!(world.screen(cara, "everyone"), screen);
    assert_eq!(world.screen(ben, "everyone"), screen);
    for person in [ben, cara] {
        for word in ["slip", "another", "tongue"] {
            assert_eq!(search(&mut world, person, word), [""; 0]);
        }
        assert_eq!(search(&mut world, person, "meant"), ["what is meant"]);
    }
    world.restart(ann);
    world.settle();
    assert_eq!(world.screen(ann, "everyone"), screen);
    let digests: Vec<_> = [ann, ben, cara]
        .map(|person| {
            let shown = ask(&mut world, person, |node, circle| async move {
                node.conversation(circle, "everyone".into()).await
            });
            shown.unwrap().history_digest
        })
        .into();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn messages_disappear_on_every_device_also_where_it_was_off() {
    let mut world = World::new(5);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(ben, "everyone", "stays");
    world.settle();
    expire(&mut world, ann, "everyone", 3600);
    world.settle();
    world.send(ben, "everyone", "goes");
    world.settle();
    let goes = world.find(ben, "everyone", "goes");
    edit(&mut world, ben, goes, "goes soon").unwrap();
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ben: stays\nBen: goes soon (edited)\n");
    assert!(world.messages(cara, "everyone")[1].expires_ms.is_some());
    world.kill(cara);
    world.pass(Duration::from_secs(3590));
    assert_eq!(world.messages(ann, "everyone")[1].absent, None);
    world.pass(Duration::from_secs(20));
    let screen = "Ben: stays\nBen: (expired)\n";
    assert_eq!(world.screen(ann, "everyone"), screen);
    assert_eq!(world.screen(ben, "everyone"), screen);
    world.restart(cara);
    assert_eq!(world.screen(cara, "everyone"), screen, "before anything else happens");
    assert_eq!(search(&mut world, cara, "goes"), [""; 0]);
    expire(&mut world, cara, "everyone", 0);
    world.settle();
    world.send(ann, "everyone", "stays again");
    world.settle();
    world.pass(Duration::from_secs(7200));
    assert_eq!(world.screen(ben, "everyone"), "Ben: stays\nBen: (expired)\nAnn: stays again\n");
}

#[test]
fn whoever_passes_entries_on_without_their_bodies_blanks_nothing_for_good() {
    let mut world = World::new(6);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.cut(ann, cara);
    world.settle();
    world.send(ann, "everyone", "what Ann said");
    world.settle();
    // As if Ben had left the body out.
    world.kill(cara);
    world.blank(cara, "everyone");
    world.restart(cara);
    world.cut(ben, cara);
    assert_eq!(world.screen(cara, "everyone"), "Ann: (not here yet)\n");
    world.mend(ann, cara);
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ann: what Ann said\n");
    assert_eq!(search(&mut world, cara, "said"), ["what Ann said"]);
}

#[test]
fn a_body_that_comes_later_reaches_those_who_had_asked_before() {
    let mut world = World::new(38);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(ann, "everyone", "one");
    world.settle();
    for person in [ben, cara] {
        world.kill(person);
        world.blank(person, "everyone");
        world.cut(ann, person);
    }
    for person in [ben, cara] {
        world.restart(person);
    }
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ann: (not here yet)\n", "neither has it");
    world.mend(ann, ben);
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Ann: one\n");
    assert_eq!(world.screen(cara, "everyone"), "Ann: one\n");
}

#[test]
fn words_are_found_in_what_messages_say_now() {
    let mut world = World::new(7);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    for number in 0..300 {
        world.send(ann, "everyone", &format!("number {number}"));
    }
    world.send(ann, "Ben", "The beans are up");
    world.settle();
    let beans = world.find(ben, "Ann", "The beans are up");
    assert_eq!(search(&mut world, ben, "BEAN"), ["The beans are up"]);
    edit(&mut world, ann, beans, "The peas are up").unwrap();
    world.settle();
    assert_eq!(search(&mut world, ben, "beans"), [""; 0], "nothing is found by what it no longer says");
    assert_eq!(search(&mut world, ben, "peas up"), ["The peas are up"]);
    let query = |words: &str, conversation: Option<&str>, from| api::SearchQuery {
        words: words.into(),
        conversation: conversation.map(str::to_owned),
        from,
        limit: Some(100),
    };
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let query = query("number", None, from);
        let found =
            ask(&mut world, ben, |node, circle| async move { node.search(circle, query).await }).unwrap();
        all.extend(found.messages.into_iter().filter_map(|message| message.text));
        from = found.next;
        if from.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..300).rev().map(|number| format!("number {number}")).collect();
    assert_eq!(all, expected);
    let elsewhere = query("number", Some("Ann"), None);
    let found =
        ask(&mut world, ben, |node, circle| async move { node.search(circle, elsewhere).await }).unwrap();
    assert_eq!(found.messages, []);
    let nothing = query("  ", None, None);
    let refused = ask(&mut world, ben, |node, circle| async move { node.search(circle, nothing).await });
    assert_eq!(refused.unwrap_err().kind, ErrorKind::User);
}

#[test]
fn what_a_person_keeps_to_himself_goes_nowhere_and_stays() {
    let mut world = World::new(8);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(ben, "everyone", "noise");
    world.send(cara, "everyone", "sense");
    world.settle();
    let everyone = world.messages(ann, "everyone")[0].conversation;
    let draft = api::Draft { text: "not yet".into(), reply_to: None };
    let keep = api::Keep { archived: Some(true), muted_until_ms: Some(u64::MAX) };
    let kept = draft.clone();
    ask(&mut world, ann, |node, circle| async move {
        node.set_draft(circle, everyone, kept).await?;
        node.keep(circle, everyone, keep).await?;
        let members = node.members(circle).await?;
        let ben = members.iter().find(|member| member.name == "Ben").unwrap().id;
        node.block(circle, ben, true).await
    })
    .unwrap();
    world.kill(ann);
    world.restart(ann);
    world.settle();
    assert_eq!(world.screen(ann, "everyone"), "Ben: (blocked)\nCara: sense\n");
    assert_eq!(world.view(ann).unread, 1, "what is blocked is not counted");
    let shown =
        ask(
            &mut world,
            ann,
            |node, circle| async move { node.conversation(circle, "everyone".into()).await },
        )
        .unwrap();
    assert_eq!((shown.archived, shown.draft), (true, Some(draft)));
    assert!(shown.muted_until_ms.is_some());
    assert_eq!(world.screen(ben, "everyone"), "Ben: noise\nCara: sense\n", "nobody else is told");
}

#[test]
fn each_message_says_how_far_it_has_come() {
    let mut world = World::new(9);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    let words = |world: &mut World| {
        let progress = world.messages(ann, "everyone")[0].progress.clone().unwrap();
        format!("{}, {}", progress.words, progress.hint.is_some())
    };
    world.kill(ben);
    world.kill(cara);
    world.settle();
    world.send(ann, "everyone", "anybody?");
    assert_eq!(words(&mut world), "waiting, true");
    world.restart(ben);
    world.settle();
    assert_eq!(words(&mut world), "delivered to 1 of 2 devices, false");
    world.restart(cara);
    world.settle();
    assert_eq!(words(&mut world), "delivered, false");
    let everyone = world.messages(ben, "everyone")[0].conversation;
    ask(&mut world, ben, |node, circle| async move { node.mark_read(circle, everyone).await }).unwrap();
    world.settle();
    assert_eq!(words(&mut world), "read on 1 of 2 devices, false");
    assert_eq!(world.messages(ben, "everyone")[0].progress, None, "only of one's own");

    world.skew(ben, 600_000);
    world.send(ben, "everyone", "from the future");
    world.settle();
    assert_eq!(world.messages(ann, "everyone")[1].clock_ahead_ms.unwrap() / 60_000, 9);
    let forwarded = world.find(ann, "everyone", "from the future");
    let to = api::Forward { to: "Cara".into() };
    ask(&mut world, ann, |node, circle| async move { node.forward(circle, forwarded, to).await }).unwrap();
    world.settle();
    assert_eq!(world.screen(cara, "Ann"), "Ann: from the future (forwarded)\n");
    assert_eq!(world.messages(cara, "Ann")[0].absent, None::<Absence>);
}

#[test]
fn deleted_and_expired_words_are_in_no_page_of_any_vault() {
    let mut world = World::new(10);
    let people = world.circle(["Ann", "Ben", "Cara"]);
    let [ann, ben, cara] = people;
    let long = format!("kanarienvogel {}", "und noch mehr davon ".repeat(500));
    for number in 0..50 {
        world.send(ben, "everyone", &format!("something else {number}"));
    }
    world.send(ann, "everyone", &long);
    world.settle();
    expire(&mut world, ann, "everyone", 3600);
    world.settle();
    world.send(ben, "everyone", "zeisig, for an hour");
    world.settle();
    let (long, zeisig) =
        (world.find(ann, "everyone", &long), world.find(ben, "everyone", "zeisig, for an hour"));
    edit(&mut world, ann, long, "stieglitz and kanarienvogel").unwrap();
    react(&mut world, cara, long, "distelfink");
    edit(&mut world, ben, zeisig, "zeisig and gimpel").unwrap();
    world.settle();
    let birds = ["kanarienvogel", "noch mehr davon", "stieglitz", "distelfink", "zeisig", "gimpel"];
    for person in people {
        // All of them have been looked for, so they are in the index too.
        assert_eq!(search(&mut world, person, "gimpel").len(), 1);
        world.kill(person);
        for bird in birds {
            assert!(world.pages_with(person, bird) > 0, "the test sees what is there: {bird}");
        }
    }
    // Cara is off when the first is taken back and when the time of the second is over.
    world.restart(ann);
    world.restart(ben);
    world.settle();
    delete(&mut world, ann, long).unwrap();
    world.settle();
    world.pass(Duration::from_secs(4000));
    world.restart(cara);
    world.settle();
    for person in people {
        assert_eq!(
            world.messages(person, "everyone").iter().filter(|message| message.text.is_none()).count(),
            2
        );
        world.kill(person);
        for bird in birds {
            assert_eq!(world.pages_with(person, bird), 0, "{bird} at {}", world.name(person));
        }
        assert!(world.pages_with(person, "something else 7") > 0);
    }
}
