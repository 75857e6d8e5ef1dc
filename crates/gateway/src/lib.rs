//! Opens a node's API to other programs of the same person: HTTP and JSON on a Unix socket in the home folder and, with
//! the page, on a loopback port.
//!
//! [`Door`] is the serving side, [`WebDoor`] its loopback port behind a gate, [`client::Client`] the asking one; all speak
//! the types of [`node::api`], and [`openapi`] describes what goes between them. Every front end comes through here: the
//! page, the command line, the full-screen chat, scripts.
//!
//! # The invariant
//! Only processes of the user who owns the home folder get an answer, on the loopback port only those with a session or a
//! token, and none of them can stop another from getting one: connections, requests, listeners, bodies and waiting times
//! are all bounded (see [`Door`]).
//!
//! # Specification
//! `docs/spec/07-api.md`, `docs/openapi.json`.

#![warn(missing_docs)]

pub mod client;
mod door;
mod events;
mod extract;
mod passphrase;
mod refusal;
mod routes;
mod web;

pub use door::{Door, DoorError, Ended, socket_path};
pub use passphrase::{Passphrase, Vault};
pub use routes::openapi;
pub use web::{WebDoor, WebError};
