use proptest::prelude::*;

use super::*;

#[test]
fn order_is_by_time_then_author_then_place_whatever_came_first() {
    let (_dir, mut vault, conversation) = conversing();
    // Device 9 is met first and so gets the smaller number; its id is the larger nevertheless.
    for (author, seq, lamport) in
        [(9, 0, 5), (1, 0, 5), (5, 0, 5), (9, 1, 6), (1, 1, 9), (5, 1, 6), (5, 2, 9)]
    {
        append(&mut vault, conversation, &entry(author, seq, lamport));
    }
    let places = |page: Vec<EntryRecord>| -> Vec<_> {
        page.iter().map(|entry| (entry.lamport, entry.author.as_bytes()[0], entry.seq)).collect()
    };
    let all = [(5, 1, 0), (5, 5, 0), (5, 9, 0), (6, 5, 1), (6, 9, 1), (9, 1, 1), (9, 5, 2)];
    assert_eq!(places(vault.timeline_after(conversation, None, 100).unwrap()), all);
    assert_eq!(places(vault.timeline_before(conversation, None, 100).unwrap()), all);
    assert_eq!(places(vault.timeline_before(conversation, None, 2).unwrap()), all[5..]);
    let middle = TimelinePosition { lamport: 5, author: device(9), seq: 0 };
    assert_eq!(places(vault.timeline_before(conversation, Some(middle), 100).unwrap()), all[..2]);
    assert_eq!(places(vault.timeline_before(conversation, Some(middle), 1).unwrap()), all[1..2]);
    assert_eq!(places(vault.timeline_after(conversation, Some(middle), 2).unwrap()), all[3..5]);
}

#[test]
fn a_page_is_read_by_the_index_and_sorted_only_within_one_time() {
    let (_dir, vault, _) = conversing();
    for sql in [crate::timeline::BEFORE, crate::timeline::AFTER, crate::timeline::FROM_START] {
        let plan: Vec<String> = vault
            .read(|db| {
                let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                explain.query_map((1, 1, [0u8; 32], 1, 1), |row| row.get(3))?.collect()
            })
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("USING INDEX entry_by_time (conversation=?"), "{plan}");
        assert!(plan.contains("USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY"), "{plan}");
    }
}

#[test]
fn an_entry_is_found_by_its_id_however_old() {
    let (_dir, mut vault, conversation) = conversing();
    for seq in 0..50 {
        append(&mut vault, conversation, &entry(1, seq, seq));
    }
    // As if thousands of others had come between any two.
    vault.read(|db| db.execute_batch("UPDATE entry SET position = position * 3000")).unwrap();
    for seq in [0, 1, 25, 49] {
        let wanted = entry(1, seq, seq);
        assert_eq!(vault.entry(&wanted.message).unwrap(), Some((conversation, wanted)));
    }
    let same_start = entry(1, 25, 25).message.as_bytes()[..8].to_vec();
    let mut other = [0; 32];
    other[..8].copy_from_slice(&same_start);
    assert_eq!(vault.entry(&MessageId::new(other)).unwrap(), None);
    let plan: String = vault
        .read(|db| {
            let sql = "EXPLAIN QUERY PLAN SELECT header FROM entry e WHERE e.position >> 13 = ?1
                AND substr(e.message_id, 1, 8) = substr(?2, 1, 8) AND e.message_id = ?2";
            db.query_row(sql, (1, [0u8; 32]), |row| row.get(3))
        })
        .unwrap();
    assert!(plan.contains("USING INDEX entry_by_id"), "{plan}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Pages of any size, read from either end, put together give the one order.
    #[test]
    fn pages_put_together_give_the_whole_timeline(
        steps in prop::collection::vec((1u8..6, 0u64..3), 1..60),
        limit in 1usize..9,
    ) {
        let (_dir, mut vault, conversation) = conversing();
        let mut model = Vec::new();
        let mut chains = BTreeMap::<u8, (u64, u64)>::new();
        let mut turn = vault.begin().unwrap();
        for (author, ahead) in steps {
            let (seq, lamport) = chains.entry(author).or_default();
            *lamport += 1 + ahead;
            let record = entry(author, *seq, *lamport);
            *seq += 1;
            prop_assert_eq!(turn.append_entry(conversation, &record).unwrap(), Appended::Stored);
            model.push(record);
        }
        turn.commit().unwrap();
        model.sort_by_key(|entry| TimelinePosition::from(entry));

        let mut forward = Vec::new();
        loop {
            let after = forward.last().map(TimelinePosition::from);
            let page = vault.timeline_after(conversation, after, limit).unwrap();
            if page.is_empty() { break }
            prop_assert!(page.len() <= limit);
            forward.extend(page);
        }
        prop_assert_eq!(&forward, &model);
        let mut backward = Vec::<EntryRecord>::new();
        loop {
            let before = backward.first().map(TimelinePosition::from);
            let page = vault.timeline_before(conversation, before, limit).unwrap();
            if page.is_empty() { break }
            backward.splice(0..0, page);
        }
        prop_assert_eq!(&backward, &model);
    }
}
