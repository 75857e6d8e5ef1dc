use super::*;

const CANARY: &str = "zwitschermaschine";

/// A message with a text in its body, as the node would store it.
fn saying(seq: u64, text: &str) -> EntryRecord {
    EntryRecord { body: Some(Blob(text.as_bytes().to_vec())), ..entry(1, seq, seq) }
}

fn index_all(vault: &mut Vault) {
    loop {
        let part = vault.unindexed(100).unwrap();
        let Some(last) = part.last().map(|last| last.position) else { return };
        let texts: Vec<_> = part
            .iter()
            .filter_map(|text| Some((text.position, String::from_utf8(text.body.clone()?.0).ok()?)))
            .collect();
        let mut turn = vault.begin().unwrap();
        turn.index(texts.iter().map(|(position, text)| (*position, text.as_str())), last).unwrap();
        turn.commit().unwrap();
    }
}

fn found(vault: &Vault, words: &[&str]) -> Vec<u64> {
    vault.search(words, None, 100).unwrap().iter().map(|hit| hit.entry.seq).collect()
}

fn pages_with(vault: &Vault, needle: &str) -> usize {
    vault.danger_pages_with(needle.as_bytes()).unwrap()
}

#[test]
fn what_is_erased_is_in_no_page_of_no_file_and_in_no_index() {
    let (dir, mut vault, conversation) = conversing();
    let long = format!("{CANARY} {}", "and more of it ".repeat(1000));
    for seq in 0..200 {
        let text = match seq {
            50 => CANARY.to_owned(),
            100 => long.clone(),
            _ => format!("message number {seq} of the others"),
        };
        append(&mut vault, conversation, &saying(seq, &text));
    }
    index_all(&mut vault);
    assert_eq!(found(&vault, &[CANARY]), [100, 50]);
    assert!(pages_with(&vault, CANARY) >= 2, "the test sees what is there");
    let mut turn = vault.begin().unwrap();
    turn.erase(conversation, &device(1), 50, Gone::Deleted, Some(CANARY)).unwrap();
    turn.erase(conversation, &device(1), 100, Gone::Expired, Some(&long)).unwrap();
    turn.commit().unwrap();
    assert_eq!(found(&vault, &[CANARY]), [0; 0]);
    // The index keeps words in pieces: three letters are enough to look for.
    assert_eq!(pages_with(&vault, CANARY), 0);
    assert_eq!(pages_with(&vault, "zwitsch"), 0, "nor in the index");
    assert_eq!(pages_with(&vault, "and more of it"), 0, "nor in what was a chain of pages");
    assert_eq!(files(dir.path())["vault.db-wal"].len(), 0, "nor in the log");
    vault.verify().unwrap();
    let gone: Vec<_> = vault
        .entries_from(conversation, &device(1), 0, 1000, usize::MAX)
        .unwrap()
        .into_iter()
        .filter(|entry| entry.body.is_none())
        .map(|entry| (entry.seq, entry.gone))
        .collect();
    assert_eq!(gone, [(50, Gone::Deleted), (100, Gone::Expired)]);
    assert_eq!(found(&vault, &["number", "51"]), [51], "the others are found as before");
}

#[test]
fn many_erased_words_leave_no_marks_between_the_pages_of_the_index() {
    let (_dir, mut vault, conversation) = conversing();
    let text = |seq: u64| match seq % 2 {
        0 => format!("{CANARY}{seq}"),
        _ => format!("other{seq}"),
    };
    let mut turn = vault.begin().unwrap();
    for seq in 0..6000 {
        assert_eq!(turn.append_entry(conversation, &saying(seq, &text(seq))).unwrap(), Appended::Stored);
    }
    turn.commit().unwrap();
    index_all(&mut vault);
    let mut turn = vault.begin().unwrap();
    for seq in (0..6000).step_by(2) {
        turn.erase(conversation, &device(1), seq, Gone::Expired, Some(&text(seq))).unwrap();
    }
    turn.commit().unwrap();
    assert!(pages_with(&vault, "zwitsch") > 0, "the test sees what taking words out leaves behind");
    assert!(vault.has_untidy_words().unwrap());
    let mut turns = 0;
    loop {
        let mut turn = vault.begin().unwrap();
        let more = turn.tidy_words(16).unwrap();
        turn.commit().unwrap();
        turns += 1;
        if !more {
            break;
        }
    }
    assert!(turns > 1, "a part at a time");
    assert_eq!(pages_with(&vault, "zwitsch"), 0);
    assert!(!vault.has_untidy_words().unwrap());
    assert_eq!(found(&vault, &["other777"]), [777]);
    assert_eq!(found(&vault, &["x"]), [0; 0]);
    vault.verify().unwrap();
}

#[test]
fn words_are_found_as_people_type_them_the_last_by_its_beginning() {
    let (_dir, mut vault, conversation) = conversing();
    for (seq, text) in
        ["Die Bohnen sind auf", "Grüße aus Wien", "beans and Bohnen", "be AND \"quoted\" (or) *"]
            .iter()
            .enumerate()
    {
        append(&mut vault, conversation, &saying(seq as u64, text));
    }
    assert_eq!(found(&vault, &["bohnen"]), [0; 0], "not before they are indexed");
    index_all(&mut vault);
    assert_eq!(found(&vault, &["bohnen"]), [2, 0]);
    assert_eq!(found(&vault, &["boh"]), [2, 0]);
    assert_eq!(found(&vault, &["bo"]), [0; 0], "two letters are a word, not a beginning");
    assert_eq!(found(&vault, &["grusse"]), [0; 0], "ß is not ss to the index");
    assert_eq!(found(&vault, &["gruß"]), [1]);
    assert_eq!(found(&vault, &["bohnen", "beans"]), [2]);
    assert_eq!(found(&vault, &["bohnen-beans"]), [2]);
    for odd in ["aⒶb", "x²y", "AND", "\"quoted\"", "(or)", "*", "NOT", "\"", "a\"b", "text:be", "^be", ""]
    {
        let hits = vault.search(&[odd], None, 10).unwrap();
        assert!(hits.len() <= 2, "{odd}: an operator is a word like any other");
    }
    let hits = vault.search(&["bohnen"], None, 1).unwrap();
    assert_eq!(vault.search(&["bohnen"], Some(hits[0].position), 10).unwrap()[0].entry.seq, 0);
}

#[test]
fn of_each_sort_of_change_the_last_of_a_chain_counts() {
    let (_dir, mut vault, conversation) = conversing();
    let target = entry(1, 0, 0).message;
    append(&mut vault, conversation, &entry(1, 0, 0));
    for (author, seq, kind) in [
        (1, 1, EntryKind::Edit),
        (1, 2, EntryKind::Edit),
        (2, 0, EntryKind::React),
        (2, 1, EntryKind::React),
        (2, 2, EntryKind::Pin),
    ] {
        let mut turn = vault.begin().unwrap();
        let record = EntryRecord { kind, ..entry(author, seq, seq + 1) };
        assert_eq!(turn.append_entry(conversation, &record).unwrap(), Appended::Stored);
        turn.add_change(conversation, &device(author), seq, &target).unwrap();
        turn.commit().unwrap();
    }
    let latest = vault.changes_of(conversation, &target).unwrap();
    let mut latest: Vec<_> = latest.iter().map(|entry| (entry.author.as_bytes()[0], entry.seq)).collect();
    latest.sort_unstable();
    assert_eq!(latest, [(1, 2), (2, 1), (2, 2)]);
    assert_eq!(vault.erasable_changes_of(conversation, &target).unwrap().len(), 4);
    let pins = vault.pins(conversation, 10).unwrap();
    assert_eq!(pins.iter().map(|pin| (pin.kind, pin.seq)).collect::<Vec<_>>(), [(EntryKind::Pin, 2)]);
    assert_eq!(vault.pins(conversation, 0).unwrap(), []);
    let shown = vault.timeline_after(conversation, None, 100).unwrap();
    assert_eq!(shown.len(), 1, "only messages have a place on the screen");
    let beside = vault.places_beside(conversation).unwrap();
    assert_eq!(beside.len(), 5);
}

#[test]
fn a_body_that_was_lacking_is_asked_for_until_it_is_there_or_gone() {
    let (_dir, mut vault, conversation) = conversing();
    let circle = vault.circles().unwrap()[0].row;
    for seq in 0..3 {
        append(&mut vault, conversation, &EntryRecord { body: None, ..entry(1, seq, seq) });
    }
    let lacking = |vault: &Vault| -> Vec<u64> {
        vault.lacking(circle, 0, 10).unwrap().iter().map(|lacking| lacking.place.seq).collect()
    };
    assert_eq!(lacking(&vault), [0, 1, 2]);
    let second = vault.lacking(circle, 0, 10).unwrap()[1].position;
    assert_eq!(vault.lacking(circle, second, 10).unwrap().len(), 1);
    let mut turn = vault.begin().unwrap();
    turn.fill_body(conversation, &device(1), 1, b"late words", Some("late words")).unwrap();
    turn.erase(conversation, &device(1), 2, Gone::Deleted, None).unwrap();
    // What is gone does not come back.
    turn.fill_body(conversation, &device(1), 2, b"back again", Some("back again")).unwrap();
    turn.commit().unwrap();
    assert_eq!(lacking(&vault), [0]);
    index_all(&mut vault);
    assert_eq!(found(&vault, &["late"]), [1]);
    assert_eq!(found(&vault, &["again"]), [0; 0]);
    let mut turn = vault.begin().unwrap();
    turn.fill_body(conversation, &device(1), 0, b"later still", Some("later still")).unwrap();
    turn.commit().unwrap();
    assert_eq!(found(&vault, &["later"]), [0], "what comes after the index was made goes into it");
}

#[test]
fn messages_whose_time_is_over_are_listed() {
    let (_dir, mut vault, conversation) = conversing();
    let circle = vault.circles().unwrap()[0].row;
    let mut turn = vault.begin().unwrap();
    for seq in 0..3 {
        assert_eq!(turn.append_entry(conversation, &entry(1, seq, seq)).unwrap(), Appended::Stored);
        turn.set_expiry(conversation, &device(1), seq, 100 * (seq + 1)).unwrap();
    }
    turn.set_expiry(conversation, &device(1), 0, 300).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.next_expiry(circle).unwrap(), Some(200));
    assert_eq!(vault.expired(circle, 199, 10).unwrap(), []);
    assert_eq!(vault.expired(circle, 200, 10).unwrap(), [(conversation, entry(1, 1, 1))]);
    let mut turn = vault.begin().unwrap();
    turn.erase(conversation, &device(1), 1, Gone::Expired, None).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.next_expiry(circle).unwrap(), Some(300));
}

#[test]
fn what_the_person_keeps_to_himself_is_kept() {
    let (_dir, mut vault, conversation) = conversing();
    let circle = vault.circles().unwrap()[0].row;
    let draft = DraftRecord { text: "not yet".into(), reply: Some(entry(1, 0, 0).message) };
    let mut turn = vault.begin().unwrap();
    turn.set_draft(conversation, &draft).unwrap();
    turn.set_blocked(circle, &MemberId::new([3; 32]), true).unwrap();
    turn.set_muted(conversation, u64::MAX).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.draft(conversation).unwrap(), Some(draft));
    assert_eq!(vault.blocked(circle).unwrap(), [MemberId::new([3; 32])]);
    assert_eq!(vault.conversations(circle).unwrap()[0].muted_until_ms, i64::MAX as u64);
    let mut turn = vault.begin().unwrap();
    turn.set_draft(conversation, &DraftRecord::default()).unwrap();
    turn.set_blocked(circle, &MemberId::new([3; 32]), false).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.draft(conversation).unwrap(), None);
    assert_eq!(vault.blocked(circle).unwrap(), []);
}
