//! Finding members on the Mainline DHT under keys that only members can derive.
//!
//! A client of the public network of BEP 5 and 44 and nothing more: it keeps nothing for others and answers nobody.
//! Each operation has a socket of its own, and between operations there is none.
//!
//! # Specification
//! `docs/spec/08-rendezvous.md` · decision 0012

mod bencode;
mod client;
mod krpc;
mod nodes;
mod record;
mod rendezvous;
mod search;

use std::{net::SocketAddr, time::Duration};

use crypto::SigningKey;
use wire::DeviceId;

pub(crate) use rendezvous::{Progress, Rendezvous};

use crate::whereabouts::Whereabouts;

/// How to find members on the DHT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DhtConfig {
    /// Nodes to begin with. There are no others to begin with: no host name is known to the program.
    pub bootstrap: Vec<SocketAddr>,
    /// Nodes from an earlier [`Event::Dht`](crate::Event::Dht).
    pub remembered: Vec<SocketAddr>,
    /// Intervals.
    pub timing: DhtTiming,
}

/// Intervals; the defaults are right outside tests. All are moved at random.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhtTiming {
    /// Within what time a change of this device's addresses is told.
    pub settle: Duration,
    /// How often they are told when nothing changes.
    pub again: Duration,
    /// How soon that is tried again if nobody kept them.
    pub retry: Duration,
    /// How soon a device is looked for that cannot be reached; the pauses grow from there.
    pub first: Duration,
    /// The longest pause before it is looked for again.
    pub last: Duration,
    /// The longest pause between two devices that are looked for.
    pub pace: Duration,
}

/// How the rendezvous stands, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DhtStatus {
    /// How many nodes of the DHT are known.
    pub nodes: usize,
    /// How many times this device's addresses were told and somebody kept them.
    pub told: u64,
    /// How many nodes keep them since the last time they were told.
    pub kept_by: usize,
    /// How many times a device was looked for.
    pub looked: u64,
    /// How many times one was found to have said something new.
    pub found: u64,
}

/// Makes answers as nodes give them, for the fuzzing of the workspace: one with nodes of both families, a refusal, and
/// one with the record of a device.
pub(crate) fn answers(key: &SigningKey) -> Vec<Vec<u8>> {
    let record = slot(key).seal(key, &said(key), None);
    let common = || bencode::Writer::new().bytes("id", &[7; 20]);
    let nodes = common().bytes("nodes", &[9; 26 * 8]).bytes("nodes6", &[10; 38 * 8]).bytes("token", b"token");
    let item = common()
        .bytes("k", &record.key)
        .integer("seq", record.seq)
        .bytes("sig", &record.signature)
        .bytes("token", b"token")
        .bytes("v", &record.value);
    let answer = |said| {
        bencode::Writer::new()
            .bytes("ip", &[1; 6])
            .dictionary("r", said)
            .bytes("t", b"aaaa")
            .bytes("y", b"r")
            .finish()
    };
    vec![answer(item), answer(nodes), b"d1:eli201e5:Errore1:t4:aaaa1:y1:ee".to_vec()]
}

/// Makes what is seen of a device's record of a day.
pub(crate) fn seen(secret: &[u8; 32], key: &SigningKey, at: u64) -> [Vec<u8>; 4] {
    let said = Whereabouts { at, ..said(key) };
    let slot = record::Slot::new(secret, said.device, record::period(at));
    let record = slot.seal(key, &said, None);
    [slot.place().to_vec(), record.key.to_vec(), record.signature.to_vec(), record.value]
}

/// Tells whether bytes are an answer.
pub(crate) fn is_answer(bytes: &[u8]) -> bool {
    krpc::Answer::decode(bytes).is_some()
}

/// Tells whether bytes are an answer with the record of the device that [`answers`] speaks of.
pub(crate) fn is_record(key: &SigningKey, bytes: &[u8]) -> bool {
    match krpc::Answer::decode(bytes) {
        Some((_, krpc::Answer::Yes { item: Some(item), .. })) => slot(key).open(&item).is_some(),
        _ => false,
    }
}

fn said(key: &SigningKey) -> Whereabouts {
    let addresses = ["192.0.2.1:4000", "[2001:db8::1]:4000"].iter().filter_map(|at| at.parse().ok());
    Whereabouts { device: DeviceId::new(key.public()), at: 1_700_000_000, addresses: addresses.collect() }
}

fn slot(key: &SigningKey) -> record::Slot {
    let said = said(key);
    record::Slot::new(&[1; 32], said.device, record::period(said.at))
}

/// How often nodes are given out to be remembered.
pub(crate) const REMEMBER: Duration = Duration::from_secs(600);
