//! Decides who belongs to a circle and who may speak in it.
//!
//! Pure: no sockets, disk, clock or randomness of its own. A [`Charter`] takes signed entries
//! ([`Charter::handle_entry`]) and commands of this device's person (`invite`, `admit`, `remove_member`, …) and
//! gives the [`Roster`]. Every entry that becomes part of it comes out once as [`Accepted`], to be stored in the
//! vault before anything is told to anybody. `node` carries that out; `journal` and `tunnel` ask the roster.
//!
//! An entry goes through three hands, each of which only the one before can fill: [`Received`] has the right
//! shape, [`Verified`] holds the right signatures, and what is in the ledger fits to the entries before it.
//! Whether it *counts* is another question, which the fold answers anew after each change.
//!
//! # The invariant
//! Two devices that hold the same entries hold the same circle, whatever order the entries came in.
//!
//! # Example
//! Ann founds a circle and invites Ben; he comes in.
//!
//! ```
//! use charter::{Charter, FoundingTerms, Invitation, Newcomer, Role, Terms};
//! use crypto::{OsEntropy, SigningKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (ann, ben) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
//! let now = 1_800_000_000_000;
//! let terms = FoundingTerms {
//!     circle: "Hexagon".parse()?,
//!     founder: "Ann".parse()?,
//!     device: "laptop".parse()?,
//!     recovery: None,
//! };
//! let (mut anns, founding) = Charter::found(&terms, &ann, now, &mut OsEntropy)?;
//!
//! let terms = Terms { newcomer: Newcomer::Other(Role::Member), expires_ms: now + 3_600_000 };
//! let (invite, invitation) = anns.invite(terms, Vec::new(), &ann, now, &mut OsEntropy)?;
//! let link = invitation.to_link();
//!
//! // Ben reads the link, knocks, and asks to be let in. Any member who is there may do it.
//! let invitation: Invitation = link.parse()?;
//! let redemption = invitation.redeem(&ben, "Ben".parse()?, "phone".parse()?);
//! let admission = anns.admit(&redemption, &ann, now)?;
//!
//! // He is sent what he lacks, and knows what Ann knows.
//! let mut bens = Charter::awaiting(invitation.circle());
//! for entry in anns.missing_for(&bens.have()) {
//!     let _to_be_stored = bens.handle_entry(entry)?;
//! }
//! assert_eq!(bens.roster(), anns.roster());
//! assert_eq!(bens.roster().members().len(), 2);
//! # let _ = (founding, invite, admission);
//! # Ok(())
//! # }
//! ```
//!
//! # Specification
//! `docs/spec/02-charter.md` · threats: `docs/threat-model.md`

#![warn(missing_docs)]

mod charter;
mod entry;
mod fold;
mod invitation;
mod ledger;
mod orphans;
mod past;
mod recovery;
pub mod rights;
mod roster;
mod sheet;
mod signed;
mod verdict;

pub use charter::{Accepted, Charter, CommandError, FoundingTerms, Keep, Newcomer, RestoreError, Terms};
pub use entry::{Action, Admission, Entry, Founding, Level, PublicKey, Role, Subject, Target};
pub use invitation::{Hint, Invitation, InvitationError, Redemption};
pub use recovery::{Cosignature, Recovering, Recovery};
pub use rights::Act;
pub use roster::{
    Device, Fork, InvitationState, Invited, Member, Method, Recovered, Removed, Roster, Verification,
    VoidEntry,
};
pub use sheet::{Sheet, SheetError};
pub use signed::{EntryError, Received, Signed, VERSION, Verified};
pub use verdict::VoidReason;

#[cfg(test)]
mod tests;
