//! The protected connection between two devices of a circle.
//!
//! One iroh endpoint per circle, seen by the node's engine through a plain queue: [`Command`]s go in through
//! [`Tunnel::send`], [`Event`]s come out through an [`EventSink`]. Everything runs on the tokio runtime on
//! which [`Tunnel::start`] is awaited; one current-thread runtime is enough and the fastest. The engine itself
//! may be any thread.
//!
//! # The invariant
//! No byte of a stranger reaches the engine: a link comes up only between devices which the roster allows, or
//! after a newcomer proved that he holds an invitation's key; each end has then signed this very TLS session
//! with its device's key, and the session's keys were agreed with X25519MLKEM768.
//!
//! # The loop
//! 1. `Tunnel::start(config, sink)`, then `Allow`, `Know` and `LanSecrets` from what the vault holds.
//! 2. `Up` → `Send` on that link until its `Down`. Frames queued on a link that went down are gone: what was
//!    not acknowledged is sent again on the next link.
//! 3. `Frame` → handle its bytes, then drop them: only then may the other side send more.
//!
//! # Specification
//! `docs/spec/03-tunnel.md` · decisions 0003 (iroh) and 0005 (LAN discovery).

#![warn(missing_docs)]

mod accept;
mod command;
mod config;
mod contact;
mod custom;
pub mod dht;
mod dial;
mod doorway;
mod endpoint;
mod event;
mod forward;
mod framing;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod greet;
mod hearings;
mod hello;
mod initial;
mod knock;
pub mod lan;
mod link;
mod mapping;
mod outbox;
mod own;
mod pass;
mod pulse;
mod shell;
mod status;
mod stream;
mod tcp;
mod tls;
mod transport;
mod tunnel;
mod whereabouts;

pub use command::{CloseReason, Command, Knock, RefuseReason};
pub use config::{BindError, Config, LanConfig, Timing};
pub use event::{DownReason, Event, EventSink, LinkId, Received, Remote};
pub use forward::Willing;
pub use mapping::{Mapped, MappingStatus, Means};
pub use status::{
    BlamedStatus, ChannelClass, Fault, ForwardedStatus, LinkStatus, PathStatus, Snapshot, UnreachableStatus,
};
pub use stream::{Broken, Class, Inlet, Outlet, Session, Stream};
pub use tls::key_exchange_groups;
pub use tunnel::Tunnel;
