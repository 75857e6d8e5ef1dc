//! Who is let in, who is not, and what becomes of who is removed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use hexode_testnet::World;
use node::api::{self, CircleState};

#[test]
fn a_member_lets_the_newcomer_in_while_the_inviter_is_switched_off() {
    let mut world = World::new(1);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    let cara = world.person("Cara");
    let link = world.invite(ann, api::Role::Member);
    world.settle();
    world.kill(ann);
    world.join(cara, &link);
    world.settle();
    assert_eq!(world.view(cara).state, CircleState::Member);
    world.send(cara, "everyone", "hello all");
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Cara: hello all\n");
    world.restart(ann);
    world.settle();
    assert_eq!(world.screen(ann, "everyone"), "Cara: hello all\n");
    assert_eq!(world.view(ann).roster_digest, world.view(cara).roster_digest);
}

#[test]
fn a_used_invitation_lets_nobody_else_in() {
    let mut world = World::new(2);
    let [ann, _ben] = world.circle(["Ann", "Ben"]);
    let (cara, dave) = (world.person("Cara"), world.person("Dave"));
    let link = world.invite(ann, api::Role::Member);
    world.join(cara, &link);
    world.settle();
    world.join(dave, &link);
    world.settle();
    assert_eq!(world.view(cara).state, CircleState::Member);
    let refused = world.view(dave);
    assert_eq!(refused.state, CircleState::Refused);
    assert_eq!(refused.trouble.as_deref(), Some("the invitation has been used"));
    assert_eq!(world.view(ann).members, 3);
}

#[test]
fn an_expired_and_a_withdrawn_invitation_are_refused_with_the_reason() {
    let mut world = World::new(3);
    let [ann, _ben] = world.circle(["Ann", "Ben"]);
    let (cara, dave) = (world.person("Cara"), world.person("Dave"));
    let late = world.invite(ann, api::Role::Member);
    // Cara's clock runs behind, so that her own device does not refuse the link already.
    world.skew(ann, 86_400_001);
    world.join(cara, &late);
    world.settle();
    assert_eq!(world.view(cara).trouble.as_deref(), Some("the invitation has expired"));
    world.skew(ann, 0);

    let link = world.invite(ann, api::Role::Member);
    let circle = world.first_circle(ann);
    world
        .ask(ann, |node| async move {
            let invitations = node.invitations(circle).await?;
            let open = invitations.iter().find(|invitation| invitation.link.as_deref() == Some(&link));
            node.withdraw(circle, open.expect("just issued").id).await?;
            Ok::<_, api::ApiError>(link)
        })
        .map(|link| world.join(dave, &link))
        .unwrap();
    world.settle();
    assert_eq!(world.view(dave).trouble.as_deref(), Some("the invitation was withdrawn"));
    assert_eq!(world.view(ann).members, 2);
}

#[test]
fn a_link_that_is_damaged_truncated_or_expired_is_refused_at_once() {
    let mut world = World::new(4);
    let [ann] = world.circle(["Ann"]);
    let link = world.invite(ann, api::Role::Member);
    let cara = world.person("Cara");
    let mut try_link = |link: String, skew| {
        world.skew(cara, skew);
        let request =
            api::Join { invitation: link, member: "Cara".into(), device: "phone".into(), history_s: None };
        world.ask(cara, |node| async move { node.join(request).await }).unwrap_err().message
    };
    assert!(try_link(link[..link.len() - 5].into(), 0).contains("incomplete"));
    let mut damaged = link.clone().into_bytes();
    let middle = damaged.len() / 2;
    damaged[middle] = if damaged[middle] == b'A' { b'B' } else { b'A' };
    assert!(try_link(String::from_utf8(damaged).unwrap(), 0).contains("damaged"));
    assert!(try_link(link, 2 * 86_400_000).contains("expired"));
    assert!(try_link("https://example.invalid/".into(), 0).contains("not an invitation"));
}

#[test]
fn a_removed_member_is_told_so_and_gets_nothing_any_more() {
    let mut world = World::new(5);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(cara, "everyone", "still here");
    world.settle();
    world.remove(ann, cara).unwrap();
    world.send(ann, "everyone", "without Cara");
    world.settle();
    world.send(ben, "everyone", "indeed");
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Cara: still here\nAnn: without Cara\nBen: indeed\n");
    assert_eq!(world.screen(cara, "everyone"), "Cara: still here\n");
    assert_eq!(world.view(cara).state, CircleState::Removed);
    assert!(world.try_send(cara, "everyone", "hello?").is_err());
    world.kill(cara);
    world.restart(cara);
    world.settle();
    assert_eq!(world.screen(cara, "everyone").lines().next(), Some("Cara: still here"));
    assert_eq!(world.screen(ben, "everyone").lines().count(), 3);
}

#[test]
fn who_is_removed_while_away_finds_the_door_closed() {
    let mut world = World::new(6);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.kill(cara);
    world.remove(ann, cara).unwrap();
    world.send(ann, "everyone", "gone");
    world.settle();
    world.restart(cara);
    world.send(cara, "everyone", "I write into the void");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Cara: I write into the void\n");
    assert_eq!(world.screen(ben, "everyone"), "Ann: gone\n");
}

#[test]
fn a_removal_that_turns_out_void_ends_nothing() {
    let mut world = World::new(11);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    let admin = world.person("Cara");
    let link = world.invite(ann, api::Role::Admin);
    world.join(admin, &link);
    world.settle();
    // Cara, who is cut off from Ann, removes Ben; Ann has removed Cara at the same time, and is more senior.
    world.cut(ann, admin);
    world.cut(ann, ben);
    world.settle();
    world.remove(ann, admin).unwrap();
    world.remove(admin, ben).unwrap();
    world.settle();
    assert_eq!(world.view(ben).connected, 0);
    assert_eq!(world.view(ben).state, CircleState::Removed, "so he was told, and does not know better yet");
    world.mend(ann, ben);
    world.settle();
    assert_eq!(world.view(ben).state, CircleState::Member);
    assert_eq!(world.view(ben).trouble, None);
    world.send(ann, "everyone", "Ben stays");
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Ann: Ben stays\n");
    assert_eq!(world.view(ann).roster_digest, world.view(ben).roster_digest);
}

#[test]
fn a_refused_newcomer_can_try_again_with_another_invitation() {
    let mut world = World::new(12);
    let [ann, _ben] = world.circle(["Ann", "Ben"]);
    let (cara, dave) = (world.person("Cara"), world.person("Dave"));
    let link = world.invite(ann, api::Role::Member);
    world.join(dave, &link);
    world.settle();
    world.join(cara, &link);
    world.settle();
    assert_eq!(world.view(cara).state, CircleState::Refused);
    let link = world.invite(ann, api::Role::Member);
    world.join(cara, &link);
    world.settle();
    assert_eq!(world.view(cara).state, CircleState::Member);
}

#[test]
fn a_group_that_bears_a_members_name_gets_no_message_meant_for_him() {
    let mut world = World::new(13);
    let [ann, _ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    let another = world.person("Ben");
    let link = world.invite(ann, api::Role::Guest);
    world.join(another, &link);
    world.settle();
    let circle = world.first_circle(another);
    let group = api::NewGroup { name: "Ben".into(), members: vec!["Cara".into()] };
    world.ask(another, |node| async move { node.found_group(circle, group).await }).unwrap();
    world.settle();
    let error = world.try_send(cara, "Ben", "for Ben only").unwrap_err();
    assert_eq!(error.kind, api::ErrorKind::User);
    assert!(error.hint.is_some());
}

#[test]
fn a_member_cannot_remove_or_invite_and_is_told_why() {
    let mut world = World::new(7);
    let [_ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    let error = world.remove(ben, cara).unwrap_err();
    assert_eq!(error.kind, api::ErrorKind::NotAllowed);
    let circle = world.first_circle(ben);
    let invite = api::Invite { role: api::Role::Member, valid_s: 60, own_device: false };
    let error = world.ask(ben, |node| async move { node.invite(circle, invite).await }).unwrap_err();
    assert_eq!(error.kind, api::ErrorKind::NotAllowed);
}

#[test]
fn a_second_device_of_a_member_gets_the_whole_history() {
    let mut world = World::new(8);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ann, "Ben", "before");
    world.settle();
    world.send(ben, "Ann", "indeed");
    world.settle();
    let circle = world.first_circle(ben);
    let invite = api::Invite { role: api::Role::Member, valid_s: 60, own_device: true };
    let link = world.ask(ben, |node| async move { node.invite(circle, invite).await }).unwrap().link.unwrap();
    let tablet = world.person("Ben");
    world.join(tablet, &link);
    world.settle();
    assert_eq!(world.screen(tablet, "Ann"), "Ann: before\nBen: indeed\n");
    world.send(tablet, "Ann", "from the tablet");
    world.settle();
    assert_eq!(world.screen(ann, "Ben"), world.screen(ben, "Ann"));
    assert_eq!(world.screen(ann, "Ben"), "Ann: before\nBen: indeed\nBen: from the tablet\n");
    assert_eq!((world.view(ann).members, world.view(ann).devices), (2, 3));
}

#[test]
fn two_circles_on_one_device_share_nothing() {
    let mut world = World::new(9);
    let [ann, _ben] = world.circle(["Ann", "Ben"]);
    world.found(ann, "Another");
    world.settle();
    let circles = world.ask(ann, |node| async move { node.circles().await }).unwrap();
    let [one, other] = circles.as_slice() else { panic!("two circles") };
    assert_ne!(one.device, other.device);
    assert_ne!(one.id, other.id);
    assert_ne!(one.addresses, other.addresses);
    assert_eq!(one.members + other.members, 3);
}

#[test]
fn both_screens_show_the_same_safety_words_and_a_third_shows_others() {
    let mut world = World::new(10);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    let ids = [ann, ben, cara].map(|person| world.view(person).device);
    let circle = world.first_circle(ann);
    let mut words = |who, other: usize| {
        let device = ids[other];
        world.ask(who, |node| async move { node.safety_words(circle, device).await }).unwrap()
    };
    let (anns, bens, caras) = (words(ann, 1), words(ben, 0), words(cara, 0));
    assert_eq!((&anns.words, &anns.code), (&bens.words, &bens.code));
    assert_eq!(anns.words.len(), 12);
    assert_ne!(anns.words, caras.words);

    let scan = |code| api::Verify { method: api::VerifyMethod::Qr, code: Some(code) };
    let (bens_id, right, wrong) = (ids[1], scan(bens.code), scan(caras.code));
    let refused = world.ask(ann, |node| async move { node.verify(circle, bens_id, wrong).await });
    assert_eq!(refused.unwrap_err().kind, api::ErrorKind::Peer);
    let verified = world.ask(ann, |node| async move { node.verify(circle, bens_id, right).await }).unwrap();
    assert_eq!(verified.verified.unwrap().method, api::VerifyMethod::Qr);
    world.kill(ann);
    world.restart(ann);
    let devices = world.ask(ann, |node| async move { node.devices(circle).await }).unwrap();
    assert_eq!(devices.iter().filter(|device| device.verified.is_some()).count(), 1);
}
