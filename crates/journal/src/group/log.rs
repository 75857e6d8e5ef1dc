use std::collections::{BTreeMap, BTreeSet};

use crypto::SigningKey;
use wire::{ActId, Blob, CircleId, ConversationId, DecodeError, DeviceId, MemberId, limits};

use super::{Act, Deed, GroupRoster, roster};
use crate::{GroupFounding, Membership, Standing};

/// The acts of one group, each after all it refers to, and what they structurally say about each other.
///
/// Everything here follows from the acts' own bytes and those of their pasts, so it never changes once it is known.
/// Which of them count is the roster's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(super) founding: GroupFounding,
    pub(super) acts: Vec<Taken>,
    by_id: BTreeMap<ActId, usize>,
    heads: BTreeSet<ActId>,
    bytes: usize,
    /// How many bytes each device wrote.
    written: BTreeMap<DeviceId, usize>,
}

/// An act in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) id: ActId,
    pub(super) act: Act,
    blob: Blob,
    pub(super) past: Past,
    /// The act that issued the grant it acts under; none for the founding's.
    pub(super) cite: Option<usize>,
    /// How far that grant is from the founder's; the fewer the more senior.
    pub(super) level: u16,
    /// It breaks a rule whatever other acts there are.
    pub(super) unlawful: bool,
}

/// A set of acts by their index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Past(Vec<u64>);

/// A place in the group, given by the founding or by an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) member: MemberId,
    pub(super) issuer: Option<usize>,
    pub(super) level: u16,
    pub(super) after: u64,
}

impl Past {
    pub(super) fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn insert(&mut self, index: usize) {
        if self.0.len() <= index / 64 {
            self.0.resize(index / 64 + 1, 0);
        }
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn union(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }
}

impl Log {
    pub(crate) fn new(founding: GroupFounding) -> Self {
        Self {
            founding,
            acts: Vec::new(),
            by_id: BTreeMap::new(),
            heads: BTreeSet::new(),
            bytes: 0,
            written: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }

    /// Returns all acts, each after those it builds on.
    pub(crate) fn blobs(&self) -> Vec<Blob> {
        self.acts.iter().map(|taken| taken.blob.clone()).collect()
    }

    /// Returns a hash by which two devices can compare what they hold.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hasher = crypto::Hasher::new("hexode/journal/acts/1");
        self.by_id.keys().for_each(|id| hasher.part(id.as_bytes()));
        hasher.finish()
    }

    /// Works out who belongs to the group.
    pub(crate) fn fold(&self, membership: &impl Membership) -> GroupRoster {
        roster::fold(self, membership)
    }

    /// Returns the act that ended a member's place, and all its author knew: what he may still be told.
    pub(crate) fn last_word(&self, act: &ActId) -> Vec<Blob> {
        let Some(&index) = self.by_id.get(act) else { return Vec::new() };
        let past = self.acts.get(index).map(|taken| taken.past.clone()).unwrap_or_default();
        let known = self.acts.iter().enumerate().filter(|(at, _)| *at == index || past.contains(*at));
        known.map(|(_, taken)| taken.blob.clone()).collect()
    }

    /// Takes an act, unless it is known. `Ok(None)` if what it builds on has not come.
    pub(crate) fn take(
        &mut self,
        group: ConversationId,
        circle: &CircleId,
        blob: &Blob,
        membership: &impl Membership,
    ) -> Result<Take, ActError> {
        let (id, act) = Act::decode(blob, circle)?;
        if act.group != group {
            return Err(ActError::OtherGroup);
        }
        if self.by_id.contains_key(&id) {
            return Ok(Take::Known);
        }
        if act.parents.iter().any(|parent| !self.by_id.contains_key(parent)) {
            return Ok(Take::Lacks);
        }
        // The fold asks this again whenever the charter grows; here it keeps strangers from filling the log.
        if !is_borne_out(&act, membership) {
            return Ok(Take::Stranger);
        }
        let taken = self.resolve(id, act, blob.clone())?;
        self.check_room(&taken)?;
        self.append(taken);
        Ok(Take::New)
    }

    /// Puts back an act as the vault holds it.
    pub(crate) fn restore(
        &mut self,
        group: ConversationId,
        circle: &CircleId,
        blob: &Blob,
    ) -> Result<(), ActError> {
        let (id, act) = Act::decode(blob, circle)?;
        if act.group != group {
            return Err(ActError::OtherGroup);
        }
        let taken = self.resolve(id, act, blob.clone())?;
        self.append(taken);
        Ok(())
    }

    /// Writes an act of this device's own.
    pub(crate) fn write(
        &mut self,
        group: ConversationId,
        circle: &CircleId,
        (deed, claimed_ms): (Deed, u64),
        key: &SigningKey,
        membership: &impl Membership,
    ) -> Result<Blob, GroupError> {
        let author = DeviceId::new(key.public());
        let Standing::Live(member) = membership.standing(&author) else {
            return Err(GroupError::NotInGroup);
        };
        let roster = self.fold(membership);
        let own = roster.members.get(&member).ok_or(GroupError::NotInGroup)?;
        let zero = ActId::new([0; 32]);
        let cite = own.by.unwrap_or(zero);
        let parents = self.parents(own.by);
        let known = parents.iter().filter_map(|id| self.by_id.get(id)).filter_map(|at| self.acts.get(*at));
        let lamport = known.map(|taken| taken.act.lamport).max().unwrap_or(0).saturating_add(1);
        let act = Act { group, author, member, parents, lamport, claimed_ms, cite, deed };
        let blob = act.sign(circle, key);
        let (id, act) = Act::decode(&blob, circle)?;
        let taken = self.resolve(id, act, blob.clone())?;
        if taken.unlawful {
            return Err(GroupError::NotSenior);
        }
        self.check_room(&taken)?;
        self.append(taken);
        Ok(blob)
    }

    /// Chooses what an own act says it knows: the heads, as many as there is room for, the grant's issuer among them.
    fn parents(&self, cite: Option<ActId>) -> Vec<ActId> {
        let mut heads: Vec<_> = self.heads.iter().copied().collect();
        if heads.len() > limits::PARENTS {
            heads.truncate(limits::PARENTS);
            if let (Some(cite), Some(last)) = (cite, heads.last_mut()) {
                *last = cite;
            }
            heads.sort();
            heads.dedup();
        }
        heads
    }

    /// Finds what an act refers to; refuses it if that does not fit together.
    fn resolve(&self, id: ActId, act: Act, blob: Blob) -> Result<Taken, ActError> {
        let (mut past, mut lamport) = (Past::default(), 0);
        for parent in &act.parents {
            let index = *self.by_id.get(parent).ok_or(ActError::Unknown)?;
            let parent = self.acts.get(index).ok_or(ActError::Unknown)?;
            past.union(&parent.past);
            past.insert(index);
            lamport = lamport.max(parent.act.lamport);
        }
        if act.lamport != lamport.saturating_add(1) {
            return Err(ActError::Lamport);
        }
        let cite = if act.cite == ActId::new([0; 32]) {
            None
        } else {
            let index = self.by_id.get(&act.cite).copied();
            Some(index.filter(|index| past.contains(*index)).ok_or(ActError::NoSuchGrant)?)
        };
        let own = |grant: &Grant| grant.issuer == cite && grant.member == act.member;
        let level = self.grants().find(own).ok_or(ActError::NoSuchGrant)?.level;
        let has_left = self.acts.iter().enumerate().any(|(index, earlier)| {
            past.contains(index)
                && earlier.cite == cite
                && earlier.act.member == act.member
                && matches!(earlier.act.deed, Deed::Leave { .. })
        });
        let lawful = !has_left
            && match &act.deed {
                Deed::Rename(_) | Deed::Leave { .. } => true,
                Deed::Add { members, .. } => !members.is_empty() && level < u16::MAX,
                Deed::Remove { member, .. } => self.grants().any(|grant| {
                    grant.member == *member
                        && grant.level > level
                        && grant.issuer.is_none_or(|issuer| past.contains(issuer))
                }),
            };
        Ok(Taken { id, act, blob, past, cite, level, unlawful: !lawful })
    }

    /// Lists all places ever given, those of the founding first.
    pub(super) fn grants(&self) -> impl Iterator<Item = Grant> + '_ {
        let founders = &self.founding.founder_member;
        let founding = self.founding.members.iter().map(move |member| Grant {
            member: *member,
            issuer: None,
            level: u16::from(member != founders),
            after: 0,
        });
        let added = self.acts.iter().enumerate().filter(|(_, taken)| !taken.unlawful);
        let added = added.flat_map(|(index, taken)| {
            let (members, after) = match &taken.act.deed {
                Deed::Add { members, after } => (members.as_slice(), *after),
                _ => (&[][..], 0),
            };
            let level = taken.level.saturating_add(1);
            members.iter().map(move |member| Grant { member: *member, issuer: Some(index), level, after })
        });
        founding.chain(added)
    }

    /// Refuses an act for which there is no room. A quarter of all is the founder's alone, so that he can remove who
    /// fills the rest.
    fn check_room(&self, taken: &Taken) -> Result<(), ActError> {
        let (acts, bytes, own) = match taken.level {
            0 => (limits::GROUP_ACTS, limits::GROUP_LOG, limits::GROUP_LOG),
            _ => (limits::GROUP_ACTS / 4 * 3, limits::GROUP_LOG / 4 * 3, limits::GROUP_LOG / 16),
        };
        let len = taken.blob.0.len();
        let written = self.written.get(&taken.act.author).copied().unwrap_or(0);
        if self.acts.len() >= acts || self.bytes + len > bytes || written + len > own {
            return Err(ActError::Full);
        }
        Ok(())
    }

    fn append(&mut self, taken: Taken) {
        let index = self.acts.len();
        for parent in &taken.act.parents {
            self.heads.remove(parent);
        }
        self.heads.insert(taken.id);
        self.by_id.insert(taken.id, index);
        self.bytes += taken.blob.0.len();
        *self.written.entry(taken.act.author).or_default() += taken.blob.0.len();
        self.acts.push(taken);
    }
}

/// Tells whether the charter knows an act's author as a device of the member for whom he acts.
pub(super) fn is_borne_out(act: &Act, membership: &impl Membership) -> bool {
    matches!(membership.standing(&act.author),
        Standing::Live(member) | Standing::Removed(member) if member == act.member)
}

/// What became of an act that came from another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// It is part of the log.
    New,
    /// It was before.
    Known,
    /// What it builds on has not come.
    Lacks,
    /// The charter does not know its author as the member's, or not yet.
    Stranger,
}

/// Why an act is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// It does not decode.
    #[error("group act: {0}")]
    Decode(#[from] DecodeError),
    /// Its author did not sign it for this circle.
    #[error("group act is not signed by its author")]
    Signature,
    /// It is of another group.
    #[error("act of another group")]
    OtherGroup,
    /// It builds on an act that is not known.
    #[error("group act builds on one that is not known")]
    Unknown,
    /// Its logical time is not one more than its parents'.
    #[error("group act at a wrong logical time")]
    Lamport,
    /// Its author has no such place in the group.
    #[error("group act under a grant that its author does not hold")]
    NoSuchGrant,
    /// There is no room: [`limits::GROUP_ACTS`], [`limits::GROUP_LOG`].
    #[error("the group's log is full")]
    Full,
}

/// Why something is not done to a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// This conversation is no group that is open here.
    #[error("no such group")]
    NoSuchGroup,
    /// This device's member is not in the group.
    #[error("this device's member is not in the group")]
    NotInGroup,
    /// The member to be removed is not junior to the remover.
    #[error("not senior enough in the group")]
    NotSenior,
    /// There is no such member in the group.
    #[error("no such member in the group")]
    NoSuchMember,
    /// More members than [`limits::GROUP`].
    #[error("a group has at most {} members", limits::GROUP)]
    TooMany,
    /// The log takes no such act.
    #[error(transparent)]
    Act(#[from] ActError),
}
