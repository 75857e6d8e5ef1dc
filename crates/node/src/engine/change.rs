//! What entries do to messages when they are stored: change them, erase them, say when they are erased.

use std::time::Duration;

use journal::{Beside, Change, Content, Entry, Header, Outcome, Target};
use vault::{Appended, ConversationRow, EntryKind, EntryRecord, Gone, StoreError, Turn, Vault};
use wire::{ConversationId, DeviceId, EntryPlace, MemberId, Signature};

use super::{
    CircleState, Ctx,
    talk::{beside_of, content_of, place_of, record_of},
};
use crate::api;

impl CircleState {
    /// Stores one entry, and does to messages what it says.
    pub(crate) fn store_entry(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        row: ConversationRow,
        entry: &Entry,
        signature: Option<Signature>,
    ) -> Result<(), StoreError> {
        let header = &entry.header;
        let conversation = header.conversation;
        let mut record = record_of(entry, ctx.time.wall_ms, signature);
        if !self.journal.counts(&conversation, &record.author, record.seq) {
            return self.store_void(ctx, row, record);
        }
        let outcome = match record.kind {
            EntryKind::Message => self.outcome(ctx.tx, conversation, row, &record)?,
            _ => Outcome::default(),
        };
        record.gone = self.fate(ctx.tx, ctx.time.wall_ms, conversation, row, &record, &outcome)?;
        if record.gone != Gone::Not {
            record.body = None;
        }
        // The journal in memory says the place is free; if the vault does not agree the turn is undone and memory
        // read back.
        if ctx.tx.append_entry(row, &record)? != Appended::Stored {
            return Err(StoreError::Conflict);
        }
        self.talk.stored = true;
        if record.body.is_some() {
            self.body_came(EntryPlace { conversation, author: record.author, seq: record.seq });
        }
        if record.gone == Gone::Withheld && record.kind == EntryKind::Message {
            self.talk.note_beside((conversation, record.author), record.seq);
        } else if record.kind == EntryKind::Message {
            self.placed_message(ctx, conversation, row, &record, &outcome)?;
        } else {
            self.talk.note_beside((conversation, record.author), record.seq);
            if let Some(target) = header.beside.as_ref().and_then(Beside::target)
                && self.may_change(header.beside.as_ref(), &record, target)
            {
                ctx.tx.add_change(row, &record.author, record.seq, &target.id)?;
            }
            self.apply_entry(ctx, conversation, row, &record)?;
        }
        self.talk.lacks |= record.body.is_none() && record.gone == Gone::Not;
        Ok(())
    }

    /// Notes what follows from a message that has just been stored.
    fn placed_message(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        conversation: ConversationId,
        row: ConversationRow,
        record: &EntryRecord,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        if record.gone != Gone::Not {
            erase_changes(ctx.tx, row, record, record.gone)?;
        } else if let Some(at_ms) = expires_ms(record) {
            ctx.tx.set_expiry(row, &record.author, record.seq, at_ms)?;
            self.expects(ctx, at_ms);
        }
        if record.gone == Gone::Not {
            self.note_offer(ctx, row, record)?;
        }
        if ctx.watched {
            let message = self.show_with(ctx.tx, ctx.time.wall_ms, conversation, record, outcome)?;
            ctx.publish(|| api::Event::Message { circle: self.id, message });
        }
        Ok(())
    }

    /// Does to messages what an entry says that is none.
    pub(crate) fn apply_entry(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        conversation: ConversationId,
        row: ConversationRow,
        record: &EntryRecord,
    ) -> Result<(), StoreError> {
        match beside_of(record) {
            Some(Beside::Expiry) => {
                if let Some(Content::Expiry { after_s }) = content_of(record)
                    && !self.is_forked(&conversation, &record.author)
                {
                    self.talk.rules.entry(conversation).or_default().set(place_of(record), after_s);
                    ctx.publish(|| api::Event::Conversation { circle: self.id, conversation });
                }
            }
            Some(Beside::Delete(target)) => {
                if let Some(message) = held(ctx.tx, row, &target)?
                    && message.kind == EntryKind::Message
                    && self.same_member(record, &message)
                {
                    self.erase_message(ctx.tx, row, &message, Gone::Deleted)?;
                }
                self.publish_change(ctx, conversation, row, &target)?;
            }
            Some(Beside::Edit(target) | Beside::React(target) | Beside::Pin(target)) => {
                self.publish_change(ctx, conversation, row, &target)?;
            }
            Some(Beside::End(ends)) => {
                self.note_ends(&conversation, (record.author, record.seq), &ends);
                ctx.publish(|| api::Event::Conversation { circle: self.id, conversation });
            }
            Some(Beside::Passing { .. } | Beside::Unknown) | None => {}
        }
        Ok(())
    }

    /// Tells front ends that a message is not what it was.
    fn publish_change(
        &self,
        ctx: &mut Ctx<'_, '_>,
        conversation: ConversationId,
        row: ConversationRow,
        target: &Target,
    ) -> Result<(), StoreError> {
        if ctx.watched
            && let Some(message) = held(ctx.tx, row, target)?
        {
            let message = self.show(ctx.tx, ctx.time.wall_ms, conversation, &message)?;
            ctx.publish(|| api::Event::Changed { circle: self.id, message });
        }
        Ok(())
    }

    /// Tells whether an entry's body is to be kept, or why not.
    fn fate(
        &self,
        vault: &Vault,
        now_ms: u64,
        conversation: ConversationId,
        row: ConversationRow,
        record: &EntryRecord,
        outcome: &Outcome,
    ) -> Result<Gone, StoreError> {
        let own = self.member_of(&record.author) == self.my_member();
        let withheld = !own && record.lamport <= self.withheld_here(&conversation);
        if is_words(record.kind) && (withheld || record.claimed_ms < self.since_ms) {
            return Ok(Gone::Withheld);
        }
        match beside_of(record) {
            None if record.kind == EntryKind::Message => {
                if outcome.deleted {
                    return Ok(Gone::Deleted);
                }
                let over = expires_ms(record).is_some_and(|at_ms| at_ms <= now_ms);
                Ok(if over { Gone::Expired } else { Gone::Not })
            }
            // What was said of a message goes with it.
            Some(Beside::Edit(target) | Beside::React(target)) => Ok(match held(vault, row, &target)? {
                Some(message) => message.gone,
                None if self.is_deleted(vault, row, &target)? => Gone::Deleted,
                None => Gone::Not,
            }),
            _ => Ok(Gone::Not),
        }
    }

    /// Tells whether a message that is not held here was taken back by its author.
    fn is_deleted(&self, vault: &Vault, row: ConversationRow, target: &Target) -> Result<bool, StoreError> {
        let Some(author) = self.member_of(&target.author) else { return Ok(false) };
        let changes = vault.changes_of(row, &target.id)?;
        Ok(changes
            .iter()
            .any(|change| change.kind == EntryKind::Delete && self.member_of(&change.author) == Some(author)))
    }

    /// Asks for the body of a message again, and for what was said of it: whoever took it back had nothing to say any more.
    pub(crate) fn was_not_deleted(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        conversation: ConversationId,
        row: ConversationRow,
        target: &Target,
    ) -> Result<(), StoreError> {
        let Some(message) = held(ctx.tx, row, target)? else { return Ok(()) };
        if message.gone != Gone::Deleted || self.is_deleted(ctx.tx, row, target)? {
            return Ok(());
        }
        ctx.tx.want_deleted(row, &message.author, message.seq)?;
        for change in ctx.tx.changes_of(row, &target.id)? {
            if change.gone == Gone::Deleted {
                ctx.tx.want_deleted(row, &change.author, change.seq)?;
            }
        }
        if let Some(at_ms) = expires_ms(&message) {
            ctx.tx.set_expiry(row, &message.author, message.seq, at_ms)?;
            self.expects(ctx, at_ms);
        }
        self.talk.lacks = true;
        self.links.values_mut().for_each(|link| link.asked.again());
        self.publish_change(ctx, conversation, row, target)
    }

    /// Works out what later entries made of a message.
    pub(crate) fn outcome(
        &self,
        vault: &Vault,
        conversation: ConversationId,
        row: ConversationRow,
        message: &EntryRecord,
    ) -> Result<Outcome, StoreError> {
        let Some(author) = self.member_of(&message.author) else { return Ok(Outcome::default()) };
        let records = vault.changes_of(row, &message.message)?;
        let changes = records.iter().filter_map(|record| {
            let target = beside_of(record)?.target().copied()?;
            let counts = self.journal.counts(&conversation, &record.author, record.seq);
            if !counts || !target.is(&message.author, message.seq, &message.message) {
                return None;
            }
            let member = self.member_of(&record.author)?;
            let forked = self.is_forked(&conversation, &record.author);
            Some(Change { place: place_of(record), member, forked, content: content_of(record)? })
        });
        Ok(Outcome::of(&author, changes))
    }

    /// Tells whether an entry may change the message it names, as far as that is known. What is certain not to count is
    /// not kept: one member cannot make another one's messages slow to show.
    pub(crate) fn may_change(&self, beside: Option<&Beside>, record: &EntryRecord, target: &Target) -> bool {
        match beside {
            Some(Beside::Edit(_) | Beside::Delete(_)) => {
                let author = self.member_of(&target.author);
                author.is_none() || author == self.member_of(&record.author)
            }
            _ => true,
        }
    }

    fn same_member(&self, one: &EntryRecord, other: &EntryRecord) -> bool {
        let member: Option<MemberId> = self.member_of(&one.author);
        member.is_some() && member == self.member_of(&other.author)
    }

    /// Returns after how many seconds what is written next is erased, as its participants asked.
    pub(crate) fn expires_after_s(&self, conversation: &ConversationId) -> Option<u64> {
        let rules = self.talk.rules.get(conversation)?;
        rules.now_s(|place| self.journal.counts(conversation, &place.author, place.seq))
    }

    /// Takes note that a message is to be erased at that time.
    fn expects(&mut self, ctx: &Ctx<'_, '_>, at_ms: u64) {
        if self.talk.next_expiry_ms.is_none_or(|next| at_ms < next) {
            self.talk.next_expiry_ms = Some(at_ms);
            self.talk.expiry_at = Some(due(ctx, at_ms));
        }
    }

    /// Forgets what a chain that turned out to be forked asked of messages that are written next.
    pub(crate) fn distrust(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        conversation: ConversationId,
        author: &DeviceId,
    ) {
        if let Some(rules) = self.talk.rules.get_mut(&conversation) {
            rules.forget(author);
        }
        ctx.publish(|| api::Event::Conversation { circle: self.id, conversation });
    }

    /// Erases what has become due, a part of it; what is left is due at once.
    pub(crate) fn expire(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        let Some(next_ms) = self.talk.next_expiry_ms else {
            self.talk.expiry_at = None;
            return Ok(());
        };
        if next_ms <= ctx.time.wall_ms {
            let (tx, now_ms) = (&mut *ctx.tx, ctx.time.wall_ms);
            let conversations = self.expire_part(tx, now_ms)?;
            for conversation in conversations {
                ctx.publish(|| api::Event::Conversation { circle: self.id, conversation });
            }
        } else if self.talk.expiry_at.is_none_or(|at| at > ctx.time.since_start) {
            return Ok(());
        }
        // A clock that was set back makes it later than was thought.
        self.talk.expiry_at = self.talk.next_expiry_ms.map(|at_ms| due(ctx, at_ms));
        Ok(())
    }

    /// Erases a message's body and what was said of it; the file that it offers goes when the turn ends, if no other does.
    fn erase_message(
        &mut self,
        tx: &mut Turn<'_>,
        row: ConversationRow,
        message: &EntryRecord,
        why: Gone,
    ) -> Result<(), StoreError> {
        // What was taken back stays so, also when its time is over.
        if message.gone == Gone::Not {
            let content = content_of(message);
            let text = content.as_ref().and_then(Content::text);
            tx.erase(row, &message.author, message.seq, why, text)?;
            if let Some(offer) = content.as_ref().and_then(Content::offer) {
                tx.remove_offer(row, &message.author, message.seq)?;
                self.forget_offer(offer);
            }
        }
        erase_changes(tx, row, message, why)
    }

    /// Erases a part of the messages whose time is over, and returns in which conversations they were.
    pub(crate) fn expire_part(
        &mut self,
        tx: &mut Turn<'_>,
        now_ms: u64,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let expired = tx.expired(self.row, now_ms, PART)?;
        let mut touched: Vec<ConversationId> = Vec::new();
        for (row, message) in &expired {
            self.erase_message(tx, *row, message, Gone::Expired)?;
            touched.extend(self.conversation_of(*row).filter(|id| !touched.contains(id)));
        }
        self.talk.next_expiry_ms = tx.next_expiry(self.row)?;
        self.talk.stored |= !expired.is_empty();
        Ok(touched)
    }
}

/// Tells whether an entry's body is what somebody said, and not how all deal with it.
pub(crate) fn is_words(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Message | EntryKind::Edit | EntryKind::React)
}

/// Returns when a message is erased, if its author agreed to that.
pub(crate) fn expires_ms(record: &EntryRecord) -> Option<u64> {
    Header::decode(&record.header.0).ok()?.expires_ms(record.received_ms)
}

/// Returns the message at a place, if it is the one that is meant.
pub(crate) fn held(
    vault: &Vault,
    row: ConversationRow,
    target: &Target,
) -> Result<Option<EntryRecord>, StoreError> {
    let found = vault.entries_from(row, &target.author, target.seq, 1, 0)?.pop();
    Ok(found.filter(|record| target.is(&record.author, record.seq, &record.message)))
}

fn erase_changes(
    tx: &mut Turn<'_>,
    row: ConversationRow,
    message: &EntryRecord,
    why: Gone,
) -> Result<(), StoreError> {
    for change in tx.erasable_changes_of(row, &message.message)? {
        let text = content_of(&change);
        let text = text.as_ref().and_then(Content::text);
        tx.erase(row, &change.author, change.seq, why, text)?;
    }
    Ok(())
}

/// Returns when the device's clock will show a time.
pub(crate) fn due(ctx: &Ctx<'_, '_>, at_ms: u64) -> Duration {
    ctx.time.since_start + Duration::from_millis(at_ms.saturating_sub(ctx.time.wall_ms)).min(LOOK)
}

/// How many messages are dealt with at once.
const PART: usize = 256;
/// How long a clock is trusted to run as it does.
const LOOK: Duration = Duration::from_secs(3600);
