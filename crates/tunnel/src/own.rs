//! Where this device is seen from outside, as members tell. Decides only; no I/O, no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use wire::DeviceId;

/// What the members at the other ends of links say of this device's own address.
#[derive(Debug, Default)]
pub(crate) struct Witnesses {
    said: BTreeMap<DeviceId, SocketAddr>,
}

impl Witnesses {
    /// Takes note of where a member sees this device.
    pub(crate) fn hear(&mut self, member: DeviceId, address: SocketAddr) {
        self.said.insert(member, address);
    }

    /// Forgets what a member said whose link is gone.
    pub(crate) fn forget(&mut self, member: &DeviceId) {
        self.said.remove(member);
    }

    /// Returns the addresses to tell others besides `local`, those at which this device listens.
    ///
    /// What two members agree on comes first. A single one is believed too, for he may be the only one who can
    /// tell, but only of few addresses: a lie makes others knock there until they have learnt better.
    pub(crate) fn believed(&self, local: &[SocketAddr]) -> BTreeSet<SocketAddr> {
        let loopback = local.iter().any(|own| own.ip().is_loopback());
        let mut count: BTreeMap<SocketAddr, u32> = BTreeMap::new();
        for address in self.said.values() {
            if is_a_device(address, loopback) && !local.contains(address) {
                *count.entry(*address).or_default() += 1;
            }
        }
        let agreed = count.iter().filter(|(_, witnesses)| **witnesses > 1).take(AGREED);
        let single = count.iter().filter(|(_, witnesses)| **witnesses == 1).take(SINGLE);
        agreed.chain(single).map(|(address, _)| *address).collect()
    }
}

/// Tells whether an address can be one device's.
fn is_a_device(address: &SocketAddr, loopback: bool) -> bool {
    let one = match address.ip().to_canonical() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local(),
    };
    one && address.port() != 0 && (loopback || !address.ip().is_loopback())
}

/// How many addresses are told on which two members agree.
const AGREED: usize = 4;
/// How many are told on one member's word.
const SINGLE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn member(n: u8) -> DeviceId {
        DeviceId::new([n; 32])
    }

    #[test]
    fn what_two_agree_on_is_told_and_one_liar_adds_little() {
        let mut witnesses = Witnesses::default();
        let local = [at("192.168.1.5:4000")];
        witnesses.hear(member(1), at("192.0.2.1:7000"));
        assert_eq!(
            witnesses.believed(&local),
            BTreeSet::from([at("192.0.2.1:7000")]),
            "the only one there is"
        );
        witnesses.hear(member(2), at("192.0.2.1:7000"));
        for liar in 3..20 {
            witnesses.hear(member(liar), at(&format!("198.51.100.{liar}:1")));
        }
        let believed = witnesses.believed(&local);
        assert!(believed.contains(&at("192.0.2.1:7000")) && believed.len() == 1 + SINGLE);
        witnesses.hear(member(1), at("192.0.2.1:7001"));
        witnesses.hear(member(2), at("192.0.2.1:7001"));
        let moved = witnesses.believed(&local);
        assert!(moved.contains(&at("192.0.2.1:7001")) && !moved.contains(&at("192.0.2.1:7000")));
        for gone in 1..20 {
            witnesses.forget(&member(gone));
        }
        assert!(witnesses.believed(&local).is_empty());
    }

    #[test]
    fn what_is_no_devices_address_or_known_anyway_is_not_told() {
        let mut witnesses = Witnesses::default();
        let local = [at("192.168.1.5:4000"), at("[2001:db8::1]:4000")];
        for (n, no) in [
            "192.168.1.5:4000",
            "[2001:db8::1]:4000",
            "0.0.0.0:9",
            "224.0.0.251:5353",
            "255.255.255.255:9",
            "127.0.0.1:9",
            "192.0.2.1:0",
            "[ff02::fb]:5353",
            "[fe80::1]:9",
            "[::]:9",
        ]
        .into_iter()
        .enumerate()
        {
            witnesses.hear(member(n as u8), at(no));
            assert!(witnesses.believed(&local).is_empty(), "{no}");
        }
    }
}
