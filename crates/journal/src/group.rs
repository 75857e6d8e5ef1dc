//! Who belongs to a group: signed acts, and the roster that follows from the set of them.

use crypto::SigningKey;
use serde::{Deserialize, Serialize};
use wire::{
    ActId, Blob, ChainHead, CircleId, ConversationId, DecodeError, DeviceId, MemberId, Name, Signature,
    decode_canonical, encode, limits,
};

mod log;
mod roster;

pub use log::{ActError, GroupError};

pub use roster::{Gone, GroupRoster, Participant};

pub(crate) use log::{Log, Take};

/// One act in a group: who did what, under which grant, knowing which earlier acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The group.
    pub group: ConversationId,
    /// The device that did it and signed.
    pub author: DeviceId,
    /// The member for whom it acts; the charter must bear that out.
    pub member: MemberId,
    /// Heads of what the author knew: at most [`limits::PARENTS`], ascending; none if the founding was all.
    pub parents: Vec<ActId>,
    /// One more than the largest among the parents; 1 without any.
    pub lamport: u64,
    /// The author's clock, in milliseconds since 1970; advisory.
    pub claimed_ms: u64,
    /// The act that brought the member in; all zero for the founding.
    pub cite: ActId,
    /// What was done.
    pub deed: Deed,
}

/// What an act does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Names the group.
    Rename(Name),
    /// Brings members in, junior to the author.
    Add {
        /// Who comes in: ascending, none twice, at most [`limits::GROUP`].
        members: Vec<MemberId>,
        /// Up to which Lamport time of the conversation they get no bodies; 0 for the whole history.
        after: u64,
    },
    /// Takes out a member junior to the author.
    Remove {
        /// Who goes.
        member: MemberId,
        /// Where the chains of his devices end: what is not named here, or stands behind it, is void.
        heads: Vec<ChainHead>,
    },
    /// Goes.
    Leave {
        /// Where the chains of the member's devices end.
        heads: Vec<ChainHead>,
    },
}

/// An act's bytes exactly as its author signed them, and his signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    bytes: Blob,
    signature: Signature,
}

impl Act {
    /// Signs the act; the key must be its author's.
    pub(crate) fn sign(&self, circle: &CircleId, key: &SigningKey) -> Blob {
        let bytes = encode(self);
        let signature = Signature(key.sign(SIGNATURE, &[circle.as_bytes(), &bytes]));
        Blob(encode(&Signed { bytes: Blob(bytes), signature }))
    }

    /// Reads a signed act, checks its signature and every bound that does not depend on other acts.
    pub fn decode(blob: &Blob, circle: &CircleId) -> Result<(ActId, Self), ActError> {
        let signed: Signed = decode_canonical(&blob.0, limits::GROUP_ACT)?;
        let act: Self = decode_canonical(&signed.bytes.0, limits::GROUP_ACT)?;
        act.check()?;
        act.author
            .verify(SIGNATURE, &[circle.as_bytes(), &signed.bytes.0], &signed.signature)
            .map_err(|_| ActError::Signature)?;
        Ok((ActId::new(crypto::hash(ACT, &[circle.as_bytes(), &signed.bytes.0])), act))
    }

    fn check(&self) -> Result<(), DecodeError> {
        DecodeError::check_count("parents", self.parents.len(), limits::PARENTS)?;
        ascending("parents", &self.parents)?;
        match &self.deed {
            Deed::Rename(_) => Ok(()),
            Deed::Add { members, .. } => {
                DecodeError::check_count("new members", members.len(), limits::GROUP)?;
                ascending("new members", members)
            }
            Deed::Remove { heads, .. } | Deed::Leave { heads } => {
                DecodeError::check_count("chain heads", heads.len(), limits::GROUP_HEADS)?;
                let authors: Vec<_> = heads.iter().map(|head| head.author).collect();
                ascending("chain heads", &authors)
            }
        }
    }
}

fn ascending<T: Ord>(what: &'static str, items: &[T]) -> Result<(), DecodeError> {
    let sorted = items.windows(2).all(|pair| matches!(pair, [one, other] if one < other));
    if sorted { Ok(()) } else { Err(DecodeError::Invalid(what)) }
}

const ACT: &str = "hexode/journal/act/1";
const SIGNATURE: &str = "hexode/journal/act-signature/1";

#[cfg(test)]
mod tests;
