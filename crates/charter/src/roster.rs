use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use wire::{CircleId, DeviceId, EntryId, MemberId, Name};

use crate::{Act, Level, PublicKey, Recovery, Role, VoidReason, rights};

mod build;
mod verified;

pub use verified::{Method, Verification};

pub(crate) use build::build;

/// What a charter says now: who belongs to the circle, as what, and what did not count.
///
/// Two charters that hold the same entries give equal rosters. A clone shares its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster(Arc<Facts>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Facts {
    circle: CircleId,
    name: Option<Name>,
    recovery: Option<Recovery>,
    recovered: Vec<Recovered>,
    members: BTreeMap<MemberId, Member>,
    devices: BTreeMap<DeviceId, Device>,
    removed: BTreeMap<DeviceId, Removed>,
    /// The removals among `removed`, each with its author.
    #[serde(skip)]
    removals: BTreeSet<(EntryId, DeviceId)>,
    invitations: BTreeMap<EntryId, Invited>,
    /// By the device that was verified, then by who said so.
    verified: BTreeMap<DeviceId, BTreeMap<DeviceId, Verification>>,
    void: Vec<VoidEntry>,
    forks: Vec<Fork>,
}

/// A person in the circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// His id.
    pub id: MemberId,
    /// What he calls himself.
    pub name: Name,
    /// The most senior role of his devices.
    pub role: Role,
    /// His devices.
    pub devices: BTreeSet<DeviceId>,
}

/// A device in the circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its key.
    pub id: DeviceId,
    /// Whose it is.
    pub member: MemberId,
    /// What he calls it.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// How senior it is.
    pub level: Level,
    /// The entry that gave it this role.
    pub grant: EntryId,
    /// The device that first let it in; its own id for the founding device.
    pub admitted_by: DeviceId,
    /// The device whose invitation it held; none for the founding device.
    pub invited_by: Option<DeviceId>,
    /// When it was first let in, by the clock of the device that did.
    pub since_ms: u64,
}

/// A device that was in the circle and is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Its key.
    pub id: DeviceId,
    /// Whose it was.
    pub member: MemberId,
    /// What he called himself.
    pub member_name: Name,
    /// What he called it.
    pub name: Name,
    /// The device that removed it, or its own id if it left.
    pub by: DeviceId,
    /// The entry that removed it.
    pub entry: EntryId,
    /// When, by the clock of the device that did.
    pub at_ms: u64,
}

/// An invitation as all members know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invited {
    /// The invite entry.
    pub id: EntryId,
    /// The invitation's key.
    pub public: PublicKey,
    /// The device that invited.
    pub by: DeviceId,
    /// Its member.
    pub by_member: MemberId,
    /// What the newcomer becomes.
    pub role: Role,
    /// The member whom the newcomer's device joins, if it is not somebody new.
    pub for_member: Option<MemberId>,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Whether it can still be used.
    pub state: InvitationState,
}

impl Invited {
    /// Tells whether the invitation can be used at a given time.
    pub fn is_open(&self, now_ms: u64) -> bool {
        self.state == InvitationState::Open && now_ms <= self.expires_ms
    }
}

/// What became of an invitation, time apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InvitationState {
    /// Nobody has used it.
    Open,
    /// A device came in with it.
    Used {
        /// The device.
        device: DeviceId,
        /// The admission.
        by: EntryId,
    },
    /// It was withdrawn, or its inviter was removed or left.
    Withdrawn {
        /// The entry that did.
        by: EntryId,
    },
    /// It was used for an admission that does not count any more. Nobody comes in with it again.
    Spent {
        /// The admission.
        by: EntryId,
    },
    /// It never counted.
    Void(VoidReason),
}

/// An entry that is in the charter and does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VoidEntry {
    /// The entry.
    pub id: EntryId,
    /// Who wrote it, and may want to know.
    pub author: DeviceId,
    /// When, by his clock.
    pub claimed_ms: u64,
    /// Why it does not count.
    pub reason: VoidReason,
}

/// A use of the recovery keys: a device that was put in the founder's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The entry.
    pub entry: EntryId,
    /// The device.
    pub device: DeviceId,
    /// The founder's member, whose it is by that.
    pub member: MemberId,
    /// When, by its clock.
    pub at_ms: u64,
}

/// The proof that one device's key wrote two entries at one place of its chain: it was copied, or it deceives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fork {
    /// The device.
    pub author: DeviceId,
    /// The place.
    pub seq: u64,
    /// Two of the entries there.
    pub entries: [EntryId; 2],
}

impl Roster {
    /// Returns the circle's id.
    pub fn circle(&self) -> CircleId {
        self.0.circle
    }

    /// Returns the circle's name; nothing before the founding entry has come.
    pub fn circle_name(&self) -> Option<&Name> {
        self.0.name.as_ref()
    }

    /// Returns the keys that can replace a lost founder.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.0.recovery.as_ref()
    }

    /// Returns the valid uses of the recovery keys, in their order.
    pub fn recovered(&self) -> &[Recovered] {
        &self.0.recovered
    }

    /// Returns all members.
    pub fn members(&self) -> &BTreeMap<MemberId, Member> {
        &self.0.members
    }

    /// Returns all devices.
    pub fn devices(&self) -> &BTreeMap<DeviceId, Device> {
        &self.0.devices
    }

    /// Returns a device, if it is in the circle.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.0.devices.get(id)
    }

    /// Returns the member to whom a device in the circle belongs.
    pub fn member_of(&self, device: &DeviceId) -> Option<&Member> {
        self.0.members.get(&self.device(device)?.member)
    }

    /// Tells whether a device is in the circle.
    pub fn is_live(&self, device: &DeviceId) -> bool {
        self.0.devices.contains_key(device)
    }

    /// Tells whether a device's role allows an act; seniority may still forbid it against somebody.
    pub fn may(&self, device: &DeviceId, act: Act) -> bool {
        self.device(device).is_some_and(|device| rights::allowed(device.role, act))
    }

    /// Returns the devices that were in the circle and are no more.
    pub fn removed(&self) -> &BTreeMap<DeviceId, Removed> {
        &self.0.removed
    }

    /// Tells whether an entry is one by which a device removed another that is not in the circle any more.
    pub fn has_removed(&self, by: &DeviceId, entry: &EntryId) -> bool {
        self.0.removals.contains(&(*entry, *by))
    }

    /// Returns all invitations there ever were.
    pub fn invitations(&self) -> &BTreeMap<EntryId, Invited> {
        &self.0.invitations
    }

    /// Returns the invitation with a given key, an open one first.
    pub fn invitation_by_public(&self, public: &PublicKey) -> Option<&Invited> {
        let of_key = || self.0.invitations.values().filter(|invited| invited.public == *public);
        of_key().find(|invited| invited.state == InvitationState::Open).or_else(|| of_key().next())
    }

    /// Returns the entries that do not count, in causal order.
    pub fn void_entries(&self) -> &[VoidEntry] {
        &self.0.void
    }

    /// Returns the proofs that a device's key is in two hands.
    pub fn forks(&self) -> &[Fork] {
        &self.0.forks
    }

    /// Returns a hash by which two devices can compare what they hold.
    pub fn digest(&self) -> [u8; 32] {
        crypto::hash("hexode/charter/roster/1", &[&wire::encode(&*self.0)])
    }
}
