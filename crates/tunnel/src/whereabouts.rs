//! Where a device is, as members tell each other where nobody else can read it.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use wire::{DeviceId, Scope, limits};

/// Where a device is, and when it said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whereabouts {
    pub(crate) device: DeviceId,
    /// In seconds since 1970 by the device's own clock.
    pub(crate) at: u64,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What has to be known to tell where this device is, as it changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    /// The rendezvous secrets, the current one first.
    pub(crate) secrets: Vec<[u8; 32]>,
    /// Since when the current one holds, in seconds since 1970, as others had it.
    pub(crate) since: u64,
    /// When this device, since its start, first had the current one.
    pub(crate) first_had: u64,
    /// Where this device listens by its own interfaces, and with that where it is reached besides, the farthest first.
    pub(crate) local: Vec<SocketAddr>,
    pub(crate) all: Vec<SocketAddr>,
}

impl Setting {
    /// Takes the secrets, which others say to hold since then.
    pub(crate) fn take(&mut self, secrets: Vec<[u8; 32]>, since: u64, now: u64) {
        if self.secrets.first() != secrets.first() {
            self.first_had = now;
        }
        // Whose clock is years ahead, or who says so, does not make those before count for years.
        self.since = since.min(self.first_had);
        self.secrets = secrets;
    }
}

/// A device that told where it is.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) device: DeviceId,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Whereabouts {
    /// Encodes what is to be sealed.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let body = wire::encode(self);
        let length = u16::try_from(body.len()).expect("sixteen addresses are far shorter");
        let mut plain = [&length.to_be_bytes()[..], &body].concat();
        // Always as long, whatever there is to say: the number of addresses would tell devices apart.
        plain.resize(plain.len().max(PADDED), 0);
        plain
    }

    /// Decodes what was sealed.
    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let (length, rest) = plain.split_first_chunk()?;
        let body = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        let whereabouts: Self = wire::decode_canonical(body, PADDED).ok()?;
        (whereabouts.addresses.len() <= limits::ADDRESSES).then_some(whereabouts)
    }
}

/// Keeps the addresses at which others can do something.
pub(crate) fn worth_telling(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let useful = |address: &&SocketAddr| matches!(Scope::of(address), Scope::Network | Scope::World);
    addresses.iter().filter(useful).take(limits::ADDRESSES).copied().collect()
}

/// Returns the seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Returns a random part of a duration.
pub(crate) fn random(most: Duration) -> Duration {
    let part = u16::from_be_bytes(crypto::Entropy::bytes(&mut crypto::OsEntropy));
    most.mul_f64(f64::from(part) / f64::from(u16::MAX))
}

/// The seconds of a day.
pub(crate) const DAY: u64 = 86_400;
/// Room for sixteen addresses of either family.
pub(crate) const PADDED: usize = 384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_that_is_dated_in_the_future_counts_from_when_it_was_heard_of() {
        let mut setting = Setting::default();
        setting.take(vec![[2; 32], [1; 32]], 9_000_000, 1000);
        assert_eq!(setting.since, 1000);
        setting.take(vec![[2; 32], [1; 32]], 9_000_000, 5000);
        assert_eq!(setting.since, 1000, "told again");
        setting.take(vec![[2; 32], [1; 32]], 400, 6000);
        assert_eq!(setting.since, 400, "heard of late");
        setting.take(vec![[3; 32], [2; 32]], 9_000_000, 7000);
        assert_eq!(setting.since, 7000);
    }
}
