//! The program as people and scripts see it: real processes, each device with a home of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod bad_input;
mod circle;
mod device;
mod errors;
mod files;
mod help;
mod node;
mod recovery;
mod stream;
mod talk;
