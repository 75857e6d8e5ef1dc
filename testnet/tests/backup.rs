//! A device restored from an old backup: it gets back what it had written, or goes on under another key.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use hexode_testnet::World;
use node::api;

#[test]
fn what_it_had_written_since_the_backup_comes_back_from_others_before_it_writes_on() {
    let mut world = World::new(61);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ann, "everyone", "one");
    world.settle();
    world.kill(ann);
    let backup = world.back_up(ann);
    world.restart(ann);
    world.send(ann, "everyone", "two");
    world.send(ann, "everyone", "three");
    world.settle();
    world.kill(ann);
    world.put_back(ann, &backup);
    world.restart(ann);
    let device = world.view(ann).device;
    world.settle();
    assert_eq!(world.screen(ann, "everyone"), "Ann: one\nAnn: two\nAnn: three\n");
    assert!(world.view(ann).trouble.unwrap().contains("old copy"));
    world.send(ann, "everyone", "four");
    world.settle();
    assert_eq!(world.screen(ben, "everyone"), "Ann: one\nAnn: two\nAnn: three\nAnn: four\n");
    assert_eq!(world.view(ann).device, device, "nothing was forked, so the key is as good as before");
}

#[test]
fn what_it_had_written_comes_back_also_through_somebody_who_hears_of_it_later() {
    let mut world = World::new(63);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(ann, "everyone", "one");
    world.settle();
    world.kill(ann);
    let backup = world.back_up(ann);
    // Only Cara hears the rest, and is away when Ann's device comes back as it was.
    world.cut(ann, ben);
    world.cut(ben, cara);
    world.restart(ann);
    world.send(ann, "everyone", "two");
    world.settle();
    world.kill(ann);
    world.put_back(ann, &backup);
    world.cut(ann, cara);
    world.mend(ann, ben);
    world.restart(ann);
    world.settle();
    assert_eq!(world.screen(ann, "everyone"), "Ann: one\n");
    world.mend(ben, cara);
    world.settle();
    assert_eq!(world.screen(ann, "everyone"), "Ann: one\nAnn: two\n");
    assert!(world.view(ann).trouble.unwrap().contains("old copy"));
    world.send(ann, "everyone", "three");
    world.settle();
    for person in [ann, ben, cara] {
        assert_eq!(world.screen(person, "everyone"), "Ann: one\nAnn: two\nAnn: three\n");
    }
}

#[test]
fn a_device_that_wrote_before_it_heard_goes_on_under_a_new_key_with_its_history() {
    let mut world = World::new(62);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(cara, "everyone", "zero");
    world.settle();
    world.send(ben, "everyone", "one");
    world.settle();
    world.kill(ben);
    let backup = world.back_up(ben);
    world.restart(ben);
    world.send(ben, "everyone", "two");
    world.settle();
    world.kill(ben);
    world.put_back(ben, &backup);
    for other in [ann, cara] {
        world.cut(ben, other);
    }
    world.restart(ben);
    let old = world.view(ben).device;
    world.send(ben, "everyone", "something else");
    world.settle();
    for other in [ann, cara] {
        world.mend(ben, other);
    }
    world.settle();
    world.pass(std::time::Duration::from_secs(30));
    world.settle();
    let bens = world.view(ben);
    assert_ne!(bens.device, old, "it has another key");
    assert!(bens.trouble.unwrap().contains("old copy"));
    assert_eq!((bens.members, bens.devices), (3, 3), "and the old one is out");
    assert!(world.screen(ben, "everyone").starts_with("Cara: zero\nBen: one\n"), "its history is there");
    world.send(ben, "everyone", "under a new key");
    world.settle();
    for person in [ann, cara] {
        assert_eq!(
            world.screen(person, "everyone"),
            "Cara: zero\nBen: one\nBen: two\nBen: under a new key\n"
        );
    }
    // It stays so after a night, and the person ends the reminder when he has compared words again.
    world.kill(ben);
    world.restart(ben);
    world.settle();
    assert!(world.view(ben).trouble.unwrap().contains("old copy"));
    let (circle, anns) = (world.first_circle(ben), world.view(ann).device);
    let verify = api::Verify { method: api::VerifyMethod::Words, code: None };
    world.ask(ben, |node| async move { node.verify(circle, anns, verify).await }).unwrap();
    assert_eq!(world.view(ben).trouble, None);
    world.send(ann, "everyone", "welcome back");
    world.settle();
    assert!(world.screen(ben, "everyone").ends_with("Ann: welcome back\n"));
}
