//! How fast the vault stores and finds messages, and how much memory it holds when idle.
//!
//! `cargo bench -p hexode-vault [-- ROWS]`; each figure on a line of its own. A message has 300 B of body and a header
//! of 150 B, written by one of eight devices; every 64th carries a signature.

#![allow(clippy::print_stdout, reason = "a bench's figures are its output")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use hexode_vault::{
    Appended, CircleState, ConversationRow, EntryKind, EntryRecord, Gone, Kdf, NewCircle, Options,
    Passphrase, TimelinePosition, Vault,
};
use wire::{Blob, CircleId, ConversationId, DeviceId, MessageId, Signature};

fn main() {
    let rows = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let dir = tempfile::tempdir().expect("a folder");
    let passphrase = Passphrase::new("correct horse battery");
    let options =
        Options { kdf: Some(Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 }), ..Options::default() };
    let mut vault = Vault::create(dir.path(), &passphrase, options).expect("a new vault");
    let conversation = converse(&mut vault);

    let start = Instant::now();
    let mut batches = Vec::new();
    for first in (0..rows).step_by(BATCH) {
        let batch = Instant::now();
        append(&mut vault, conversation, first..(first + BATCH as u64).min(rows));
        batches.push(batch.elapsed());
    }
    let took = start.elapsed();
    println!("append_batch_{BATCH}: {:.0} rows/s over {rows} rows", rows as f64 / took.as_secs_f64());
    let tail = &mut batches.split_off(batches.len() * 9 / 10);
    tail.sort_unstable();
    report(&format!("commit of {BATCH} rows, last tenth"), tail);

    let mut singles: Vec<_> = (rows..rows + 1000)
        .map(|row| {
            let start = Instant::now();
            append(&mut vault, conversation, row..row + 1);
            start.elapsed()
        })
        .collect();
    report("commit of 1 row", &mut singles);

    let mut random = 1u64;
    let mut pages = Vec::new();
    let mut finds = Vec::new();
    for _ in 0..500 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wanted = entry((random >> 20) % rows);
        let start = Instant::now();
        let page = vault.timeline_before(conversation, Some(TimelinePosition::from(&wanted)), 50);
        pages.push(start.elapsed());
        assert!(page.expect("a page").len() <= 50);
        let start = Instant::now();
        let found = vault.entry(&wanted.message);
        finds.push(start.elapsed());
        assert_eq!(found.expect("a look-up").expect("an entry").1, wanted);
    }
    report("page of 50 anywhere", &mut pages);
    report("entry by id", &mut finds);
    let start = Instant::now();
    assert_eq!(vault.chain_heads(conversation).expect("heads").len(), DEVICES as usize);
    println!("chain heads: {:.0?}", start.elapsed());
    vault.close().expect("closing");
    println!("size: {} B per row", size(dir.path()) / (rows + 1000));

    let before = resident_kib();
    let start = Instant::now();
    let vault = Vault::open(dir.path(), &passphrase, options).expect("the vault");
    println!("open, but for the passphrase: {:.1?}", start.elapsed());
    let heads = vault.chain_heads(conversation).expect("heads").len();
    println!("resident: {before} KiB before, {} KiB with the vault open ({heads} chains)", resident_kib());
    vault.verify().expect("a sound vault");
}

fn converse(vault: &mut Vault) -> ConversationRow {
    let mut turn = vault.begin().expect("a turn");
    let circle = turn.add_circle(&NewCircle {
        circle: CircleId::new([1; 32]),
        device_seed: &[1; 32],
        label: "bench",
        created_ms: 0,
        state: CircleState::Member,
        invitation: None,
    });
    let conversation = turn.add_conversation(circle.expect("a circle"), &ConversationId::new([1; 32]), b"");
    turn.commit().expect("a commit");
    conversation.expect("a conversation")
}

fn append(vault: &mut Vault, conversation: ConversationRow, rows: std::ops::Range<u64>) {
    let mut turn = vault.begin().expect("a turn");
    for row in rows {
        assert_eq!(turn.append_entry(conversation, &entry(row)).expect("an append"), Appended::Stored);
    }
    turn.commit().expect("a commit");
}

/// The row-th message: runs of 16 by one device after another.
fn entry(row: u64) -> EntryRecord {
    let author = row / 16 % DEVICES;
    let id = crypto::hash("bench", &[&row.to_be_bytes()]);
    EntryRecord {
        author: DeviceId::new([author as u8; 32]),
        seq: row / 16 / DEVICES * 16 + row % 16,
        message: MessageId::new(id),
        lamport: row / 16 / DEVICES * 16 + row % 16,
        claimed_ms: 1_700_000_000_000 + row,
        received_ms: 1_700_000_000_000 + row,
        header: Blob(id.iter().copied().cycle().take(150).collect()),
        body: Some(Blob(vec![row as u8; 300])),
        signature: row.is_multiple_of(64).then_some(Signature([1; 64])),
        kind: EntryKind::Message,
        gone: Gone::Not,
    }
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    println!("{what}: p50 {:.0?}, p99 {:.0?}", at(50), at(99));
}

fn size(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).expect("the folder");
    files.map(|file| file.and_then(|file| file.metadata()).map_or(0, |data| data.len())).sum()
}

fn resident_kib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4
}

const BATCH: usize = 256;
const DEVICES: u64 = 8;
