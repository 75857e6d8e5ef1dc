use std::collections::{BTreeMap, BTreeSet};

use wire::{ActId, ChainHead, DeviceId, MemberId, Name, limits};

use super::{
    Deed,
    log::{Grant, Log, Taken, is_borne_out},
};
use crate::Membership;

/// What a group's acts say now: its name, who belongs to it, and who did once.
///
/// A pure function of the set of acts, the founding, and what the charter says of their authors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRoster {
    /// The name last given.
    pub name: Name,
    /// Who belongs to it.
    pub members: BTreeMap<MemberId, Participant>,
    /// Who belonged to it.
    pub gone: BTreeMap<MemberId, Gone>,
    /// Acts that do not count.
    pub void: BTreeSet<ActId>,
}

/// A member's place in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Participant {
    /// How far it is from the founder's; the fewer the more senior.
    pub level: u16,
    /// The act that gave it; none if the founding did.
    pub by: Option<ActId>,
    /// Up to which Lamport time of the conversation he gets no bodies.
    pub after: u64,
}

/// How a member's place in a group ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The act that ended it.
    pub act: ActId,
    /// The member who did that; himself, if he left.
    pub by: MemberId,
    /// Where the chains of his devices end; a chain that is not named has no entry that counts.
    pub heads: BTreeMap<DeviceId, ChainHead>,
}

impl GroupRoster {
    /// Tells whether one member may remove another.
    pub fn may_remove(&self, by: &MemberId, member: &MemberId) -> bool {
        match (self.members.get(by), self.members.get(member)) {
            (Some(by), Some(member)) => by.level < member.level,
            _ => false,
        }
    }
}

/// Says who belongs to a group.
///
/// One pass from the most senior acts down. An act's validity depends on the issuer of the grant it cites and on
/// removals that hit that grant, and all of these act at strictly more senior levels: the order within one level is of
/// no matter, nobody removes each other, and a new act changes no verdict at its own level or above.
pub(super) fn fold(log: &Log, membership: &impl Membership) -> GroupRoster {
    let mut order: Vec<_> = (0..log.acts.len()).collect();
    order.sort_by_key(|&index| log.acts.get(index).map(|taken| (taken.level, taken.id)));
    let mut judge = Judge { log, valid: vec![false; log.acts.len()] };
    for index in order {
        let Some(taken) = log.acts.get(index) else { continue };
        let valid = !taken.unlawful && is_borne_out(&taken.act, membership) && judge.may_act(index, taken);
        if let Some(slot) = judge.valid.get_mut(index) {
            *slot = valid;
        }
    }
    judge.roster()
}

struct Judge<'a> {
    log: &'a Log,
    /// What the pass has come to; nothing that it has not come to counts.
    valid: Vec<bool>,
}

impl Judge<'_> {
    fn is_valid(&self, index: usize) -> bool {
        self.valid.get(index).copied().unwrap_or(false)
    }

    /// Tells whether the grant an act cites was given, and not taken away before the remover had seen the act.
    fn may_act(&self, index: usize, taken: &Taken) -> bool {
        let grant = Grant { member: taken.act.member, issuer: taken.cite, level: taken.level, after: 0 };
        taken.cite.is_none_or(|issuer| self.is_valid(issuer))
            && !self.removals(grant).any(|(_, removal)| !removal.past.contains(index))
    }

    /// Lists the valid removals that hit a grant: by somebody senior to it, who did not know a later grant.
    fn removals(&self, grant: Grant) -> impl Iterator<Item = (usize, &Taken)> {
        let issued = grant.issuer.and_then(|issuer| self.log.acts.get(issuer));
        self.log.acts.iter().enumerate().filter(move |(index, taken)| {
            matches!(taken.act.deed, Deed::Remove { member, .. } if member == grant.member)
                && taken.level < grant.level
                && self.is_valid(*index)
                && issued.is_none_or(|issued| !issued.past.contains(*index))
        })
    }

    /// Lists the valid leavings under a grant.
    fn leavings(&self, grant: Grant) -> impl Iterator<Item = (usize, &Taken)> {
        self.log.acts.iter().enumerate().filter(move |(index, taken)| {
            matches!(taken.act.deed, Deed::Leave { .. })
                && taken.cite == grant.issuer
                && taken.act.member == grant.member
                && self.is_valid(*index)
        })
    }

    /// Lists what ended a grant: removals and leavings, or what ended the grant under which it was given.
    fn enders(&self, grant: Grant) -> Vec<&Taken> {
        let own = self.removals(grant).chain(self.leavings(grant)).map(|(_, taken)| taken);
        let mut enders: Vec<_> = own.collect();
        let mut above = grant;
        // Each step leads to a more senior grant.
        while let Some(issuer) = above.issuer.filter(|issuer| !self.is_valid(*issuer))
            && let Some(taken) = self.log.acts.get(issuer)
        {
            above = Grant { member: taken.act.member, issuer: taken.cite, level: taken.level, after: 0 };
            enders.extend(self.removals(above).map(|(_, taken)| taken));
        }
        enders
    }

    fn roster(&self) -> GroupRoster {
        let mut places: BTreeMap<MemberId, Participant> = BTreeMap::new();
        let mut ended: BTreeMap<MemberId, Vec<&Taken>> = BTreeMap::new();
        for grant in self.log.grants() {
            let valid = grant.issuer.is_none_or(|issuer| self.is_valid(issuer));
            let by = self.enders(grant);
            if !valid || !by.is_empty() {
                ended.entry(grant.member).or_default().extend(by);
                continue;
            }
            let issuer = grant.issuer.and_then(|issuer| self.log.acts.get(issuer)).map(|taken| taken.id);
            let place = Participant { level: grant.level, by: issuer, after: grant.after };
            let best = places.entry(grant.member).or_insert(place);
            let after = best.after.min(place.after);
            *best = if (place.level, place.by) < (best.level, best.by) { place } else { *best };
            best.after = after;
        }
        // Those who add at the same time may add too many; then the most junior stand outside, the same everywhere.
        let mut ranked: Vec<_> = places.into_iter().collect();
        ranked.sort_by_key(|(member, place)| (place.level, place.by, *member));
        ranked.truncate(limits::GROUP);
        let members: BTreeMap<_, _> = ranked.into_iter().collect();
        let gone = ended.into_iter().filter(|(member, _)| !members.contains_key(member));
        let gone = gone.filter_map(|(member, by)| Some((member, gone_by(&member, &by)?)));
        let named = self.log.acts.iter().enumerate().filter(|(index, _)| self.is_valid(*index));
        let names = named.filter_map(|(_, taken)| match &taken.act.deed {
            Deed::Rename(name) => Some(((taken.act.lamport, taken.id), name)),
            _ => None,
        });
        GroupRoster {
            name: names.max().map_or_else(|| self.log.founding.name.clone(), |(_, name)| name.clone()),
            gone: gone.collect(),
            members,
            void: self
                .log
                .acts
                .iter()
                .enumerate()
                .filter(|(index, _)| !self.is_valid(*index))
                .map(|(_, taken)| taken.id)
                .collect(),
        }
    }
}

/// Says how a place ended: by the last act that did, with the furthest end of each chain that any of them names.
fn gone_by(member: &MemberId, by: &[&Taken]) -> Option<Gone> {
    let last = by.iter().max_by_key(|taken| (taken.act.lamport, taken.id))?;
    let mut heads: BTreeMap<DeviceId, ChainHead> = BTreeMap::new();
    for taken in by {
        let named = match &taken.act.deed {
            Deed::Remove { member: of, heads } if of == member => heads,
            Deed::Leave { heads } if taken.act.member == *member => heads,
            _ => continue,
        };
        for head in named {
            let known = heads.entry(head.author).or_insert(*head);
            if (head.seq, head.hash) > (known.seq, known.hash) {
                *known = *head;
            }
        }
    }
    Some(Gone { act: last.id, by: last.act.member, heads })
}
