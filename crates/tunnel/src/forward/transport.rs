//! Paths through members, as iroh sees them.

use std::{
    net::{IpAddr, Ipv6Addr},
    task::{Context, Poll},
};

use iroh_base::CustomAddr;
use wire::DeviceId;

use super::Forwarding;
use crate::custom::Carrier;

/// A path to `peer` that leads through `member`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Through {
    pub(crate) member: DeviceId,
    pub(crate) peer: DeviceId,
}

impl Through {
    /// Writes the path as iroh names it. Such an address never leaves this process.
    pub(crate) fn address(&self) -> CustomAddr {
        let mut data = [0; 64];
        let (member, peer) = data.split_at_mut(32);
        member.copy_from_slice(self.member.as_bytes());
        peer.copy_from_slice(self.peer.as_bytes());
        CustomAddr::from_parts(CHANNEL, &data)
    }

    /// Says whom the packets of such a path count for where sources are counted: the member and, behind him, the
    /// peer. The block fc00::/8 is nobody's (RFC 4193 §3.2).
    pub(crate) fn source(&self) -> IpAddr {
        let part = |device: &DeviceId, from| device.as_bytes().iter().skip(from).take(8).copied().collect();
        let (member, peer): (Vec<u8>, Vec<u8>) = (part(&self.member, 0), part(&self.peer, 0));
        let mut octets = [0; 16];
        for (to, from) in octets.iter_mut().zip(member.iter().chain(&peer)) {
            *to = *from;
        }
        let [first, ..] = &mut octets;
        *first = 0xfc;
        IpAddr::V6(Ipv6Addr::from(octets))
    }

    /// Reads what [`Self::address`] wrote.
    pub(crate) fn read(address: &CustomAddr) -> Option<Self> {
        let (member, peer) = address.data().split_first_chunk::<32>()?;
        (address.id() == CHANNEL)
            .then_some(Self { member: DeviceId::new(*member), peer: DeviceId::new(peer.try_into().ok()?) })
    }
}

impl Carrier for Forwarding {
    fn channel(&self) -> u64 {
        CHANNEL
    }

    fn send(&self, to: &CustomAddr, contents: &[u8], segment: Option<usize>) {
        if let Some(through) = Through::read(to) {
            self.send(through, contents, segment);
        }
    }

    fn poll_arrived(
        &self,
        cx: &Context<'_>,
        most: usize,
        room: usize,
        give: &mut dyn FnMut(CustomAddr, &[u8]),
    ) -> Poll<()> {
        self.poll_arrived(cx, most, room, |through, packet| give(through.address(), packet))
    }
}

/// Tells iroh's custom transports apart; the other one leads over TCP.
const CHANNEL: u64 = 0x6865_786f_6465;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_both_devices_and_nothing_else_is_one() {
        let through = Through { member: DeviceId::new([1; 32]), peer: DeviceId::new([2; 32]) };
        assert_eq!(Through::read(&through.address()), Some(through));
        assert_eq!(Through::read(&CustomAddr::from_parts(CHANNEL, &[1; 63])), None);
        assert_eq!(Through::read(&CustomAddr::from_parts(CHANNEL, &[1; 65])), None);
        assert_eq!(Through::read(&CustomAddr::from_parts(7, &[1; 64])), None);
    }
}
