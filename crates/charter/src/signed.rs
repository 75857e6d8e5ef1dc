use serde::{Deserialize, Serialize};
use wire::{Blob, CircleId, DecodeError, DeviceId, EntryId, Name, Signature, limits};

use crate::{Action, Admission, Entry, Recovery};

/// An entry's bytes exactly as its author signed them, and his signature.
///
/// As a [`Blob`] it is preceded by one byte, the version of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The canonical encoding of the [`Entry`].
    pub bytes: Blob,
    /// The author's signature over them.
    pub signature: Signature,
}

impl Signed {
    /// Signs an entry; the key must be its author's.
    pub fn new(entry: &Entry, key: &crypto::SigningKey) -> Self {
        let bytes = wire::encode(entry);
        let signature = Signature(key.sign(SIGNATURE, &[&bytes]));
        Self { bytes: Blob(bytes), signature }
    }

    /// Returns the entry's id, which the signature is no part of.
    pub fn id(&self) -> EntryId {
        EntryId::new(crypto::hash(ENTRY, &[&self.bytes.0]))
    }

    /// Encodes for the wire and the vault.
    pub fn to_blob(&self) -> Blob {
        let mut bytes = vec![VERSION];
        bytes.extend(wire::encode(self));
        Blob(bytes)
    }
}

/// An entry whose bytes have the right shape; nothing about it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    id: EntryId,
    entry: Entry,
    signed: Signed,
}

/// An entry in which every signature holds: its author's, an admission's two, and those of recovery keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    id: EntryId,
    entry: Entry,
    blob: Blob,
}

impl Received {
    /// Reads an entry and checks every bound that does not depend on other entries.
    pub fn decode(blob: &Blob) -> Result<Self, EntryError> {
        let found = blob.0.len();
        if found > limits::CHARTER_ENTRY {
            return Err(DecodeError::TooLong { limit: limits::CHARTER_ENTRY, found }.into());
        }
        let (version, rest) = blob.0.split_first().ok_or(DecodeError::Invalid("an entry of no bytes"))?;
        match *version {
            VERSION => {}
            0 => return Err(DecodeError::Invalid("no version of the entry format").into()),
            found => return Err(EntryError::Newer { found }),
        }
        let signed: Signed = wire::decode_canonical(rest, limits::CHARTER_ENTRY)?;
        let entry: Entry = wire::decode_canonical(&signed.bytes.0, limits::CHARTER_ENTRY)?;
        check_shape(&entry)?;
        Ok(Self { id: signed.id(), entry, signed })
    }

    /// Returns the entry's id.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Returns the entry, as it claims to be.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Checks all signatures in the entry.
    pub fn verify(self) -> Result<Verified, EntryError> {
        let Self { entry, signed, .. } = &self;
        let author = &entry.author;
        author.verify(SIGNATURE, &[&signed.bytes.0], &signed.signature).map_err(|_| EntryError::Signature)?;
        if let Action::Admit(admission) = &entry.action {
            admission.verify(entry.circle)?;
        }
        if let Action::Recover(recovering) = &entry.action {
            recovering.verify(entry)?;
        }
        Ok(self.danger_unverified())
    }

    /// Believes the signatures without checking them: for entries out of the vault, which authenticates what it
    /// keeps and was given nothing but verified entries.
    pub fn danger_unverified(self) -> Verified {
        Verified { id: self.id, entry: self.entry, blob: self.signed.to_blob() }
    }
}

impl Verified {
    /// Signs an own entry.
    pub(crate) fn own(entry: Entry, key: &crypto::SigningKey) -> Self {
        let signed = Signed::new(&entry, key);
        Self { id: signed.id(), entry, blob: signed.to_blob() }
    }

    /// Makes an entry of the model check, whose signatures are taken for granted.
    #[cfg(test)]
    pub(crate) fn modelled(entry: Entry) -> Self {
        let signed = Signed { bytes: Blob(wire::encode(&entry)), signature: Signature([0; 64]) };
        Self { id: signed.id(), entry, blob: Blob::default() }
    }

    /// Returns the entry's id.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Returns the entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(crate) fn into_parts(self) -> (EntryId, Entry, Blob) {
        (self.id, self.entry, self.blob)
    }
}

impl Admission {
    pub(crate) fn verify(&self, circle: CircleId) -> Result<(), EntryError> {
        let (member, device) = (&self.member_name, &self.device_name);
        let statement = Redeeming::new(circle, self.invitation, self.device, member, device);
        crypto::verify(self.public.as_bytes(), REDEMPTION, &statement.parts(), &self.redemption.0)
            .and_then(|()| self.device.verify(CONSENT, &statement.parts(), &self.consent))
            .map_err(|_| EntryError::Redemption)
    }
}

/// What a newcomer says twice: with the invitation's key and with his device's.
pub(crate) struct Redeeming<'a> {
    circle: CircleId,
    invitation: EntryId,
    device: DeviceId,
    member_name: &'a Name,
    device_name: &'a Name,
}

impl<'a> Redeeming<'a> {
    pub(crate) fn new(
        circle: CircleId,
        invitation: EntryId,
        device: DeviceId,
        member_name: &'a Name,
        device_name: &'a Name,
    ) -> Self {
        Self { circle, invitation, device, member_name, device_name }
    }

    pub(crate) fn parts(&self) -> [&[u8]; 5] {
        [
            self.circle.as_bytes(),
            self.invitation.as_bytes(),
            self.device.as_bytes(),
            self.member_name.as_str().as_bytes(),
            self.device_name.as_str().as_bytes(),
        ]
    }

    pub(crate) fn redemption(&self, invitation: &crypto::SigningKey) -> Signature {
        Signature(invitation.sign(REDEMPTION, &self.parts()))
    }

    pub(crate) fn consent(&self, device: &crypto::SigningKey) -> Signature {
        Signature(device.sign(CONSENT, &self.parts()))
    }
}

/// Checks what the types leave open: bounds, order, and what goes with what.
fn check_shape(entry: &Entry) -> Result<(), DecodeError> {
    let founding = matches!(entry.action, Action::Found(_));
    check_list("parents", &entry.parents, limits::PARENTS)?;
    if founding != entry.parents.is_empty() {
        return Err(DecodeError::Invalid("the founding entry, and no other, has no parents"));
    }
    if entry.previous.is_some() != (entry.seq > 0) {
        return Err(DecodeError::Invalid("all entries of a chain but the first have one before them"));
    }
    match &entry.action {
        Action::Found(terms) => {
            let zero = (entry.circle.as_bytes(), entry.cite.as_bytes()) == (&[0; 32], &[0; 32]);
            if !zero || entry.seq != 0 || entry.lamport != 0 {
                return Err(DecodeError::Invalid("a founding entry refers to nothing"));
            }
            terms.recovery.as_ref().map_or(Ok(()), Recovery::check)
        }
        Action::Revoke { keep, .. } => check_list("kept entries", keep, limits::PARENTS),
        Action::SetRecovery(recovery) => recovery.check(),
        Action::Recover(recovering) => recovering.check(),
        _ => Ok(()),
    }
}

pub(crate) fn check_list<T: Ord>(what: &'static str, items: &[T], limit: usize) -> Result<(), DecodeError> {
    DecodeError::check_count(what, items.len(), limit)?;
    if items.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(DecodeError::Invalid("a list that is not in order, or names one thing twice"))
    }
}

/// Why an entry is not taken. Every device that holds the same entries refuses the same, but for
/// [`Full`](Self::Full) and [`NoRoomToWait`](Self::NoRoomToWait).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The format is one that this version does not know yet.
    #[error("entry from a newer Hexode (format {found}, known up to {VERSION})")]
    Newer {
        /// The format's version.
        found: u8,
    },
    /// The bytes are no entry.
    #[error("not a charter entry")]
    Decode(#[from] DecodeError),
    /// The author did not sign these bytes.
    #[error("signature of a charter entry does not match")]
    Signature,
    /// The device let in does not hold the invitation, or did not ask to be let in so.
    #[error("proof of an admission does not match")]
    Redemption,
    /// Too few of the recovery keys signed, or what they signed is something else.
    #[error("too few recovery keys of this circle have signed")]
    Recovery,
    /// The entry is of another circle, or the founding entry is not the one this circle is named after.
    #[error("entry of another circle")]
    OtherCircle,
    /// The author does not follow his own chain.
    #[error("entry does not continue its author's chain")]
    Sequence,
    /// The logical time is not one more than that of what the author knew.
    #[error("entry has logical time {found}, expected {expected}")]
    Lamport {
        /// What it should be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// The author cites no grant to himself that he knew.
    #[error("author cites no grant of his")]
    NoSuchGrant,
    /// The entry speaks of another that its author did not know, or that is of another kind.
    #[error("entry refers to {what} that its author did not know")]
    UnknownReference {
        /// What was referred to.
        what: &'static str,
    },
    /// The author's chain is as long as it may become.
    #[error("author has written as many entries as one device may")]
    ChainTooLong,
    /// The circle holds as many entries as it may for authors of this rank.
    #[error("charter is full for authors of this rank")]
    Full,
    /// The entry lacks a parent, and too many others do.
    #[error("too many entries wait for their parents")]
    NoRoomToWait,
}

/// The version of the format of entries.
pub const VERSION: u8 = 1;

const ENTRY: &str = "hexode/charter/entry/1";
const SIGNATURE: &str = "hexode/charter/signature/1";
const REDEMPTION: &str = "hexode/charter/redemption/1";
const CONSENT: &str = "hexode/charter/consent/1";
