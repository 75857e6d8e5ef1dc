//! The door and its client, over a real socket, with a real node behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod api;
mod door;
mod house;
mod openapi;
