//! A device's record in the DHT: where it lies on which day, and what is in it.

use crypto::{SealingKey, SigningKey};
use wire::DeviceId;

use super::krpc::{self, Item, Place};
use crate::whereabouts::{DAY, PADDED, Whereabouts};

/// The keys of one device's record on one day. Who lacks the circle's secret can tell from them neither the circle,
/// nor the device, nor the record of another day.
pub(super) struct Slot {
    device: DeviceId,
    period: u64,
    key: SigningKey,
    seal: SealingKey,
    /// Where the day's sequence numbers begin: a number that told the time would tell clocks apart.
    first: u64,
}

/// A record, ready to be put.
pub(super) struct Record {
    pub(super) key: [u8; 32],
    pub(super) seq: i64,
    pub(super) value: Vec<u8>,
    pub(super) signature: [u8; 64],
}

/// Returns which day it is: the same for everybody, since a day that began at a time of its own for each circle, or
/// for each device, would mark as one's own the records that end and begin just then.
pub(super) fn period(now: u64) -> u64 {
    now / DAY
}

impl Slot {
    /// Derives them.
    pub(super) fn new(secret: &[u8; 32], device: DeviceId, period: u64) -> Self {
        let salt = [&period.to_be_bytes()[..], device.as_bytes()].concat();
        let root = crypto::derive_key(secret, &salt, "hexode dht 1");
        let first = crypto::derive_key(&*root, b"", "hexode dht 1 seq");
        let [a, b, c, d, e, ..] = *first;
        Self {
            device,
            period,
            key: SigningKey::from_seed(&crypto::derive_key(&*root, b"", "hexode dht 1 key")),
            seal: SealingKey::new(&crypto::derive_key(&*root, b"", "hexode dht 1 seal")),
            first: u64::from_be_bytes([0, 0, 0, a, b, c, d, e]),
        }
    }

    pub(super) fn place(&self) -> Place {
        krpc::place(&self.key.public())
    }

    /// Makes the record that tells where this device is; `beyond` is the sequence number found there, if any.
    pub(super) fn seal(&self, device: &SigningKey, whereabouts: &Whereabouts, beyond: Option<i64>) -> Record {
        let seq = i64::try_from(self.first + whereabouts.at % DAY).expect("forty bits and a few");
        // A clock that was put back must not keep the record as it was.
        let seq = beyond.map_or(seq, |beyond| seq.max(beyond.saturating_add(1)));
        let key = self.key.public();
        let plain = whereabouts.encode();
        let own = device.sign(STATEMENT, &[&key, &plain]);
        let value = self.seal.seal(&context(&key, seq), &[&plain[..], &own].concat());
        let signature = self.key.danger_sign_bare(&Item::statement(seq, &value));
        Record { key, seq, value, signature }
    }

    /// Opens an item found at this place; `None` unless the device itself wrote it, on that day.
    pub(super) fn open(&self, item: &Item<'_>) -> Option<Whereabouts> {
        if item.key != self.key.public() || item.value.len() != VALUE || !item.is_genuine() {
            return None;
        }
        let plain = self.seal.open(&context(&item.key, item.seq), item.value).ok()?;
        let (plain, own) = plain.split_last_chunk::<64>()?;
        crypto::verify(self.device.as_bytes(), STATEMENT, &[&item.key, plain], own).ok()?;
        let said = Whereabouts::decode(plain)?;
        (said.device == self.device && period(said.at) == self.period).then_some(said)
    }

    /// Returns the sequence number of an item, if any member wrote it.
    pub(super) fn seq(&self, item: &Item<'_>) -> Option<i64> {
        (item.key == self.key.public() && item.is_genuine()).then_some(item.seq)
    }
}

impl Record {
    pub(super) fn item(&self) -> Item<'_> {
        Item { key: self.key, seq: self.seq, value: &self.value, signature: self.signature }
    }
}

/// What an item's value is sealed for.
fn context(key: &[u8; 32], seq: i64) -> Vec<u8> {
    [&key[..], &seq.to_be_bytes()].concat()
}

/// How long every value is.
pub(super) const VALUE: usize = PADDED + 64 + SealingKey::OVERHEAD;
const STATEMENT: &str = "hexode dht 1 whereabouts";

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        net::SocketAddr,
    };

    use proptest::prelude::*;

    use super::*;

    const SECRET: [u8; 32] = [1; 32];
    const NOW: u64 = 1_800_000_000;

    fn device(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn id(seed: u8) -> DeviceId {
        DeviceId::new(device(seed).public())
    }

    fn whereabouts(seed: u8, at: u64, addresses: u16) -> Whereabouts {
        let address = |n| SocketAddr::from(([192, 0, 2, 1], 4000 + n));
        Whereabouts { device: id(seed), at, addresses: (0..addresses).map(address).collect() }
    }

    fn record(seed: u8, at: u64) -> (Slot, Record) {
        let slot = Slot::new(&SECRET, id(seed), period(at));
        let record = slot.seal(&device(seed), &whereabouts(seed, at, 3), None);
        (slot, record)
    }

    #[test]
    fn members_read_what_a_device_wrote_and_whoever_lacks_the_secret_does_not() {
        let (_, record) = record(7, NOW);
        let read = |secret: [u8; 32], seed, at| Slot::new(&secret, id(seed), period(at)).open(&record.item());
        assert_eq!(read(SECRET, 7, NOW), Some(whereabouts(7, NOW, 3)));
        // A former member has the secret before his removal; another circle, device or day has other keys.
        assert_eq!(read([2; 32], 7, NOW), None);
        assert_eq!(read(SECRET, 8, NOW), None);
        assert_eq!(read(SECRET, 7, NOW + DAY), None);
        let places = [(SECRET, 7, NOW), ([2; 32], 7, NOW), (SECRET, 8, NOW), (SECRET, 7, NOW + DAY)];
        let places: BTreeSet<_> =
            places.map(|(secret, seed, at)| Slot::new(&secret, id(seed), period(at)).place()).into();
        assert_eq!(places.len(), 4, "nor do they look in the same place");
    }

    #[test]
    fn another_member_cannot_speak_for_a_device() {
        // Ben has all keys of Ann's slot but Ann's own.
        let slot = Slot::new(&SECRET, id(7), period(NOW));
        for said in [whereabouts(7, NOW, 1), whereabouts(8, NOW, 1)] {
            assert_eq!(slot.open(&slot.seal(&device(8), &said, None).item()), None);
        }
        // What Ann said in her slot of another day, or in her other circle, is not said here.
        let (other, _) = record(7, NOW + DAY);
        let theirs = other.seal(&device(7), &whereabouts(7, NOW, 1), None);
        let plain = other.seal.open(&context(&theirs.key, theirs.seq), &theirs.value).unwrap();
        let seq = 5;
        let value = slot.seal.seal(&context(&slot.key.public(), seq), &plain);
        let signature = slot.key.danger_sign_bare(&Item::statement(seq, &value));
        assert_eq!(slot.open(&Item { key: slot.key.public(), seq, value: &value, signature }), None);
    }

    #[test]
    fn a_record_that_tells_another_time_is_refused() {
        let slot = Slot::new(&SECRET, id(7), period(NOW));
        for at in [NOW + DAY, NOW + 400 * DAY, NOW - DAY, 0] {
            assert_eq!(slot.open(&slot.seal(&device(7), &whereabouts(7, at, 1), None).item()), None, "{at}");
        }
    }

    #[test]
    fn a_record_of_another_size_is_refused() {
        let (slot, record) = record(7, NOW);
        for length in [0, 1, VALUE - 1, VALUE + 1, 1000] {
            let mut value = record.value.clone();
            value.resize(length, 0);
            let signature = slot.key.danger_sign_bare(&Item::statement(record.seq, &value));
            assert_eq!(slot.open(&Item { value: &value, signature, ..record.item() }), None);
        }
    }

    #[test]
    fn sequence_numbers_grow_through_the_day_and_past_what_is_there() {
        let (slot, early) = record(7, NOW);
        let late = slot.seal(&device(7), &whereabouts(7, NOW + 60, 3), None);
        assert_eq!(late.seq, early.seq + 60);
        let put_back = slot.seal(&device(7), &whereabouts(7, NOW, 3), slot.seq(&late.item()));
        assert_eq!(put_back.seq, late.seq + 1);
        assert!(slot.open(&put_back.item()).is_some());
        let highest = slot.seal(&device(7), &whereabouts(7, NOW, 3), Some(i64::MAX));
        assert_eq!(highest.seq, i64::MAX);
    }

    proptest! {
        #[test]
        fn a_changed_record_is_refused(at in 0..VALUE, bit in 0u8..8, seq in -3i64..4, signature in 0usize..64) {
            let (slot, record) = record(7, NOW);
            let mut value = record.value.clone();
            value[at] ^= 1 << bit;
            assert_eq!(slot.open(&Item { value: &value, ..record.item() }), None);
            // Even under a signature that holds, as any member can make it.
            let forged = slot.key.danger_sign_bare(&Item::statement(record.seq, &value));
            assert_eq!(slot.open(&Item { value: &value, signature: forged, ..record.item() }), None);
            if seq != 0 {
                let forged = slot.key.danger_sign_bare(&Item::statement(record.seq + seq, &record.value));
                let moved = Item { seq: record.seq + seq, signature: forged, ..record.item() };
                assert_eq!(slot.open(&moved), None);
            }
            let mut broken = record.signature;
            broken[signature] ^= 1;
            assert_eq!(slot.open(&Item { signature: broken, ..record.item() }), None);
        }
    }

    #[test]
    fn keys_are_as_the_specification_has_them() {
        // Computed from docs/spec/08-rendezvous.md §2 by another program, with another library.
        let slot = Slot::new(&[1; 32], DeviceId::new([2; 32]), 20_833);
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        assert_eq!(
            hex(&slot.key.public()),
            "05b47d0243ac1b517c3e6d0669f8efc5ec26e8d0d235af336e10ab17887ea5c5"
        );
        assert_eq!(hex(&slot.place()), "40a65e9ab6f4a7bf4fe4e053c2b109f311fbc168");
        assert_eq!(slot.first, 237_185_465_310);
    }

    /// A month of a hundred devices in twenty circles, as one sees it who holds every record.
    #[test]
    fn nothing_links_two_days_of_a_device_or_two_devices_of_a_circle() {
        let mut seen = Vec::new();
        for circle in 0..20u8 {
            for member in 0..5u8 {
                let (own, key) = (id(member), device(member));
                for day in 0..30 {
                    let at = NOW + day * DAY + u64::from(member) * 10;
                    let slot = Slot::new(&[circle; 32], own, period(at));
                    let said = whereabouts(member, at, u16::from(member) * 3);
                    seen.push((slot.place(), slot.seal(&key, &said, None)));
                }
            }
        }
        assert_eq!(seen.len(), 3000);
        // Every record has one shape.
        assert!(seen.iter().all(|(_, record)| record.value.len() == VALUE && record.seq < 1 << 41));
        // No four bytes of what makes a record are in two of them, at any offset, more often than chance has it.
        let mut runs: BTreeMap<[u8; 4], BTreeSet<usize>> = BTreeMap::new();
        for (number, (place, record)) in seen.iter().enumerate() {
            for part in [&place[..], &record.key, &record.value, &record.signature] {
                for run in part.windows(4) {
                    runs.entry(run.try_into().unwrap()).or_default().insert(number);
                }
            }
        }
        let count = seen.len() * (17 + 29 + VALUE - 3 + 61);
        let expected = (count as f64).powi(2) / 2.0 / 2f64.powi(32);
        let shared = runs.values().map(|records| records.len() * (records.len() - 1) / 2).sum::<usize>();
        let deviation = (shared as f64 - expected) / expected.sqrt();
        assert!(deviation.abs() < 5.0, "{shared} runs in two records, {expected:.0} by chance");
        // Sequence numbers: those of one device, or one circle, are no nearer to each other than any two.
        let mut numbers: Vec<_> = seen.iter().map(|(_, record)| record.seq).collect();
        numbers.sort_unstable();
        let near = numbers.windows(2).filter(|pair| pair[1] - pair[0] < DAY as i64).count();
        let by_chance = (seen.len() as f64) * (seen.len() as f64) * DAY as f64 / 2f64.powi(40);
        assert!((near as f64) < by_chance * 10.0 + 10.0, "{near} neighbours, {by_chance:.1} by chance");
        // And one record put twice shares nothing but its place and the time that has passed.
        let (slot, first) = record(7, NOW);
        let second = slot.seal(&device(7), &whereabouts(7, NOW + 3600, 3), None);
        assert!(!first.value.windows(4).any(|run| second.value.windows(4).any(|other| run == other)));
    }
}
