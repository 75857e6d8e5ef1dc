//! Who verified whom is known where it helps: on one's own other devices, and to those who trust who says so.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use hexode_testnet::{Person, World};
use node::api::{Device, Verify, VerifyMethod};

fn devices(world: &mut World, who: Person) -> Vec<Device> {
    let circle = world.first_circle(who);
    world.ask(who, |node| async move { node.devices(circle).await }).unwrap()
}

/// Returns how one device sees another's, by its owner's name and its own.
fn seen(world: &mut World, by: Person, member: &str, device: &str) -> Device {
    let devices = devices(world, by);
    devices.into_iter().find(|seen| seen.member_name == member && seen.name == device).expect("in the circle")
}

fn verify(world: &mut World, by: Person, (member, device): (&str, &str), method: VerifyMethod) {
    let (circle, id) = (world.first_circle(by), seen(world, by, member, device).id);
    world
        .ask(by, |node| async move { node.verify(circle, id, Verify { method, code: None }).await })
        .unwrap();
    world.settle();
}

/// Lets a person come in with another device of his own, or, with another's invitation, as somebody new.
fn link(world: &mut World, inviter: Person, own_device: bool, name: &str, device: &str) -> Person {
    let circle = world.first_circle(inviter);
    let invite = node::api::Invite { role: node::api::Role::Member, valid_s: 86_400, own_device };
    let issued = world.ask(inviter, |node| async move { node.invite(circle, invite).await }).unwrap();
    let fresh = world.person(name);
    let join = node::api::Join {
        invitation: issued.link.unwrap(),
        member: name.into(),
        device: device.into(),
        history_s: None,
    };
    world.ask(fresh, |node| async move { node.join(join).await }).unwrap();
    world.settle();
    fresh
}

#[test]
fn what_one_device_verified_is_verified_on_its_persons_other_one() {
    let mut world = World::new(71);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    verify(&mut world, ann, ("Ben", "phone"), VerifyMethod::Emoji);
    let tablet = link(&mut world, ann, true, "Ann", "tablet");
    let verified = seen(&mut world, tablet, "Ben", "phone").verified.expect("it travelled along");
    assert_eq!((verified.method, verified.by.as_deref()), (VerifyMethod::Emoji, Some("laptop")));
    assert_eq!(seen(&mut world, ben, "Ann", "laptop").verified, None, "it is said of Ben's key, not of hers");
    // It is taken back on the other device, for both.
    let (circle, id) = (world.first_circle(tablet), seen(&mut world, tablet, "Ben", "phone").id);
    world.ask(tablet, |node| async move { node.unverify(circle, id).await }).unwrap();
    world.settle();
    assert_eq!(seen(&mut world, ann, "Ben", "phone").verified, None);
}

#[test]
fn who_is_verified_vouches_and_who_is_not_does_not() {
    let mut world = World::new(72);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    verify(&mut world, ben, ("Cara", "phone"), VerifyMethod::Words);
    assert_eq!(seen(&mut world, ann, "Cara", "phone").vouched_by, Vec::<String>::new());
    verify(&mut world, ann, ("Ben", "phone"), VerifyMethod::Words);
    let shown = seen(&mut world, ann, "Cara", "phone");
    assert_eq!((shown.vouched_by, shown.verified), (vec!["Ben".to_owned()], None));
    assert_eq!(seen(&mut world, cara, "Ben", "phone").vouched_by, Vec::<String>::new());
}

#[test]
fn another_key_of_somebody_verified_is_a_warning_until_it_is_compared_vouched_for_or_accepted() {
    let mut world = World::new(73);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    verify(&mut world, ann, ("Ben", "phone"), VerifyMethod::Words);
    let tablet = link(&mut world, ben, true, "Ben", "tablet");
    assert!(seen(&mut world, ann, "Ben", "tablet").new_key);
    let trouble = world.view(ann).trouble.unwrap_or_default();
    assert!(
        trouble.starts_with("Ben, whose key you had compared, has a device with another key: tablet"),
        "{trouble}"
    );
    assert!(!seen(&mut world, cara, "Ben", "tablet").new_key, "Cara had compared nothing");
    // Ben's verified phone vouches for his tablet.
    verify(&mut world, ben, ("Ben", "tablet"), VerifyMethod::Words);
    let shown = seen(&mut world, ann, "Ben", "tablet");
    assert!(!shown.new_key && shown.verified.is_none());
    assert_eq!((shown.vouched_by, world.view(ann).trouble), (vec!["Ben".to_owned()], None));

    // Somebody comes as Ben after Ben was removed.
    let circle = world.first_circle(ann);
    let member = shown.member;
    world.ask(ann, |node| async move { node.remove_member(circle, member).await }).unwrap();
    world.settle();
    link(&mut world, ann, false, "Ben", "new phone");
    assert!(seen(&mut world, ann, "Ben", "new phone").new_key);
    verify(&mut world, ann, ("Ben", "new phone"), VerifyMethod::Accepted);
    let shown = seen(&mut world, ann, "Ben", "new phone");
    assert!(!shown.new_key && shown.verified.is_none(), "accepted is not verified");
    assert_eq!(world.view(ann).trouble, None);
    let _ = tablet;
}
