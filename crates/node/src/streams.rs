//! Carries out what the engine decides about streams: joins flows with what they are for, and moves their bytes.
//!
//! Beside the engine's thread, so that no byte waits for a turn. What is offered to whom stands in the crate `streams` and is kept by
//! the engine, which is asked once for each flow; whoever listens here opens flows without it.

mod datagrams;
mod desk;
mod ends;
mod flow;
mod listening;
mod local;
mod serving;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use streams::{Offer, Reason, Rules};
use tokio::{runtime::Handle, sync::broadcast};
use tunnel::{LinkId, Stream, Tunnel};
use wire::{CircleId, DeviceId, Flow, MemberId, Word};

use crate::api;

pub(crate) use desk::Desk;
pub(crate) use ends::{End, Hears};
pub(crate) use listening::{Listen, Listening, Purpose, listen};

/// What the engine wants done about streams.
pub enum Command {
    /// The vault is open.
    Open,
    /// The vault is closed: everything ends, and no key stays.
    Close,
    /// This is how it stands in a circle: what is against it ends at once.
    Stand {
        /// The circle.
        circle: CircleId,
        /// How it stands.
        stand: Stand,
    },
    /// A device may open this flow: join it.
    Serve {
        /// The circle.
        circle: CircleId,
        /// Whose flow it is.
        device: DeviceId,
        /// What it says the flow is for.
        flow: Flow,
        /// With what it is joined.
        offer: Offer,
        /// Whether a program waits for this one flow.
        once: bool,
        /// On what.
        stream: Stream,
    },
    /// A device may not open this flow: say so.
    Refuse {
        /// The circle.
        circle: CircleId,
        /// Whose flow it is.
        device: DeviceId,
        /// What it says the flow is for.
        flow: Flow,
        /// Why not.
        reason: Reason,
        /// On what.
        stream: Stream,
    },
}

/// Which flows there may be in a circle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stand {
    /// The rules of this device.
    pub rules: Rules,
    /// The devices with a link, and whose they are.
    pub links: BTreeMap<DeviceId, (LinkId, MemberId)>,
    /// What is offered, and to which of those devices.
    pub offers: BTreeMap<Word, BTreeSet<DeviceId>>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Close => "Close",
            Self::Stand { .. } => "Stand",
            Self::Serve { .. } => "Serve",
            Self::Refuse { .. } => "Refuse",
        })
    }
}

impl Command {
    /// Returns the circle it is about, if it is about one.
    pub(crate) fn circle(&self) -> Option<CircleId> {
        match self {
            Self::Open | Self::Close => None,
            Self::Stand { circle, .. } | Self::Serve { circle, .. } | Self::Refuse { circle, .. } => {
                Some(*circle)
            }
        }
    }
}

/// All that runs for streams, as the engine's shell sees it.
pub(crate) struct StreamsShell {
    runtime: Handle,
    desk: Desk,
}

impl StreamsShell {
    pub(crate) fn new(runtime: Handle, desk: Desk) -> Self {
        Self { runtime, desk }
    }

    /// Carries out a command; `tunnel` is that of its circle, if one runs.
    pub(crate) fn carry_out(&self, command: Command, tunnel: Option<Tunnel>) {
        match command {
            Command::Open => self.desk.open(),
            Command::Close => drop(self.desk.close()),
            Command::Stand { circle, stand } => self.desk.stand(circle, stand, tunnel),
            Command::Serve { circle, device, flow, offer, once, stream } => {
                let Some(post) = self.desk.post() else { return };
                self.runtime.spawn(serving::serve(post, (circle, device), flow, (offer, once), stream));
            }
            Command::Refuse { circle, device, flow, reason, stream } => {
                let Some(post) = self.desk.post() else { return };
                post.note_refusal((circle, device), &flow, reason, false);
                self.runtime.spawn(serving::refuse(post, circle, flow, reason, stream));
            }
        }
    }

    /// Takes note that a circle's tunnel runs.
    pub(crate) fn started(&self, circle: &CircleId, tunnel: &Tunnel) {
        self.desk.set_tunnel(circle, tunnel);
    }

    /// Ends everything; what is returned is over when no key is in memory any more.
    pub(crate) fn close(&self) -> impl Future<Output = ()> + Send + 'static {
        self.desk.close()
    }
}

/// Lets this process have as many connections as it may by the system's word, for the many that flows need: two for each flow.
///
/// For the binary to call once. What the system refuses stays as it is.
pub fn allow_connections() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}

/// Tells front ends that streams are not what they were.
pub(crate) fn publish(events: &broadcast::Sender<api::Event>, circle: CircleId) {
    // An error says only that nobody listens.
    let _ = events.send(api::Event::Streams { circle });
}
