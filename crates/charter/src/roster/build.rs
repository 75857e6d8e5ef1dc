use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wire::{DeviceId, EntryId, MemberId, Name};

use super::{
    Device, Facts, Fork, InvitationState, Invited, Member, Recovered, Removed, Roster, Verification,
    VoidEntry,
};
use crate::{
    Action, Recovery, Subject, VoidReason,
    fold::Verdicts,
    ledger::{Admitted, Grant, Ledger},
    verdict::Verdict,
};

/// Writes down what a ledger's valid entries amount to.
pub(crate) fn build(ledger: &Ledger, verdicts: &Verdicts) -> Roster {
    let view = View { ledger, verdicts, names: Names::collect(ledger, verdicts) };
    let founding = ledger.entries().first().and_then(|first| match &first.entry.action {
        Action::Found(terms) => Some(terms),
        _ => None,
    });
    let mut facts = Facts {
        circle: ledger.circle(),
        name: view.names.circle.as_ref().map(|(_, name)| *name).or(founding.map(|f| &f.circle)).cloned(),
        recovery: view.recovery().cloned(),
        recovered: view.recovered(),
        members: BTreeMap::new(),
        devices: BTreeMap::new(),
        removed: BTreeMap::new(),
        removals: BTreeSet::new(),
        invitations: BTreeMap::new(),
        verified: view.verified(),
        void: Vec::new(),
        forks: Vec::new(),
    };
    for (device, grants) in ledger.devices() {
        view.place(device, grants, &mut facts);
    }
    for (index, entry) in ledger.entries().iter().enumerate() {
        view.note(index, entry, &mut facts);
    }
    facts.void.sort_by_cached_key(|void| {
        (ledger.index(&void.id).map(|index| ledger.at(index).entry.lamport), void.id)
    });
    facts.forks = ledger
        .forks()
        .iter()
        .map(|(&(author, seq), &(first, second))| Fork { author, seq, entries: [first, second] })
        .collect();
    Roster(Arc::new(facts))
}

struct View<'a> {
    ledger: &'a Ledger,
    verdicts: &'a Verdicts,
    names: Names<'a>,
}

impl<'a> View<'a> {
    /// Enters a device among the present ones or the removed ones; neither, if it never validly came in.
    fn place(&self, id: DeviceId, grants: &[usize], facts: &mut Facts) {
        let valid = grants.iter().copied().filter(|&issuer| self.verdicts.is_valid(issuer));
        let ranked = valid.filter_map(|issuer| {
            let at = self.ledger.at(issuer);
            at.grant.map(|grant| (self.verdicts.ended_by(self.ledger, issuer), grant, at))
        });
        // The most senior of those that live; if none does, the last one given, since what ended that ended all.
        let best = ranked.min_by_key(|(ended, grant, at)| {
            let given = (at.entry.lamport, at.id);
            (ended.map(|_| Reverse(given)), grant.level, at.id)
        });
        let Some((ended, grant, issuer)) = best else {
            return;
        };
        let origin = self.ledger.at(grant.origin);
        let name = self.device_name(id, origin);
        let member_name = self.member_name(&grant);
        if let Some(by) = ended {
            let by = self.ledger.at(by);
            let (entry, author, at_ms) = (by.id, by.entry.author, by.entry.claimed_ms);
            let removed = Removed { id, member: grant.member, member_name, name, by: author, entry, at_ms };
            facts.removed.insert(id, removed);
            if author != id {
                facts.removals.insert((entry, author));
            }
            return;
        }
        let role = grant.level.role();
        let device = Device {
            id,
            member: grant.member,
            name,
            role,
            level: grant.level,
            grant: issuer.id,
            admitted_by: origin.entry.author,
            invited_by: origin.invitation.map(|invite| self.ledger.at(invite).entry.author),
            since_ms: origin.entry.claimed_ms,
        };
        let member = facts.members.entry(grant.member).or_insert_with(|| Member {
            id: grant.member,
            name: member_name,
            role,
            devices: BTreeSet::new(),
        });
        member.role = member.role.min(role);
        member.devices.insert(id);
        facts.devices.insert(id, device);
    }

    fn note(&self, index: usize, entry: &Admitted, facts: &mut Facts) {
        let verdict = self.verdicts.of(index);
        if let Some(Verdict::Void(reason)) = verdict {
            let (author, claimed_ms) = (entry.entry.author, entry.entry.claimed_ms);
            facts.void.push(VoidEntry { id: entry.id, author, claimed_ms, reason });
        }
        if let Action::Invite { public, role, expires_ms, for_member } = entry.entry.action {
            let void = verdict.and_then(|verdict| match verdict {
                Verdict::Void(reason) => Some(reason),
                Verdict::Valid => None,
            });
            let invited = Invited {
                id: entry.id,
                public,
                by: entry.entry.author,
                by_member: self.ledger.acting(entry).member,
                role,
                for_member,
                expires_ms,
                state: self.state(entry, void),
            };
            facts.invitations.insert(entry.id, invited);
        }
    }

    fn state(&self, invite: &Admitted, void: Option<VoidReason>) -> InvitationState {
        if let Some(reason) = void {
            return InvitationState::Void(reason);
        }
        let used = invite.admissions.iter().copied().find(|&by| self.verdicts.is_valid(by));
        if let Some(by) = used.map(|by| self.ledger.at(by))
            && let Some(grant) = by.grant
        {
            return InvitationState::Used { device: grant.device, by: by.id };
        }
        let withdrawals = invite.withdrawn_by.iter().copied().filter(|&by| self.verdicts.is_valid(by));
        let first = self.ledger.first(withdrawals);
        if let Some(by) = first.or_else(|| self.verdicts.ended_by(self.ledger, invite.cite)) {
            return InvitationState::Withdrawn { by: self.ledger.at(by).id };
        }
        // Whoever admits now knows of the earlier admission, void or not, and may not.
        match self.ledger.first(invite.admissions.iter().copied()) {
            Some(by) => InvitationState::Spent { by: self.ledger.at(by).id },
            None => InvitationState::Open,
        }
    }

    /// Returns the valid uses of the recovery keys, the last one first.
    fn recoveries(&self) -> Vec<usize> {
        let valid = self.ledger.recoveries().iter().copied().filter(|&at| self.verdicts.is_valid(at));
        let mut valid: Vec<_> = valid.collect();
        valid.sort_by_key(|&at| self.ledger.at(at).place);
        valid
    }

    fn recovery(&self) -> Option<&'a Recovery> {
        let next = self.recoveries().into_iter().find_map(|at| self.ledger.at(at).entry.action.recovery());
        next.or_else(|| self.ledger.first_recovery(|at| self.verdicts.is_valid(at)))
    }

    fn recovered(&self) -> Vec<Recovered> {
        let mut recovered: Vec<_> = self.recoveries();
        recovered.reverse();
        let shown = recovered.into_iter().map(|at| self.ledger.at(at)).map(|by| Recovered {
            entry: by.id,
            device: by.entry.author,
            member: self.ledger.acting(by).member,
            at_ms: by.entry.claimed_ms,
        });
        shown.collect()
    }

    /// Collects what each device has said last of each other one's key.
    fn verified(&self) -> BTreeMap<DeviceId, BTreeMap<DeviceId, Verification>> {
        let mut verified: BTreeMap<DeviceId, BTreeMap<DeviceId, Verification>> = BTreeMap::new();
        for (index, entry) in self.ledger.entries().iter().enumerate() {
            let Action::Verify { device, method } = entry.entry.action else { continue };
            if !self.verdicts.is_valid(index) {
                continue;
            }
            let (lamport, at_ms) = (entry.entry.lamport, entry.entry.claimed_ms);
            let said = Verification { method, at_ms, lamport, entry: entry.id };
            let slot = verified.entry(device).or_default().entry(entry.entry.author).or_insert(said);
            if (said.lamport, said.entry) > (slot.lamport, slot.entry) {
                *slot = said;
            }
        }
        verified
    }

    fn device_name(&self, id: DeviceId, origin: &Admitted) -> Name {
        let chosen = self.names.devices.get(&id).map(|(_, name)| *name);
        chosen.unwrap_or_else(|| names_at(origin).1).clone()
    }

    fn member_name(&self, grant: &Grant) -> Name {
        let chosen = self.names.members.get(&grant.member).map(|(_, name)| *name);
        chosen.unwrap_or_else(|| names_at(self.ledger.at(grant.member_origin)).0).clone()
    }
}

/// Returns the names of member and device with which a device came in.
fn names_at(origin: &Admitted) -> (&Name, &Name) {
    match &origin.entry.action {
        Action::Found(terms) => (&terms.founder, &terms.device),
        Action::Admit(admission) => (&admission.member_name, &admission.device_name),
        // The member is the founder's, whose own origin has his name.
        Action::Recover(recovering) => (&recovering.device, &recovering.device),
        _ => unreachable!("a grant's origin is a founding, an admission or a recovery"),
    }
}

/// The last name validly given to each thing, in an order that extends the causal one.
#[derive(Default)]
struct Names<'a> {
    circle: Option<Dated<'a>>,
    members: BTreeMap<MemberId, Dated<'a>>,
    devices: BTreeMap<DeviceId, Dated<'a>>,
}

type Dated<'a> = ((u64, EntryId), &'a Name);

impl<'a> Names<'a> {
    fn collect(ledger: &'a Ledger, verdicts: &Verdicts) -> Self {
        let mut names = Self::default();
        for (index, entry) in ledger.entries().iter().enumerate() {
            let Action::SetName { subject, name } = &entry.entry.action else {
                continue;
            };
            if !verdicts.is_valid(index) {
                continue;
            }
            let given = ((entry.entry.lamport, entry.id), name);
            let slot = match subject {
                Subject::Circle => {
                    names.circle = names.circle.max(Some(given));
                    continue;
                }
                Subject::Member => names.members.entry(ledger.acting(entry).member).or_insert(given),
                Subject::Device => names.devices.entry(entry.entry.author).or_insert(given),
            };
            *slot = given.max(*slot);
        }
        names
    }
}
