//! Whole nodes in one process, on virtual links and a virtual clock.
//!
//! A [`World`] runs the real engines over real vaults; only what lies below a tunnel's queue is virtual: links
//! with latency, loss, and cuts, each seeded, so that a scene runs the same every time. Loss and reordering of
//! packets show above a tunnel as what QUIC makes of them: frames come late, in order on each link, and not at
//! all once a link is down. What iroh itself does under loss is tested in the crate `tunnel`, on real sockets.
//!
//! ```
//! # use hexode_testnet::World;
//! let mut world = World::new(1);
//! let [ann, ben] = world.circle(["Ann", "Ben"]);
//! world.send(ann, "Ben", "Hello Ben");
//! world.settle();
//! assert_eq!(world.screen(ben, "Ann"), "Ann: Hello Ben\n");
//! ```

mod entropy;
mod forger;
mod network;
mod world;

pub use entropy::Seeded;
pub use forger::Forger;
pub use network::{Sent, Weather};
pub use world::{Person, World, line};
