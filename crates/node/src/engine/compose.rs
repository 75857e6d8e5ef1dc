//! What front ends ask for beside sending and reading: answers, edits, signs, pins, searches, what is kept.

use std::collections::BTreeSet;

use journal::{Beside, Content, Offer, Outcome, Post};
use vault::{ConversationRow, DraftRecord, EntryKind, EntryRecord, Gone};
use wire::{CircleId, ConversationId, MemberId, MessageId};

use super::{
    Access, CircleState, RequestError,
    change::held,
    requests::unknown,
    talk::{Kept, beside_of, content, place_of, record_of},
};
use crate::api::{self, ApiError, ErrorKind};

/// A message that somebody named, and where it stands.
struct Named {
    conversation: ConversationId,
    record: EntryRecord,
}

impl Named {
    fn target(&self) -> journal::Target {
        let EntryRecord { author, seq, message: id, .. } = self.record;
        journal::Target { author, seq, id }
    }
}

impl Access<'_, '_> {
    /// Shows one message.
    pub(crate) fn message(&mut self, id: CircleId, message: MessageId) -> Result<api::Message, RequestError> {
        self.with(id, |access, circle| {
            let named = access.named(circle, message)?;
            access.shown(circle, &named)
        })
    }

    /// Finds messages whose ids begin as `text` does.
    pub(crate) fn find_messages(
        &mut self,
        id: CircleId,
        text: &str,
    ) -> Result<Vec<api::Message>, RequestError> {
        self.with(id, |access, circle| {
            let (from, to) = id_range(text)?;
            let found = access.ctx.tx.entries_like(&from, &to, LIKE)?;
            let mut shown = Vec::new();
            for (row, record) in found.into_iter().filter(|(_, record)| record.kind == EntryKind::Message) {
                if let Some(conversation) = circle.conversation_of(row) {
                    shown.push(access.shown(circle, &Named { conversation, record })?);
                }
            }
            Ok(shown)
        })
    }

    /// Writes an answer to a message.
    pub(crate) fn reply(
        &mut self,
        id: CircleId,
        message: MessageId,
        text: &str,
    ) -> Result<api::Message, RequestError> {
        self.as_member(id, |access, circle| {
            let named = access.named(circle, message)?;
            let content = Content::Post(Post {
                text: text.to_owned(),
                reply: Some(named.target()),
                mentions: circle.mentions(&named.conversation, text),
                forwarded: false,
            });
            access.write(circle, named.conversation, None, &content)
        })
    }

    /// Says a message's text again in another conversation.
    pub(crate) fn forward(
        &mut self,
        id: CircleId,
        message: MessageId,
        to: &str,
    ) -> Result<api::Message, RequestError> {
        self.as_member(id, |access, circle| {
            let named = access.named(circle, message)?;
            let Some(text) = access.shown(circle, &named)?.text else {
                return Err(gone().into());
            };
            let offer = super::talk::content_of(&named.record).and_then(|content| content.offer().cloned());
            let to = circle.find_conversation(to)?;
            let to = circle.journal.open(to);
            circle.conversation_row(&mut access.ctx, to)?;
            let content = match offer {
                // Whoever has the file serves it there, too.
                Some(offer) => Content::File(Offer { text, ..offer }),
                None => Content::Post(Post { text, forwarded: true, ..Post::default() }),
            };
            access.write(circle, to, None, &content)
        })
    }

    /// Gives one's own message another text.
    pub(crate) fn edit(&mut self, id: CircleId, message: MessageId, text: &str) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let named = access.own(circle, message)?;
            if named.record.gone != Gone::Not {
                return Err(gone().into());
            }
            let mentions = circle.mentions(&named.conversation, text);
            let content = Content::Edit { text: text.to_owned(), mentions };
            let beside = Beside::Edit(named.target());
            access.write(circle, named.conversation, Some(beside), &content).map(drop)
        })
    }

    /// Takes one's own message back, everywhere.
    pub(crate) fn delete(&mut self, id: CircleId, message: MessageId) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let named = access.own(circle, message)?;
            if named.record.gone == Gone::Deleted {
                return Ok(());
            }
            let beside = Beside::Delete(named.target());
            access.write(circle, named.conversation, Some(beside), &Content::Delete).map(drop)
        })
    }

    /// Puts one's sign under a message, or takes it away.
    pub(crate) fn react(&mut self, id: CircleId, message: MessageId, sign: &str) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let named = access.named(circle, message)?;
            if named.record.gone != Gone::Not {
                return Err(gone().into());
            }
            let content = Content::React { sign: sign.trim().to_owned() };
            let beside = Beside::React(named.target());
            access.write(circle, named.conversation, Some(beside), &content).map(drop)
        })
    }

    /// Puts a message where all find it, or takes it away from there.
    pub(crate) fn pin(&mut self, id: CircleId, message: MessageId, pinned: bool) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let named = access.named(circle, message)?;
            if named.record.gone != Gone::Not {
                return Err(gone().into());
            }
            let beside = Beside::Pin(named.target());
            access.write(circle, named.conversation, Some(beside), &Content::Pin { pinned }).map(drop)
        })
    }

    /// Lists the messages that were put where all find them, the last one put there first.
    pub(crate) fn pins(
        &mut self,
        id: CircleId,
        conversation: ConversationId,
    ) -> Result<Vec<api::Message>, RequestError> {
        self.with(id, |access, circle| {
            let mut shown = Vec::new();
            let Some(row) = circle.conversations.get(&conversation).copied() else { return Ok(shown) };
            let mut named = BTreeSet::new();
            for pin in access.ctx.tx.pins(row, PINS)? {
                let target = beside_of(&pin).and_then(|beside| beside.target().copied());
                if let Some(target) = target.filter(|target| named.insert(*target))
                    && let Some(record) = held(access.ctx.tx, row, &target)?
                    && record.kind == EntryKind::Message
                {
                    let message = access.shown(circle, &Named { conversation, record })?;
                    shown.extend(Some(message).filter(|message| message.pinned));
                }
            }
            Ok(shown)
        })
    }

    /// Sets when messages of a conversation are erased.
    pub(crate) fn set_expiry(
        &mut self,
        id: CircleId,
        conversation: ConversationId,
        after_s: u64,
    ) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            access.kept_row(circle, conversation)?;
            let content = Content::Expiry { after_s };
            access.write(circle, conversation, Some(Beside::Expiry), &content).map(drop)
        })
    }

    /// Keeps what the person decided about a conversation for himself.
    pub(crate) fn keep_conversation(
        &mut self,
        id: CircleId,
        conversation: ConversationId,
        keep: &api::Keep,
    ) -> Result<api::Conversation, RequestError> {
        self.with(id, |access, circle| {
            let row = access.kept_row(circle, conversation)?;
            let kept: &mut Kept = circle.talk.kept.entry(conversation).or_default();
            if let Some(archived) = keep.archived {
                kept.archived = archived;
                access.ctx.tx.set_archived(row, archived)?;
            }
            if let Some(until_ms) = keep.muted_until_ms {
                kept.muted_until_ms = until_ms;
                access.ctx.tx.set_muted(row, until_ms)?;
            }
            access.ctx.publish(|| api::Event::Conversation { circle: id, conversation });
            let shown = circle.conversation_view(access, conversation)?;
            Ok(shown.ok_or_else(|| unknown("conversation"))?)
        })
    }

    /// Keeps what was written and not sent.
    pub(crate) fn set_draft(
        &mut self,
        id: CircleId,
        conversation: ConversationId,
        draft: &api::Draft,
    ) -> Result<(), RequestError> {
        self.with(id, |access, circle| {
            let row = access.kept_row(circle, conversation)?;
            if draft.text.len() > wire::limits::TEXT {
                return Err(
                    ApiError::new(ErrorKind::User, "the draft is longer than a message may be").into()
                );
            }
            let record = DraftRecord { text: draft.text.clone(), reply: draft.reply_to };
            Ok(access.ctx.tx.set_draft(row, &record)?)
        })
    }

    /// Hides a member's messages on this device, or shows them again.
    pub(crate) fn block(
        &mut self,
        id: CircleId,
        member: MemberId,
        blocked: bool,
    ) -> Result<(), RequestError> {
        self.with(id, |access, circle| {
            if !circle.charter.roster().members().contains_key(&member) {
                return Err(unknown("member").into());
            }
            if Some(member) == circle.my_member() {
                return Err(ApiError::new(ErrorKind::User, "nobody blocks himself").into());
            }
            access.ctx.tx.set_blocked(circle.row, &member, blocked)?;
            if blocked {
                circle.talk.blocked.insert(member)
            } else {
                circle.talk.blocked.remove(&member)
            };
            access.ctx.publish(|| api::Event::Roster { circle: id });
            Ok(())
        })
    }

    /// Puts a part of what is stored into the words' index; `true` if more is left.
    pub(crate) fn index_part(&mut self) -> Result<bool, RequestError> {
        Ok(index_part(self.ctx.tx, INDEXED)?)
    }

    /// Looks for words in a part of what is held, from `from` on backwards.
    pub(crate) fn search_part(
        &mut self,
        id: CircleId,
        query: &api::SearchQuery,
        from: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<api::Message>, Option<i64>), RequestError> {
        self.with(id, |access, circle| {
            let only = match &query.conversation {
                Some(called) => {
                    let descriptor = circle.find_conversation(called)?;
                    let conversation = descriptor.id(&circle.id);
                    let Some(row) = circle.conversations.get(&conversation).copied() else {
                        return Ok((Vec::new(), None));
                    };
                    Some(row)
                }
                None => None,
            };
            let words: Vec<_> = query.words.split_whitespace().collect();
            if words.is_empty() {
                return Err(ApiError::new(ErrorKind::User, "no word to look for").into());
            }
            let hits = access.ctx.tx.search(&words, from, SCANNED)?;
            let mut next = hits.last().filter(|_| hits.len() == SCANNED).map(|hit| hit.position);
            let mut shown = Vec::new();
            for hit in &hits {
                if shown.len() == limit {
                    // The one before this was the last that was looked at.
                    next = Some(hit.position + 1);
                    break;
                }
                if hit.circle != circle.row || only.is_some_and(|only| only != hit.conversation) {
                    continue;
                }
                shown.extend(access.finding(circle, hit)?);
            }
            Ok((shown, next))
        })
    }

    /// Shows the message that says what was found, if it still says it.
    fn finding(&self, circle: &CircleState, hit: &vault::Hit) -> Result<Option<api::Message>, RequestError> {
        let Some(conversation) = circle.conversation_of(hit.conversation) else { return Ok(None) };
        let row = hit.conversation;
        let target = beside_of(&hit.entry).and_then(|beside| beside.target().copied());
        let record = match (hit.entry.kind, target) {
            (EntryKind::Message, _) => Some(hit.entry.clone()),
            (EntryKind::Edit, Some(target)) => held(self.ctx.tx, row, &target)?,
            _ => None,
        };
        let Some(record) = record else { return Ok(None) };
        let outcome = circle.outcome(self.ctx.tx, conversation, row, &record)?;
        let said_by = outcome.edit.as_ref().map_or_else(|| place_of(&record), |(place, _)| *place);
        if said_by != place_of(&hit.entry) {
            return Ok(None);
        }
        let message = self.shown(circle, &Named { conversation, record })?;
        Ok(Some(message).filter(|message| message.text.is_some()))
    }

    pub(super) fn write(
        &mut self,
        circle: &mut CircleState,
        conversation: ConversationId,
        beside: Option<Beside>,
        content: &Content,
    ) -> Result<api::Message, RequestError> {
        let (me, now_ms) = (circle.me, self.ctx.time.wall_ms);
        if circle.my_member().is_none_or(|member| !circle.journal.includes(&conversation, &member)) {
            return Err(ApiError::from(journal::WriteError::NotInGroup).into());
        }
        circle.check_remembered(&conversation, self.ctx.time.since_start)?;
        let passing = || Some(Beside::Passing { after_s: circle.expires_after_s(&conversation)? });
        let beside = beside.or_else(passing);
        let entry = circle
            .journal
            .write_beside(conversation, &me, beside, content, now_ms, self.ctx.entropy)
            .map_err(ApiError::from)?;
        let record = record_of(&entry, now_ms, None);
        // Nobody can have said anything of it yet.
        let shown = circle.show_with(self.ctx.tx, now_ms, conversation, &record, &Outcome::default())?;
        circle.written.push(entry);
        Ok(shown)
    }

    /// Finds a message by its id.
    fn named(&self, circle: &CircleState, message: MessageId) -> Result<Named, RequestError> {
        let found = self.ctx.tx.entry(&message)?.filter(|(_, record)| record.kind == EntryKind::Message);
        let named = found.and_then(|(row, record)| {
            let conversation = circle.conversation_of(row)?;
            Some(Named { conversation, record })
        });
        Ok(named.ok_or_else(|| unknown("message"))?)
    }

    /// Finds a message that this member wrote.
    fn own(&self, circle: &CircleState, message: MessageId) -> Result<Named, RequestError> {
        let named = self.named(circle, message)?;
        if circle.my_member().is_none() || circle.member_of(&named.record.author) != circle.my_member() {
            let message = "only its author changes a message or takes it back";
            return Err(ApiError::new(ErrorKind::NotAllowed, message).into());
        }
        Ok(named)
    }

    fn shown(&self, circle: &CircleState, named: &Named) -> Result<api::Message, RequestError> {
        Ok(circle.show(self.ctx.tx, self.ctx.time.wall_ms, named.conversation, &named.record)?)
    }

    /// Returns the row of a conversation that is known, making it on first use.
    fn kept_row(
        &mut self,
        circle: &mut CircleState,
        conversation: ConversationId,
    ) -> Result<ConversationRow, RequestError> {
        if circle.journal.descriptor(&conversation).is_none() {
            return Err(unknown("conversation").into());
        }
        Ok(circle.conversation_row(&mut self.ctx, conversation)?)
    }
}

impl CircleState {
    /// Returns which conversation a row holds.
    pub(crate) fn conversation_of(&self, row: ConversationRow) -> Option<ConversationId> {
        self.conversations.iter().find(|(_, known)| **known == row).map(|(id, _)| *id)
    }

    /// Lists the participants that a text names by `@` and their name.
    pub(crate) fn mentions(&self, conversation: &ConversationId, text: &str) -> Vec<MemberId> {
        if !text.contains('@') {
            return Vec::new();
        }
        let mut named: Vec<_> = self
            .charter
            .roster()
            .members()
            .values()
            .filter(|member| self.journal.includes(conversation, &member.id))
            .map(|member| (member.name.as_str().to_lowercase(), member.id))
            .collect();
        // Of two names of which one begins as the other, the longer one is meant.
        named.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let lower = text.to_lowercase();
        let mut found = Vec::new();
        for (_, rest) in lower.match_indices('@').filter_map(|(at, _)| lower.split_at_checked(at + 1)) {
            let ends = |name: &str| {
                let after = rest.strip_prefix(name);
                after.is_some_and(|after| !after.starts_with(char::is_alphanumeric))
            };
            let Some((name, _)) = named.iter().find(|(name, _)| ends(name)) else { continue };
            // Two who bear the same name are both meant.
            found.extend(named.iter().filter(|(other, _)| other == name).map(|(_, id)| *id));
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(wire::limits::MENTIONS);
        found
    }
}

/// Puts a part of what is stored into the words' index; `true` if more is left.
pub(crate) fn index_part(tx: &mut vault::Turn<'_>, limit: usize) -> Result<bool, vault::StoreError> {
    let part = tx.unindexed(limit)?;
    let Some(last) = part.last() else { return Ok(false) };
    let (until, full) = (last.position, part.len() == limit);
    // By the same reading as what is erased later: what goes in must come out.
    let texts: Vec<_> = part
        .iter()
        .filter_map(|stored| Some((stored.position, content(stored.kind, stored.body.as_ref())?)))
        .collect();
    let texts = texts.iter().filter_map(|(position, content)| Some((*position, content.text()?)));
    tx.index(texts, until)?;
    Ok(full)
}

/// Returns the least and the greatest id that begin as a text does.
fn id_range(text: &str) -> Result<(MessageId, MessageId), ApiError> {
    let wrong = || {
        ApiError::new(ErrorKind::User, "that is no message's id")
            .hint("`hexode read --ids` shows them; the first eight characters are enough")
    };
    let text = text.trim();
    if !(LEAST..=LENGTH).contains(&text.len()) || !text.is_ascii() {
        return Err(wrong());
    }
    // An id's last character has one bit of it: `a` or `q`.
    let padded = |fill: &str, last: &str| match text.len() {
        LENGTH => text.to_owned(),
        len => format!("{text}{}{last}", fill.repeat(LENGTH - 1 - len)),
    };
    let from = padded("a", "a").parse().map_err(|_| wrong())?;
    let to = padded("7", "q").parse().map_err(|_| wrong())?;
    Ok((from, to))
}

fn gone() -> ApiError {
    ApiError::new(ErrorKind::Conflict, "the message is gone")
}

/// How many characters an id has, and how many of them are enough.
const LENGTH: usize = 52;
const LEAST: usize = 8;
/// How many pins are looked at.
const PINS: usize = 1024;
/// How many messages with like ids are shown.
const LIKE: usize = 8;
/// How many hits one part of a search looks at.
const SCANNED: usize = 256;
/// How many entries are indexed at once while somebody waits.
const INDEXED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_by_its_beginning() {
        let id = MessageId::new(std::array::from_fn(|at| at as u8 * 7));
        let text = id.to_string();
        for len in [8, 9, 30, 51, 52] {
            let (from, to) = id_range(text.get(..len).unwrap()).unwrap();
            assert!(from <= id && id <= to, "{len}");
        }
        let (from, to) = id_range(&text).unwrap();
        assert_eq!((from, to), (id, id));
        for bad in ["", "aaaaaaa", "!!!!!!!!", "ääää", &format!("{text}a")] {
            assert!(id_range(bad).is_err(), "{bad}");
        }
    }
}
