//! Fixes what bytes mean: ids, names, the canonical encoding, the frames between devices, and every limit.
//!
//! Pure: no I/O, clock or randomness. All other rooms speak in these types. Bytes that arrive are decoded
//! here, against the bounds in [`limits`], before any room looks at them; whatever does not decode exactly is
//! refused with what was expected and what was found.
//!
//! # The invariant
//! `decode(encode(x)) == x`, and for signed things `encode(decode(b)) == b`: one value has one encoding, so an
//! id (the hash of the bytes) names one value.
//!
//! # Specification
//! `docs/spec/01-wire.md`. The encoding is [postcard](https://postcard.jamesmunns.com/wire-format) 1.0.

#![warn(missing_docs)]

mod address;
mod blob;
pub mod bounded;
mod codec;
mod frame;
mod id;
pub mod limits;
mod name;
mod opening;
mod word;

pub use address::Scope;
pub use blob::{Blob, Signature};
pub use codec::{DecodeError, decode, decode_canonical, decode_start, encode};
pub use frame::{
    ChainHead, ConversationFrontier, DeviceAddresses, EntryBody, EntryPlace, Frame, RawEntry, Receipt, Run,
};
pub use id::{ActId, CircleId, ConversationId, DeviceId, EntryId, FileId, IdError, MemberId, MessageId};
pub use name::{Name, NameError, is_unsafe_in_names};
pub use opening::{Flow, FlowKind, Opening};
pub use word::{Word, WordError};
