//! Measures what grows with a circle, at 10, 100, 1,000 and 10,000 devices, and prints the tables of `docs/scale.md`.
//!
//! The rooms' own code in virtual time: the charter and its fold, the frontier, the way of a message from hand to hand with
//! devices that are off and lines that are cut. `cargo xtask scale` writes the page.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench reads the clock, prints what it found and ends at the first thing amiss"
)]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::{Duration, Instant},
};

use charter::{Action, Admission, Charter, Entry, FoundingTerms, PublicKey, Role, Signed};
use crypto::{OsEntropy, SigningKey};
use hexode_journal::{FEW, passes_to};
use wire::{Blob, ChainHead, ConversationFrontier, DeviceId, EntryId, Frame, Receipt, Signature};

const NOW: u64 = 1_800_000_000_000;
/// One way between two devices.
const LATENCY: Duration = Duration::from_millis(20);
/// From a frame that came to the frame that goes on, on one device: place, commit, seal. Of a quiet machine with a disk that
/// confirms in 3 ms: docs/performance.md.
const TURN: Duration = Duration::from_millis(5);
/// A message of 200 characters in a frame of its own, in bytes.
const MESSAGE: usize = 560;

fn key(number: u32) -> SigningKey {
    SigningKey::from_seed(&crypto::hash("scale", &[&number.to_be_bytes()]))
}

/// Writes the charter of so many members with a device each: two entries for each, by the founder and then by an admin.
fn entries(count: u32) -> (Charter, Vec<Blob>) {
    let founder = key(0);
    let name = |text: &str| text.parse().unwrap();
    let terms =
        FoundingTerms { circle: name("Scale"), founder: name("Ann"), device: name("laptop"), recovery: None };
    let (charter, founding) = Charter::found(&terms, &founder, NOW, &mut OsEntropy).unwrap();
    let circle = charter.circle();
    let mut blobs = vec![founding.blob];
    let mut last = BTreeMap::from([(0, (0_u64, founding.id))]);
    let mut cite = BTreeMap::from([(0, founding.id)]);
    let (mut head, mut lamport) = (founding.id, 0);
    let mut write = |author: u32, cite: EntryId, action: Action| {
        let key = key(author);
        let before = last.get(&author).copied();
        lamport += 1;
        let entry = Entry {
            circle,
            author: DeviceId::new(key.public()),
            seq: before.map_or(0, |(seq, _)| seq + 1),
            previous: before.map(|(_, id)| id),
            parents: vec![head],
            lamport,
            claimed_ms: NOW,
            cite,
            action,
        };
        let signed = Signed::new(&entry, &key);
        head = signed.id();
        last.insert(author, (entry.seq, head));
        blobs.push(signed.to_blob());
        head
    };
    for number in 1..count {
        // A founder's chain has an end; the first whom he lets in goes on.
        let by = u32::from(number > 8000);
        let role = if number == 1 { Role::Admin } else { Role::Member };
        let (invited, device) = (key(1_000_000 + number), key(number));
        let public = PublicKey::new(invited.public());
        let invite = Action::Invite { public, role, expires_ms: NOW, for_member: None };
        let invitation = write(by, cite[&by], invite);
        let (member_name, device_name) = (name("Member"), name("device"));
        let id = DeviceId::new(device.public());
        let parts: [&[u8]; 5] =
            [circle.as_bytes(), invitation.as_bytes(), id.as_bytes(), b"Member", b"device"];
        let admission = Admission {
            invitation,
            public,
            device: id,
            member_name,
            device_name,
            redemption: Signature(invited.sign("hexode/charter/redemption/1", &parts)),
            consent: Signature(device.sign("hexode/charter/consent/1", &parts)),
        };
        let admitted = write(by, cite[&by], Action::Admit(admission));
        if number == 1 {
            cite.insert(1, admitted);
        }
    }
    (Charter::awaiting(circle), blobs)
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let done = run();
    (done, began.elapsed().as_secs_f64() * 1e3)
}

fn number(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} KB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn charter_row(count: u32) -> Vec<DeviceId> {
    let (mut charter, blobs) = entries(count);
    let bytes: usize = blobs.iter().map(|blob| blob.0.len()).sum();
    let ((), received) = timed(|| {
        for blob in &blobs {
            drop(charter.handle_entry(blob.clone()).unwrap());
        }
    });
    let (devices, fold) = timed(|| charter.roster().devices().keys().copied().collect::<Vec<_>>());
    assert_eq!(devices.len(), usize::try_from(count).unwrap(), "all are in the circle");
    let have = Frame::CharterHave(charter.have()).encode().len();
    let heads =
        devices.iter().map(|author| ChainHead { author: *author, seq: 1000, hash: [7; 32] }).collect();
    let frontier = ConversationFrontier { descriptor: Blob(vec![0; 2]), chains: heads };
    let frontier = Frame::Frontier(vec![frontier], true).encode().len();
    println!(
        "| {count} | {} | {received:.0} ms | {fold:.1} ms | {have} B | {} | {} | {} |",
        number(bytes),
        number(frontier),
        devices.len() - 1,
        devices.len() * (devices.len() - 1) / 2,
    );
    devices
}

/// Lets a message go its way, from hand to hand, past devices that are off; returns when each has it, and how many copies each sent.
fn spread(
    author: DeviceId,
    devices: &[DeviceId],
    off: &BTreeSet<DeviceId>,
) -> (Vec<Duration>, BTreeMap<DeviceId, usize>) {
    let mut queue = BinaryHeap::from([Reverse((Duration::ZERO, author))]);
    let (mut held, mut sent) = (BTreeMap::new(), BTreeMap::new());
    while let Some(Reverse((at, me))) = queue.pop() {
        if held.contains_key(&me) {
            continue;
        }
        held.insert(me, at);
        let to = passes_to(author, me, devices.iter().copied(), |device| !off.contains(device));
        sent.insert(me, to.len());
        queue.extend(to.into_iter().map(|device| Reverse((at + TURN + LATENCY + TURN, device))));
    }
    (held.into_values().collect(), sent)
}

fn spread_row(devices: &[DeviceId], percent: usize) {
    let author = devices[devices.len() / 2];
    let mark = |device: &DeviceId| usize::from(device.as_bytes()[31]) * 100 / 256;
    let off: BTreeSet<_> =
        devices.iter().copied().filter(|device| *device != author && mark(device) < percent).collect();
    let on = devices.len() - off.len();
    // In a small circle an author sends to all.
    let few = devices.len() <= FEW;
    let ((held, sent), cost) = if few {
        let sent = BTreeMap::from([(author, on - 1)]);
        ((vec![TURN + LATENCY + TURN; on], sent), 0.0)
    } else {
        timed(|| spread(author, devices, &off))
    };
    let last = held.iter().max().copied().unwrap_or_default();
    let copies: usize = sent.values().sum();
    let receipt =
        Receipt { conversation: wire::ConversationId::new([1; 32]), author, stored: 1000, read: 1000 };
    let receipt = Frame::Receipts(1000, vec![receipt]).encode().len();
    // The author hears of each; each hears of those near it; all of all once in eight seconds.
    let near = if few { on - 1 } else { 8.min(on - 1) };
    println!(
        "| {} | {percent} % | {} of {on} | {} ms | {} | {} | {} | {} | {:.2} ms |",
        devices.len(),
        held.len(),
        last.as_millis(),
        sent.get(&author).copied().unwrap_or(0),
        sent.values().max().copied().unwrap_or(0),
        number(copies * MESSAGE / on + near * receipt),
        number(if few { 0 } else { (on - 1) * receipt }),
        cost / held.len() as f64,
    );
}

fn main() {
    println!(
        "| devices | charter | taken from another, all signatures | fold | what one says it has | frontier of *everyone* | links a device | links in all |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let circles: Vec<_> = [10, 100, 1000, 10_000].into_iter().map(charter_row).collect();
    println!();
    println!(
        "| devices | off | have it at once | the last after | copies by the author | most by anybody | bytes a device and message | reports a device in 8 s | choosing whom to pass it to |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for devices in &circles {
        for percent in [0, 10, 30] {
            spread_row(devices, percent);
        }
    }
}
