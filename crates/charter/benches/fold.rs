//! Measures the charter of 1,000 members with two devices each: restoring it, folding it, and one entry more.
//!
//! `cargo bench -p hexode-charter --bench fold`

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock, prints what it found and ends at the first thing amiss"
)]

use std::time::{Duration, Instant};

use charter::{Charter, FoundingTerms, Newcomer, Role, Subject, Terms};
use crypto::{OsEntropy, SigningKey};
use wire::Blob;

const MEMBERS: u32 = 1000;
const NOW: u64 = 1_800_000_000_000;

fn key(number: u32) -> SigningKey {
    SigningKey::from_seed(&crypto::hash("bench", &[&number.to_be_bytes()]))
}

/// Founds a circle in which every member links a second device, admitted by the one before him.
fn circle() -> (Charter, Vec<Blob>) {
    let founder = key(0);
    let name = |text: &str| text.parse().unwrap();
    let terms =
        FoundingTerms { circle: name("Bench"), founder: name("Ann"), device: name("laptop"), recovery: None };
    let (mut charter, founding) = Charter::found(&terms, &founder, NOW, &mut OsEntropy).unwrap();
    let mut entries = vec![founding.blob];
    let mut bring = |newcomer, inviter: &SigningKey, admitter: &SigningKey, device: &SigningKey| {
        let terms = Terms { newcomer, expires_ms: NOW };
        let (invite, invitation) = charter.invite(terms, Vec::new(), inviter, NOW, &mut OsEntropy).unwrap();
        let redemption = invitation.redeem(device, name("Member"), name("device"));
        let admission = charter.admit(&redemption, admitter, NOW).unwrap();
        entries.extend([invite.blob, admission.blob]);
    };
    bring(Newcomer::OwnDevice, &founder, &founder, &key(1));
    for member in 1..MEMBERS {
        let (first, second) = (key(2 * member), key(2 * member + 1));
        bring(Newcomer::Other(Role::Member), &founder, &founder, &first);
        bring(Newcomer::OwnDevice, &first, &first, &second);
    }
    (charter, entries)
}

/// Returns the fastest and the median of some runs.
fn measure<T>(runs: usize, mut run: impl FnMut() -> T) -> (Duration, Duration) {
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort();
    (times.first().copied().unwrap_or_default(), times.get(runs / 2).copied().unwrap_or_default())
}

fn main() {
    let start = Instant::now();
    let (charter, entries) = circle();
    let devices = charter.roster().devices().len();
    println!(
        "{MEMBERS} members, {devices} devices, {} entries, {} KiB (built in {:.1?})",
        entries.len(),
        entries.iter().map(|entry| entry.0.len()).sum::<usize>() >> 10,
        start.elapsed(),
    );
    let report = |what: &str, (best, median): (Duration, Duration)| {
        println!(
            "{what:<44} {:>9.3} ms  (best {:.3} ms)",
            median.as_secs_f64() * 1e3,
            best.as_secs_f64() * 1e3
        );
    };
    let id = charter.circle();
    report(
        "received from another device, every signature",
        measure(3, || {
            let mut charter = Charter::awaiting(id);
            entries.iter().for_each(|entry| drop(charter.handle_entry(entry.clone()).unwrap()));
            charter
        }),
    );
    report("restored from the vault", measure(9, || Charter::restore(id, entries.clone()).unwrap()));
    let fresh = Charter::restore(id, entries.clone()).unwrap();
    let copies = vec![fresh; 30];
    let mut folded = copies.iter();
    report("full fold and roster", measure(30, || folded.next().unwrap().roster().clone()));
    let founder = key(0);
    let mut charter = charter;
    report(
        "one command more, and the roster after it",
        measure(30, || {
            let name = "Another name".parse().unwrap();
            drop(charter.rename(Subject::Circle, name, &founder, NOW).unwrap());
            charter.roster().clone()
        }),
    );
}
