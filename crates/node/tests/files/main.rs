//! Files between whole nodes on real tunnels, over loopback.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

mod house;
mod offers;
mod refusals;
