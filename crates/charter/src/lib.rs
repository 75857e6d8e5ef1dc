//! Decides who belongs to a circle and who may speak in it.

#![warn(missing_docs)]

mod charter;
mod entry;
mod fold;
mod invitation;
mod ledger;
mod orphans;
mod past;
pub mod rights;
mod roster;
mod signed;
mod verdict;

pub use charter::{Accepted, Charter, CommandError, FoundingTerms, Keep, Newcomer, RestoreError, Terms};
pub use entry::{Action, Admission, Entry, Founding, Level, PublicKey, Recovery, Role, Subject, Target};
pub use invitation::{Hint, Invitation, InvitationError, Redemption};
pub use rights::Act;
pub use roster::{Device, Fork, InvitationState, Invited, Member, Removed, Roster, VoidEntry};
pub use signed::{EntryError, Received, Signed, VERSION, Verified};
pub use verdict::VoidReason;

#[cfg(test)]
mod tests;
