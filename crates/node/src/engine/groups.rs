//! Groups whose members change: what devices tell each other of it, and what follows.

use std::collections::BTreeSet;

use journal::{ActError, Beside, Content, Descriptor, Ended, Ends};
use vault::{ConversationRow, EntryKind, EntryRecord, Gone, StoreError, Vault};
use wire::{Blob, CircleId, ConversationId, DeviceId, EntryId, Frame, MemberId, Run};

use super::{
    Access, CircleState, Ctx, RequestError,
    change::is_words,
    circle::Members,
    requests::{name, unknown},
    talk::{beside_of, kind_of},
};
use crate::api::{self, ApiError, ErrorKind};

impl CircleState {
    /// Returns what a group is called.
    pub(crate) fn group_name(&self, id: &ConversationId) -> String {
        self.journal.group(id).map(|group| group.name.to_string()).unwrap_or_default()
    }

    /// Returns up to which Lamport time this device's member gets nothing of a group.
    pub(crate) fn withheld_here(&self, id: &ConversationId) -> u64 {
        self.my_member().map_or(0, |me| self.journal.withheld_until(id, &me))
    }

    /// Takes the bodies out of runs that are not for a device's member: they were said before he came.
    pub(crate) fn withhold(&self, device: DeviceId, id: &ConversationId, runs: &mut [Run]) {
        let member = self.live_member(&device);
        let after = member.map_or(0, |member| self.journal.withheld_until(id, &member));
        if after == 0 {
            return;
        }
        for entry in runs.iter_mut().flat_map(|run| &mut run.entries) {
            let header = journal::Header::decode(&entry.header.0);
            let words = |header: &journal::Header| is_words(kind_of(header.beside.as_ref()));
            let own = |header: &journal::Header| self.member_of(&header.author) == member;
            if header.is_ok_and(|header| header.lamport <= after && words(&header) && !own(&header)) {
                entry.body = None;
            }
        }
    }

    /// Tells a device which logs of groups are held here that it may know.
    pub(crate) fn tell_groups(&self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        let Some(member) = self.live_member(&device) else { return };
        let logs = self.journal.group_logs().filter(|(id, _)| self.journal.ever_included(id, &member));
        let have = logs.take(wire::limits::LIST).collect();
        self.send(ctx, device, &Frame::GroupHave(have));
    }

    /// Answers with the logs that the other side holds differently, or not at all.
    pub(crate) fn handle_group_have(
        &self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        have: &[(ConversationId, [u8; 32])],
    ) {
        let Some(member) = self.live_member(&device) else { return };
        for log in self.journal.group_logs().filter(|log| !have.contains(log)) {
            if self.journal.ever_included(&log.0, &member) {
                self.send_log(ctx, device, &member, &log.0);
            }
        }
    }

    /// Sends a participant the whole log of a group; whoever is none any more, what ended that and all before it.
    fn send_log(&self, ctx: &mut Ctx<'_, '_>, device: DeviceId, member: &MemberId, id: &ConversationId) {
        let Some(descriptor) = self.journal.descriptor(id) else { return };
        let acts = match self.journal.includes(id, member) {
            true => self.journal.acts(id),
            false => self.journal.last_word(id, member),
        };
        self.send(ctx, device, &Frame::GroupActs(descriptor.encode(), acts));
    }

    /// Takes acts of a group, and opens it if this device's member was brought in.
    pub(crate) fn handle_group_acts(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        descriptor: &Blob,
        acts: &[Blob],
    ) -> Result<(), StoreError> {
        let (Some(me), Some(member)) = (self.my_member(), self.live_member(&device)) else {
            return Ok(());
        };
        let Ok(descriptor @ Descriptor::Group(_)) = Descriptor::decode(&descriptor.0, &self.id) else {
            self.misbehaved(ctx, device, "acts of what is no group");
            return Ok(());
        };
        let id = descriptor.id(&self.id);
        let members = Members(&self.charter);
        if self.journal.descriptor(&id).is_none() {
            let foreseen = self.journal.foresee(&descriptor, acts, &members);
            let both = foreseen.as_ref().is_some_and(|roster| {
                roster.members.contains_key(&me) && roster.members.contains_key(&member)
            });
            if !both || !descriptor.stands(&members) || !self.journal.has_room_for(&descriptor) {
                if let Some(link) = self.links.get_mut(&device) {
                    link.acts_refused = true;
                }
                return Ok(());
            }
            self.journal.open(descriptor);
        } else if !self.journal.ever_included(&id, &member) {
            return Ok(());
        }
        let row = self.conversation_row(ctx, id)?;
        let before = self.in_group(&id);
        let (took, error) = self.journal.handle_acts(&id, acts, &Members(&self.charter));
        for act in &took.fresh {
            ctx.tx.add_group_act(row, &act.0)?;
        }
        if let Some(link) = self.links.get_mut(&device) {
            link.asked.again();
            self.talk.lacks = true;
            link.acts_refused |= took.strangers;
            if took.lacks && link.acts_asked.insert(id) {
                self.tell_groups(ctx, device);
            }
        }
        self.group_changed(ctx, id, &before, &took.fresh, Some(device))?;
        if error.is_some_and(|error| error != ActError::Full) {
            self.misbehaved(ctx, device, "an act of a group that is not one");
        }
        Ok(())
    }

    /// Works out anew who belongs to groups, since the charter grew.
    pub(crate) fn refold_groups(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        let groups: Vec<_> = self.journal.group_logs().map(|(id, _)| id).collect();
        let before: Vec<_> = groups.iter().map(|id| (*id, self.in_group(id))).collect();
        self.learn_removals(ctx.tx)?;
        let ended = self.journal.refold(&Members(&self.charter));
        self.chains_ended(ctx, ended)?;
        for (id, before) in before {
            if before != self.in_group(&id) {
                self.members_changed(ctx, id, &before)?;
            }
        }
        self.ask_refused(ctx);
        Ok(())
    }

    /// Draws the consequences of new acts, and passes them on.
    fn group_changed(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        id: ConversationId,
        before: &BTreeSet<MemberId>,
        fresh: &[Blob],
        from: Option<DeviceId>,
    ) -> Result<(), StoreError> {
        if fresh.is_empty() {
            return Ok(());
        }
        let ended = self.journal.refold(&Members(&self.charter));
        self.chains_ended(ctx, ended)?;
        let after = self.in_group(&id);
        let acts = self.journal.descriptor(&id).map(|group| Frame::GroupActs(group.encode(), fresh.to_vec()));
        for (device, _) in
            self.links.iter().filter(|(device, link)| link.introduced && Some(**device) != from)
        {
            match (self.live_member(device), &acts) {
                (Some(member), Some(acts)) if before.contains(&member) && after.contains(&member) => {
                    self.send(ctx, *device, acts);
                }
                (Some(member), _) if before.contains(&member) || after.contains(&member) => {
                    self.send_log(ctx, *device, &member, &id);
                }
                _ => {}
            }
        }
        self.members_changed(ctx, id, before)
    }

    /// Begins to talk with those who came into a group, and ends it with those who went.
    fn members_changed(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        id: ConversationId,
        before: &BTreeSet<MemberId>,
    ) -> Result<(), StoreError> {
        let after = self.in_group(&id);
        let me = self.my_member();
        let came = me.is_some_and(|me| after.contains(&me) && !before.contains(&me));
        let devices: Vec<_> = self.links.keys().copied().collect();
        for device in devices {
            let Some(member) = self.live_member(&device) else { continue };
            let (was, is) = (before.contains(&member), after.contains(&member));
            let Some(link) = self.links.get_mut(&device) else { continue };
            let refused = link.refused.remove(&id);
            if !is {
                link.owed.retain(|(conversation, _)| *conversation != id);
                link.announced.remove(&id);
            } else if link.introduced && (came || !was || refused) {
                link.announced.insert(id);
                let held = self.journal.frontier(&id).into_iter().collect();
                self.send(ctx, device, &Frame::Frontier(held, false));
                self.owe(device, id);
            }
        }
        // Who gave no bodies before may give them by now.
        self.links.values_mut().for_each(|link| link.asked.again());
        self.talk.lacks = true;
        if let Some(row) = self.conversations.get(&id).copied() {
            self.want_withheld(ctx, id, row)?;
        }
        ctx.publish(|| api::Event::Conversation { circle: self.id, conversation: id });
        Ok(())
    }

    /// Asks for what was said before this device's member came, if it is not withheld from him any more.
    fn want_withheld(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        id: ConversationId,
        row: ConversationRow,
    ) -> Result<(), StoreError> {
        if self.my_member().is_none_or(|me| !self.journal.includes(&id, &me)) {
            return Ok(());
        }
        let places = ctx.tx.places_withheld(row)?;
        if places.is_empty() {
            return Ok(());
        }
        ctx.tx.want_withheld(row, self.withheld_here(&id), self.since_ms)?;
        places.into_iter().for_each(|(author, seq)| self.talk.forget_beside((id, author), seq));
        for (author, seq) in ctx.tx.places_withheld(row)? {
            self.talk.note_beside((id, author), seq);
        }
        self.talk.lacks = true;
        Ok(())
    }

    /// Marks what stands behind the ends of chains as void, and what does not any more as valid.
    pub(crate) fn chains_ended(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        ended: Vec<Ended>,
    ) -> Result<(), StoreError> {
        for Ended { conversation, author, len } in ended {
            let Some(row) = self.conversations.get(&conversation).copied() else { continue };
            let beside = entries_beside(ctx.tx, row, &author)?;
            ctx.tx.end_chain(row, &author, len)?;
            self.counts_again(ctx, conversation, row)?;
            for record in beside {
                let counts = len.is_none_or(|len| record.seq < len);
                let counted = record.gone != Gone::Void;
                let said = beside_of(&record);
                let Some(target) = said.as_ref().and_then(Beside::target).copied() else { continue };
                let deletes = record.kind == EntryKind::Delete;
                if counted && !counts && deletes {
                    self.was_not_deleted(ctx, conversation, row, &target)?;
                } else if counts && !counted && self.may_change(said.as_ref(), &record, &target) {
                    ctx.tx.add_change(row, &author, record.seq, &target.id)?;
                    if deletes {
                        self.apply_entry(ctx, conversation, row, &record)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks for the bodies of what may count again, and came without while it counted for nothing.
    fn counts_again(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        conversation: ConversationId,
        row: ConversationRow,
    ) -> Result<(), StoreError> {
        let withheld = self.withheld_here(&conversation);
        if withheld > 0 || self.since_ms > 0 {
            ctx.tx.withhold(row, withheld, self.since_ms)?;
            for (author, seq) in ctx.tx.places_withheld(row)? {
                self.talk.note_beside((conversation, author), seq);
            }
        }
        self.links.values_mut().for_each(|link| link.asked.again());
        self.talk.lacks = true;
        Ok(())
    }

    /// Stores an entry that counts for nothing, since its chain is to have no gap.
    pub(crate) fn store_void(
        &self,
        ctx: &mut Ctx<'_, '_>,
        row: ConversationRow,
        mut record: EntryRecord,
    ) -> Result<(), StoreError> {
        record.gone = Gone::Void;
        match ctx.tx.append_entry(row, &record)? {
            vault::Appended::Stored => Ok(()),
            _ => Err(StoreError::Conflict),
        }
    }

    /// Ends the chains of the devices that a removal of this device's own hit.
    pub(crate) fn end_removed(&mut self, ctx: &mut Ctx<'_, '_>, removal: EntryId) -> Result<(), StoreError> {
        let removed = self.charter.roster().removed().values().filter(|gone| gone.entry == removal);
        let devices: Vec<_> = removed.map(|gone| gone.id).collect();
        self.end_chains(ctx, removal, &devices)
    }

    /// Says in each conversation, after this device removed others from the circle, where their chains end: what they write
    /// from then on, with whoever's help and whatever date, counts nowhere.
    pub(crate) fn end_chains(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        removal: EntryId,
        devices: &[DeviceId],
    ) -> Result<(), StoreError> {
        let Some(me) = self.my_member() else { return Ok(()) };
        let members: BTreeSet<_> = devices.iter().filter_map(|device| self.member_of(device)).collect();
        let shared: Vec<_> = self.journal.readable_by(me).collect();
        for id in shared {
            if !members.iter().any(|member| self.journal.ever_included(&id, member)) {
                continue;
            }
            self.conversation_row(ctx, id)?;
            let heads = self.journal.heads(&id, devices);
            let mut parts: Vec<_> = heads.chunks(wire::limits::ENDS).map(<[_]>::to_vec).collect();
            if parts.is_empty() {
                parts.push(Vec::new());
            }
            for heads in parts {
                let beside = Some(Beside::End(Ends { removal, heads }));
                let (me, now_ms) = (self.me, ctx.time.wall_ms);
                match self.journal.write_beside(id, &me, beside, &Content::End, now_ms, ctx.entropy) {
                    Ok(entry) => self.written.push(entry),
                    Err(error) => {
                        tracing::warn!(%error, "it is not said where a removed device's chain ends")
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a member who was removed from the circle out of the groups, where this device may: so that it is said
    /// where his chains end.
    pub(crate) fn remove_from_groups(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        member: MemberId,
    ) -> Result<(), StoreError> {
        let Some(me) = self.my_member() else { return Ok(()) };
        let groups: Vec<_> = self.journal.readable_by(me).collect();
        for id in groups {
            let before = self.in_group(&id);
            if self.journal.group(&id).is_none_or(|group| !group.may_remove(&me, &member)) {
                continue;
            }
            let by = (&self.key, ctx.time.wall_ms);
            match self.journal.remove_from_group(&id, member, by, &Members(&self.charter)) {
                Ok(act) => self.keep_act(ctx, id, &before, act)?,
                Err(error) => tracing::warn!(%error, "a removed member is still named in a group"),
            }
        }
        Ok(())
    }

    fn keep_act(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        id: ConversationId,
        before: &BTreeSet<MemberId>,
        act: Blob,
    ) -> Result<(), StoreError> {
        let row = self.conversation_row(ctx, id)?;
        ctx.tx.add_group_act(row, &act.0)?;
        self.group_changed(ctx, id, before, &[act], None)
    }

    fn in_group(&self, id: &ConversationId) -> BTreeSet<MemberId> {
        let roster = self.journal.group(id);
        roster.map(|roster| roster.members.keys().copied().collect()).unwrap_or_default()
    }

    fn group_view(&self, id: ConversationId) -> Result<api::Group, ApiError> {
        let roster = self.journal.group(&id).ok_or_else(|| unknown("group"))?;
        let me = self.my_member();
        let circle = self.charter.roster().members();
        let mut members: Vec<_> = roster
            .members
            .iter()
            .filter(|(member, _)| circle.contains_key(*member))
            .map(|(member, place)| api::Participant {
                id: *member,
                name: self.member_name(member),
                me: Some(*member) == me,
                level: place.level,
                history: place.after == 0,
                removable: me.is_some_and(|me| roster.may_remove(&me, member)),
            })
            .collect();
        members.sort_by_key(|member| (member.level, member.name.clone(), member.id));
        let gone = roster.gone.iter().map(|(member, gone)| api::Former {
            id: *member,
            name: self.member_name(member),
            left: gone.by == *member,
            by: self.member_name(&gone.by),
        });
        Ok(api::Group {
            id,
            name: roster.name.to_string(),
            member: me.is_some_and(|me| roster.members.contains_key(&me)),
            members,
            gone: gone.collect(),
            void: super::view::count(roster.void.len()),
        })
    }
}

impl Access<'_, '_> {
    /// Shows who is in a group.
    pub(crate) fn group(&mut self, id: CircleId, group: ConversationId) -> Result<api::Group, RequestError> {
        self.with(id, |_, circle| Ok(circle.group_view(group)?))
    }

    /// Gives a group another name.
    pub(crate) fn rename_group(
        &mut self,
        id: CircleId,
        group: ConversationId,
        request: &api::Rename,
    ) -> Result<api::Group, RequestError> {
        let name = name("group", &request.name)?;
        self.act(id, group, |circle, now_ms| {
            let by = (&circle.key, now_ms);
            circle.journal.rename_group(&group, name, by, &Members(&circle.charter))
        })
    }

    /// Brings members into a group.
    pub(crate) fn add_to_group(
        &mut self,
        id: CircleId,
        group: ConversationId,
        request: &api::AddToGroup,
    ) -> Result<api::Group, RequestError> {
        let circle = self.circle(id)?;
        let found: Result<Vec<_>, _> = request.members.iter().map(|who| circle.find_member(who)).collect();
        let members = found?;
        let inside = |member: &MemberId| circle.journal.includes(&group, member);
        if !members.is_empty() && members.iter().all(inside) {
            return Err(ApiError::new(ErrorKind::Conflict, "they are in the group already").into());
        }
        self.act(id, group, |circle, now_ms| {
            let by = (&circle.key, now_ms);
            circle.journal.add_to_group(&group, members, request.history, by, &Members(&circle.charter))
        })
    }

    /// Takes a member out of a group.
    pub(crate) fn remove_from_group(
        &mut self,
        id: CircleId,
        group: ConversationId,
        member: MemberId,
    ) -> Result<api::Group, RequestError> {
        self.act(id, group, |circle, now_ms| {
            let by = (&circle.key, now_ms);
            circle.journal.remove_from_group(&group, member, by, &Members(&circle.charter))
        })
    }

    /// Leaves a group.
    pub(crate) fn leave_group(
        &mut self,
        id: CircleId,
        group: ConversationId,
    ) -> Result<api::Group, RequestError> {
        self.act(id, group, |circle, now_ms| {
            let by = (&circle.key, now_ms);
            circle.journal.leave_group(&group, by, &Members(&circle.charter))
        })
    }

    fn act(
        &mut self,
        id: CircleId,
        group: ConversationId,
        act: impl FnOnce(&mut CircleState, u64) -> Result<Blob, journal::GroupError>,
    ) -> Result<api::Group, RequestError> {
        self.as_member(id, |access, circle| {
            if circle.journal.group(&group).is_none() {
                return Err(unknown("group").into());
            }
            let before = circle.in_group(&group);
            let act = act(circle, access.ctx.time.wall_ms).map_err(ApiError::from)?;
            circle.keep_act(&mut access.ctx, group, &before, act)?;
            Ok(circle.group_view(group)?)
        })
    }
}

/// Returns all entries of a chain that are no messages.
fn entries_beside(
    vault: &Vault,
    row: ConversationRow,
    author: &DeviceId,
) -> Result<Vec<EntryRecord>, StoreError> {
    let mut all = Vec::new();
    loop {
        let from = all.last().map_or(0, |last: &EntryRecord| last.seq + 1);
        let part = vault.entries_beside_from(row, author, from, PART)?;
        if part.is_empty() {
            return Ok(all);
        }
        all.extend(part);
    }
}

/// How many entries are read at once.
const PART: usize = 256;
