//! SQLCipher on AWS-LC: the one room where `unsafe` is allowed, kept to what `vault` can't do without.
//!
//! The build script compiles SQLCipher's amalgamation; `provider` lends it AES-256-CBC, HMAC-SHA-512, PBKDF2 and
//! randomness from the AWS-LC that everything else uses. No OpenSSL is looked for, linked or needed. To everyone
//! above, this is [`rusqlite`] plus [`unlock`] and [`system_error`].
//!
//! # The invariant
//! Every page that SQLCipher writes was encrypted and authenticated by AWS-LC, or the write failed.
//!
//! # Decision
//! `docs/decisions/0004-sqlcipher-on-aws-lc.md`

#![warn(missing_docs)]

mod key;
mod provider;
#[cfg(test)]
mod tests;

pub use key::{system_error, unlock};
pub use rusqlite;
