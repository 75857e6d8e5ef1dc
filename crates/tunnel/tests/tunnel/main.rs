//! Real endpoints on the loopback interface, each with a runtime and a thread of its own.

mod harness;
mod links;
mod newcomers;
mod pressure;
mod stranger;
mod strangers;
