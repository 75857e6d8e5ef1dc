//! A million messages: how long it takes to find words in them, and how much memory.
//!
//! Words come as often as in a language: the nth has a share of about 1/n (Zipf). Each search reads up to 50 messages
//! with what later entries made of them, as the node does.

#![allow(clippy::print_stdout, reason = "a bench's figures are its output")]
#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing amiss")]

use std::{
    fs,
    time::{Duration, Instant},
};

use hexode_vault::{
    Appended, CircleState, Durability, EntryKind, EntryRecord, Gone, Kdf, NewCircle, Options, Passphrase,
    Vault,
};
use wire::{Blob, CircleId, ConversationId, DeviceId, MessageId};

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let kdf = Some(Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 });
    let options = Options { durability: Durability::Full, kdf };
    let mut vault = Vault::create(dir.path(), &Passphrase::new("a passphrase for tests"), options).unwrap();
    let mut turn = vault.begin().unwrap();
    let circle = turn
        .add_circle(&NewCircle {
            circle: CircleId::new([1; 32]),
            device_seed: &[1; 32],
            label: "Circle",
            created_ms: 1,
            state: CircleState::Member,
            invitation: None,
        })
        .unwrap();
    let conversation = turn.add_conversation(circle, &ConversationId::new([2; 32]), b"").unwrap();
    turn.commit().unwrap();

    let mut words = Words(88_172_645_463_325_252);
    let started = Instant::now();
    for batch in 0..MESSAGES / BATCH {
        let mut turn = vault.begin().unwrap();
        for row in batch * BATCH..(batch + 1) * BATCH {
            let entry = entry(row, &words.text());
            assert_eq!(turn.append_entry(conversation, &entry).unwrap(), Appended::Stored);
        }
        turn.commit().unwrap();
    }
    println!("stored {MESSAGES} messages in {:.0?}", started.elapsed());
    let started = Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let part = vault.unindexed(1024).unwrap();
        let Some(last) = part.last().map(|last| last.position) else { break };
        let texts: Vec<_> =
            part.iter().map(|text| (text.position, text.body.as_ref().unwrap().0.as_slice())).collect();
        let texts = texts.iter().map(|(position, text)| (*position, std::str::from_utf8(text).unwrap()));
        let began = Instant::now();
        let mut turn = vault.begin().unwrap();
        turn.index(texts, last).unwrap();
        turn.commit().unwrap();
        longest = longest.max(began.elapsed());
    }
    println!("indexed them in {:.0?}, 1024 at a time, the slowest in {longest:.0?}", started.elapsed());

    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let queries = [
            vec![words.word(1)],
            vec![words.word(100)],
            vec![words.word(20_000)],
            vec![words.word(3), words.word(5)],
            vec![words.word(50), words.word(3_000)],
            vec![words.word(2), words.word(4), words.word(30_000)],
            vec![words.word(10).chars().take(3).collect()],
            vec![words.word(round + 7), words.word(200).chars().take(4).collect()],
            vec!["nowhere".to_owned()],
        ];
        for query in queries {
            let query: Vec<_> = query.iter().map(String::as_str).collect();
            let started = Instant::now();
            let hits = vault.search(&query, None, 50).unwrap();
            for hit in &hits {
                assert_eq!(vault.changes_of(conversation, &hit.entry.message).unwrap().len(), 0);
            }
            times.push((started.elapsed(), format!("{query:?}: {} hits", hits.len())));
        }
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).unwrap();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("slowest: {:?}", times.last().unwrap());
    println!("search p50 {:.3} ms", millis(at(50).0));
    println!("search p95 {:.3} ms", millis(at(95).0));
    println!("resident at most {:.1} MiB", peak_mib());
    let size: u64 =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!("files {} MiB", size >> 20);
}

fn entry(row: u64, text: &str) -> EntryRecord {
    let id = crypto::hash("bench", &[&row.to_be_bytes()]);
    EntryRecord {
        author: DeviceId::new([(row / 64 % 8) as u8; 32]),
        seq: row / 512 * 64 + row % 64,
        message: MessageId::new(id),
        lamport: row,
        claimed_ms: 1_700_000_000_000 + row,
        received_ms: 1_700_000_000_000 + row,
        header: Blob(id.iter().copied().cycle().take(150).collect()),
        body: Some(Blob(text.as_bytes().to_vec())),
        signature: None,
        kind: EntryKind::Message,
        gone: Gone::Not,
    }
}

/// Makes texts out of 50,000 words.
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Draws a rank between 1 and 50,000, the nth with a share of about 1/n.
    fn rank(&mut self) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        (50_000f64.powf(uniform)) as u64
    }

    fn word(&self, rank: u64) -> String {
        let mut word = String::new();
        let mut rest = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        for _ in 0..(3 + rank.min(5)) {
            word.push(char::from(b'a' + (rest % 26) as u8));
            rest = rest / 26 + rank;
        }
        word
    }

    fn text(&mut self) -> String {
        let count = 5 + self.next() % 25;
        let words: Vec<_> = (0..count)
            .map(|_| {
                let rank = self.rank();
                self.word(rank)
            })
            .collect();
        words.join(" ")
    }
}

/// Returns the most memory that this process had resident.
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
}

const MESSAGES: u64 = 1_000_000;
const BATCH: u64 = 1000;
const ROUNDS: u64 = 20;
