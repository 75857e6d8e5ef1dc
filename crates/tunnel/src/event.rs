use std::{fmt, net::SocketAddr, ops::Deref};

use tokio::sync::OwnedSemaphorePermit;
use wire::DeviceId;

use crate::{MappingStatus, RefuseReason, Stream, dht::DhtStatus};

/// Names one link of this tunnel; never used again while the tunnel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(crate) u64);

impl LinkId {
    /// Makes a link's name, for whoever stands in for a tunnel in tests of the engine.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where the other side of a link is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// Its packets come straight from there.
    Address(SocketAddr),
    /// Its packets come straight from there, too, but in a TLS session over TCP.
    Tcp(SocketAddr),
    /// This device forwards its packets.
    Member(DeviceId),
}

impl Remote {
    /// Returns the address at which it can be dialled, if packets come straight from there.
    pub const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Tcp(_) | Self::Member(_) => None,
        }
    }

    /// Returns where packets come from that nobody forwards.
    pub const fn seen(self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) | Self::Tcp(address) => Some(address),
            Self::Member(_) => None,
        }
    }

    /// Returns the member who forwards, if one does.
    pub const fn member(self) -> Option<DeviceId> {
        match self {
            Self::Address(_) | Self::Tcp(_) => None,
            Self::Member(member) => Some(member),
        }
    }
}

/// What the tunnel tells the engine.
///
/// For one device the order is `Up`, `Frame`s, `Down`, `Up`…: never two links up at once.
#[derive(Debug)]
pub enum Event {
    /// The addresses at which this device listens, at start and whenever they change.
    Bound {
        /// Addresses that others may dial.
        addresses: Vec<SocketAddr>,
    },
    /// Something was done on the DHT.
    Dht {
        /// How the rendezvous stands.
        status: DhtStatus,
        /// Now and then: nodes that answered, at most sixty-four, to be kept for
        /// [`DhtConfig::remembered`](crate::dht::DhtConfig::remembered) at the next start.
        nodes: Option<Vec<SocketAddr>>,
    },
    /// The router was asked for a port, or there is another router, or none.
    Mapping(MappingStatus),
    /// A link is up: both ends have proved who they are, in this very session.
    Up {
        /// The device at the other end.
        device: DeviceId,
        /// The link.
        link: LinkId,
        /// Whether this side dialled.
        initiated: bool,
        /// Where the other side is seen.
        remote: Remote,
    },
    /// A frame came in. Nothing of it has been decoded.
    Frame {
        /// Who sent it.
        device: DeviceId,
        /// On which link.
        link: LinkId,
        /// Its bytes; dropping them lets the other side send as many more.
        bytes: Received,
    },
    /// A link that was up is gone, and what was queued on it too.
    Down {
        /// The device at the other end.
        device: DeviceId,
        /// The link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// A stranger proved that he holds an invitation's key, bound to this session and to his device's key.
    ///
    /// He waits for [`Command::Welcome`](crate::Command::Welcome) or `Refuse`, at most
    /// [`Timing::knock`](crate::Timing::knock).
    Knocked {
        /// The link, not up yet.
        link: LinkId,
        /// The stranger's device.
        device: DeviceId,
        /// The invitation's public key.
        invitation: [u8; 32],
        /// What he asks for, in the charter's encoding, undecoded.
        request: Vec<u8>,
    },
    /// The other side opened a stream beside the frames.
    Stream {
        /// The device at the other end.
        device: DeviceId,
        /// The link.
        link: LinkId,
        /// What it says the stream is for, undecoded.
        opening: Vec<u8>,
        /// The stream.
        stream: Stream,
    },
    /// This newcomer was turned away; the knock is over.
    Refused {
        /// What we were told.
        reason: RefuseReason,
    },
    /// A device could not be reached; it is tried again.
    Unreachable {
        /// The device.
        device: DeviceId,
        /// How many dials have failed in a row.
        attempts: u32,
        /// Why the last one failed, for people.
        error: String,
    },
}

/// Why a link went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// The other side closed it.
    Closed,
    /// The other side answers no more.
    Lost,
    /// The device is no longer allowed.
    NotAllowed,
    /// The other side says that this device is not allowed there.
    Refused,
    /// Another link to the same device takes its place.
    Replaced,
    /// The other side sent what is no frame.
    Garbage,
    /// More was queued than the other side took.
    Overrun,
    /// The engine closed it.
    ByEngine,
    /// The tunnel shuts down.
    Shutdown,
}

/// A received frame's bytes, which count against the link's share of memory until they are dropped.
pub struct Received {
    bytes: Vec<u8>,
    _credit: Option<OwnedSemaphorePermit>,
}

impl Received {
    pub(crate) fn new(bytes: Vec<u8>, credit: OwnedSemaphorePermit) -> Self {
        Self { bytes, _credit: Some(credit) }
    }

    /// Wraps bytes that came by another way than a link, for tests of the engine.
    pub fn detached(bytes: Vec<u8>) -> Self {
        Self { bytes, _credit: None }
    }
}

impl Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({} B)", self.bytes.len())
    }
}

/// Takes the tunnel's events, one after the other.
///
/// Called on the tunnel's runtime: it must not block, only hand over. Memory is bounded although the hand-over
/// may be an unbounded queue, since frames hold their link's credit until they are dropped.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event.
    fn deliver(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync + 'static> EventSink for F {
    fn deliver(&self, event: Event) {
        self(event);
    }
}
