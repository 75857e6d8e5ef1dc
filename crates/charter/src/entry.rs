use std::fmt;

use serde::{Deserialize, Serialize};
use wire::{CircleId, DeviceId, EntryId, MemberId, Name, Signature};

use crate::{Method, Recovering, Recovery};

/// One act in a circle: who did what, under which grant, knowing which earlier entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The circle; all zero in the founding entry, whose own id becomes the circle's.
    pub circle: CircleId,
    /// The device that did it and signed the entry.
    pub author: DeviceId,
    /// The entry's place in its author's chain, from 0.
    pub seq: u64,
    /// The author's entry before this one.
    pub previous: Option<EntryId>,
    /// Heads of what the author knew: 1 to 16, sorted, none twice; none only in the founding entry.
    pub parents: Vec<EntryId>,
    /// One more than the largest among the parents and the previous entry; 0 in the founding entry.
    pub lamport: u64,
    /// The author's clock, in milliseconds since 1970; advisory.
    pub claimed_ms: u64,
    /// The entry that gave the author the grant he acts under; all zero in the founding entry, and of a recovery
    /// the founding entry, whose grant it is to replace.
    pub cite: EntryId,
    /// What was done.
    pub action: Action,
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Founds the circle.
    Found(Founding),
    /// Publishes the public half of an invitation.
    Invite {
        /// The invitation's key, whose private half travels in the link.
        public: PublicKey,
        /// What the newcomer becomes.
        role: Role,
        /// When the invitation ends, in milliseconds since 1970.
        expires_ms: u64,
        /// The inviter's own member, if the newcomer is another device of his.
        for_member: Option<MemberId>,
    },
    /// Ends an invitation that the author has not seen used.
    Withdraw {
        /// The invite entry.
        invitation: EntryId,
    },
    /// Lets in a device that holds an invitation.
    Admit(Admission),
    /// Gives a device that was admitted once another role.
    Grant {
        /// Any earlier grant to the device.
        of: EntryId,
        /// The role.
        role: Role,
    },
    /// Takes all grants from a device or a member, as far as they are junior to the author's.
    Revoke {
        /// From whom.
        target: Target,
        /// What of the target's acts stays: these entries and all before them. Sorted, none twice, at most 16.
        keep: Vec<EntryId>,
    },
    /// Gives back the grant the author acts under.
    Leave,
    /// Names the circle, or the author himself or his device.
    SetName {
        /// What is named.
        subject: Subject,
        /// The name.
        name: Name,
    },
    /// Fixes the recovery keys of a circle that was founded without any.
    SetRecovery(Recovery),
    /// Puts the author's device in the founder's place, by the recovery keys' right.
    Recover(Recovering),
    /// Says that the author's person has compared a device's key, or takes that back.
    Verify {
        /// The other device.
        device: DeviceId,
        /// How; none to take it back.
        method: Option<Method>,
    },
}

impl Action {
    /// Returns the recovery keys that it fixes.
    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        match self {
            Self::Found(terms) => terms.recovery.as_ref(),
            Self::SetRecovery(recovery) => Some(recovery),
            Self::Recover(recovering) => recovering.next.as_ref(),
            _ => None,
        }
    }
}

/// The terms a circle starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founding {
    /// The circle's first name.
    pub circle: Name,
    /// The founder's name.
    pub founder: Name,
    /// His device's name.
    pub device: Name,
    /// The keys that together can replace a lost founder.
    pub recovery: Option<Recovery>,
    /// Random bytes: two circles on equal terms are two circles.
    pub nonce: [u8; 16],
}

/// A device let in, with the proofs that it holds the invitation and wants to come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The invite entry.
    pub invitation: EntryId,
    /// The invitation's key, as in the invite entry: all signatures can be checked without it.
    pub public: PublicKey,
    /// The device.
    pub device: DeviceId,
    /// How the newcomer wants to be called; without effect if the device joins a member who has a name.
    pub member_name: Name,
    /// How his device is called.
    pub device_name: Name,
    /// By the invitation's key.
    pub redemption: Signature,
    /// By the device's key.
    pub consent: Signature,
}

/// Whom a revocation hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// One device.
    Device(DeviceId),
    /// All devices of a member, also those whose admission the author had not seen.
    Member(MemberId),
}

/// What a name is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// The circle.
    Circle,
    /// The author's member.
    Member,
    /// The author's device.
    Device,
}

/// What a device may be in a circle; the first is the most senior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Founded the circle; removed by nobody he let in.
    Founder,
    /// Invites, removes and promotes those junior to him.
    Admin,
    /// Speaks, and admits newcomers whom others invited.
    Member,
    /// Speaks.
    Guest,
}

impl Role {
    /// Returns the rank of the levels that this role is given.
    pub const fn rank(self) -> i8 {
        match self {
            Self::Founder => 0,
            Self::Admin => 10,
            Self::Member => 100,
            Self::Guest => 110,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Founder => "founder",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Guest => "guest",
        })
    }
}

/// How senior a grant is. Smaller is more senior: first the rank counts, then the depth.
///
/// Ranks: -1 is reserved for the recovery keys, 0 is the founder's, 1 to 99 are admins', 100 members', 110 guests'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Level {
    /// The role's place.
    pub rank: i8,
    /// How many grants of the same rank lie between this one and one of a more senior rank.
    pub depth: u16,
}

impl Level {
    /// The founding device's level.
    pub const FOUNDER: Self = Self { rank: 0, depth: 0 };

    /// Returns the recovery keys' level: that of a later use is the more senior one.
    pub const fn recovery(generation: u16) -> Self {
        Self { rank: -1, depth: u16::MAX - generation }
    }

    /// Returns the role that goes with the rank.
    pub const fn role(self) -> Role {
        match self.rank {
            ..=0 => Role::Founder,
            1..=99 => Role::Admin,
            100..=109 => Role::Member,
            _ => Role::Guest,
        }
    }

    /// Tells whether this is strictly more senior than `other`.
    pub fn is_senior_to(self, other: Self) -> bool {
        self < other
    }

    /// Returns the level of a new grant of `role` by holders of `issuers`, or nothing if it would not be strictly
    /// junior to all of them.
    pub fn below(role: Role, issuers: &[Self]) -> Option<Self> {
        let rank = role.rank();
        let deepest = issuers.iter().filter(|l| l.rank == rank).map(|l| l.depth).max();
        let depth = deepest.map_or(Some(0), |depth| depth.checked_add(1))?;
        let level = Self { rank, depth };
        issuers.iter().all(|issuer| issuer.is_senior_to(level)).then_some(level)
    }
}

/// An Ed25519 public key that is no device's: an invitation's or a recovery key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes the 32 bytes of a key.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", DeviceId::new(self.0).short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn level(rank: i8, depth: u16) -> Level {
        Level { rank, depth }
    }

    #[test]
    fn a_new_grant_is_strictly_junior_to_all_who_issue_it() {
        assert_eq!(Level::below(Role::Admin, &[level(0, 0)]), Some(level(10, 0)));
        assert_eq!(Level::below(Role::Admin, &[level(10, 3)]), Some(level(10, 4)));
        assert_eq!(Level::below(Role::Member, &[level(10, 3), level(100, 7)]), Some(level(100, 8)));
        assert_eq!(Level::below(Role::Guest, &[level(100, 7)]), Some(level(110, 0)));
        assert_eq!(Level::below(Role::Admin, &[level(10, 0), level(100, 0)]), None);
        assert_eq!(Level::below(Role::Member, &[level(100, u16::MAX)]), None);
    }

    #[test]
    fn every_role_has_its_rank_and_back() {
        for role in [Role::Founder, Role::Admin, Role::Member, Role::Guest] {
            assert_eq!(level(role.rank(), 9).role(), role);
        }
    }
}
