//! Paths through members, as iroh sees them.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll},
};

use iroh::endpoint::transports::{CustomEndpoint, CustomSender, CustomTransport, RecvInfo, Transmit};
use iroh_base::CustomAddr;
use noq_udp::RecvMeta;
use wire::DeviceId;

use super::Forwarding;

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

/// Gives iroh its side of the forwarding.
#[derive(Debug)]
pub(crate) struct Members(pub(crate) Arc<Forwarding>);

impl CustomTransport for Members {
    fn bind(&self) -> io::Result<Box<dyn CustomEndpoint>> {
        let nowhere = n0_watcher::Watchable::new(Vec::new());
        Ok(Box::new(Endpoint { forwarding: self.0.clone(), nowhere }))
    }
}

#[derive(Debug)]
struct Endpoint {
    forwarding: Arc<Forwarding>,
    /// A path through a member is no address that others could dial.
    nowhere: n0_watcher::Watchable<Vec<CustomAddr>>,
}

impl CustomEndpoint for Endpoint {
    fn watch_local_addrs(&self) -> n0_watcher::Direct<Vec<CustomAddr>> {
        self.nowhere.watch()
    }

    fn create_sender(&self) -> Arc<dyn CustomSender> {
        Arc::new(Sender(self.forwarding.clone()))
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
        metas: &mut [RecvMeta],
        recv_infos: &mut [RecvInfo],
    ) -> Poll<io::Result<usize>> {
        let room = bufs.iter().map(|buf| buf.len()).min().unwrap_or(0);
        let most = bufs.len().min(metas.len()).min(recv_infos.len());
        let mut slots = bufs.iter_mut().zip(metas).zip(recv_infos);
        let mut filled = 0;
        let outcome = self.forwarding.poll_arrived(cx, most, room, |through, packet| {
            let Some(((buf, meta), info)) = slots.next() else { return };
            let Some(room) = buf.get_mut(..packet.len()) else { return };
            room.copy_from_slice(packet);
            *meta = RecvMeta::default();
            (meta.len, meta.stride) = (packet.len(), packet.len());
            *info = RecvInfo::new(through.address(), None);
            filled += 1;
        });
        outcome.map(|()| Ok(filled))
    }

    fn max_transmit_segments(&self) -> NonZeroUsize {
        // iroh sends no larger batches on any path than the least of all transports takes.
        NonZeroUsize::new(64).expect("64 is not zero")
    }
}

#[derive(Debug)]
struct Sender(Arc<Forwarding>);

impl CustomSender for Sender {
    fn is_valid_send_addr(&self, address: &CustomAddr) -> bool {
        address.id() == CHANNEL
    }

    fn poll_send(
        &self,
        _: &mut Context<'_>,
        to: &CustomAddr,
        _: Option<&CustomAddr>,
        transmit: &Transmit<'_>,
    ) -> Poll<io::Result<()>> {
        // What cannot be sent is lost, as on any network; QUIC sends it again.
        if let Some(through) = Through::read(to) {
            self.0.send(through, transmit.contents, transmit.segment_size);
        }
        Poll::Ready(Ok(()))
    }
}

/// Tells iroh's custom transports apart; there is one.
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
