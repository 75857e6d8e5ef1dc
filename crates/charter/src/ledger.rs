use std::collections::{BTreeMap, BTreeSet};

use wire::{Blob, CircleId, DeviceId, EntryId, MemberId, limits};

use crate::{Action, Entry, EntryError, Level, Role, Target, VoidReason, past::Past};

mod recover;
mod resolve;

/// The entries of one circle, each after all it refers to, and what they structurally say about each other.
///
/// Everything here follows from the entries' own bytes and those of their pasts, so it never changes once it is
/// known. Which entries count is the fold's to say.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    circle: CircleId,
    entries: Vec<Admitted>,
    by_id: BTreeMap<EntryId, usize>,
    /// All indices by [`Place`]: the fold's order.
    order: Vec<usize>,
    heads: BTreeSet<EntryId>,
    /// Who was given grants, under his device and under his member.
    grants: BTreeMap<Target, Vec<usize>>,
    revocations: BTreeMap<Target, Vec<usize>>,
    /// The lawful uses of the recovery keys.
    recoveries: Vec<usize>,
    /// The lawful entries that fix recovery keys.
    recovery_sets: Vec<usize>,
    /// What stands at each place of each chain; of a fork the smallest id.
    chains: BTreeMap<(DeviceId, u64), EntryId>,
    /// Where one device wrote two entries: the two smallest ids.
    forks: BTreeMap<(DeviceId, u64), (EntryId, EntryId)>,
    /// How many entries each device wrote.
    written: BTreeMap<DeviceId, u64>,
    /// How many entries were written under grants of each role.
    taken: BTreeMap<Role, usize>,
    /// Drops the rule that only the strictly more senior remove: the model check's negative control.
    #[cfg(test)]
    pub(crate) lax: bool,
}

/// An entry in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) id: EntryId,
    pub(crate) entry: Entry,
    pub(crate) blob: Blob,
    /// All entries its author knew.
    pub(crate) past: Past,
    /// The entry that issued the grant it acts under; the founding entry's own index in that.
    pub(crate) cite: usize,
    /// The level of that grant.
    pub(crate) level: Level,
    pub(crate) place: Place,
    /// Why it is void whatever other entries there are.
    pub(crate) unlawful: Option<VoidReason>,
    /// The grant it issues.
    pub(crate) grant: Option<Grant>,
    /// The invite entry, of an admission or withdrawal.
    pub(crate) invitation: Option<usize>,
    /// What a revocation or recovery lets stand.
    pub(crate) kept: Past,
    /// Of a grant: the revocations and recoveries that hit it.
    pub(crate) struck_by: Vec<usize>,
    /// Of a grant: the entries that gave it back.
    pub(crate) left_by: Vec<usize>,
    /// Of an invitation: the withdrawals.
    pub(crate) withdrawn_by: Vec<usize>,
    /// Of an invitation: the admissions.
    pub(crate) admissions: Vec<usize>,
}

/// What an entry gives to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) device: DeviceId,
    pub(crate) member: MemberId,
    pub(crate) level: Level,
    /// The admission that brought the device in.
    pub(crate) origin: usize,
    /// The admission that brought the member in.
    pub(crate) member_origin: usize,
}

/// Where the fold comes to an entry: after everything that its validity depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The more junior of the levels it acts under: its author's, and for an admission the inviter's.
    level: Level,
    kind: Kind,
    /// Its author's level: among admissions of one invitation the most senior admitter's comes first.
    author: Level,
    id: EntryId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Founding,
    Other,
    Admission,
}

impl Ledger {
    pub(crate) fn new(circle: CircleId) -> Self {
        Self {
            circle,
            entries: Vec::new(),
            by_id: BTreeMap::new(),
            order: Vec::new(),
            heads: BTreeSet::new(),
            grants: BTreeMap::new(),
            revocations: BTreeMap::new(),
            recoveries: Vec::new(),
            recovery_sets: Vec::new(),
            chains: BTreeMap::new(),
            forks: BTreeMap::new(),
            written: BTreeMap::new(),
            taken: BTreeMap::new(),
            #[cfg(test)]
            lax: false,
        }
    }

    pub(crate) fn circle(&self) -> CircleId {
        self.circle
    }

    pub(crate) fn entries(&self) -> &[Admitted] {
        &self.entries
    }

    pub(crate) fn at(&self, index: usize) -> &Admitted {
        self.entries.get(index).expect("an index comes from this ledger, which only grows")
    }

    /// Returns, of some entries, the one the fold comes to first: all devices name the same.
    pub(crate) fn first(&self, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        candidates.min_by_key(|&index| self.at(index).place)
    }

    fn at_mut(&mut self, index: usize) -> &mut Admitted {
        self.entries.get_mut(index).expect("an index comes from this ledger, which only grows")
    }

    pub(crate) fn index(&self, id: &EntryId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(crate) fn heads(&self) -> &BTreeSet<EntryId> {
        &self.heads
    }

    pub(crate) fn forks(&self) -> &BTreeMap<(DeviceId, u64), (EntryId, EntryId)> {
        &self.forks
    }

    pub(crate) fn recoveries(&self) -> &[usize] {
        &self.recoveries
    }

    /// Returns the grants ever given to a device or member.
    pub(crate) fn grants(&self, target: Target) -> &[usize] {
        self.grants.get(&target).map_or(&[], Vec::as_slice)
    }

    /// Returns all devices that ever were given a grant, each with its grants.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (DeviceId, &[usize])> {
        self.grants.iter().filter_map(|(target, grants)| match target {
            Target::Device(device) => Some((*device, grants.as_slice())),
            Target::Member(_) => None,
        })
    }

    /// Returns the last entry of a device's chain.
    pub(crate) fn last_of(&self, author: DeviceId) -> Option<&Admitted> {
        let (_, id) = self.chains.range((author, 0)..=(author, u64::MAX)).next_back()?;
        self.index(id).map(|index| self.at(index))
    }

    /// Returns the grant an entry's author acts under.
    pub(crate) fn acting(&self, entry: &Admitted) -> Grant {
        self.at(entry.cite).grant.expect("an entry is taken only if what it cites issues a grant")
    }

    /// Returns the entries that must come before this one can be taken.
    pub(crate) fn missing<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = EntryId> + 'a {
        entry.parents.iter().chain(&entry.previous).filter(|id| !self.by_id.contains_key(*id)).copied()
    }

    /// Refuses an entry for which there is no room, as far as that can be told before its signature is checked.
    ///
    /// Room is counted by the rank under which entries are written, and by author, siblings at one place of his
    /// chain included. `waiting` is the most senior role under which an entry waits for its parents: what comes may
    /// be one of them, so it takes that role's room. Otherwise a flood that fills two devices differently would
    /// keep the removal of its author, which knows one part of it, from the device that holds the other.
    pub(crate) fn check_room(&self, entry: &Entry, waiting: Option<Role>) -> Result<(), EntryError> {
        let Some(role) = self.role_cited(entry) else { return Ok(()) };
        let role = waiting.map_or(role, |waiting| waiting.min(role));
        let (chain, room, taken) = match role {
            Role::Founder => (limits::CHARTER_CHAIN, limits::CHARTER_ENTRIES, self.entries.len()),
            Role::Admin => (
                limits::CHARTER_CHAIN,
                limits::CHARTER_ENTRIES / 4 * 3,
                self.entries.len() - self.taken_by(Role::Founder),
            ),
            Role::Member | Role::Guest => (
                limits::CHARTER_CHAIN / 8,
                limits::CHARTER_ENTRIES / 4,
                self.taken_by(Role::Member) + self.taken_by(Role::Guest),
            ),
        };
        if self.written.get(&entry.author).is_some_and(|written| *written >= chain) {
            Err(EntryError::ChainTooLong)
        } else if taken >= room {
            Err(EntryError::Full)
        } else {
            Ok(())
        }
    }

    /// Returns the role of the grant that an entry's author acts under, if that is his and known.
    pub(crate) fn role_cited(&self, entry: &Entry) -> Option<Role> {
        if let Action::Recover(recovering) = &entry.action {
            return self.may_recover(recovering).then_some(Role::Founder);
        }
        let grant = self.index(&entry.cite).and_then(|index| self.at(index).grant)?;
        (grant.device == entry.author).then(|| grant.level.role())
    }

    /// Tells whether half of the room of members and guests is still there.
    pub(crate) fn has_room_to_verify(&self) -> bool {
        self.taken_by(Role::Member) + self.taken_by(Role::Guest) < limits::CHARTER_ENTRIES / 8
            && self.entries.len() < limits::CHARTER_ENTRIES / 2
    }

    fn taken_by(&self, role: Role) -> usize {
        self.taken.get(&role).copied().unwrap_or(0)
    }

    /// Appends an entry that was [`resolve`](Self::resolve)d against the ledger as it is, and returns its index.
    pub(crate) fn append(&mut self, admitted: Admitted) -> usize {
        let index = self.entries.len();
        for id in admitted.entry.parents.iter().chain(&admitted.entry.previous) {
            self.heads.remove(id);
        }
        self.heads.insert(admitted.id);
        self.by_id.insert(admitted.id, index);
        self.note_chain(&admitted);
        *self.written.entry(admitted.entry.author).or_default() += 1;
        *self.taken.entry(admitted.level.role()).or_default() += 1;
        let at = self.order.partition_point(|&other| self.at(other).place < admitted.place);
        self.order.insert(at, index);
        self.entries.push(admitted);
        self.relate(index);
        index
    }

    fn note_chain(&mut self, new: &Admitted) {
        let place = (new.entry.author, new.entry.seq);
        let first = *self.chains.entry(place).or_insert(new.id);
        if first == new.id {
            return;
        }
        self.chains.insert(place, first.min(new.id));
        let mut seen = vec![first, new.id];
        seen.extend(self.forks.get(&place).map(|&(_, second)| second));
        seen.sort();
        if let [first, second, ..] = *seen {
            self.forks.insert(place, (first, second));
        }
    }

    /// Writes down what the new entry says about those before it, and they about it.
    fn relate(&mut self, index: usize) {
        let new = self.at(index);
        let (cite, invitation, grant, lawful) = (new.cite, new.invitation, new.grant, new.unlawful.is_none());
        let fixes_keys = lawful && new.entry.action.recovery().is_some();
        match &new.entry.action {
            Action::Leave => self.at_mut(cite).left_by.push(index),
            Action::Withdraw { .. } if lawful => {
                if let Some(invitation) = invitation {
                    self.at_mut(invitation).withdrawn_by.push(index);
                }
            }
            Action::Admit(_) if lawful => {
                if let Some(invitation) = invitation {
                    self.at_mut(invitation).admissions.push(index);
                }
            }
            Action::Revoke { target, .. } if lawful => self.strike(index, *target),
            Action::Recover(_) if lawful => {
                self.strike(index, Target::Member(self.acting(new).member));
                self.recoveries.push(index);
            }
            _ => {}
        }
        if fixes_keys {
            self.recovery_sets.push(index);
        }
        if let Some(grant) = grant {
            for target in [Target::Device(grant.device), Target::Member(grant.member)] {
                let known = self.revocations.get(&target).map_or(&[][..], Vec::as_slice);
                let hits: Vec<_> = known.iter().copied().filter(|&by| self.hits(by, index)).collect();
                self.at_mut(index).struck_by.extend(hits);
                self.grants.entry(target).or_default().push(index);
            }
        }
    }

    /// Lets a lawful revocation hit the grants to its target, those that come later too.
    fn strike(&mut self, revocation: usize, target: Target) {
        let grants = self.grants(target).iter().copied();
        let hit: Vec<_> = grants.filter(|&grant| self.hits(revocation, grant)).collect();
        hit.into_iter().for_each(|grant| self.at_mut(grant).struck_by.push(revocation));
        self.revocations.entry(target).or_default().push(revocation);
    }

    /// Tells whether a lawful revocation is aimed at a grant to its target, given by the entry `issuer`.
    ///
    /// A grant that was given in knowledge of the revocation is a re-admission and is not hit.
    fn hits(&self, revocation: usize, issuer: usize) -> bool {
        let by = self.at(revocation);
        let issuer = self.at(issuer);
        issuer.grant.is_some_and(|grant| self.may_strike(by.level, self.acting(by).member, grant))
            && issuer.id != by.id
            && !issuer.past.contains(revocation)
    }

    fn is_senior(&self, author: Level, target: Level) -> bool {
        #[cfg(test)]
        if self.lax {
            return true;
        }
        author.is_senior_to(target)
    }
}
