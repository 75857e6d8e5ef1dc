//! A device restored from an old backup: it gets back what it had written, or goes on under another key.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::{fs, path::Path};

use hexode_testnet::World;
use node::api;

fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_it_had_written_since_the_backup_comes_back_from_others_before_it_writes_on() {
    let mut world = World::new(61);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ann, "everyone", "one");
    world.settle();
    world.kill(ann);
    let backup = tempfile::tempdir().unwrap();
    copy(world.home(ann), backup.path());
    world.restart(ann);
    world.send(ann, "everyone", "two");
    world.send(ann, "everyone", "three");
    world.settle();
    world.kill(ann);
    copy(backup.path(), world.home(ann));
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
fn a_device_that_wrote_before_it_heard_goes_on_under_a_new_key_with_its_history() {
    let mut world = World::new(62);
    let [ann, ben, cara] = world.circle(["Ann", "Ben", "Cara"]);
    world.send(cara, "everyone", "zero");
    world.settle();
    world.send(ben, "everyone", "one");
    world.settle();
    world.kill(ben);
    let backup = tempfile::tempdir().unwrap();
    copy(world.home(ben), backup.path());
    world.restart(ben);
    world.send(ben, "everyone", "two");
    world.settle();
    world.kill(ben);
    copy(backup.path(), world.home(ben));
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
