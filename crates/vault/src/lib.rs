//! Everything a device keeps, encrypted at rest.
//!
//! One [`Vault`] is one folder: a small header with the master key wrapped under a passphrase, and a SQLCipher
//! database. All SQL of the workspace is in this crate; others see plain records. `node` owns the open vault: it
//! reads through [`Vault`] and writes through a [`Turn`], one for each turn of its loop.
//!
//! # The invariant
//! Nothing readable touches the disk, and a turn is stored whole or not at all: when [`Turn::commit`] returns, all of
//! it survives a loss of power; when anything fails before, none of it was written.
//!
//! # Example
//! ```
//! # let dir = tempfile::tempdir()?;
//! use vault::{Kdf, Options, Passphrase, Vault};
//! # use hexode_vault as vault;
//!
//! let passphrase = Passphrase::new("correct horse battery staple");
//! # let options = Options { kdf: Some(Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 }), ..Options::default() };
//! let mut vault = Vault::create(dir.path(), &passphrase, options)?;
//! let mut turn = vault.begin()?;
//! turn.set_setting("colour", b"blue")?;
//! turn.commit()?;
//! vault.close()?;
//!
//! let vault = Vault::open(dir.path(), &passphrase, Options::default())?;
//! assert_eq!(vault.setting("colour")?.as_deref(), Some(&b"blue"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Specification
//! `docs/spec/04-vault.md` · the schema: `src/schema`

#![warn(missing_docs)]

mod change;
mod charter;
mod chunks;
mod circle;
mod conversation;
mod device;
mod draft;
mod entry;
mod error;
mod file;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod guard;
mod harden;
mod header;
mod invitation;
mod kdf;
mod passphrase;
mod receipt;
mod row;
mod schema;
mod search;
mod setting;
mod share;
mod timeline;
mod turn;
mod vault;

#[cfg(test)]
mod tests;

pub use change::Lacking;
pub use charter::{CharterEntries, CharterRecord};
pub use chunks::{ChunkFile, ChunkStore};
pub use circle::{CircleRecord, CircleState, NewCircle, RendezvousRecord};
pub use conversation::ConversationRecord;
pub use device::{AddressRecord, AddressSource, VerificationMethod, VerificationRecord};
pub use draft::DraftRecord;
pub use entry::{Appended, EntryKind, EntryRecord, ForkRecord, Gone, Head};
pub use error::{CreateError, OpenError, Part, StoreError, WipeError};
pub use file::{FilePlace, FileRecord, FileState};
pub use guard::{Tries, Unlocked};
pub use harden::harden_process;
pub use invitation::IssuedInvitation;
pub use kdf::Kdf;
pub use passphrase::{Passphrase, WeakPassphrase};
pub use receipt::ReceiptRecord;
pub use row::{CircleRow, ConversationRow};
pub use search::{Hit, Unindexed};
pub use timeline::TimelinePosition;
pub use turn::Turn;
pub use vault::{Durability, Options, Vault};
