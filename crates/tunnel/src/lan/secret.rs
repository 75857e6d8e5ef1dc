//! What the rendezvous secret makes of a circle and its devices in one period.

use crypto::SealingKey;
use data_encoding::BASE32_NOPAD;
use wire::DeviceId;

use super::packet;
use crate::whereabouts::{DAY, Whereabouts};

/// The names and the key of one circle in one period. Made of them nobody can tell the circle, nor its names in
/// another period.
#[derive(Debug)]
pub(crate) struct Names {
    service: String,
    tokens: [u8; 32],
    seal: SealingKey,
}

/// Returns which period it is for a circle: days, which begin for each circle at a time of its own, so that the
/// circles of one device do not change their names together.
pub(crate) fn period(secret: &[u8; 32], now: u64) -> u64 {
    let shift = crypto::mac(secret, &[b"hexode lan 1 shift"]);
    let [a, b, c, d, ..] = shift;
    (now + u64::from(u32::from_be_bytes([a, b, c, d])) % DAY) / DAY
}

impl Names {
    /// Derives them.
    pub(crate) fn new(secret: &[u8; 32], period: u64) -> Self {
        let root = crypto::derive_key(secret, &period.to_be_bytes(), "hexode lan 1");
        let label = text(&*crypto::derive_key(&*root, b"", "hexode lan 1 service"), SERVICE);
        Self {
            service: format!("_{label}._udp.local"),
            tokens: *crypto::derive_key(&*root, b"", "hexode lan 1 tokens"),
            seal: SealingKey::new(&crypto::derive_key(&*root, b"", "hexode lan 1 seal")),
        }
    }

    /// The names of now and of the periods beside it, for clocks that differ; the first is the current one.
    pub(crate) fn around(secret: &[u8; 32], now: u64) -> [Self; 3] {
        let period = period(secret, now);
        [
            Self::new(secret, period),
            Self::new(secret, period.saturating_sub(1)),
            Self::new(secret, period + 1),
        ]
    }

    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Encodes an announcement.
    pub(crate) fn announce(&self, whereabouts: &Whereabouts) -> Vec<u8> {
        let token = self.token(&whereabouts.device);
        let plain = whereabouts.encode();
        packet::announcement(&self.service, &token, &self.seal.seal(self.context(&token).as_bytes(), &plain))
    }

    /// Opens an announcement of this circle and period; `None` for any other.
    pub(crate) fn open(&self, service: &str, token: &str, sealed: &[u8]) -> Option<Whereabouts> {
        if service != self.service {
            return None;
        }
        let plain = self.seal.open(self.context(token).as_bytes(), sealed).ok()?;
        Whereabouts::decode(&plain).filter(|whereabouts| token == self.token(&whereabouts.device))
    }

    fn token(&self, device: &DeviceId) -> String {
        text(&crypto::mac(&self.tokens, &[device.as_bytes()]), TOKEN)
    }

    fn context(&self, token: &str) -> String {
        format!("{token}.{}", self.service)
    }
}

/// Writes the beginning of some bytes as letters and digits.
fn text(bytes: &[u8], length: usize) -> String {
    let mut text = BASE32_NOPAD.encode(bytes).to_ascii_lowercase();
    text.truncate(length);
    text
}

/// The longest name of a service (RFC 6335 §5.1).
const SERVICE: usize = 15;
const TOKEN: usize = 26;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::lan::packet::{Packet, decode};

    const NOW: u64 = 1_800_000_000;

    fn whereabouts(device: u8, addresses: usize) -> Whereabouts {
        let address =
            |n| SocketAddr::from((std::net::Ipv6Addr::from_bits(0xfd00 << 112 | n as u128), 60_000));
        Whereabouts {
            device: DeviceId::new([device; 32]),
            at: NOW,
            addresses: (0..addresses).map(address).collect(),
        }
    }

    fn heard(names: &Names, bytes: &[u8]) -> Option<Whereabouts> {
        match decode(bytes).unwrap() {
            Packet::Announcement { service, token, sealed } => names.open(&service, &token, &sealed),
            Packet::Query(_) => None,
        }
    }

    #[test]
    fn members_recognise_each_other_even_if_their_clocks_differ() {
        let secret = [1; 32];
        let [ours, ..] = Names::around(&secret, NOW);
        let bytes = ours.announce(&whereabouts(7, 3));
        for now in [NOW, NOW - 3600, NOW + 3600, NOW - DAY, NOW + DAY] {
            let found = Names::around(&secret, now).iter().find_map(|names| heard(names, &bytes));
            assert_eq!(found, Some(whereabouts(7, 3)));
        }
        // What was recorded is worth nothing two days later, nor in another circle.
        for (secret, now) in [(secret, NOW + 2 * DAY), (secret, NOW - 2 * DAY), ([2; 32], NOW)] {
            assert_eq!(Names::around(&secret, now).iter().find_map(|names| heard(names, &bytes)), None);
        }
    }

    #[test]
    fn nothing_links_two_days_two_circles_or_two_devices() {
        // The same device and addresses, as an observer sees them in other periods and circles.
        let names = [Names::new(&[1; 32], 9), Names::new(&[1; 32], 10), Names::new(&[2; 32], 9)];
        let seen: Vec<_> = names.iter().map(|names| names.announce(&whereabouts(7, 3))).collect();
        // One that differs in everything.
        let none = apart(&Names::new(&[3; 32], 9).announce(&whereabouts(8, 0)));
        let seen_apart: Vec<_> = seen.iter().map(|one| apart(one)).collect();
        for (at, (shape, content)) in seen_apart.iter().enumerate() {
            assert_eq!(shape, &none.0, "shape and length are everybody's");
            for (_, other) in seen_apart.iter().skip(at + 1) {
                let shared = content.windows(4).find(|run| other.windows(4).any(|other| other == *run));
                assert_eq!(shared, None, "links two of them");
            }
        }
        // And even on one day the sealed part never looks the same twice.
        assert_ne!(names[0].announce(&whereabouts(7, 3)), seen[0]);
    }

    /// Takes a packet apart into its shape, with all that is derived or sealed blanked out, and just that.
    fn apart(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let Ok(Packet::Announcement { service, token, sealed }) = decode(bytes) else { panic!() };
        let (mut shape, mut content) = (bytes.to_vec(), Vec::new());
        let label = service.trim_start_matches('_').split('.').next().unwrap();
        for part in [label.as_bytes(), token.as_bytes(), &sealed[..255], &sealed[255..]] {
            let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
            shape[at..at + part.len()].fill(0);
            content.extend_from_slice(part);
        }
        (shape, content)
    }

    #[test]
    fn an_announcement_cannot_be_said_by_another_or_changed() {
        let names = Names::new(&[1; 32], 9);
        let bytes = names.announce(&whereabouts(7, 3));
        let Ok(Packet::Announcement { service, token, sealed }) = decode(&bytes) else { panic!() };
        assert!(names.open(&service, &token, &sealed).is_some());
        assert!(names.open(&service, &names.token(&DeviceId::new([8; 32])), &sealed).is_none());
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(names.open(&service, &token, &bad).is_none());
        }
    }

    #[test]
    fn names_are_as_the_specification_has_them() {
        // Computed from docs/spec/03-tunnel.md §9 by another program, with another library.
        let names = Names::new(&[1; 32], 20_833);
        assert_eq!(names.service(), "_uednhei5z5icdqe._udp.local");
        assert_eq!(names.token(&DeviceId::new([2; 32])), "lxm6otoxpbekyomr3cncghyh4v");
        assert_eq!(period(&[1; 32], NOW), 20_834);
    }

    #[test]
    fn circles_do_not_change_their_names_together() {
        let turns: std::collections::BTreeSet<_> = (0..20u8)
            .map(|circle| {
                (0..DAY).find(|s| period(&[circle; 32], NOW + s) != period(&[circle; 32], NOW)).unwrap()
            })
            .collect();
        assert!(turns.len() > 15);
    }
}
