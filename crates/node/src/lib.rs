//! One running device: the engine, delivery and the API every front end uses.
//!
//! [`Node`] is the handle that front ends hold: every method is one request, answered when what it did is
//! durable. Behind it stand the [`engine`], which owns the vault and decides everything, one turn at a time, and the
//! tunnels (one per circle), joined by a queue in each direction. The engine has a thread of its own; while that
//! rests, a short turn runs on the thread that brings the work (decision 0020).
//!
//! # The invariant
//! Nothing is sent, acknowledged or shown that is not stored: an engine's turn commits first, and only then
//! are its frames sent, its requests answered and its events published. Of receipts one thing is weaker: that a message
//! is stored on another device is shown when that device says so, and kept here up to 250 ms later; a crash between
//! forgets it until the next link, when it is said again.
//!
//! # Specification
//! `docs/spec/06-delivery.md`, `docs/spec/07-api.md` · threats: `docs/threat-model.md`

pub mod api;
mod early;
mod emoji;
pub mod engine;
mod error;
pub mod files;
mod node;
pub mod owner;
mod pump;
mod selfcheck;
mod shell;
pub mod streams;
mod words;

pub use engine::{Dht, Setup};
pub use node::Node;
pub use pump::Pump;
pub use tunnel::Willing;
pub use words::words;
