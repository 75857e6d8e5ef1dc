use wire::EntryId;

use super::*;

#[test]
fn settings_are_kept_replaced_and_forgotten() {
    let (_dir, mut vault) = create();
    let mut turn = vault.begin().unwrap();
    turn.set_setting("a", b"1").unwrap();
    turn.set_setting("a", b"2").unwrap();
    turn.set_setting("b", b"").unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.setting("a").unwrap().unwrap(), b"2");
    assert_eq!(vault.setting("b").unwrap().unwrap(), b"");
    let mut turn = vault.begin().unwrap();
    turn.remove_setting("a").unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.setting("a").unwrap(), None);
}

#[test]
fn a_circle_goes_from_awaiting_to_member_and_forgets_its_invitation() {
    let (_dir, mut vault) = create();
    let new = NewCircle {
        circle: CircleId::new([1; 32]),
        device_seed: &[2; 32],
        label: "Choir",
        created_ms: 5,
        state: CircleState::Awaiting,
        invitation: Some(b"link"),
    };
    let mut turn = vault.begin().unwrap();
    let row = turn.add_circle(&new).unwrap();
    assert!(matches!(turn.add_circle(&new), Err(StoreError::Conflict)));
    turn.commit().unwrap();
    let circle = &vault.circles().unwrap()[0];
    assert_eq!((circle.row, circle.circle, circle.label.as_str()), (row, CircleId::new([1; 32]), "Choir"));
    assert_eq!((*circle.device_seed, circle.created_ms, circle.state), ([2; 32], 5, CircleState::Awaiting));
    assert_eq!((circle.invitation.as_ref().unwrap().0.as_slice(), circle.listen_port), (&b"link"[..], None));

    let mut turn = vault.begin().unwrap();
    turn.set_circle_state(row, CircleState::Member).unwrap();
    turn.set_listen_port(row, 65_535).unwrap();
    turn.commit().unwrap();
    let circle = &vault.circles().unwrap()[0];
    assert_eq!((circle.state, circle.invitation.clone()), (CircleState::Member, None));
    assert_eq!((circle.label.as_str(), circle.listen_port), ("Choir", Some(65_535)));
}

#[test]
fn charter_entries_come_back_in_the_order_they_were_added() {
    let (_dir, mut vault) = create();
    let (first, second) = (add_circle(&mut vault, 1), add_circle(&mut vault, 2));
    let id = |number: u32| EntryId::new(crypto::hash("test charter entry", &[&number.to_be_bytes()]));
    let mut turn = vault.begin().unwrap();
    for number in 0..600 {
        let circle = if number % 3 == 0 { second } else { first };
        assert!(turn.add_charter_entry(circle, &id(number), &number.to_be_bytes()).unwrap());
    }
    assert!(!turn.add_charter_entry(first, &id(1), b"again").unwrap());
    assert!(turn.add_charter_entry(second, &id(1), b"another circle").unwrap());
    turn.commit().unwrap();
    let entries: Vec<_> = vault.charter_entries(first).map(Result::unwrap).collect();
    let wanted: Vec<_> = (0..600u32)
        .filter(|number| number % 3 != 0)
        .map(|number| CharterRecord { entry: id(number), bytes: Blob(number.to_be_bytes().into()) })
        .collect();
    assert_eq!(entries, wanted);
    assert_eq!(vault.charter_entry(first, &id(1)).unwrap(), Some(Blob(1u32.to_be_bytes().into())));
    assert_eq!(vault.charter_entry(first, &id(0)).unwrap(), None);
}

#[test]
fn conversations_belong_to_their_circle() {
    let (_dir, mut vault) = create();
    let (first, second) = (add_circle(&mut vault, 1), add_circle(&mut vault, 2));
    let everyone = ConversationId::new([9; 32]);
    let mut turn = vault.begin().unwrap();
    let here = turn.add_conversation(first, &everyone, b"everyone").unwrap();
    let there = turn.add_conversation(second, &everyone, b"everyone").unwrap();
    assert_ne!(here, there);
    assert_eq!(turn.add_conversation(first, &everyone, b"everyone").unwrap(), here);
    turn.set_archived(there, true).unwrap();
    turn.commit().unwrap();
    assert!(!vault.conversation(first, &everyone).unwrap().unwrap().archived);
    let found = &vault.conversations(second).unwrap()[0];
    assert_eq!((found.row, found.circle, found.archived), (there, second, true));
    assert_eq!((found.conversation, found.descriptor.0.as_slice()), (everyone, &b"everyone"[..]));
    assert_eq!(vault.conversation(first, &ConversationId::new([8; 32])).unwrap(), None);
}

#[test]
fn a_place_in_a_chain_is_taken_once() {
    let (_dir, mut vault, conversation) = conversing();
    let unsigned = entry(1, 1, 1);
    append(&mut vault, conversation, &entry(1, 0, 0));
    append(&mut vault, conversation, &unsigned);

    let signed = EntryRecord { signature: Some(Signature([7; 64])), ..unsigned.clone() };
    let mut turn = vault.begin().unwrap();
    assert_eq!(turn.append_entry(conversation, &unsigned).unwrap(), Appended::Known);
    assert_eq!(turn.append_entry(conversation, &signed).unwrap(), Appended::Known);
    let forked = turn.append_entry(conversation, &entry(1, 1, 2)).unwrap();
    assert_eq!(forked, Appended::Forked { first: unsigned.message });
    turn.add_fork(conversation, &device(1), 1, b"one", b"other").unwrap();
    turn.add_fork(conversation, &device(1), 1, b"not", b"kept").unwrap();
    turn.commit().unwrap();

    assert_eq!(vault.count(conversation).unwrap(), 2);
    let chain = vault.entries_from(conversation, &device(1), 1, 10, usize::MAX).unwrap();
    assert_eq!(chain, [signed], "the signature that was missing is there");
    let circle = vault.circles().unwrap()[0].row;
    let forks = vault.forks(circle).unwrap();
    assert_eq!(forks.len(), 1);
    assert_eq!((forks[0].author, forks[0].seq, forks[0].proof_a.0.as_slice()), (device(1), 1, &b"one"[..]));
}

#[test]
fn heads_are_the_last_of_each_chain() {
    let (_dir, mut vault, conversation) = conversing();
    assert_eq!(vault.chain_heads(conversation).unwrap(), []);
    for (author, seq, lamport) in [(5, 0, 1), (5, 1, 2), (2, 0, 3), (5, 2, 7)] {
        append(&mut vault, conversation, &entry(author, seq, lamport));
    }
    // A receipt for a chain of which nothing is here makes no head.
    let mut turn = vault.begin().unwrap();
    turn.set_receipt(
        conversation,
        &ReceiptRecord { device: device(2), author: device(8), stored: 3, read: 0 },
    )
    .unwrap();
    turn.commit().unwrap();
    let head = |entry: EntryRecord| Head {
        author: entry.author,
        seq: entry.seq,
        message: entry.message,
        lamport: entry.lamport,
    };
    assert_eq!(vault.chain_heads(conversation).unwrap(), [head(entry(2, 0, 3)), head(entry(5, 2, 7))]);
    assert_eq!(vault.chain_head(conversation, &device(5)).unwrap(), Some(head(entry(5, 2, 7))));
    assert_eq!(vault.chain_head(conversation, &device(8)).unwrap(), None);
}

#[test]
fn a_part_of_a_chain_is_bounded_by_entries_and_bytes() {
    let (_dir, mut vault, conversation) = conversing();
    for seq in 0..20 {
        append(&mut vault, conversation, &entry(1, seq, seq));
    }
    let weight = 160 + 300;
    let part = |from, entries, bytes| -> Vec<u64> {
        let part = vault.entries_from(conversation, &device(1), from, entries, bytes).unwrap();
        part.iter().map(|entry| entry.seq).collect()
    };
    assert_eq!(part(5, 3, usize::MAX), [5, 6, 7]);
    assert_eq!(part(5, 100, weight * 2), [5, 6]);
    assert_eq!(part(5, 100, weight * 3 - 1), [5, 6]);
    assert_eq!(part(5, 100, 1), [5], "one always comes, or none would get on");
    assert_eq!(part(20, 100, 1000), [0; 0]);
    assert_eq!(part(u64::MAX, 100, 1000), [0; 0]);
}

#[test]
fn an_erased_body_leaves_its_place() {
    let (_dir, mut vault, conversation) = conversing();
    append(&mut vault, conversation, &entry(1, 0, 0));
    let mut turn = vault.begin().unwrap();
    turn.erase(conversation, &device(1), 0, Gone::Deleted, None).unwrap();
    turn.commit().unwrap();
    let erased = EntryRecord { body: None, gone: Gone::Deleted, ..entry(1, 0, 0) };
    assert_eq!(vault.timeline_after(conversation, None, 10).unwrap(), [erased]);
}

#[test]
fn receipts_and_reading_only_move_forward() {
    let (_dir, mut vault, conversation) = conversing();
    let receipt = |stored, read| ReceiptRecord { device: device(2), author: device(1), stored, read };
    let mut turn = vault.begin().unwrap();
    for receipt in [receipt(5, 0), receipt(3, 2), receipt(4, 1)] {
        turn.set_receipt(conversation, &receipt).unwrap();
    }
    turn.set_read(conversation, &device(1), 7).unwrap();
    turn.set_read(conversation, &device(1), 6).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.receipts(conversation).unwrap(), [receipt(5, 2)]);
    assert_eq!(vault.read_up_to(conversation).unwrap(), [(device(1), 7)]);
}

#[test]
fn addresses_that_worked_come_first_and_the_worst_are_dropped() {
    let (_dir, mut vault) = create();
    let circle = add_circle(&mut vault, 1);
    let record = |port: u16, noted_ms, last_ok_ms| AddressRecord {
        device: device(1),
        address: format!("[2001:db8::1]:{port}").parse().unwrap(),
        source: AddressSource::Lan,
        noted_ms,
        last_ok_ms,
    };
    let mut turn = vault.begin().unwrap();
    for port in 1..=100 {
        turn.set_address(circle, &record(port, u64::from(port), (port == 3).then_some(50))).unwrap();
    }
    turn.set_address(circle, &record(100, 200, None)).unwrap();
    turn.set_address(circle, &record(3, 7, None)).unwrap();
    turn.commit().unwrap();
    let addresses = vault.addresses(circle).unwrap();
    assert_eq!(addresses.len(), 32);
    assert_eq!(addresses[0], record(3, 7, Some(50)));
    assert_eq!(addresses[1], record(100, 200, None));
    assert_eq!(addresses[31].address.port(), 70);
    let mut turn = vault.begin().unwrap();
    turn.remove_addresses(circle, &device(1)).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.addresses(circle).unwrap(), []);
}

#[test]
fn invitations_verifications_and_secrets_come_and_go() {
    let (_dir, mut vault) = create();
    let circle = add_circle(&mut vault, 1);
    let entry = EntryId::new([3; 32]);
    let invitation = IssuedInvitation { entry, link: Blob(b"secret".into()), issued_ms: 4 };
    let verification = VerificationRecord {
        device: device(2),
        method: VerificationMethod::QrCode,
        at_ms: 9,
        signature: Signature([8; 64]),
    };
    let mut turn = vault.begin().unwrap();
    turn.add_issued_invitation(circle, &invitation).unwrap();
    turn.set_verification(circle, &verification).unwrap();
    turn.set_rendezvous(circle, &entry, &Signature([6; 64])).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.issued_invitations(circle).unwrap(), [invitation]);
    assert_eq!(vault.verifications(circle).unwrap(), [verification]);
    let secret = RendezvousRecord { epoch: entry, secret: Signature([6; 64]) };
    assert_eq!(vault.rendezvous(circle).unwrap(), [secret]);

    let mut turn = vault.begin().unwrap();
    turn.remove_issued_invitation(circle, &entry).unwrap();
    turn.remove_verification(circle, &device(2)).unwrap();
    turn.remove_rendezvous(circle, &entry).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.issued_invitations(circle).unwrap(), []);
    assert_eq!(vault.verifications(circle).unwrap(), []);
    assert_eq!(vault.rendezvous(circle).unwrap(), []);
}

#[test]
fn a_circle_that_is_removed_takes_all_its_own_along_and_nothing_else() {
    let (_dir, mut vault, conversation) = conversing();
    append(&mut vault, conversation, &entry(1, 0, 0));
    let other = add_circle(&mut vault, 2);
    let mut turn = vault.begin().unwrap();
    let elsewhere = turn.add_conversation(other, &ConversationId::new([2; 32]), b"d").unwrap();
    turn.commit().unwrap();
    append(&mut vault, elsewhere, &entry(1, 0, 0));

    let first = vault.circles().unwrap()[0].row;
    let mut turn = vault.begin().unwrap();
    turn.remove_circle(first).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.circles().unwrap().len(), 1);
    assert_eq!((vault.count(conversation).unwrap(), vault.count(elsewhere).unwrap()), (0, 1));
    let rows: u64 =
        vault.read(|db| db.query_row("SELECT count(*) FROM chain", [], |row| row.get(0))).unwrap();
    assert_eq!(rows, 1);
    // Its number is not given to the next, nor can anything be added under it.
    assert!(add_circle(&mut vault, 3) > other);
    let mut turn = vault.begin().unwrap();
    assert!(matches!(turn.append_entry(conversation, &entry(1, 0, 0)), Err(StoreError::Conflict)));
    turn.commit().unwrap();
}

#[test]
fn of_a_circle_in_which_nothing_was_said_nothing_is_left_either() {
    let (dir, mut vault) = create();
    let row = add_circle(&mut vault, 1);
    let mut turn = vault.begin().unwrap();
    turn.add_charter_entry(row, &EntryId::new([3; 32]), b"kanarienvogel").unwrap();
    turn.commit().unwrap();
    assert!(vault.danger_pages_with(b"kanarienvogel").unwrap() > 0);
    let mut turn = vault.begin().unwrap();
    turn.remove_circle(row).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.danger_pages_with(b"kanarienvogel").unwrap(), 0);
    assert_eq!(files(dir.path())["vault.db-wal"].len(), 0);
}

#[test]
fn numbers_that_cannot_be_ordered_are_refused_and_the_turn_goes_on() {
    let (_dir, mut vault, conversation) = conversing();
    let mut turn = vault.begin().unwrap();
    for bad in [entry(1, 0, 1 << 63), EntryRecord { seq: u64::MAX, ..entry(1, 0, 0) }] {
        assert!(matches!(turn.append_entry(conversation, &bad), Err(StoreError::OutOfRange)));
    }
    // A time that nothing is ordered by may be anything.
    let odd = EntryRecord { claimed_ms: u64::MAX, ..entry(1, 0, i64::MAX as u64) };
    assert_eq!(turn.append_entry(conversation, &odd).unwrap(), Appended::Stored);
    turn.commit().unwrap();
    assert_eq!(vault.timeline_before(conversation, None, 5).unwrap(), [odd]);
}

#[test]
fn a_record_of_the_wrong_shape_is_damage() {
    let (_dir, mut vault) = create();
    add_circle(&mut vault, 1);
    for sql in [
        "UPDATE circle SET state = 77",
        "UPDATE circle SET circle_id = x'00'",
        "UPDATE circle SET created_ms = -1",
    ] {
        vault.read(|db| db.execute_batch(sql)).unwrap();
        assert!(matches!(vault.circles(), Err(StoreError::Damaged { what: Part::Record })), "{sql}");
    }
}
