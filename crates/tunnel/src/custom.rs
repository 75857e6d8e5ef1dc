//! Ways for packets that iroh does not know, each as one more transport of iroh's.

use std::{
    fmt, io,
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use iroh::endpoint::transports::{CustomEndpoint, CustomSender, CustomTransport, RecvInfo, Transmit};
use iroh_base::CustomAddr;
use noq_udp::RecvMeta;

/// Carries packets to and from addresses of its own, which never leave this process.
pub(crate) trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// What the ids of its addresses are: it tells iroh's custom transports apart.
    fn channel(&self) -> u64;

    /// Sends packets, `segment` bytes each but the last. What cannot be sent is lost, as on any network; QUIC sends it
    /// again.
    fn send(&self, to: &CustomAddr, contents: &[u8], segment: Option<usize>);

    /// Gives at most `most` packets that came, none larger than `room`.
    fn poll_arrived(
        &self,
        cx: &Context<'_>,
        most: usize,
        room: usize,
        give: &mut dyn FnMut(CustomAddr, &[u8]),
    ) -> Poll<()>;
}

/// Gives iroh its side of a carrier.
#[derive(Debug)]
pub(crate) struct Custom(pub(crate) Arc<dyn Carrier>);

impl CustomTransport for Custom {
    fn bind(&self) -> io::Result<Box<dyn CustomEndpoint>> {
        let nowhere = n0_watcher::Watchable::new(Vec::new());
        Ok(Box::new(Endpoint { carrier: self.0.clone(), nowhere }))
    }
}

#[derive(Debug)]
struct Endpoint {
    carrier: Arc<dyn Carrier>,
    /// None of its addresses is one that others could dial.
    nowhere: n0_watcher::Watchable<Vec<CustomAddr>>,
}

impl CustomEndpoint for Endpoint {
    fn watch_local_addrs(&self) -> n0_watcher::Direct<Vec<CustomAddr>> {
        self.nowhere.watch()
    }

    fn create_sender(&self) -> Arc<dyn CustomSender> {
        Arc::new(Sender(self.carrier.clone()))
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
        let outcome = self.carrier.poll_arrived(cx, most, room, &mut |from, packet| {
            let Some(((buf, meta), info)) = slots.next() else { return };
            let Some(room) = buf.get_mut(..packet.len()) else { return };
            room.copy_from_slice(packet);
            *meta = RecvMeta::default();
            (meta.len, meta.stride) = (packet.len(), packet.len());
            *info = RecvInfo::new(from, None);
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
struct Sender(Arc<dyn Carrier>);

impl CustomSender for Sender {
    fn is_valid_send_addr(&self, address: &CustomAddr) -> bool {
        address.id() == self.0.channel()
    }

    fn poll_send(
        &self,
        _: &mut Context<'_>,
        to: &CustomAddr,
        _: Option<&CustomAddr>,
        transmit: &Transmit<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.send(to, transmit.contents, transmit.segment_size);
        Poll::Ready(Ok(()))
    }
}

/// Cuts what is sent at once into its packets.
pub(crate) fn cut(contents: &[u8], segment: Option<usize>) -> impl Iterator<Item = Bytes> {
    let mut rest = Bytes::copy_from_slice(contents);
    let size = segment.unwrap_or(contents.len()).max(1);
    std::iter::from_fn(move || (!rest.is_empty()).then(|| rest.split_to(size.min(rest.len()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_at_once_is_cut_into_its_packets() {
        let sizes = |segment| cut(&[7; 3000], segment).map(|packet| packet.len()).collect::<Vec<_>>();
        assert_eq!(sizes(Some(1200)), [1200, 1200, 600]);
        assert_eq!((sizes(None), sizes(Some(3000))), (vec![3000], vec![3000]));
        assert_eq!(sizes(Some(0)).len(), 3000, "whatever iroh says, it ends");
        assert_eq!(cut(&[], None).count(), 0);
    }
}
