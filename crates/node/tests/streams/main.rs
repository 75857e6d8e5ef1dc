//! Streams between whole nodes on real tunnels, over loopback.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

#[path = "../files/house.rs"]
#[allow(dead_code, reason = "shared with the tests of files")]
mod house;

mod ends;
mod flows;
mod grants;
mod kinds;
mod pressure;
mod scene;
