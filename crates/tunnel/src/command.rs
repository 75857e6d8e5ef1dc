use std::{collections::BTreeSet, fmt, net::SocketAddr};

use tokio::sync::oneshot;
use wire::DeviceId;

use crate::{Class, LinkId, Snapshot, Stream, Willing};

/// What the engine tells the tunnel to do.
#[derive(Debug)]
pub enum Command {
    /// Replaces the set of devices that may have a link: the roster's live devices but this one.
    ///
    /// Links to devices outside it are closed at once, and they are neither dialled nor answered any more.
    Allow(BTreeSet<DeviceId>),
    /// Sets the invitations whose holders may knock, by their public keys; to all others the device is silent.
    Invitations(BTreeSet<[u8; 32]>),
    /// Adds addresses at which a device may be found, and dials it at once if it is allowed and has no link.
    Know {
        /// Whose addresses.
        device: DeviceId,
        /// The addresses, best last; of many the newest sixteen are kept.
        addresses: Vec<SocketAddr>,
    },
    /// Sends one encoded frame on a link, after all sent before it. Ignored if that link is no longer up.
    Send {
        /// The device at the other end.
        device: DeviceId,
        /// The link, from [`Event::Up`](crate::Event::Up).
        link: LinkId,
        /// The frame's bytes, at most [`wire::limits::FRAME`].
        frame: Vec<u8>,
    },
    /// Opens a stream beside a link's frames. There is no answer if that link is no longer up, or goes down before.
    Open {
        /// The device at the other end.
        device: DeviceId,
        /// The link, from [`Event::Up`](crate::Event::Up).
        link: LinkId,
        /// How urgent what this end writes is.
        class: Class,
        /// What it is for, at most [`wire::limits::OPENING`] bytes.
        opening: Vec<u8>,
        /// Takes the stream.
        answer: oneshot::Sender<Stream>,
    },
    /// Closes the link to a device, if it has one. It is dialled again after a pause while it is allowed.
    Close {
        /// The device.
        device: DeviceId,
        /// Why.
        reason: CloseReason,
    },
    /// Closes the link to a device that is to have none any more, after telling it why: what was queued for it is
    /// dropped but for what is being written, these frames go out, and the link ends when it has them or soon after.
    ///
    /// For this end the link is down at once. It is for [`Allow`](Self::Allow) to keep the device out.
    Part {
        /// The device at the other end.
        device: DeviceId,
        /// The link, from [`Event::Up`](crate::Event::Up).
        link: LinkId,
        /// The last frames.
        frames: Vec<Vec<u8>>,
    },
    /// Asks to be let in, as a newcomer: tries the hinted devices until one does.
    ///
    /// Ends in [`Event::Up`](crate::Event::Up) or [`Event::Refused`](crate::Event::Refused); until then
    /// devices that cannot be reached are tried again. A second one replaces the first; one without hints
    /// ends it.
    Knock {
        /// Devices that may let us in, and where they may be found.
        hints: Vec<(DeviceId, Vec<SocketAddr>)>,
        /// The proof that we were invited.
        knock: Knock,
    },
    /// Lets in the newcomer of an [`Event::Knocked`](crate::Event::Knocked), who must be
    /// [allowed](Self::Allow) by now; his link comes up if he is still there, and if not he may knock again.
    Welcome {
        /// The link he knocked on.
        link: LinkId,
    },
    /// Turns the newcomer away and closes the link he knocked on.
    Refuse {
        /// The link he knocked on.
        link: LinkId,
        /// What he is told.
        reason: RefuseReason,
    },
    /// Sets the rendezvous secrets, by which members find each other on the local network and the DHT.
    LanSecrets {
        /// The current one first, then the one before.
        secrets: Vec<[u8; 32]>,
        /// Since when the current one holds, in seconds since 1970, as whoever made it said.
        since: u64,
    },
    /// Replaces what this device is willing to forward for other members.
    Will(Willing),
    /// The machine's network changed: looks at addresses anew and dials without waiting.
    NetworkChanged,
    /// Asks for the state of all links.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Closes all links and stops.
    Shutdown,
}

/// A newcomer's proof that he was invited.
#[derive(Clone)]
pub struct Knock {
    /// The key that belongs to the invitation's secret.
    pub invitation: crypto::SigningKey,
    /// What the newcomer asks for, in the charter's encoding; at most [`wire::limits::CHARTER_ENTRY`] bytes.
    pub request: Vec<u8>,
}

impl fmt::Debug for Knock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Knock({} B)", self.request.len())
    }
}

/// Why the engine closes a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing is wrong; the device is dialled again after the first pause.
    Done,
    /// The other side broke the rules; it is dialled again after the longest pause.
    Misbehaved,
}

/// Why a newcomer is turned away, as far as he is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseReason {
    /// The invitation is not known here; he sees what every stranger sees.
    Unknown,
    /// The invitation is past its time.
    Expired,
    /// The invitation has been used.
    Used,
    /// The invitation was withdrawn.
    Revoked,
    /// What he asked for cannot be granted.
    Denied,
}
