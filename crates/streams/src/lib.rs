//! What is offered as a stream, to whom, and how its bytes are sealed on the way.
//!
//! Pure: no sockets, clock or randomness of its own. An [`Offer`] names a target on its device and says who may open flows
//! to it. A flow is one use of it, on one stream of a tunnel: [`Sealer`] and [`Unsealer`] make and read its records, `node` carries
//! bytes between them and the target.
//!
//! # The invariant
//! What comes on a flow is delivered in order, whole and once, or the flow ends with a [`Reason`]: an end that was not said is
//! never taken for one. The key of one direction of one flow opens nothing else.
//!
//! # Example
//! ```
//! # use hexode_streams::{Kind, Sealer, Side, Unsealer};
//! let (secret, opening) = ([7; 32], b"what the flow is for");
//! let mut ann = Sealer::new(&secret, 4, opening, Side::Opener);
//! let mut ben = Unsealer::new(&secret, 4, opening, Side::Opener);
//! let mut record = Sealer::record(5);
//! record.extend_from_slice(b"beans");
//! ann.seal(Kind::Data, &mut record)?;
//! let mut sealed = record.split_off(Sealer::HEAD);
//! assert_eq!(ben.open(&mut sealed)?, Kind::Data);
//! assert_eq!(sealed, b"beans");
//! # Ok::<(), hexode_streams::RecordError>(())
//! ```
//!
//! # Specification
//! `docs/spec/11-streams.md`

#![warn(missing_docs)]

mod bucket;
mod offer;
mod reason;
mod record;

pub use bucket::Bucket;
pub use offer::{Class, Grants, Offer, Offered, Rules, Target};
pub use reason::Reason;
pub use record::{Kind, RecordError, Sealer, Side, Unsealer, record_len};
