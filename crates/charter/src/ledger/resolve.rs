use wire::{EntryId, MemberId};

use super::{Admitted, Grant, Kind, Ledger, Place};
use crate::{
    Action, Admission, Entry, EntryError, Level, Role, Target, Verified, VoidReason,
    past::Past,
    rights::{Act, allowed},
};

/// What an action means, given the entries its author knew.
#[derive(Default)]
pub(super) struct Meaning {
    pub(super) unlawful: Option<VoidReason>,
    pub(super) grant: Option<Grant>,
    pub(super) invitation: Option<usize>,
    pub(super) kept: Past,
}

impl Ledger {
    /// Finds what an entry refers to and what it means; refuses it if that does not fit together.
    pub(crate) fn resolve(&self, verified: Verified) -> Result<Admitted, EntryError> {
        let (id, entry, blob) = verified.into_parts();
        if let Action::Found(_) = entry.action {
            return self.resolve_founding(id, entry, blob);
        }
        if entry.circle != self.circle {
            return Err(EntryError::OtherCircle);
        }
        let past = self.past_of(&entry)?;
        if let Action::Recover(recovering) = &entry.action {
            let (level, meaning) = self.recovery(&entry, recovering, &past)?;
            let place = Place { level, kind: Kind::Other, author: level, id };
            return Ok(Admitted::new(id, entry, blob, past, (0, level), place, meaning));
        }
        let known = |id: &EntryId| self.index(id).filter(|&index| past.contains(index));
        let (cite, acting) = known(&entry.cite)
            .and_then(|cite| Some((cite, self.at(cite).grant?)))
            .filter(|(_, grant)| grant.device == entry.author)
            .ok_or(EntryError::NoSuchGrant)?;
        let author = Author { acting, past: &past };
        let mut meaning = self.meaning(id, &entry, &author)?;
        if let Some(left) = self.has_left(cite, &past) {
            (meaning.unlawful, meaning.grant) = (Some(left), None);
        }
        let level = acting.level;
        let inviter = meaning.invitation.map_or(level, |invitation| self.at(invitation).level);
        let kind = match entry.action {
            Action::Admit(_) => Kind::Admission,
            _ => Kind::Other,
        };
        let reach = if kind == Kind::Admission { level.max(inviter) } else { level };
        let place = Place { level: reach, kind, author: level, id };
        Ok(Admitted::new(id, entry, blob, past, (cite, level), place, meaning))
    }

    fn resolve_founding(&self, id: EntryId, entry: Entry, blob: wire::Blob) -> Result<Admitted, EntryError> {
        if !self.entries.is_empty() || id.as_bytes() != self.circle.as_bytes() {
            return Err(EntryError::OtherCircle);
        }
        let (device, level) = (entry.author, Level::FOUNDER);
        let grant = Grant { device, member: member_of(id), level, origin: 0, member_origin: 0 };
        let place = Place { level, kind: Kind::Founding, author: level, id };
        let meaning = Meaning { grant: Some(grant), ..Meaning::default() };
        Ok(Admitted::new(id, entry, blob, Past::default(), (0, level), place, meaning))
    }

    /// Collects what the author knew, and checks that he goes on where he was.
    fn past_of(&self, entry: &Entry) -> Result<Past, EntryError> {
        let mut past = Past::default();
        let mut lamport = 0;
        for id in entry.parents.iter().chain(&entry.previous) {
            let index = self.index(id).ok_or(EntryError::UnknownReference { what: "a parent" })?;
            let parent = self.at(index);
            past.union(&parent.past);
            past.insert(index);
            lamport = lamport.max(parent.entry.lamport);
        }
        let expected = lamport.saturating_add(1);
        if entry.lamport != expected {
            return Err(EntryError::Lamport { expected, found: entry.lamport });
        }
        let previous = entry.previous.and_then(|id| self.index(&id)).map(|index| &self.at(index).entry);
        let follows = previous.is_none_or(|before| {
            before.author == entry.author && before.seq.checked_add(1) == Some(entry.seq)
        });
        if follows { Ok(past) } else { Err(EntryError::Sequence) }
    }

    fn meaning(&self, id: EntryId, entry: &Entry, author: &Author<'_>) -> Result<Meaning, EntryError> {
        let role = author.acting.level.role();
        let plain = |unlawful| Ok(Meaning { unlawful, ..Meaning::default() });
        match &entry.action {
            Action::Found(_) | Action::Recover(_) | Action::Leave => plain(None),
            Action::SetRecovery(_) => plain(self.check_set_recovery(author.acting, author.past).err()),
            Action::Verify { device, .. } => {
                let known = self.grants(Target::Device(*device)).iter().any(|&at| author.past.contains(at));
                plain((!known || *device == entry.author).then_some(VoidReason::NoSuchTarget))
            }
            Action::SetName { subject, .. } => {
                let act = if *subject == crate::Subject::Circle { Act::NameCircle } else { Act::NameOwn };
                plain(refusal(role, act))
            }
            Action::Invite { role, for_member, .. } => {
                plain(check_invite(author.acting, *role, *for_member).err())
            }
            Action::Withdraw { invitation } => {
                let index = self.invitation(invitation, author)?;
                let unlawful = self.check_withdraw(index, author.acting).err();
                Ok(Meaning { unlawful, invitation: Some(index), ..Meaning::default() })
            }
            Action::Admit(admission) => self.admission(id, entry, admission, author),
            Action::Grant { of, role } => {
                let old = self
                    .known(of, author)
                    .and_then(|index| self.at(index).grant)
                    .ok_or(EntryError::UnknownReference { what: "a grant" })?;
                let grant = check_grant(author.acting, *role).map(|level| Grant { level, ..old });
                Ok(Meaning { unlawful: grant.err(), grant: grant.ok(), ..Meaning::default() })
            }
            Action::Revoke { target, keep } => {
                let kept = self.kept(keep, author.past)?;
                let unlawful = self.check_revoke(*target, author).err();
                Ok(Meaning { unlawful, kept, ..Meaning::default() })
            }
        }
    }

    /// Collects some entries and what is behind them, as far as they are known.
    pub(crate) fn behind<'a>(&self, ids: impl Iterator<Item = &'a EntryId>) -> Past {
        let mut past = Past::default();
        for index in ids.filter_map(|id| self.index(id)) {
            past.union(&self.at(index).past);
            past.insert(index);
        }
        past
    }

    /// Collects what a removal lets stand.
    pub(super) fn kept(&self, keep: &[EntryId], past: &Past) -> Result<Past, EntryError> {
        let mut kept = Past::default();
        for id in keep {
            let what = EntryError::UnknownReference { what: "an entry to be kept" };
            let index = self.index(id).filter(|&index| past.contains(index)).ok_or(what)?;
            kept.union(&self.at(index).past);
            kept.insert(index);
        }
        Ok(kept)
    }

    /// Tells whether the author knew that a grant had been given back.
    fn has_left(&self, grant: usize, past: &Past) -> Option<VoidReason> {
        self.first_known(&self.at(grant).left_by, past).map(|by| VoidReason::Left { by })
    }

    fn first_known(&self, entries: &[usize], past: &Past) -> Option<EntryId> {
        self.first(entries.iter().copied().filter(|&index| past.contains(index))).map(|by| self.at(by).id)
    }

    fn known(&self, id: &EntryId, author: &Author<'_>) -> Option<usize> {
        self.index(id).filter(|&index| author.past.contains(index))
    }

    fn invitation(&self, id: &EntryId, author: &Author<'_>) -> Result<usize, EntryError> {
        self.known(id, author)
            .filter(|&index| matches!(self.at(index).entry.action, Action::Invite { .. }))
            .ok_or(EntryError::UnknownReference { what: "an invitation" })
    }

    fn admission(
        &self,
        id: EntryId,
        entry: &Entry,
        admission: &Admission,
        author: &Author<'_>,
    ) -> Result<Meaning, EntryError> {
        let index = self.invitation(&admission.invitation, author)?;
        let Action::Invite { public, role, expires_ms, for_member } = self.at(index).entry.action else {
            return Err(EntryError::UnknownReference { what: "an invitation" });
        };
        if public != admission.public {
            return Err(EntryError::Redemption);
        }
        let level = self.check_admission(index, role, for_member, author).and_then(|level| {
            if entry.claimed_ms > expires_ms { Err(VoidReason::Expired) } else { Ok(level) }
        });
        let own = self.entries.len();
        let inviter = self.acting(self.at(index));
        let grant = level.map(|level| Grant {
            device: admission.device,
            member: for_member.unwrap_or_else(|| member_of(id)),
            level,
            origin: own,
            member_origin: for_member.map_or(own, |_| inviter.member_origin),
        });
        Ok(Meaning {
            unlawful: grant.err(),
            grant: grant.ok(),
            invitation: Some(index),
            kept: Past::default(),
        })
    }

    /// Returns the level of the newcomer whom the author admits on an invitation.
    fn check_admission(
        &self,
        invitation: usize,
        role: Role,
        for_member: Option<MemberId>,
        author: &Author<'_>,
    ) -> Result<Level, VoidReason> {
        let invite = self.at(invitation);
        if invite.unlawful.is_some() {
            return Err(VoidReason::InvitationVoid { invitation: invite.id });
        }
        // A guest admits nobody but another device of his own.
        let own = for_member == Some(author.acting.member);
        let act = if own { Act::LinkDevice } else { Act::Admit };
        refusal(author.acting.level.role(), act).map_or(Ok(()), Err)?;
        self.has_left(invite.cite, author.past).map_or(Ok(()), Err)?;
        if let Some(by) = self.first_known(&invite.admissions, author.past) {
            return Err(VoidReason::UsedBefore { by });
        }
        Level::below(role, &[invite.level, author.acting.level]).ok_or(VoidReason::NotSenior)
    }

    /// Allows a withdrawal by those strictly senior to the inviter, and by his own member's devices unless
    /// they are junior to him: the fold must know whether it counts before it comes to the admission.
    fn check_withdraw(&self, invitation: usize, acting: Grant) -> Result<(), VoidReason> {
        let inviter = self.acting(self.at(invitation));
        if inviter.member == acting.member && acting.level <= inviter.level {
            return Ok(());
        }
        refusal(acting.level.role(), Act::Withdraw).map_or(Ok(()), Err)?;
        if acting.level.is_senior_to(inviter.level) { Ok(()) } else { Err(VoidReason::NotSenior) }
    }

    /// Allows a revocation that hits at least one grant its author knew.
    fn check_revoke(&self, target: Target, author: &Author<'_>) -> Result<(), VoidReason> {
        let mut known = self.grants(target).iter().filter(|&&index| author.past.contains(index)).peekable();
        if known.peek().is_none() {
            return Err(VoidReason::NoSuchTarget);
        }
        let Author { acting, .. } = author;
        let grants: Vec<_> = known.filter_map(|&index| self.at(index).grant).collect();
        if grants.iter().any(|&grant| self.may_strike(acting.level, acting.member, grant)) {
            return Ok(());
        }
        let foreign = grants.iter().all(|grant| grant.member != acting.member);
        let refused = refusal(acting.level.role(), Act::Remove).filter(|_| foreign);
        Err(refused.unwrap_or(VoidReason::NotSenior))
    }

    /// Tells whether who acts at `level` for `member` may take away a grant.
    pub(super) fn may_strike(&self, level: Level, member: MemberId, grant: Grant) -> bool {
        let act = if member == grant.member { Act::RemoveOwn } else { Act::Remove };
        allowed(level.role(), act) && self.is_senior(level, grant.level)
    }
}

/// Who acts, and what he knows.
struct Author<'a> {
    acting: Grant,
    past: &'a Past,
}

impl Admitted {
    fn new(
        id: EntryId,
        entry: Entry,
        blob: wire::Blob,
        past: Past,
        (cite, level): (usize, Level),
        place: Place,
        meaning: Meaning,
    ) -> Self {
        let Meaning { unlawful, grant, invitation, kept } = meaning;
        Self {
            id,
            entry,
            blob,
            past,
            cite,
            level,
            place,
            unlawful,
            grant,
            invitation,
            kept,
            struck_by: Vec::new(),
            left_by: Vec::new(),
            withdrawn_by: Vec::new(),
            admissions: Vec::new(),
        }
    }
}

fn check_invite(acting: Grant, role: Role, for_member: Option<MemberId>) -> Result<Level, VoidReason> {
    let inviter = acting.level.role();
    match for_member {
        Some(member) if member != acting.member || role != inviter => {
            return Err(VoidReason::NotAllowed(Act::LinkDevice));
        }
        Some(_) => refusal(inviter, Act::LinkDevice).map_or(Ok(()), Err)?,
        None if role == Role::Founder => return Err(VoidReason::NotAllowed(Act::Invite)),
        None => refusal(inviter, Act::Invite).map_or(Ok(()), Err)?,
    }
    Level::below(role, &[acting.level]).ok_or(VoidReason::NotSenior)
}

fn check_grant(acting: Grant, role: Role) -> Result<Level, VoidReason> {
    if role == Role::Founder {
        return Err(VoidReason::NotAllowed(Act::ChangeRole));
    }
    refusal(acting.level.role(), Act::ChangeRole).map_or(Ok(()), Err)?;
    Level::below(role, &[acting.level]).ok_or(VoidReason::NotSenior)
}

fn refusal(role: Role, act: Act) -> Option<VoidReason> {
    (!allowed(role, act)).then_some(VoidReason::NotAllowed(act))
}

/// Names the member whom an admission brings in.
fn member_of(admission: EntryId) -> MemberId {
    MemberId::new(crypto::hash("hexode/charter/member/1", &[admission.as_bytes()]))
}
