//! Real endpoints on the loopback interface, each with a runtime and a thread of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that does not hold should say where"
)]

mod bystander;
mod dht;
mod forwarding;
mod harness;
mod links;
mod mallory;
mod newcomers;
mod pressure;
mod stranger;
mod strangers;
mod streams;
mod tcp;
