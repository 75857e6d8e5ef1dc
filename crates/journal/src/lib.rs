//! Keeps conversations: signed per-device chains, causal order, and what another device lacks of them.
//!
//! Pure: no sockets, disk, clock or randomness of its own. [`Journal`] holds the heads of all chains, not the
//! messages. It writes new entries ([`Journal::write`], [`seal_runs`]), places runs that came from other
//! devices ([`Journal::handle_run`]) and says how far it holds each conversation ([`Journal::frontier`]); `node`
//! stores what it yields in the vault and carries it out. Who may read and write is asked of a [`Membership`],
//! which `charter`'s roster answers.
//!
//! # The invariant
//! Every chain is stored without gaps, and every stored entry is covered by a signature of its author that was
//! checked. Two devices that hold equal heads of a chain hold the same chain, byte for byte.
//!
//! # Example
//! ```
//! # use std::collections::BTreeMap;
//! # use crypto::{OsEntropy, SigningKey};
//! # use hexode_journal as journal;
//! # use journal::{Content, Descriptor, Journal, Membership, Standing, seal_runs};
//! # use wire::{CircleId, DeviceId, MemberId};
//! struct Both(BTreeMap<DeviceId, MemberId>);
//! impl Membership for Both {
//!     fn standing(&self, device: &DeviceId) -> Standing {
//!         self.0.get(device).map_or(Standing::Unknown, |member| Standing::Live(*member))
//!     }
//! }
//! let (key, ann, ben) = (SigningKey::from_seed(&[1; 32]), MemberId::new([1; 32]), MemberId::new([2; 32]));
//! let (laptop, phone) = (DeviceId::new(key.public()), DeviceId::new([9; 32]));
//! let both = Both(BTreeMap::from([(laptop, ann), (phone, ben)]));
//! let circle = CircleId::new([7; 32]);
//!
//! // Ann writes to Ben …
//! let mut anns = Journal::new(circle);
//! let direct = anns.open(Descriptor::direct(ann, ben));
//! let hello = Content::Text("Hello Ben".into());
//! let entry = anns.write(direct, &laptop, &hello, 1_700_000_000_000, &mut OsEntropy)?;
//! let runs = seal_runs(vec![entry], &key);
//!
//! // … and Ben's phone places what came.
//! let mut bens = Journal::new(circle);
//! bens.open(Descriptor::direct(ann, ben));
//! let placed = bens.handle_run(runs[0].to_wire(), &laptop, &both, 1_700_000_000_500, |_| None)?;
//! assert_eq!(placed.run.entries[0].content(), Some(hello));
//! assert_eq!(bens.frontier(&direct), anns.frontier(&direct));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Specification
//! `docs/spec/05-journal.md` · threats: `docs/threat-model.md`

#![warn(missing_docs)]

mod changes;
mod content;
mod conversation;
mod entry;
mod group;
mod journal;
mod offer;
mod spread;
mod vouched;

pub use changes::{Change, ExpiryRules, Outcome, Place, Target};
pub use content::{Beside, Content, ContentError, Ends, Post};
pub use conversation::{Descriptor, DescriptorError, GroupFounding, Membership, Standing};
pub use entry::{Entry, Header, SignedRun, seal_runs};
pub use group::{Act, ActError, Deed, Gone, GroupError, GroupRoster, Participant};
pub use journal::{Chain, Ended, Fork, Journal, Placed, RunError, TookActs, WriteError};
pub use offer::Offer;
pub use spread::{FAN, FEW, gets_from, passes_to};
pub use vouched::Vouched;

#[cfg(test)]
mod tests;
