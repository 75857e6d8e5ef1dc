//! A founder who lost every device comes back by the sheets that were printed, and everybody is warned.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use hexode_testnet::{Person, World};
use node::api::{
    ApiError, CircleState, ErrorKind, Found, FoundRecoverable, NewSheets, Role, Sheets, UseSheets, Verify,
    VerifyMethod,
};

/// Ann founds a circle with three sheets, of which two count; Ben is an admin, Cara a member.
fn world(seed: u64) -> (World, [Person; 3], Vec<String>) {
    let mut world = World::new(seed);
    let [ann, ben, cara] = ["Ann", "Ben", "Cara"].map(|name| world.person(name));
    let found = Found { name: "Circle".into(), member: "Ann".into(), device: "laptop".into() };
    let request = FoundRecoverable { found, sheets: NewSheets { needed: 2, of: 3 } };
    let made = world.ask(ann, |node| async move { node.found_recoverable(request).await }).unwrap();
    assert_eq!(made.sheets.iter().map(|sheet| sheet.number).collect::<Vec<_>>(), [1, 2, 3]);
    world.settle();
    for (person, role) in [(ben, Role::Admin), (cara, Role::Member)] {
        let link = world.invite(ann, role);
        world.join(person, &link);
        world.settle();
    }
    (world, [ann, ben, cara], made.sheets.into_iter().map(|sheet| sheet.words).collect())
}

fn recover(world: &mut World, who: Person, sheets: &[String]) -> Result<Sheets, ApiError> {
    let circle = world.first_circle(who);
    let request = UseSheets { sheets: sheets.to_vec(), renew: None };
    world.ask(who, |node| async move { node.use_sheets(circle, request).await })
}

fn trouble(world: &mut World, who: Person) -> String {
    world.view(who).trouble.unwrap_or_default()
}

#[test]
fn two_sheets_give_a_fresh_device_the_founders_place_and_everybody_is_warned() {
    let (mut world, [ann, ben, cara], sheets) = world(61);
    world.send(ben, "Ann", "between us");
    world.send(ann, "everyone", "before the fire");
    world.settle();
    let known = world.lan_secrets(ann);
    world.kill(ann);
    let fresh = world.person("Ann's new phone");
    let link = world.invite(ben, Role::Guest);
    world.join(fresh, &link);
    world.settle();
    let short = recover(&mut world, fresh, &sheets[..1]).unwrap_err();
    assert_eq!(
        (short.kind, short.message.as_str()),
        (ErrorKind::NotAllowed, "1 of the 2 recovery keys that it takes")
    );
    recover(&mut world, fresh, &sheets[1..]).unwrap();
    world.settle();

    let back = world.view(fresh);
    assert_eq!((back.role, back.member_name.as_deref(), back.members), (Some(Role::Founder), Some("Ann"), 3));
    for person in [ben, cara] {
        assert!(trouble(&mut world, person).starts_with("the recovery sheets were used"), "all are warned");
        assert!(!known.contains(&world.lan_secrets(person)[0]), "the lost device finds nobody any more");
    }
    assert_eq!(trouble(&mut world, fresh), "");
    // She is herself again: what was said between her and Ben comes back from him.
    assert_eq!(world.screen(fresh, "Ben"), "Ben: between us\n");
    world.send(fresh, "everyone", "I am back");
    world.settle();
    assert_eq!(world.screen(cara, "everyone"), "Ann: before the fire\nAnn: I am back\n");

    // Ben compares words with her; then he is warned no more, also after a restart. Cara still is.
    let (circle, device) = (world.first_circle(ben), back.device);
    let verify = Verify { method: VerifyMethod::Words, code: None };
    world.ask(ben, |node| async move { node.verify(circle, device, verify).await }).unwrap();
    for person in [ben, cara] {
        world.kill(person);
        world.restart(person);
    }
    world.settle();
    assert_eq!(trouble(&mut world, ben), "");
    assert!(trouble(&mut world, cara).starts_with("the recovery sheets were used"));
}

#[test]
fn whoever_has_the_stolen_founders_device_is_out_and_what_he_does_is_void() {
    let (mut world, [ann, ben, cara], sheets) = world(62);
    let fresh = world.person("Ann's new phone");
    let link = world.invite(ben, Role::Member);
    world.join(fresh, &link);
    world.settle();
    for person in [ben, cara, fresh] {
        world.cut(ann, person);
    }
    world.settle();
    recover(&mut world, fresh, &sheets[..2]).unwrap();
    // The thief at Ann's old device removes Ben. When the lines are back, nobody lets him in to hear of it.
    world.remove(ann, ben).unwrap();
    world.settle();
    for person in [ben, cara, fresh] {
        world.mend(ann, person);
    }
    world.settle();
    assert_eq!(world.view(ben).state, CircleState::Member);
    world.send(fresh, "everyone", "without the thief");
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Ann: without the thief\n");
    assert_eq!(world.screen(ann, "everyone"), "");
    let digests = [ben, cara, fresh].map(|person| world.view(person).roster_digest);
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}
