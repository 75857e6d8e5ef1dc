//! Lanes, as iroh sees them.

use std::{
    io,
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll},
};

use iroh::endpoint::transports::{CustomEndpoint, CustomSender, CustomTransport, RecvInfo, Transmit};
use iroh_base::CustomAddr;
use noq_udp::RecvMeta;
use wire::DeviceId;

use super::{End, Tcp};

impl End {
    /// Writes the end as iroh names it. Such an address never leaves this process.
    pub(crate) fn address(&self) -> CustomAddr {
        let (side, key) = match self {
            Self::To(device) => (TO, device.as_bytes()),
            Self::From(key) => (FROM, key),
        };
        CustomAddr::from_parts(CHANNEL, &[&[side][..], key].concat())
    }

    /// Reads what [`Self::address`] wrote.
    pub(crate) fn read(address: &CustomAddr) -> Option<Self> {
        let (side, key) = address.data().split_first()?;
        let key = <[u8; 32]>::try_from(key).ok()?;
        match *side {
            _ if address.id() != CHANNEL => None,
            TO => Some(Self::To(DeviceId::new(key))),
            FROM => Some(Self::From(key)),
            _ => None,
        }
    }
}

/// Gives iroh its side of the lanes.
#[derive(Debug)]
pub(crate) struct Lanes(pub(crate) Arc<Tcp>);

impl CustomTransport for Lanes {
    fn bind(&self) -> io::Result<Box<dyn CustomEndpoint>> {
        let nowhere = n0_watcher::Watchable::new(Vec::new());
        Ok(Box::new(Endpoint { tcp: self.0.clone(), nowhere }))
    }
}

#[derive(Debug)]
struct Endpoint {
    tcp: Arc<Tcp>,
    /// A lane's end is no address that others could dial.
    nowhere: n0_watcher::Watchable<Vec<CustomAddr>>,
}

impl CustomEndpoint for Endpoint {
    fn watch_local_addrs(&self) -> n0_watcher::Direct<Vec<CustomAddr>> {
        self.nowhere.watch()
    }

    fn create_sender(&self) -> Arc<dyn CustomSender> {
        Arc::new(Sender(self.tcp.clone()))
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
        let outcome = self.tcp.poll_arrived(cx, most, room, |end, packet| {
            let Some(((buf, meta), info)) = slots.next() else { return };
            let Some(room) = buf.get_mut(..packet.len()) else { return };
            room.copy_from_slice(packet);
            *meta = RecvMeta::default();
            (meta.len, meta.stride) = (packet.len(), packet.len());
            *info = RecvInfo::new(end.address(), None);
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
struct Sender(Arc<Tcp>);

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
        if let Some(end) = End::read(to) {
            self.0.send(end, transmit.contents, transmit.segment_size);
        }
        Poll::Ready(Ok(()))
    }
}

/// Tells iroh's custom transports apart; the other one leads through members.
const CHANNEL: u64 = 0x6865_786f_7463;
const TO: u8 = 0;
const FROM: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_end_and_nothing_else_is_one() {
        for end in [End::To(DeviceId::new([3; 32])), End::From([3; 32])] {
            assert_eq!(End::read(&end.address()), Some(end));
            assert_eq!(crate::forward::Through::read(&end.address()), None);
        }
        for no in [&[0; 32][..], &[0; 34], &[2; 33], &[]] {
            assert_eq!(End::read(&CustomAddr::from_parts(CHANNEL, no)), None);
        }
        assert_eq!(End::read(&CustomAddr::from_parts(7, &[0; 33])), None);
    }
}
