//! What a file is to a circle, and who is asked for which part of it.
//!
//! Pure: no sockets, disk, clock or randomness of its own. A file is a tree of hashes over chunks; its root, the
//! [`FileId`](wire::FileId), stands in the signed entry that offers it. [`TreeBuilder`] makes one, [`Fetch`] collects one from
//! whoever holds it, `node` carries out what it says.
//!
//! # The invariant
//! A chunk is stored, passed on or shown only as [`Verified`]: its hash is the one to which the file's id commits. So
//! whoever holds a chunk may serve it, and nobody has to be believed.
//!
//! # The loop
//! 1. `Fetch::new`, then [`Fetch::handle_holder`] for every device that may have the file.
//! 2. After every `handle_*`, and when [`Fetch::poll_timeout`] has come, drain [`Fetch::poll_output`].
//! 3. [`Output::Ask`]: write it on that device's stream. [`Output::Drop`]: close the stream, say why. [`Output::Done`]: all is held.
//!
//! # Example
//! ```
//! # use hexode_files::{Lists, TreeBuilder, check_chunk};
//! # use wire::CircleId;
//! let circle = CircleId::new([7; 32]);
//! let mut tree = TreeBuilder::new(circle);
//! let done = tree.chunk(b"a file of one chunk");
//! assert!(done.is_none(), "a part has 4096 chunks");
//! let built = tree.finish();
//!
//! let mut lists = Lists::new(circle, built.id, built.size)?;
//! lists.put_top(&built.top)?;
//! lists.put_part(0, &built.last.unwrap())?;
//! let expected = lists.chunk(0).unwrap();
//! assert!(check_chunk(&circle, expected, b"a file of one chunk".to_vec()).is_ok());
//! assert!(check_chunk(&circle, expected, b"another one".to_vec()).is_err());
//! # Ok::<(), hexode_files::ListError>(())
//! ```
//!
//! # Specification
//! `docs/spec/10-files.md`

#![warn(missing_docs)]

mod fetch;
mod map;
mod media;
mod name;
mod stream;
mod tree;

pub use fetch::{Fault, Fetch, Output};
pub use map::ChunkMap;
pub use media::media_type;
pub use name::{numbered, safe_name};
pub use stream::{Answer, AnswerHead, StreamError, Want};
pub use tree::{Built, ListError, Lists, Mismatch, Shape, TooLarge, TreeBuilder, Verified, check_chunk};

#[cfg(test)]
mod tests;
