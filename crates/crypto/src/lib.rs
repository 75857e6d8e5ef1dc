//! The one door to cryptography: hashes, signatures, key derivation, sealing and randomness.
//!
//! Every primitive comes from AWS-LC through `aws-lc-rs`, so that one provider can be examined, replaced or
//! swapped for its FIPS-validated build; a change of coordinates of public keys, which it lacks, comes from
//! `curve25519-dalek`. Nothing here is of our own making; the module only fixes sizes,
//! domain separation and key hygiene. Rooms that must stay deterministic call the functions that take a
//! seed or a message and leave [`Entropy`] to whoever owns the shell.
//!
//! # Sources
//! SHA-256, SHA-1: FIPS 180-4 · HMAC: RFC 2104 · HKDF: RFC 5869 · PBKDF2: RFC 8018 · Ed25519: RFC 8032 · X25519: RFC 7748 · AES-256-GCM: NIST SP 800-38D.

#![warn(missing_docs)]

mod agree;
mod entropy;
mod foreign;
mod hash;
mod seal;
mod sequence;
mod sign;
mod stretch;

pub use agree::agree_static;
pub use entropy::{Entropy, OsEntropy};
pub use foreign::{danger_sha1, danger_verify_bare};
pub use hash::{Hasher, derive_key, hash, is_tag, mac};
pub use seal::{SealError, SealingKey};
pub use sequence::SequenceKey;
pub use sign::{SignatureError, SigningKey, verify};
pub use stretch::stretch_pbkdf2;
