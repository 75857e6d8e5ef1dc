use wire::{Blob, EntryId, limits};

use super::world::{HOUR, NOW, Person, ann, key, name};
use crate::{
    Action, Charter, Entry, EntryError, Keep, Newcomer, PublicKey, Role, Signed, Subject, Target, Verified,
    orphans::Orphans,
};

/// Writes an entry that fits to nothing, by a key of one's own.
fn stray(person: &Person, at: u64) -> Entry {
    let mut parent = [0xee; 32];
    parent[..8].copy_from_slice(&at.to_be_bytes());
    Entry {
        circle: person.charter.circle(),
        author: person.id(),
        seq: 0,
        previous: None,
        parents: vec![EntryId::new(parent)],
        lamport: 1 + at,
        claimed_ms: NOW,
        cite: EntryId::new([7; 32]),
        action: Action::Leave,
    }
}

#[test]
fn what_is_too_large_or_out_of_order_is_refused_before_its_signature_is_looked_at() {
    let mut ann = ann();
    let mut refuse = |blob: Blob| match ann.charter.handle_entry(blob) {
        Err(EntryError::Decode(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let huge = Blob(vec![1; limits::CHARTER_ENTRY + 1]);
    assert_eq!(refuse(huge), "4097 bytes where at most 4096 are allowed");
    assert_eq!(refuse(Blob(Vec::new())), "an entry of no bytes");
    let person = super::world::ann();
    let blob = |entry: &Entry| Signed::new(entry, &person.key).to_blob();
    let ids = |count: u8| (0..count).map(|at| EntryId::new([at; 32])).collect::<Vec<_>>();
    let mut many = stray(&person, 0);
    many.parents = ids(17);
    assert_eq!(refuse(blob(&many)), "17 parents where at most 16 are allowed");
    many.parents = ids(16);
    many.action = Action::Revoke { target: Target::Device(person.id()), keep: ids(17) };
    assert_eq!(refuse(blob(&many)), "17 kept entries where at most 16 are allowed");
    many.parents = vec![EntryId::new([2; 32]), EntryId::new([1; 32])];
    assert!(refuse(blob(&many)).starts_with("a list that is not in order"));
    many.parents = vec![EntryId::new([1; 32]); 2];
    assert!(refuse(blob(&many)).starts_with("a list that is not in order"));
}

#[test]
fn no_prefix_and_no_flipped_bit_of_an_entry_is_taken_for_it() {
    let mut ann = ann();
    let awaiting = Charter::awaiting(ann.charter.circle());
    let _ = ann.bring(2, Role::Member);
    for blob in ann.charter.missing_for(&[]) {
        let mut charter = awaiting.clone();
        for cut in 0..blob.0.len() {
            assert!(charter.handle_entry(Blob(blob.0[..cut].to_vec())).is_err());
        }
        for bit in (0..blob.0.len() * 8).step_by(3) {
            let mut bad = blob.clone();
            bad.0[bit / 8] ^= 1 << (bit % 8);
            assert!(charter.handle_entry(bad).is_err(), "bit {bit}");
        }
        assert!(!charter.lacks_parents());
    }
}

#[test]
fn a_flood_of_orphans_is_bounded_and_drives_out_nobody_elses() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let mut other = ann.clone();
    let first = ben.charter.rename(Subject::Device, name("one"), &ben.key, NOW).unwrap();
    let second = ben.charter.rename(Subject::Device, name("two"), &ben.key, NOW).unwrap();
    assert_eq!(other.charter.handle_entry(second.blob), Ok(vec![]));
    assert!(other.charter.lacks_parents());
    let mut stranger = ann.clone();
    stranger.key = key(200);
    let mut refused = 0;
    for at in 0..2 * limits::ORPHANS as u64 {
        let blob = Signed::new(&stray(&stranger, at), &stranger.key).to_blob();
        match other.charter.handle_entry(blob) {
            Ok(accepted) => assert!(accepted.is_empty()),
            Err(error) => {
                assert_eq!(error, EntryError::NoRoomToWait);
                refused += 1;
            }
        }
    }
    assert_eq!(other.charter.orphans.len(), limits::ORPHANS);
    assert_eq!(refused, limits::ORPHANS + 1);
    let accepted = other.charter.handle_entry(first.blob).unwrap();
    assert_eq!(accepted.len(), 2, "what waited in the flood came through");
}

#[test]
fn what_waits_for_a_refused_entry_goes_with_it() {
    let mut ann = ann();
    let ben = ann.bring(2, Role::Member);
    let mut entry = stray(&ben, 0);
    entry.parents = ann.heads();
    entry.lamport = 99;
    entry.cite = ben.grant();
    let bad = Signed::new(&entry, &ben.key);
    let child = Entry { parents: vec![bad.id()], previous: Some(bad.id()), seq: 1, ..entry };
    assert_eq!(ann.charter.handle_entry(Signed::new(&child, &ben.key).to_blob()), Ok(vec![]));
    assert!(matches!(ann.charter.handle_entry(bad.to_blob()), Err(EntryError::Lamport { .. })));
    assert!(!ann.charter.lacks_parents());
}

#[test]
fn orphans_leave_nothing_behind() {
    let ann = ann();
    let mut orphans = Orphans::default();
    for at in 0..3000 {
        let _ = orphans.add(Verified::modelled(stray(&ann, at)), |_| at % 2 == 0);
    }
    let ids: Vec<_> = (0..3000).map(|at| Verified::modelled(stray(&ann, at)).id()).collect();
    ids.iter().for_each(|id| drop(orphans.remove(id)));
    assert!(orphans.is_empty() && format!("{orphans:?}").matches("EntryId").count() == 0);
}

/// A member writes 100,000 tiny entries: as one chain, and as siblings in one place of it.
#[test]
fn a_member_who_floods_fills_no_more_than_his_part_and_can_still_be_removed() {
    let mut ann = ann();
    let ben = ann.bring(2, Role::Member);
    let mut ledger = ann.charter.ledger.clone();
    let base = Entry {
        circle: ledger.circle(),
        author: ben.id(),
        seq: 0,
        previous: None,
        parents: ann.heads(),
        lamport: ledger.at(ledger.entries().len() - 1).entry.lamport + 1,
        claimed_ms: 0,
        cite: ben.grant(),
        action: Action::SetName { subject: Subject::Device, name: name("x") },
    };
    let mut take = |entry: Entry| {
        // In the order in which a charter asks: room first, as that is cheap.
        ledger.check_room(&entry, None)?;
        let admitted = ledger.resolve(Verified::modelled(entry))?;
        Ok(ledger.append(admitted))
    };
    let mut next = base.clone();
    let chain = (0..100_000).take_while(|_| {
        let Ok(_) = take(next.clone()) else { return false };
        let id = Verified::modelled(next.clone()).id();
        next = Entry { seq: next.seq + 1, previous: Some(id), lamport: next.lamport + 1, ..next.clone() };
        true
    });
    assert_eq!(chain.count() as u64, limits::CHARTER_CHAIN / 8);
    assert_eq!(take(next), Err(EntryError::ChainTooLong));
    assert_eq!(take(Entry { claimed_ms: 1, ..base }), Err(EntryError::ChainTooLong), "siblings count too");
    ann.charter = Charter::of(ledger);
    let _ = ann.charter.remove_device(ben.id(), Keep::Only(vec![ben.grant()]), &ann.key, NOW + HOUR).unwrap();
    assert!(!ann.is_in(&ben));
    assert_eq!(ann.charter.roster().void_entries().len() as u64, limits::CHARTER_CHAIN / 8);
    assert!(ann.charter.have().len() <= limits::HAVE);
    let _ = ann.invite(Newcomer::Other(Role::Member)).unwrap();
}

/// Ben tells Ann one half of a flood and Cara the other, so that each refuses what the other took.
#[test]
fn a_flood_told_differently_to_two_does_not_keep_the_removal_from_either() {
    let mut ann = ann();
    let ben = ann.bring(2, Role::Member);
    let mut cara = ann.bring(3, Role::Admin);
    let circle = ann.charter.circle();
    let sibling = |at: u64| {
        let entry = Entry {
            circle,
            author: ben.id(),
            seq: 0,
            previous: None,
            parents: ben.heads(),
            lamport: 0,
            claimed_ms: at,
            cite: ben.grant(),
            action: Action::SetName { subject: Subject::Device, name: name("x") },
        };
        let known = ben.charter.ledger.entries().iter().map(|entry| entry.entry.lamport).max().unwrap();
        Signed::new(&Entry { lamport: known + 1, ..entry }, &ben.key).to_blob()
    };
    let most = limits::CHARTER_CHAIN / 8;
    for at in 0..most {
        let _ = ann.charter.handle_entry(sibling(at)).unwrap();
        let _ = cara.charter.handle_entry(sibling(most + at)).unwrap();
    }
    assert_eq!(ann.charter.handle_entry(sibling(most)), Err(EntryError::ChainTooLong));

    // Cara's removal knows her half alone.
    let removal = cara.charter.remove_device(ben.id(), Keep::Seen, &cara.key, NOW + HOUR).unwrap();
    assert_eq!(ann.charter.handle_entry(removal.blob), Ok(vec![]), "it waits for entries that were refused");
    // Once what the removal knows has come, the rest of the flood is refused again.
    for blob in cara.charter.missing_for(&ann.charter.have()) {
        assert!(matches!(ann.charter.handle_entry(blob), Ok(_) | Err(EntryError::ChainTooLong)));
    }
    assert!(!ann.charter.lacks_parents());
    assert!(!ann.is_in(&ben));
    assert_eq!(
        ann.charter.handle_entry(sibling(2 * most)),
        Err(EntryError::ChainTooLong),
        "no more than that"
    );
}

#[test]
fn a_stranger_and_another_circle_add_nothing() {
    let mut ann = ann();
    let mut stranger = ann.clone();
    stranger.key = key(200);
    let mut entry = stray(&stranger, 0);
    entry.parents = ann.heads();
    entry.cite = ann.grant();
    let blob = Signed::new(&entry, &stranger.key).to_blob();
    assert_eq!(ann.charter.handle_entry(blob), Err(EntryError::NoSuchGrant));
    // In Ann's name, but not by her key.
    let forged = Entry { author: ann.id(), ..entry };
    let blob = Signed::new(&forged, &stranger.key).to_blob();
    assert_eq!(ann.charter.handle_entry(blob), Err(EntryError::Signature));
    let invite = Action::Invite {
        public: PublicKey::new([1; 32]),
        role: Role::Member,
        expires_ms: NOW,
        for_member: None,
    };
    let blob = ann.forge(&ann.heads(), ann.grant(), invite);
    let mut charter = Charter::awaiting(wire::CircleId::new([9; 32]));
    let founding = ann.charter.missing_for(&[]).remove(0);
    assert_eq!(charter.handle_entry(founding), Err(EntryError::OtherCircle));
    assert_eq!(charter.handle_entry(blob), Ok(vec![]), "waits for a founding entry that never comes");
}
