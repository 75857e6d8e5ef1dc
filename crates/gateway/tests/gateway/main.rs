//! The door and its client, over a real socket, with a real node behind.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail as tests do")]

mod api;
mod closed;
mod door;
mod house;
mod openapi;
mod typescript;
mod web;
