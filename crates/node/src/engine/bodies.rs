//! Bodies that did not come with their entries: whoever brought them may have lost them, or left them out.

use std::collections::BTreeSet;

use journal::{Content, Header};
use vault::{EntryRecord, Gone, StoreError};
use wire::{Blob, DeviceId, EntryBody, EntryPlace, Frame, limits};

use super::{
    CircleState, Ctx, Effect,
    change::is_words,
    talk::{beside_of, content_of},
};
use crate::api;

/// What the device at the other end of a link asked for in vain.
#[derive(Debug, Default)]
pub(crate) struct Vain {
    /// What was not there.
    lacking: BTreeSet<EntryPlace>,
    /// What of that has come since.
    came: Vec<EntryPlace>,
}

impl Vain {
    /// Takes note of a place whose body is not there; beyond so many the other side asks on its next link.
    fn note(&mut self, place: EntryPlace) {
        if self.lacking.len() < limits::WANTED {
            self.lacking.insert(place);
        }
    }
}

/// What a device was asked for on one link.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Up to which position it was asked for bodies, in the order of arrival here.
    until: i64,
    /// The positions of what it has not answered yet.
    open: Vec<i64>,
    /// It is asked for all once more when it has answered.
    anew: bool,
}

impl Asked {
    /// Lets everything be asked for once more.
    pub(crate) fn again(&mut self) {
        self.until = 0;
        self.anew = !self.open.is_empty();
    }
}

impl CircleState {
    /// Asks a device for bodies that are lacking here, a part at a time and for each once a link.
    pub(crate) fn ask_bodies(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) -> Result<(), StoreError> {
        let Some(member) = self.live_member(&device) else { return Ok(()) };
        let Some(link) =
            self.links.get(&device).filter(|link| link.frontier_known && link.asked.open.is_empty())
        else {
            return Ok(());
        };
        let mut after = link.asked.until;
        loop {
            let lacking = ctx.tx.lacking(self.row, after, limits::WANTED)?;
            let Some(last) = lacking.last() else { break };
            after = last.position;
            // Who is out of a group still gives what he wrote himself; of the rest he is not to hear.
            let shared = |place: &EntryPlace| {
                self.journal.includes(&place.conversation, &member)
                    || (self.journal.ever_included(&place.conversation, &member)
                        && self.member_of(&place.author) == Some(member))
            };
            let wanted: Vec<_> = lacking.iter().filter(|lacking| shared(&lacking.place)).collect();
            if wanted.is_empty() {
                continue;
            }
            let places = wanted.iter().map(|wanted| wanted.place).collect();
            let open = wanted.iter().map(|wanted| wanted.position).collect();
            self.send(ctx, device, &Frame::Wanted(places));
            if let Some(link) = self.links.get_mut(&device) {
                link.asked.open = open;
            }
            break;
        }
        if let Some(link) = self.links.get_mut(&device) {
            link.asked.until = after;
        }
        Ok(())
    }

    /// Takes note of what a device asks for; who asks again before he is answered wants that alone.
    pub(crate) fn handle_wanted(&mut self, device: DeviceId, places: Vec<EntryPlace>) {
        if let Some(link) = self.links.get_mut(&device) {
            link.wanted = Some(places);
        }
    }

    /// Answers, if there is room on the link, with the bodies that are there, as many as one frame holds.
    pub(crate) fn answer_wanted(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.live_member(&device) else { return Ok(()) };
        let Some(link) = self.links.get_mut(&device).filter(|link| link.has_room()) else { return Ok(()) };
        let wanted = link.wanted.take();
        let asked = wanted.is_some();
        // What has come since it was asked for in vain goes without a question.
        let places = wanted.unwrap_or_else(|| std::mem::take(&mut link.vain.came));
        if places.is_empty() && !asked {
            return Ok(());
        }
        let (mut bodies, mut looked, mut weight) = (Vec::new(), 0, 0);
        for place in &places {
            if weight > limits::FRAME / 2 {
                break;
            }
            looked += 1;
            let Some(row) = self.conversations.get(&place.conversation) else { continue };
            if !self.journal.includes(&place.conversation, &member) {
                continue;
            }
            let after = self.journal.withheld_until(&place.conversation, &member);
            let found = ctx.tx.entries_from(*row, &place.author, place.seq, 1, 0)?.pop();
            let found = found.filter(|record| {
                let own = self.member_of(&place.author) == Some(member);
                record.seq == place.seq && (own || record.lamport > after || !is_words(record.kind))
            });
            if let Some(body) = found.and_then(|record| record.body) {
                weight += body.0.len() + 80;
                bodies.push(EntryBody { place: *place, body });
            } else if let Some(link) = self.links.get_mut(&device) {
                link.vain.note(*place);
            }
        }
        if !asked && let Some(link) = self.links.get_mut(&device) {
            link.vain.came.extend(places.get(looked..).unwrap_or_default());
        }
        let looked = if asked { looked as u64 } else { 0 };
        let frame = Frame::Bodies(looked, bodies).encode();
        if let Some(link) = self.links.get_mut(&device) {
            link.content(frame.len());
            let command = tunnel::Command::Send { device, link: link.id, frame };
            ctx.effects.push(Effect::Tunnel(self.id, command));
        }
        Ok(())
    }

    /// Takes bodies that were asked for, and asks for more.
    pub(crate) fn handle_bodies(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        looked: u64,
        bodies: Vec<EntryBody>,
    ) -> Result<(), StoreError> {
        let Some(link) = self.links.get_mut(&device) else { return Ok(()) };
        link.taken += 1;
        // Unasked: what this device once asked for in vain.
        if looked == 0 {
            return bodies
                .into_iter()
                .try_for_each(|EntryBody { place, body }| self.put_body(ctx, place, body));
        }
        let open = std::mem::take(&mut link.asked.open);
        if open.is_empty() {
            return Ok(());
        }
        // What was not looked at is asked for again.
        let looked = usize::try_from(looked).unwrap_or(usize::MAX).min(open.len());
        if let Some(last) = open.get(looked.saturating_sub(1)) {
            link.asked.until = if std::mem::take(&mut link.asked.anew) { 0 } else { *last };
        }
        for EntryBody { place, body } in bodies {
            self.put_body(ctx, place, body)?;
        }
        self.ask_bodies(ctx, device)
    }

    /// Takes note that a body is there, for those who asked for it before.
    pub(crate) fn body_came(&mut self, place: EntryPlace) {
        for link in self.links.values_mut() {
            if link.vain.lacking.remove(&place) {
                link.vain.came.push(place);
            }
        }
    }

    /// Puts a body to its entry, if it is the right one and still has a place there.
    fn put_body(&mut self, ctx: &mut Ctx<'_, '_>, place: EntryPlace, body: Blob) -> Result<(), StoreError> {
        let Some(row) = self.conversations.get(&place.conversation).copied() else { return Ok(()) };
        let found = ctx.tx.entries_from(row, &place.author, place.seq, 1, 0)?.pop();
        let Some(record) = found.filter(|record| record.seq == place.seq) else { return Ok(()) };
        let right = Header::decode(&record.header.0).is_ok_and(|header| header.commits_to(&body.0));
        if !right || record.body.is_some() || record.gone != Gone::Not || !self.has_share(ctx, &place.author)
        {
            return Ok(());
        }
        self.count_bytes(&place.author, body.0.len() as u64);
        let record = EntryRecord { body: Some(body), ..record };
        let content = content_of(&record);
        let text = content.as_ref().and_then(Content::text);
        let bytes = record.body.as_ref().map_or(&[][..], |body| &body.0);
        ctx.tx.fill_body(row, &place.author, place.seq, bytes, text)?;
        self.body_came(place);
        if beside_of(&record).is_some() {
            return self.apply_entry(ctx, place.conversation, row, &record);
        }
        self.note_offer(ctx, row, &record)?;
        if ctx.watched {
            let message = self.show(ctx.tx, ctx.time.wall_ms, place.conversation, &record)?;
            ctx.publish(|| api::Event::Changed { circle: self.id, message });
        }
        Ok(())
    }
}
