//! A founder who is lost or robbed, and comes back by the sheets that were printed.

use wire::{EntryId, limits};

use super::world::{Counting, NOW, Person, ann, ann_with_sheets, meet, name};
use crate::{
    Action, Charter, CommandError, Entry, EntryError, Keep, Newcomer, Recovering, Recovery, Role, Sheet,
    Signed, Subject, VoidReason, recovery::cosign,
};

/// Ann lost all she had; Ben, an admin, lets in a fresh device of hers like any newcomer.
fn fresh(ben: &mut Person, seed: u8) -> Person {
    let mut fresh = ben.bring(seed, Role::Guest);
    meet(&mut [ben, &mut fresh]);
    fresh
}

#[test]
fn two_of_three_sheets_bring_the_founder_back_on_a_fresh_device() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let (founder, mut ben) = (ann.member(), ann.bring(2, Role::Admin));
    meet(&mut [&mut ann, &mut ben]);
    let mut fresh = fresh(&mut ben, 3);
    let came_as = fresh.member();
    let used = fresh.recover(&sheets[1..]).unwrap();
    ben.hear(&fresh);

    let roster = ben.charter.roster();
    let device = roster.device(&fresh.id()).unwrap();
    assert_eq!((device.role, device.member), (Role::Founder, founder));
    assert_eq!(roster.members()[&founder].name, name("Ann"));
    assert!(!roster.members().contains_key(&came_as) && !ben.is_in(&ann));
    assert_eq!(roster.removed()[&ann.id()].entry, used.id);
    assert_eq!(roster.recovered()[0].device, fresh.id());
    // She may do what a founder may.
    let Person { key, charter } = &mut fresh;
    let _ = charter.remove_device(ben.id(), Keep::Seen, key, NOW).unwrap();
    assert!(!fresh.is_in(&ben));
}

#[test]
fn a_thief_of_the_founders_device_loses_it_and_all_he_dates_back() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let mut ben = ann.bring(2, Role::Admin);
    ann.hear(&ben);
    let mut laptop = {
        let own = ann.invite(Newcomer::OwnDevice).unwrap();
        ann.admit(4, &own).unwrap()
    };
    meet(&mut [&mut ann, &mut ben, &mut laptop]);
    let mut thief = ann.clone();
    let robbed = laptop.recover(&sheets[..2]).unwrap();
    // The thief does not hear of it, and removes whom he can, brings in another, and the device that drove him out.
    let eve = thief.bring(9, Role::Admin);
    let Person { key, charter } = &mut thief;
    let gone = charter.remove_device(ben.id(), Keep::Only(Vec::new()), key, NOW).unwrap();
    let also = charter.remove_device(laptop.id(), Keep::Only(Vec::new()), key, NOW).unwrap();
    meet(&mut [&mut ben, &mut laptop, &mut thief]);
    assert!(ben.is_in(&ben) && ben.is_in(&laptop) && !ben.is_in(&thief) && !ben.is_in(&eve));
    for void in [&gone, &also] {
        assert_eq!(ben.void_reason(void), Some(VoidReason::Removed { by: robbed.id }));
    }
    assert_eq!(ben.charter.roster().device(&laptop.id()).unwrap().role, Role::Founder);
}

#[test]
fn too_few_sheets_or_others_do_nothing() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let mut ben = ann.bring(2, Role::Member);
    let short = ben.recover(&sheets[..1]);
    assert_eq!(short, Err(CommandError::TooFewSheets { given: 1, needed: 2 }));
    // One sheet twice is one sheet.
    let twice = ben.recover(&[sheets[0].clone(), sheets[0].clone()]);
    assert_eq!(twice, Err(CommandError::TooFewSheets { given: 1, needed: 2 }));
    let (_, others) = Recovery::draw(2, 3, &mut Counting(7)).unwrap();
    assert_eq!(ben.recover(&others), Err(CommandError::ForeignSheet));
    let mut without = super::world::ann();
    assert_eq!(without.recover(&sheets), Err(CommandError::NoRecovery));
    assert!(
        Recovery::draw(1, 2, &mut Counting(1)).is_err() && Recovery::draw(4, 3, &mut Counting(1)).is_err()
    );
    // Nor does a changed program get further, which does not ask before it writes.
    let founding = ben.charter.ledger.at(0).id;
    let heads = ben.heads();
    let mut action = recovering(&ben, &sheets);
    if let Action::Recover(recovering) = &mut action {
        recovering.signatures.truncate(1);
    }
    let forged = ben.forge(&heads, founding, action);
    assert!(ben.charter.handle_entry(forged).is_err());
    assert_eq!(ben.charter.roster().recovered(), []);
}

#[test]
fn signatures_of_recovery_keys_serve_for_one_entry_only() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let mut ben = ann.bring(2, Role::Admin);
    let mut once = fresh(&mut ben, 3);
    let action = recovering(&once, &sheets);
    let mut again = fresh(&mut ben, 4);
    let founding = ben.charter.ledger.at(0).id;
    meet(&mut [&mut ben, &mut once, &mut again]);
    for person in [&mut once, &mut again, &mut ben] {
        let forged = person.forge(&person.heads(), founding, action.clone());
        assert_eq!(person.charter.handle_entry(forged), Err(EntryError::Recovery));
    }
}

#[test]
fn of_two_uses_at_a_time_one_stands_and_a_later_one_replaces_it() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let mut ben = ann.bring(2, Role::Admin);
    let (mut one, mut other) = (fresh(&mut ben, 3), fresh(&mut ben, 4));
    meet(&mut [&mut ben, &mut one, &mut other]);
    let (first, second) = (one.recover(&sheets[..2]).unwrap(), other.recover(&sheets[1..]).unwrap());
    let mut third = ben.clone();
    meet(&mut [&mut ben, &mut one, &mut other, &mut third]);
    let standing = ben.charter.roster().recovered().to_vec();
    assert_eq!(standing.len(), 1);
    let lost = if standing[0].entry == first.id { &second } else { &first };
    let by = standing[0].entry;
    assert_eq!(ben.void_reason(lost), Some(VoidReason::RecoveredElsewhere { by }));

    let mut last = fresh(&mut ben, 5);
    let _ = last.recover(&sheets).unwrap();
    meet(&mut [&mut ben, &mut one, &mut other, &mut last]);
    let founders = ben.charter.roster().devices().values().filter(|device| device.role == Role::Founder);
    assert_eq!(founders.map(|device| device.id).collect::<Vec<_>>(), [last.id()]);
    assert_eq!(ben.charter.roster().recovered().len(), 2);
}

/// Two recover at a time, each with new sheets; a third knows one of them alone, and recovers without new ones.
#[test]
fn the_sheets_that_are_asked_for_are_those_by_which_a_recovery_is_judged() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let mut ben = ann.bring(2, Role::Admin);
    let (mut one, mut other, mut third) = (fresh(&mut ben, 3), fresh(&mut ben, 4), fresh(&mut ben, 5));
    meet(&mut [&mut ben, &mut one, &mut other, &mut third]);
    let recover = |person: &mut Person, seed| {
        let (next, fresh) = Recovery::draw(2, 3, &mut Counting(seed)).unwrap();
        let Person { key, charter } = person;
        let used = charter.recover(&sheets, Some(next), name("new"), key, NOW).unwrap();
        (used.id, fresh)
    };
    let (first, second) = (recover(&mut one, 50), recover(&mut other, 60));
    let mut place = ben.clone();
    meet(&mut [&mut place, &mut one.clone(), &mut other.clone()]);
    let stands = place.charter.roster().recovered()[0].entry;
    let (won, lost) = if stands == first.0 { (first, second) } else { (second, first) };
    let knows = if one.charter.ledger.index(&lost.0).is_some() { &one } else { &other };
    third.hear(knows);
    let _ = third.recover(&lost.1).unwrap();
    meet(&mut [&mut ben, &mut one, &mut other, &mut third]);
    assert_eq!(ben.recover(&lost.1), Err(CommandError::ForeignSheet));
    let _ = ben.recover(&won.1).unwrap();
    assert_eq!(ben.charter.roster().device(&ben.id()).unwrap().role, Role::Founder);
}

#[test]
fn whoever_uses_the_sheets_may_replace_them() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let mut ben = ann.bring(2, Role::Admin);
    meet(&mut [&mut ann, &mut ben]);
    let (next, fresh_sheets) = Recovery::draw(3, 5, &mut Counting(50)).unwrap();
    let Person { key, charter } = &mut ann;
    let _ = charter.recover(&sheets[..2], Some(next.clone()), name("laptop"), key, NOW).unwrap();
    ben.hear(&ann);
    assert_eq!(ben.charter.roster().recovery(), Some(&next));
    assert_eq!(ben.recover(&sheets), Err(CommandError::ForeignSheet));
    let mut back = fresh(&mut ben, 3);
    let _ = back.recover(&fresh_sheets[1..4]).unwrap();
    assert!(back.charter.roster().device(&back.id()).unwrap().role == Role::Founder && !back.is_in(&ann));
}

#[test]
fn a_circle_founded_without_gets_recovery_keys_once_and_from_its_founder() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    meet(&mut [&mut ann, &mut ben]);
    let (recovery, sheets) = Recovery::draw(2, 3, &mut Counting(50)).unwrap();
    let set = |person: &mut Person| {
        let Person { key, charter } = person;
        charter.set_recovery(recovery.clone(), key, NOW)
    };
    assert!(matches!(set(&mut ben), Err(CommandError::NotSenior)));
    let _ = set(&mut ann).unwrap();
    assert_eq!(set(&mut ann), Err(CommandError::RecoveryKnown));
    ben.hear(&ann);
    let mut back = fresh(&mut ben, 3);
    let _ = back.recover(&sheets[..2]).unwrap();
    ben.hear(&back);
    assert!(!ben.is_in(&ann) && ben.is_in(&back));
}

/// Ben writes recovery keys, which is void, lets them sign a recovery that waits for ever, and writes on and on.
#[test]
fn recovery_keys_of_ones_own_give_nobody_the_founders_room() {
    let mut ann = ann();
    let ben = ann.bring(2, Role::Member);
    let before = ann.heads();
    let (own, sheets) = Recovery::draw(1, 1, &mut Counting(50)).unwrap();
    let void = ben.forge(&before, ben.grant(), Action::SetRecovery(own));
    let taken = ann.charter.handle_entry(void).unwrap();
    assert_eq!(ann.void_reason(&taken[0]), Some(VoidReason::NotSenior));
    let recovering =
        Recovering { generation: 1, device: name("x"), keep: Vec::new(), next: None, signatures: Vec::new() };
    let orphan = Entry {
        circle: ann.charter.circle(),
        author: ben.id(),
        seq: 0,
        previous: None,
        parents: vec![EntryId::new([0xee; 32])],
        lamport: 9,
        claimed_ms: NOW,
        cite: ann.charter.ledger.at(0).id,
        action: Action::Recover(recovering),
    };
    let keys: Vec<_> = sheets.iter().map(Sheet::key).collect();
    let orphan = Signed::new(&cosign(orphan, &keys), &ben.key).to_blob();
    assert_eq!(ann.charter.handle_entry(orphan), Ok(vec![]));
    assert!(ann.charter.lacks_parents());

    let sibling = |at: u64| {
        let action = Action::SetName { subject: Subject::Device, name: name(&format!("x{at}")) };
        ben.forge(&before, ben.grant(), action)
    };
    for at in 1..limits::CHARTER_CHAIN / 8 {
        let _ = ann.charter.handle_entry(sibling(at)).unwrap();
    }
    assert_eq!(ann.charter.handle_entry(sibling(0)), Err(EntryError::ChainTooLong));
    let Person { key, charter } = &mut ann;
    let _ = charter.remove_device(ben.id(), Keep::Seen, key, NOW).unwrap();
    assert!(!ann.is_in(&ben));
}

#[test]
fn a_recovery_that_nobody_signed_does_not_wait() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let ben = ann.bring(2, Role::Member);
    let founding = ben.charter.ledger.at(0).id;
    let mut action = recovering(&ben, &sheets);
    if let Action::Recover(recovering) = &mut action {
        recovering.signatures.clear();
    }
    let bare = ben.forge(&ben.heads(), founding, action);
    assert!(matches!(ann.charter.handle_entry(bare), Err(EntryError::Decode(_))));
}

#[test]
fn a_recovery_that_waits_for_a_flood_to_pass_is_not_locked_out() {
    let (mut ann, sheets) = ann_with_sheets(2, 3);
    let mut ben = ann.bring(2, Role::Admin);
    let mut back = fresh(&mut ben, 3);
    let before = ben.charter.clone();
    let _ = back.recover(&sheets[..2]).unwrap();
    let blobs = back.charter.missing_for(&before.have());
    let mut late = Charter::awaiting(before.circle());
    for blob in blobs.into_iter().rev().chain(back.charter.missing_for(&[])) {
        let _ = late.handle_entry(blob).unwrap();
    }
    assert_eq!(late.roster(), back.charter.roster());
}

fn recovering(person: &Person, sheets: &[Sheet]) -> Action {
    let used = person.clone().recover_entry(sheets);
    used.expect("enough sheets")
}

impl Person {
    fn recover_entry(mut self, sheets: &[Sheet]) -> Option<Action> {
        let used = self.recover(sheets).ok()?;
        let index = self.charter.ledger.index(&used.id)?;
        Some(self.charter.ledger.at(index).entry.action.clone())
    }
}
