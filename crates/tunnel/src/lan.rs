//! Finding members on the local network under names that only members recognise.
//!
//! What goes over the wire is multicast DNS (RFC 6762) as any printer speaks it. The names in it are derived from
//! the circle's rendezvous secret and the period, the addresses are sealed under the same: who lacks the secret can
//! link neither two periods nor two circles by anything inside a packet.
//!
//! # Specification
//! `docs/spec/03-tunnel.md#discovery-on-the-local-network` · decision 0005

mod beacon;
mod packet;
mod secret;
mod socket;

pub(crate) use beacon::Beacon;
pub use packet::{LanError, Packet, decode};
pub(crate) use packet::{announcement, query};
