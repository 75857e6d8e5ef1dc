use std::cmp::Reverse;

use crypto::{Entropy, SigningKey};
use wire::{CircleId, DecodeError, DeviceId, EntryId, MemberId, Name, limits};

use super::{Accepted, Charter};
use crate::{
    Act, Action, Device, Entry, EntryError, Founding, Hint, Invitation, InvitationState, Level, Method,
    PublicKey, Recovery, Redemption, Role, Subject, Target, Verified, VoidReason, rights,
};

/// How a circle starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundingTerms {
    /// The circle's name.
    pub circle: Name,
    /// What the founder calls himself.
    pub founder: Name,
    /// What he calls his device.
    pub device: Name,
    /// The keys that can replace him.
    pub recovery: Option<Recovery>,
}

/// Whom an invitation is for, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Who comes.
    pub newcomer: Newcomer,
    /// When the invitation ends, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// Who is to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newcomer {
    /// Somebody else, in this role.
    Other(Role),
    /// Another device of the inviter's own.
    OwnDevice,
}

/// What stays of the acts of those who are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// All that this device has seen.
    Seen,
    /// Only these entries and what lies before them; at most 16, and with none, nothing at all.
    Only(Vec<EntryId>),
}

impl Charter {
    /// Founds a circle; `key` becomes the founding device's.
    pub fn found(
        terms: &FoundingTerms,
        key: &SigningKey,
        now_ms: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Accepted), CommandError> {
        if let Some(recovery) = &terms.recovery {
            recovery.check().map_err(CommandError::Recovery)?;
        }
        let FoundingTerms { circle, founder, device, recovery } = terms.clone();
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        let founding = Founding { circle, founder, device, recovery, nonce };
        let entry = Entry {
            circle: CircleId::new([0; 32]),
            author: DeviceId::new(key.public()),
            seq: 0,
            previous: None,
            parents: Vec::new(),
            lamport: 0,
            claimed_ms: now_ms,
            cite: EntryId::new([0; 32]),
            action: Action::Found(founding),
        };
        let verified = Verified::own(entry, key);
        let mut charter = Self::awaiting(CircleId::new(*verified.id().as_bytes()));
        let accepted = charter.place(verified)?;
        Ok((charter, accepted))
    }

    /// Publishes an invitation; the returned one holds its secret, to be handed to the newcomer and kept nowhere.
    pub fn invite(
        &mut self,
        terms: Terms,
        hints: Vec<Hint>,
        key: &SigningKey,
        now_ms: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<(Accepted, Invitation), CommandError> {
        let own = self.own(key)?;
        let (role, for_member) = match terms.newcomer {
            Newcomer::Other(role) => (role, None),
            Newcomer::OwnDevice => (own.role, Some(own.member)),
        };
        let expires_ms = terms.expires_ms;
        if expires_ms < now_ms {
            return Err(CommandError::Expired);
        }
        let draft = Invitation::draft(self.circle(), expires_ms, hints, entropy);
        let public = PublicKey::new(draft.key().public());
        let accepted =
            self.write(key, now_ms, Action::Invite { public, role, expires_ms, for_member }, &[])?;
        let invitation = draft.published(accepted.id);
        Ok((accepted, invitation))
    }

    /// Ends an invitation that nobody has used.
    pub fn withdraw(
        &mut self,
        invitation: EntryId,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        let index = self.open_invitation(&invitation)?;
        self.write(key, now_ms, Action::Withdraw { invitation }, &[index])
    }

    /// Lets in the device that redeems an invitation.
    pub fn admit(
        &mut self,
        redemption: &Redemption,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        let admission = redemption.admission();
        let index = self.open_invitation(&admission.invitation)?;
        if self.roster().is_live(&admission.device) {
            return Err(CommandError::AlreadyIn);
        }
        admission.verify(self.circle()).map_err(|_| CommandError::Redemption)?;
        let action = Action::Admit(admission.clone());
        self.write(key, now_ms, action, &[index]).map_err(|error| match error {
            CommandError::NotSenior => CommandError::AdmitterNotSenior { could: self.admitters(index) },
            error => error,
        })
    }

    /// Gives a device another role; one that was removed comes back in it.
    ///
    /// A more junior role takes two entries: what the device has is taken away before it is given anew.
    pub fn change_role(
        &mut self,
        device: DeviceId,
        role: Role,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Vec<Accepted>, CommandError> {
        let grants = self.ledger.grants(Target::Device(device));
        let last = *grants.last().ok_or(CommandError::NoSuchTarget)?;
        let grant = Action::Grant { of: self.ledger.at(last).id, role };
        match self.roster().device(&device) {
            Some(now) if now.role == role => Ok(Vec::new()),
            Some(now) if now.role < role => {
                // Both or none: a removal that nobody stores would be lost, and its place written twice.
                let mut both = self.clone();
                let removal = both.remove_device(device, Keep::Seen, key, now_ms)?;
                let granted = both.write(key, now_ms, grant, &[last])?;
                *self = both;
                Ok(vec![removal, granted])
            }
            Some(_) => Ok(vec![self.write(key, now_ms, grant, &[last])?]),
            None => {
                let removal = self.roster().removed().get(&device).map(|removed| removed.entry);
                let removal = removal.and_then(|entry| self.ledger.index(&entry));
                let needed: Vec<_> = removal.into_iter().chain([last]).collect();
                Ok(vec![self.write(key, now_ms, grant, &needed)?])
            }
        }
    }

    /// Removes a device, also one that left before: then the entry makes void what was not seen of it.
    pub fn remove_device(
        &mut self,
        device: DeviceId,
        keep: Keep,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        if let Some(target) = self.roster().device(&device) {
            self.check_senior(key, target)?;
        }
        self.remove(Target::Device(device), keep, key, now_ms)
    }

    /// Removes a member with all his devices, also those whose admission has not been seen here yet.
    pub fn remove_member(
        &mut self,
        member: MemberId,
        keep: Keep,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        let target = self.roster().members().get(&member).ok_or(CommandError::NoSuchTarget)?;
        let mut devices = target.devices.iter().filter_map(|device| self.roster().device(device));
        devices.try_for_each(|device| self.check_senior(key, device))?;
        self.remove(Target::Member(member), keep, key, now_ms)
    }

    /// Leaves the circle with this device.
    pub fn leave(&mut self, key: &SigningKey, now_ms: u64) -> Result<Accepted, CommandError> {
        self.write(key, now_ms, Action::Leave, &[])
    }

    /// Names the circle, this device or its member.
    pub fn rename(
        &mut self,
        subject: Subject,
        name: Name,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        self.write(key, now_ms, Action::SetName { subject, name }, &[])
    }

    /// Says that this device's person has compared another device's key; with no method, takes it back.
    pub fn verify(
        &mut self,
        device: DeviceId,
        method: Option<Method>,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        // What members say of each other's keys leaves room for what they do.
        if !self.ledger.has_room_to_verify() {
            return Err(EntryError::Full.into());
        }
        let grants = self.ledger.grants(Target::Device(device)).to_vec();
        self.write(key, now_ms, Action::Verify { device, method }, &grants)
    }

    /// Refuses a removal that would take some of a target's grants and leave the more senior ones: the entry
    /// would count, and the device stay.
    fn check_senior(&self, key: &SigningKey, target: &Device) -> Result<(), CommandError> {
        let own = self.own(key)?;
        if own.level.is_senior_to(target.level) {
            return Ok(());
        }
        let act = if own.member == target.member { Act::RemoveOwn } else { Act::Remove };
        let allowed = rights::allowed(own.role, act);
        Err(if allowed { CommandError::NotSenior } else { CommandError::NotAllowed { role: own.role, act } })
    }

    fn remove(
        &mut self,
        target: Target,
        keep: Keep,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        let grants = self.ledger.grants(target).to_vec();
        let devices = grants.iter().filter_map(|&index| self.ledger.at(index).grant);
        let last = devices.filter_map(|grant| self.ledger.last_of(grant.device));
        let mut needed: Vec<_> = last.filter_map(|entry| self.ledger.index(&entry.id)).collect();
        needed.extend(grants);
        let keep = match keep {
            Keep::Seen => self.parents(key, &needed)?,
            Keep::Only(mut entries) => {
                entries.sort();
                entries.dedup();
                entries
            }
        };
        DecodeError::check_count("kept entries", keep.len(), limits::PARENTS).map_err(EntryError::from)?;
        self.write(key, now_ms, Action::Revoke { target, keep }, &needed)
    }

    /// Signs an own entry and takes it, unless it would be void.
    pub(super) fn write(
        &mut self,
        key: &SigningKey,
        now_ms: u64,
        action: Action,
        needed: &[usize],
    ) -> Result<Accepted, CommandError> {
        let parents = self.parents(key, needed)?;
        let own = self.own(key)?;
        let role = own.role;
        let entry = self.draft((own.id, own.grant), parents, now_ms, action);
        self.ledger.check_room(&entry, None)?;
        let resolved = self.ledger.resolve(Verified::own(entry, key))?;
        if let Some(reason) = resolved.unlawful {
            return Err(CommandError::from_void(reason, role));
        }
        Ok(self.append(resolved))
    }

    /// Puts what an author does under a grant at the end of his chain.
    pub(super) fn draft(
        &self,
        (author, cite): (DeviceId, EntryId),
        parents: Vec<EntryId>,
        claimed_ms: u64,
        action: Action,
    ) -> Entry {
        let previous = self.ledger.last_of(author);
        let known = parents.iter().filter_map(|id| self.ledger.index(id)).map(|index| self.ledger.at(index));
        let lamport = known.chain(previous).map(|entry| entry.entry.lamport).max().unwrap_or(0);
        Entry {
            circle: self.circle(),
            author,
            seq: previous.map_or(0, |before| before.entry.seq + 1),
            previous: previous.map(|before| before.id),
            parents,
            lamport: lamport + 1,
            claimed_ms,
            cite,
            action,
        }
    }

    /// Chooses what an own entry says it knows: all heads, or if those are too many, first the ones that cover
    /// what it speaks of, then those of the most senior authors.
    fn parents(&self, key: &SigningKey, needed: &[usize]) -> Result<Vec<EntryId>, CommandError> {
        let heads = self.ledger.heads();
        if heads.len() <= limits::PARENTS {
            return Ok(heads.iter().copied().collect());
        }
        let cite = self.ledger.index(&self.own(key)?.grant);
        let mut rest: Vec<_> = heads.iter().filter_map(|id| self.ledger.index(id)).collect();
        rest.sort_by_key(|&head| {
            let head = self.ledger.at(head);
            (head.level, Reverse(head.entry.lamport), head.id)
        });
        let covers = |head: usize, entry: usize| head == entry || self.ledger.at(head).past.contains(entry);
        let mut chosen: Vec<usize> = Vec::new();
        for entry in cite.into_iter().chain(needed.iter().copied()) {
            if chosen.iter().any(|&head| covers(head, entry)) {
                continue;
            }
            chosen.extend(rest.iter().position(|&head| covers(head, entry)).map(|at| rest.remove(at)));
        }
        chosen.extend(rest);
        chosen.truncate(limits::PARENTS);
        let mut parents: Vec<_> = chosen.into_iter().map(|head| self.ledger.at(head).id).collect();
        parents.sort();
        Ok(parents)
    }

    fn own(&self, key: &SigningKey) -> Result<&Device, CommandError> {
        self.roster().device(&DeviceId::new(key.public())).ok_or(CommandError::NotInCircle)
    }

    fn open_invitation(&self, id: &EntryId) -> Result<usize, CommandError> {
        let invited = self.roster().invitations().get(id).ok_or(CommandError::NoSuchInvitation)?;
        match invited.state {
            InvitationState::Open => self.ledger.index(id).ok_or(CommandError::NoSuchInvitation),
            InvitationState::Used { device, .. } => Err(CommandError::InvitationUsed { device }),
            InvitationState::Spent { by } => Err(CommandError::InvitationSpent { by }),
            InvitationState::Withdrawn { .. } | InvitationState::Void(_) => {
                Err(CommandError::InvitationWithdrawn)
            }
        }
    }

    /// Returns the devices that are senior enough to admit on an invitation.
    fn admitters(&self, invitation: usize) -> Vec<DeviceId> {
        let invite = self.ledger.at(invitation);
        let Action::Invite { role, for_member, .. } = invite.entry.action else {
            return Vec::new();
        };
        let senior = |device: &&Device| {
            let own = for_member == Some(device.member);
            let act = if own { Act::LinkDevice } else { Act::Admit };
            rights::allowed(device.role, act) && Level::below(role, &[invite.level, device.level]).is_some()
        };
        self.roster().devices().values().filter(senior).map(|device| device.id).collect()
    }
}

/// Why a command of this device's person is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// This device is not in the circle: not yet, or not any more.
    #[error("this device is not in the circle")]
    NotInCircle,
    /// The role does not allow it.
    #[error("a {role} may not do this")]
    NotAllowed {
        /// This device's role.
        role: Role,
        /// What it wanted to do.
        act: Act,
    },
    /// This device is not senior to the one concerned, or to the role it would give.
    #[error("this device is not senior enough")]
    NotSenior,
    /// The newcomer would not be junior to this device; another would have to admit him.
    #[error("this device is not senior enough to admit; {} others are", could.len())]
    AdmitterNotSenior {
        /// The devices that could.
        could: Vec<DeviceId>,
    },
    /// There is no such device or member in the circle.
    #[error("no such device or member in the circle")]
    NoSuchTarget,
    /// The circle knows no such invitation.
    #[error("no such invitation")]
    NoSuchInvitation,
    /// The invitation is used up.
    #[error("invitation has been used")]
    InvitationUsed {
        /// The device that came in with it, if it still counts.
        device: DeviceId,
    },
    /// Somebody used the invitation, and his admission does not count any more; it takes a new invitation.
    #[error("invitation has been spent on an admission that does not count")]
    InvitationSpent {
        /// That admission.
        by: EntryId,
    },
    /// The invitation was withdrawn, or its inviter is gone.
    #[error("invitation has been withdrawn")]
    InvitationWithdrawn,
    /// The invitation's time is over.
    #[error("invitation has expired")]
    Expired,
    /// The newcomer's proofs do not hold.
    #[error("proof of the invitation does not match")]
    Redemption,
    /// The device to be admitted is in the circle.
    #[error("device is in the circle already")]
    AlreadyIn,
    /// The recovery keys are too many, in disorder, or do not go with the number that must sign.
    #[error("recovery keys do not fit")]
    Recovery(#[source] DecodeError),
    /// The circle has recovery keys: only these can replace themselves.
    #[error("the circle has recovery keys already")]
    RecoveryKnown,
    /// The circle has no recovery keys.
    #[error("the circle has no recovery keys")]
    NoRecovery,
    /// A key is none of the circle's, or one that counts no more.
    #[error("a sheet belongs to no recovery key of this circle")]
    ForeignSheet,
    /// Too few different recovery keys.
    #[error("{given} of the {needed} recovery keys that it takes")]
    TooFewSheets {
        /// How many different ones were given.
        given: usize,
        /// How many it takes.
        needed: usize,
    },
    /// The charter cannot take the entry.
    #[error("charter takes no such entry")]
    Entry(#[from] EntryError),
}

impl CommandError {
    fn from_void(reason: VoidReason, role: Role) -> Self {
        match reason {
            VoidReason::NotAllowed(act) => Self::NotAllowed { role, act },
            VoidReason::NoSuchTarget => Self::NoSuchTarget,
            VoidReason::Expired => Self::Expired,
            VoidReason::UsedBefore { by } => Self::InvitationSpent { by },
            VoidReason::InvitationVoid { .. } | VoidReason::Withdrawn { .. } => Self::InvitationWithdrawn,
            VoidReason::NotSenior
            | VoidReason::GrantVoid { .. }
            | VoidReason::Removed { .. }
            | VoidReason::Left { .. }
            | VoidReason::UsedElsewhere { .. }
            | VoidReason::RecoveredElsewhere { .. } => Self::NotSenior,
            VoidReason::RecoveryKnown => Self::RecoveryKnown,
        }
    }
}
