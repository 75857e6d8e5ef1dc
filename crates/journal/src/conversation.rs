use std::collections::BTreeSet;

use crypto::{Entropy, SigningKey};
use serde::{Deserialize, Serialize};
use wire::{
    Blob, CircleId, ConversationId, DecodeError, DeviceId, EntryId, MemberId, Name, Signature,
    decode_canonical, encode, limits,
};

/// Answers who a device is, from the charter.
pub trait Membership {
    /// Says how `device` stands in the circle.
    fn standing(&self, device: &DeviceId) -> Standing;

    /// Returns the charter entry by which another device removed this one, and that device.
    fn removal(&self, device: &DeviceId) -> Option<(EntryId, DeviceId)> {
        let _ = device;
        None
    }

    /// Tells whether a charter entry is one by which `by` removed another device.
    fn has_removed(&self, by: &DeviceId, entry: &EntryId) -> bool {
        let _ = (by, entry);
        false
    }
}

/// How a device stands in the circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to this member.
    Live(MemberId),
    /// It belonged to this member until it was removed.
    Removed(MemberId),
    /// The charter never admitted it.
    Unknown,
}

/// What a conversation is between whom. Its hash is the conversation's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Descriptor {
    /// All members of the circle, whoever they are at the time.
    Everyone,
    /// Two members, in ascending order; or one, for notes to oneself.
    Direct(MemberId, MemberId),
    /// A group, as its founder signed it.
    Group(GroupFounding),
}

/// The signed founding of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupFounding {
    /// Makes two groups with the same name and members different groups.
    pub nonce: [u8; 16],
    /// The group's name.
    pub name: Name,
    /// The device that founded it.
    pub founder: DeviceId,
    /// The member whose device that is: the most senior in the group.
    pub founder_member: MemberId,
    /// All its members, the founder's among them.
    pub members: BTreeSet<MemberId>,
    /// By the founder, over circle and all fields above.
    pub signature: Signature,
}

impl Descriptor {
    /// Describes the conversation of two members.
    pub fn direct(one: MemberId, other: MemberId) -> Self {
        Self::Direct(one.min(other), one.max(other))
    }

    /// Founds a group.
    pub fn group(
        circle: &CircleId,
        name: Name,
        founder_member: MemberId,
        members: BTreeSet<MemberId>,
        key: &SigningKey,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        let mut group = GroupFounding {
            nonce,
            name,
            founder: DeviceId::new(key.public()),
            founder_member,
            members,
            signature: Signature([0; 64]),
        };
        group.signature = Signature(key.sign(GROUP, &[circle.as_bytes(), &group.statement()]));
        Self::Group(group)
    }

    /// Returns the conversation's id.
    pub fn id(&self, circle: &CircleId) -> ConversationId {
        ConversationId::new(crypto::hash(CONVERSATION, &[circle.as_bytes(), &encode(self)]))
    }

    /// Encodes the descriptor.
    pub fn encode(&self) -> Blob {
        Blob(encode(self))
    }

    /// Decodes a descriptor from another device and checks all that can be checked without the charter.
    pub fn decode(bytes: &[u8], circle: &CircleId) -> Result<Self, DescriptorError> {
        let descriptor: Self = decode_canonical(bytes, limits::FRAME)?;
        match &descriptor {
            Self::Everyone => {}
            Self::Direct(one, other) if one <= other => {}
            Self::Direct(..) => return Err(DescriptorError::Order),
            Self::Group(group) => {
                DecodeError::check_count("group members", group.members.len(), limits::GROUP)?;
                if !group.members.contains(&group.founder_member) {
                    return Err(DescriptorError::Founder);
                }
                let parts: &[&[u8]] = &[circle.as_bytes(), &group.statement()];
                group
                    .founder
                    .verify(GROUP, parts, &group.signature)
                    .map_err(|_| DescriptorError::Signature)?;
            }
        }
        Ok(descriptor)
    }

    /// Tells whether `member` takes part from the start. Who takes part in a group later its log says:
    /// [`Journal::includes`](crate::Journal::includes).
    pub fn includes(&self, member: &MemberId) -> bool {
        match self {
            Self::Everyone => true,
            Self::Direct(one, other) => one == member || other == member,
            Self::Group(group) => group.members.contains(member),
        }
    }

    /// Tells whether the charter bears the descriptor out: its members exist, a group's founder is in it.
    pub fn stands(&self, membership: &impl Membership) -> bool {
        let Self::Group(group) = self else { return true };
        match membership.standing(&group.founder) {
            Standing::Live(member) | Standing::Removed(member) => {
                member == group.founder_member && group.members.contains(&member)
            }
            Standing::Unknown => false,
        }
    }
}

impl GroupFounding {
    fn statement(&self) -> Vec<u8> {
        encode(&(&self.nonce, &self.name, &self.founder, &self.founder_member, &self.members))
    }
}

/// Why a descriptor from another device is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// It does not decode.
    #[error("conversation descriptor: {0}")]
    Decode(#[from] DecodeError),
    /// The two members of a direct conversation are not in order.
    #[error("members of a direct conversation out of order")]
    Order,
    /// A group's founder is none of its members.
    #[error("group founder is none of its members")]
    Founder,
    /// A group's founding is not signed by its founder for this circle.
    #[error("group founding is not signed by its founder")]
    Signature,
}

const CONVERSATION: &str = "hexode/journal/conversation/1";
const GROUP: &str = "hexode/journal/group/1";
