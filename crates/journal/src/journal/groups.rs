use std::collections::BTreeMap;

use crypto::SigningKey;
use wire::{Blob, ChainHead, ConversationId, DeviceId, MemberId, limits};

use super::{Chain, Conversation, End, Journal, Named};
use crate::{
    ActError, Deed, Descriptor, Ends, Entry, GroupError, GroupFounding, GroupRoster, Membership, Standing,
    group::{Log, Take},
};

/// A group's log, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) log: Log,
    pub(super) roster: GroupRoster,
}

/// What became of acts that came from another device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TookActs {
    /// Those that are new, to be stored and passed on, each after what it builds on.
    pub fresh: Vec<Blob>,
    /// Some build on what has not come: the whole log is to be asked for.
    pub lacks: bool,
    /// Some are by devices that the charter does not know, or not yet.
    pub strangers: bool,
}

/// A chain whose end is another than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whose chain.
    pub author: DeviceId,
    /// How many entries of it count; all, if none.
    pub len: Option<u64>,
}

impl Journal {
    /// Tells whether a member takes part in a conversation.
    pub fn includes(&self, conversation: &ConversationId, member: &MemberId) -> bool {
        self.conversations.get(conversation).is_some_and(|held| held.includes(member))
    }

    /// Tells whether a member takes part in a conversation, or did.
    pub fn ever_included(&self, conversation: &ConversationId, member: &MemberId) -> bool {
        self.conversations.get(conversation).is_some_and(|held| held.ever_included(member))
    }

    /// Returns up to which Lamport time a participant gets no bodies.
    pub fn withheld_until(&self, conversation: &ConversationId, member: &MemberId) -> u64 {
        let roster = self.group(conversation);
        let place = roster.and_then(|roster| roster.members.get(member));
        place.map_or(0, |place| place.after)
    }

    /// Returns who belongs to a group, and did.
    pub fn group(&self, conversation: &ConversationId) -> Option<&GroupRoster> {
        let held = self.conversations.get(conversation)?;
        held.group.as_deref().map(|group| &group.roster)
    }

    /// Lists the groups whose members have changed since they were founded, each with the hash of its acts.
    pub fn group_logs(&self) -> impl Iterator<Item = (ConversationId, [u8; 32])> {
        let groups = self.conversations.iter().filter_map(|(id, held)| Some((*id, held.group.as_deref()?)));
        groups.filter(|(_, group)| !group.log.is_empty()).map(|(id, group)| (id, group.log.digest()))
    }

    /// Returns all acts of a group.
    pub fn acts(&self, conversation: &ConversationId) -> Vec<Blob> {
        let held = self.conversations.get(conversation);
        held.and_then(|held| held.group.as_deref()).map(|group| group.log.blobs()).unwrap_or_default()
    }

    /// Returns what somebody who was taken out of a group, or left it, may still be told: that, and what was before.
    pub fn last_word(&self, conversation: &ConversationId, member: &MemberId) -> Vec<Blob> {
        let held = self.conversations.get(conversation);
        let group = held.and_then(|held| held.group.as_deref());
        let said = group.and_then(|group| Some(group.log.last_word(&group.roster.gone.get(member)?.act)));
        said.unwrap_or_default()
    }

    /// Returns what a group would be with these acts, without taking them: to see whether it is to be opened.
    pub fn foresee(
        &self,
        descriptor: &Descriptor,
        acts: &[Blob],
        membership: &impl Membership,
    ) -> Option<GroupRoster> {
        let Descriptor::Group(founding) = descriptor else { return None };
        let mut log = Log::new(founding.clone());
        let id = descriptor.id(&self.circle);
        for act in acts.iter().take(limits::GROUP_ACTS) {
            log.take(id, &self.circle, act, membership).ok()?;
        }
        Some(log.fold(membership))
    }

    /// Takes acts of a group that came from another device. Those before one that is refused are taken.
    ///
    /// Who belongs to the group is worked out anew by [`refold`](Self::refold).
    pub fn handle_acts(
        &mut self,
        conversation: &ConversationId,
        acts: &[Blob],
        membership: &impl Membership,
    ) -> (TookActs, Option<ActError>) {
        let (mut took, circle) = (TookActs::default(), self.circle);
        let held = self.conversations.get_mut(conversation);
        let Some(group) = held.and_then(|held| held.group.as_deref_mut()) else { return (took, None) };
        for act in acts {
            match group.log.take(*conversation, &circle, act, membership) {
                Ok(Take::New) => took.fresh.push(act.clone()),
                Ok(Take::Known) => {}
                Ok(Take::Lacks) => took.lacks = true,
                Ok(Take::Stranger) => took.strangers = true,
                Err(error) => return (took, Some(error)),
            }
        }
        (took, None)
    }

    /// Puts back an act as the vault holds it.
    pub fn restore_act(&mut self, conversation: &ConversationId, act: &Blob) -> Result<(), ActError> {
        let circle = self.circle;
        let held = self.conversations.get_mut(conversation);
        match held.and_then(|held| held.group.as_deref_mut()) {
            Some(group) => group.log.restore(*conversation, &circle, act),
            None => Err(ActError::OtherGroup),
        }
    }

    /// Names a group.
    pub fn rename_group(
        &mut self,
        conversation: &ConversationId,
        name: wire::Name,
        by: (&SigningKey, u64),
        membership: &impl Membership,
    ) -> Result<Blob, GroupError> {
        self.write_act(conversation, Deed::Rename(name), by, membership)
    }

    /// Brings members into a group; without `history` they get nothing of what this device holds by now.
    pub fn add_to_group(
        &mut self,
        conversation: &ConversationId,
        mut members: Vec<MemberId>,
        history: bool,
        by: (&SigningKey, u64),
        membership: &impl Membership,
    ) -> Result<Blob, GroupError> {
        let held = self.conversations.get(conversation).ok_or(GroupError::NoSuchGroup)?;
        let roster = self.group(conversation).ok_or(GroupError::NoSuchGroup)?;
        members.sort();
        members.dedup();
        members.retain(|member| !roster.members.contains_key(member));
        if members.is_empty() {
            return Err(GroupError::NoSuchMember);
        }
        if roster.members.len() + members.len() > limits::GROUP {
            return Err(GroupError::TooMany);
        }
        let after = if history { 0 } else { held.lamport };
        self.write_act(conversation, Deed::Add { members, after }, by, membership)
    }

    /// Takes a member out of a group.
    pub fn remove_from_group(
        &mut self,
        conversation: &ConversationId,
        member: MemberId,
        by: (&SigningKey, u64),
        membership: &impl Membership,
    ) -> Result<Blob, GroupError> {
        let roster = self.group(conversation).ok_or(GroupError::NoSuchGroup)?;
        if !roster.members.contains_key(&member) {
            return Err(GroupError::NoSuchMember);
        }
        let heads = self.heads_of(conversation, member, membership);
        self.write_act(conversation, Deed::Remove { member, heads }, by, membership)
    }

    /// Leaves a group.
    pub fn leave_group(
        &mut self,
        conversation: &ConversationId,
        by: (&SigningKey, u64),
        membership: &impl Membership,
    ) -> Result<Blob, GroupError> {
        let me = membership.standing(&DeviceId::new(by.0.public()));
        let Standing::Live(member) = me else { return Err(GroupError::NotInGroup) };
        let heads = self.heads_of(conversation, member, membership);
        self.write_act(conversation, Deed::Leave { heads }, by, membership)
    }

    /// Takes note of what a remover said of the chains of those he removed, at a place of his own chain. `false` if
    /// it was not he who removed anybody so, as far as is known: then nothing is kept.
    ///
    /// Where chains end is worked out anew by [`refold`](Self::refold).
    pub fn note_ends(
        &mut self,
        conversation: &ConversationId,
        (author, seq): (DeviceId, u64),
        ends: &Ends,
        membership: &impl Membership,
    ) -> bool {
        if !membership.has_removed(&author, &ends.removal) {
            return false;
        }
        let Some(held) = self.conversations.get_mut(conversation) else { return false };
        let empty = Named { seq, heads: BTreeMap::new() };
        let named = held.named.entry((author, ends.removal)).or_insert(empty);
        named.seq = named.seq.min(seq);
        for head in &ends.heads {
            if membership.removal(&head.author) != Some((ends.removal, author)) {
                continue;
            }
            let known = named.heads.entry(head.author).or_insert(*head);
            if (head.seq, head.hash) > (known.seq, known.hash) {
                *known = *head;
            }
        }
        true
    }

    /// Works out anew who belongs to the groups and where chains end, after acts or ends came or the charter grew.
    /// Returns the chains whose ends are others than before.
    pub fn refold(&mut self, membership: &impl Membership) -> Vec<Ended> {
        let mut changed = Vec::new();
        for (id, held) in &mut self.conversations {
            if let Some(group) = held.group.as_deref_mut().filter(|group| !group.log.is_empty()) {
                group.roster = group.log.fold(membership);
            }
            let authors: Vec<_> = held.chains.keys().copied().collect();
            let mut known = BTreeMap::new();
            for author in authors {
                let end = held.end_with(&author, membership, &mut known);
                let before = match end {
                    Some(end) => held.ends.insert(author, end),
                    None => held.ends.remove(&author),
                };
                if before != end {
                    changed.push(Ended { conversation: *id, author, len: end.map(|end| end.len) });
                }
            }
        }
        changed
    }

    /// Tells whether the entry at a place of a chain counts.
    pub fn counts(&self, conversation: &ConversationId, author: &DeviceId, seq: u64) -> bool {
        let held = self.conversations.get(conversation);
        held.and_then(|held| held.ends.get(author)).is_none_or(|end| seq < end.len)
    }

    /// Returns the ends of the chains of some devices, as far as this device holds them.
    pub fn heads(&self, conversation: &ConversationId, devices: &[DeviceId]) -> Vec<ChainHead> {
        let chains = self.chains(conversation);
        let chains = chains.filter(|(author, chain)| chain.len > 0 && devices.contains(author));
        chains.map(|(author, chain)| ChainHead { author, seq: chain.len - 1, hash: chain.head }).collect()
    }

    fn heads_of(
        &self,
        conversation: &ConversationId,
        member: MemberId,
        membership: &impl Membership,
    ) -> Vec<ChainHead> {
        let his = |device: &DeviceId| {
            matches!(membership.standing(device),
                Standing::Live(of) | Standing::Removed(of) if of == member)
        };
        let chains = self.chains(conversation).filter(|(author, chain)| chain.len > 0 && his(author));
        let heads = chains.map(|(author, chain)| ChainHead { author, seq: chain.len - 1, hash: chain.head });
        heads.take(limits::GROUP_HEADS).collect()
    }

    fn write_act(
        &mut self,
        conversation: &ConversationId,
        deed: Deed,
        (key, now_ms): (&SigningKey, u64),
        membership: &impl Membership,
    ) -> Result<Blob, GroupError> {
        let circle = self.circle;
        let held = self.conversations.get_mut(conversation).ok_or(GroupError::NoSuchGroup)?;
        let group = held.group.as_deref_mut().ok_or(GroupError::NoSuchGroup)?;
        group.log.write(*conversation, &circle, (deed, now_ms), key, membership)
    }
}

impl Group {
    pub(super) fn new(founding: &GroupFounding) -> Self {
        let log = Log::new(founding.clone());
        let roster = log.fold(&Nobody);
        Self { log, roster }
    }
}

impl Conversation {
    pub(super) fn includes(&self, member: &MemberId) -> bool {
        match &self.group {
            Some(group) => group.roster.members.contains_key(member),
            None => self.descriptor.includes(member),
        }
    }

    pub(super) fn ever_included(&self, member: &MemberId) -> bool {
        let gone = |group: &Group| group.roster.gone.contains_key(member);
        self.includes(member) || self.group.as_deref().is_some_and(gone)
    }

    /// Returns the time after which the next entry stands: after all that is held, and after all that is withheld from somebody,
    /// or what is written to him would be, too. As far as others follow.
    pub(super) fn latest(&self, now_ms: u64) -> u64 {
        let places = self.group.as_deref().map(|group| group.roster.members.values());
        let withheld = places.into_iter().flatten().map(|place| place.after).max().unwrap_or(0);
        self.lamport.max(withheld.min(now_ms))
    }

    /// Returns where a chain ends, if its author was removed from the circle, or his member is not in the group any more.
    pub(super) fn end_of(&self, author: &DeviceId, membership: &impl Membership) -> Option<End> {
        self.end_with(author, membership, &mut BTreeMap::new())
    }

    /// Does the same with the ends that are known.
    ///
    /// What a remover said counts as far as his own chain does, and so on up to one who was not removed or said
    /// nothing. Whoever removed the remover is strictly more senior than he, so this comes to an end; but a member
    /// may let thousands of devices of his remove each other.
    fn end_with(
        &self,
        author: &DeviceId,
        membership: &impl Membership,
        known: &mut BTreeMap<DeviceId, Option<End>>,
    ) -> Option<End> {
        let mut open = Vec::new();
        let mut device = *author;
        let mut end = loop {
            if let Some(end) = known.get(&device) {
                break *end;
            }
            known.insert(device, None);
            match self.ending(&device, membership) {
                Ending::At(end) => {
                    known.insert(device, end);
                    break end;
                }
                Ending::Said(by, named) => {
                    open.push((device, named));
                    device = by;
                }
            }
        };
        for (device, named) in open.into_iter().rev() {
            end = Some(match end {
                Some(end) if named.seq >= end.len => self.held_end(&device),
                _ => End::at(named.heads.get(&device)),
            });
            known.insert(device, end);
        }
        end
    }

    /// Returns where the chain of a device ends as far as that can be told without the chain of its remover.
    ///
    /// Until its remover is heard nothing more of the chain is taken. A remover who does not take part here says
    /// nothing: then the chain has no end.
    fn ending(&self, device: &DeviceId, membership: &impl Membership) -> Ending<'_> {
        let standing = membership.standing(device);
        let (Standing::Live(member) | Standing::Removed(member)) = standing else { return Ending::At(None) };
        if let Some(gone) = self.group.as_deref().and_then(|group| group.roster.gone.get(&member)) {
            return Ending::At(Some(End::at(gone.heads.get(device))));
        }
        let removal = match standing {
            Standing::Removed(_) => membership.removal(device),
            _ => None,
        };
        let Some((removal, by)) = removal else { return Ending::At(None) };
        match membership.standing(&by) {
            Standing::Live(remover) | Standing::Removed(remover) if self.ever_included(&remover) => {}
            _ => return Ending::At(None),
        }
        match self.named.get(&(by, removal)) {
            Some(named) => Ending::Said(by, named),
            None => Ending::At(Some(self.held_end(device))),
        }
    }

    /// Ends a chain where it is held.
    fn held_end(&self, device: &DeviceId) -> End {
        self.chains.get(device).map_or(End::at(None), |chain| End { len: chain.len, head: chain.head })
    }

    /// Returns a chain as far as it counts.
    pub(super) fn counting(&self, author: &DeviceId, chain: Chain) -> Chain {
        match self.ends.get(author) {
            Some(end) if end.len < chain.len => Chain { len: end.len, head: end.head, ..chain },
            _ => chain,
        }
    }
}

/// Where a chain ends.
enum Ending<'a> {
    /// There, or nowhere.
    At(Option<End>),
    /// Where this device said that removed its author, as far as its own chain goes.
    Said(DeviceId, &'a Named),
}

impl End {
    fn at(head: Option<&ChainHead>) -> Self {
        match head {
            Some(head) => Self { len: head.seq.saturating_add(1), head: head.hash },
            None => Self { len: 0, head: [0; 32] },
        }
    }

    /// Tells whether entries that start at a place may belong to the chain that ends here.
    pub(super) fn admits(&self, start: u64, entries: &[Entry]) -> bool {
        let last = entries.iter().find(|entry| entry.header.seq.checked_add(1) == Some(self.len));
        start < self.len && last.is_none_or(|last| *last.id.as_bytes() == self.head)
    }
}

/// Knows no device: a group without acts asks about none.
struct Nobody;

impl Membership for Nobody {
    fn standing(&self, _: &DeviceId) -> Standing {
        Standing::Unknown
    }
}
