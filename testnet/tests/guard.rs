//! What is on a device stays its person's: while he is away, while somebody tries, and while he is forced to open it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

use std::{fs, path::Path, time::Duration};

use hexode_testnet::{Person, World};
use node::api::{self, ErrorKind};

const PASSPHRASE: &str = "a passphrase for tests only";
const DURESS: &str = "what I say when I am forced";

fn set(
    world: &mut World,
    person: Person,
    lock_after_s: Option<u64>,
    tries: Option<u32>,
    duress: Option<&str>,
) {
    let duress = duress.map(str::to_owned);
    let guard = api::SetGuard { passphrase: PASSPHRASE.into(), lock_after_s, tries, duress };
    world.ask(person, |node| async move { node.set_guard(guard).await }).unwrap();
}

fn unlock(world: &mut World, person: Person, passphrase: &str) -> Result<(), api::ApiError> {
    let passphrase = passphrase.to_owned();
    world.ask(person, |node| async move { node.unlock(passphrase).await })
}

fn is_locked(world: &mut World, person: Person) -> bool {
    world.ask(person, |node| async move { node.status().await }).unwrap().locked
}

/// Returns every 4096 bytes of every file: whoever finds one of them later finds what was there.
fn blocks(home: &Path) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                blocks.extend(fs::read(path).unwrap().chunks(4096).map(<[u8]>::to_vec));
            }
        }
    }
    // Short or plain ones are alike by chance.
    blocks.retain(|block| block.len() >= 64 && block.iter().any(|byte| *byte != 0));
    blocks
}

#[test]
fn a_node_locks_itself_when_its_person_does_nothing() {
    let mut world = World::new(1);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    let circle = world.first_circle(ann);
    world
        .ask(
            ann,
            |node| async move { node.keep_session("browser".into(), "a session's secret".into()).await },
        )
        .unwrap();
    set(&mut world, ann, Some(600), None, None);
    for _ in 0..3 {
        world.pass(Duration::from_secs(500));
        world.send(ann, "Ben", "still here");
        world.settle();
    }
    // What others do, and what a screen asks by itself, is not the person.
    for _ in 0..5 {
        world.pass(Duration::from_secs(100));
        world.send(ben, "Ann", "are you?");
        world.settle();
        assert!(!is_locked(&mut world, ann));
        drop(world.messages(ann, "Ben"));
        // An open page is asked for its session with each request, and draws its map.
        world.ask(ann, |node| async move { node.token("a session's secret".into()).await }).unwrap().unwrap();
        world.ask(ann, |node| async move { node.tokens().await }).unwrap();
        world.ask(ann, |node| async move { node.contacts(circle).await }).unwrap();
    }
    world.pass(Duration::from_secs(200));
    assert!(is_locked(&mut world, ann));
    let refused = world.ask(ann, |node| async move { node.circles().await }).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Locked);
    unlock(&mut world, ann, PASSPHRASE).unwrap();
    world.settle();
    assert_eq!(world.messages(ann, "Ben").len(), 8);
    world.pass(Duration::from_secs(500));
    world.ask(ann, |node| async move { node.present().await }).unwrap();
    world.pass(Duration::from_secs(500));
    assert!(!is_locked(&mut world, ann));
    set(&mut world, ann, None, None, None);
    world.pass(Duration::from_secs(86_400));
    assert!(!is_locked(&mut world, ann));
}

#[test]
fn who_forces_the_person_finds_an_empty_node_and_the_rest_is_nowhere() {
    let mut world = World::new(2);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    set(&mut world, ann, None, None, Some(DURESS));
    world.send(ben, "Ann", "burn after reading");
    world.settle();
    world.kill(ann);
    let before = blocks(world.home(ann));
    assert!(before.len() > 20);
    world.boot_locked(ann);
    unlock(&mut world, ann, DURESS).unwrap();
    let circles = world.ask(ann, |node| async move { node.circles().await }).unwrap();
    assert_eq!(circles, []);
    let guard = world.ask(ann, |node| async move { node.guard().await }).unwrap();
    assert_eq!(guard, api::Guard { lock_after_s: None, tries: None });
    world.kill(ann);
    let after = blocks(world.home(ann));
    assert!(before.iter().all(|block| !after.contains(block)), "something of the vault is left");
    world.boot_locked(ann);
    assert_eq!(unlock(&mut world, ann, PASSPHRASE).unwrap_err().kind, ErrorKind::User);
    unlock(&mut world, ann, DURESS).unwrap();
}

#[test]
fn too_many_tries_leave_nothing() {
    let mut world = World::new(3);
    let [ann, _ben] = world.circle(["Ann", "Ben"]);
    set(&mut world, ann, None, Some(3), None);
    world.kill(ann);
    for _ in 0..2 {
        // Switching it off and on does not begin the count anew.
        world.boot_locked(ann);
        let refused = unlock(&mut world, ann, "not the passphrase").unwrap_err();
        assert_eq!(refused.kind, ErrorKind::User);
        world.kill(ann);
    }
    world.boot_locked(ann);
    let refused = unlock(&mut world, ann, "not the passphrase").unwrap_err();
    assert_eq!(refused.message, "the vault was destroyed after too many wrong passphrases");
    assert_eq!(blocks(world.home(ann)), Vec::<Vec<u8>>::new());
    assert!(!world.ask(ann, |node| async move { node.has_vault().await }).unwrap());
}

#[test]
fn a_wipe_leaves_nothing_locked_or_not() {
    let mut world = World::new(4);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ben, "Ann", "burn after reading");
    world.settle();
    world.ask(ann, |node| async move { node.wipe().await }).unwrap();
    assert!(is_locked(&mut world, ann));
    world.kill(ben);
    world.boot_locked(ben);
    world.ask(ben, |node| async move { node.wipe().await }).unwrap();
    for person in [ann, ben] {
        assert_eq!(blocks(world.home(person)), Vec::<Vec<u8>>::new());
        assert_eq!(unlock(&mut world, person, PASSPHRASE).unwrap_err().kind, ErrorKind::NotFound);
    }
}
