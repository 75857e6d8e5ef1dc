//! What front ends are shown of one message.

use std::collections::BTreeMap;

use journal::{Content, Outcome, Post};
use vault::{CircleState as Standing, ConversationRow, EntryRecord, Gone, StoreError, Vault};
use wire::{ConversationId, MemberId};

use super::{
    CircleState,
    change::{expires_ms, held},
    talk::content_of,
    view::count,
};
use crate::api::{self, Absence, Progress, Quote, Reaction, Step};

impl CircleState {
    /// Shows a stored message as it is now.
    pub(crate) fn show(
        &self,
        vault: &Vault,
        now_ms: u64,
        conversation: ConversationId,
        record: &EntryRecord,
    ) -> Result<api::Message, StoreError> {
        let outcome = match self.conversations.get(&conversation) {
            Some(row) => self.outcome(vault, conversation, *row, record)?,
            None => Outcome::default(),
        };
        self.show_with(vault, now_ms, conversation, record, &outcome)
    }

    /// Shows a message of which is known what later entries made of it.
    pub(crate) fn show_with(
        &self,
        vault: &Vault,
        now_ms: u64,
        conversation: ConversationId,
        record: &EntryRecord,
        outcome: &Outcome,
    ) -> Result<api::Message, StoreError> {
        let row = self.conversations.get(&conversation).copied();
        let member = self.member_of(&record.author);
        let content = content_of(record);
        let expires_ms = expires_ms(record);
        let over = expires_ms.is_some_and(|at_ms| at_ms <= now_ms);
        let absent = self.absence(record, outcome, content.as_ref(), over);
        let shown = content.as_ref().filter(|_| absent.is_none());
        let edit = outcome.edit.as_ref().filter(|_| shown.is_some());
        let said = edit.map_or(shown, |(_, edit)| Some(edit));
        let mentions = said.map_or_else(Vec::new, |said| said.mentions().to_vec());
        let post = shown.and_then(|content| match content {
            Content::Post(post) => Some(post),
            _ => None,
        });
        let reply_to = match (row, post) {
            (Some(row), Some(Post { reply: Some(target), .. })) => {
                Some(self.quote(vault, now_ms, conversation, row, target)?)
            }
            _ => None,
        };
        let delivery = self.delivery(conversation, record);
        let mine = record.author == self.me;
        Ok(api::Message {
            id: record.message,
            conversation,
            author: record.author,
            member,
            member_name: self.name_of(&record.author),
            mine,
            seq: record.seq,
            lamport: record.lamport,
            claimed_ms: record.claimed_ms,
            stored_ms: record.received_ms,
            text: said.and_then(Content::text).map(str::to_owned),
            file: self.offered_in(&conversation, record, shown),
            delivery,
            absent,
            reply_to,
            edited_ms: edit.and_then(|(place, _)| {
                let edit = vault.entries_from(row?, &place.author, place.seq, 1, 0).ok()?.pop()?;
                Some(edit.claimed_ms)
            }),
            mentions_me: self.my_member().is_some_and(|me| mentions.contains(&me)),
            mentions,
            reactions: if absent.is_none() { self.reactions(outcome) } else { Vec::new() },
            pinned: outcome.is_pinned() && absent.is_none(),
            forwarded: post.is_some_and(|post| post.forwarded),
            expires_ms: expires_ms.filter(|_| absent.is_none()),
            progress: (mine && absent != Some(Absence::Deleted))
                .then(|| self.progress(conversation, record, delivery)),
            forked: self.is_forked(&conversation, &record.author),
            clock_ahead_ms: Some(record.claimed_ms.saturating_sub(record.received_ms))
                .filter(|ahead_ms| *ahead_ms >= AHEAD_MS),
        })
    }

    fn absence(
        &self,
        record: &EntryRecord,
        outcome: &Outcome,
        content: Option<&Content>,
        over: bool,
    ) -> Option<Absence> {
        let blocked =
            self.member_of(&record.author).is_some_and(|member| self.talk.blocked.contains(&member));
        match record.gone {
            Gone::Deleted => Some(Absence::Deleted),
            Gone::Expired => Some(Absence::Expired),
            Gone::Withheld => Some(Absence::Before),
            Gone::Void => Some(Absence::Void),
            Gone::Not if outcome.deleted => Some(Absence::Deleted),
            Gone::Not if over => Some(Absence::Expired),
            Gone::Not if record.body.is_none() => Some(Absence::Lacking),
            Gone::Not if content.is_none() => Some(Absence::Unknown),
            Gone::Not => blocked.then_some(Absence::Blocked),
        }
    }

    /// Shows the beginning of the message that another one answers.
    fn quote(
        &self,
        vault: &Vault,
        now_ms: u64,
        conversation: ConversationId,
        row: ConversationRow,
        target: &journal::Target,
    ) -> Result<Quote, StoreError> {
        let Some(record) = held(vault, row, target)?.filter(|record| record.kind == Default::default())
        else {
            return Ok(Quote { id: target.id, member_name: String::new(), text: None });
        };
        let outcome = self.outcome(vault, conversation, row, &record)?;
        let content = content_of(&record);
        let over = expires_ms(&record).is_some_and(|at_ms| at_ms <= now_ms);
        let absent = self.absence(&record, &outcome, content.as_ref(), over);
        let said = outcome.edit.as_ref().map_or(content.as_ref(), |(_, edit)| Some(edit));
        let text = said.filter(|_| absent.is_none()).and_then(Content::text).map(beginning);
        Ok(Quote { id: target.id, member_name: self.name_of(&record.author), text })
    }

    fn reactions(&self, outcome: &Outcome) -> Vec<Reaction> {
        let mut signs: BTreeMap<&str, Vec<MemberId>> = BTreeMap::new();
        for (member, sign) in outcome.reactions().filter(|(member, _)| !self.talk.blocked.contains(*member)) {
            signs.entry(sign).or_default().push(*member);
        }
        let me = self.my_member();
        let mut shown: Vec<_> = signs
            .into_iter()
            .map(|(sign, members)| Reaction {
                sign: sign.to_owned(),
                names: members.iter().map(|member| self.member_name(member)).collect(),
                mine: me.is_some_and(|me| members.contains(&me)),
                members,
            })
            .collect();
        shown.sort_by_key(|reaction| std::cmp::Reverse(reaction.members.len()));
        shown
    }

    fn delivery(&self, conversation: ConversationId, record: &EntryRecord) -> api::Delivery {
        let mut delivery = api::Delivery { devices: 0, delivered: 0, read: 0 };
        for device in self.readers(conversation, record) {
            let receipt = self.receipts.get(&(conversation, device));
            let (stored, read) =
                receipt.and_then(|chains| chains.get(&record.author)).copied().unwrap_or((0, 0));
            delivery.devices += 1;
            delivery.delivered += u32::from(stored > record.seq);
            delivery.read += u32::from(read > record.seq);
        }
        delivery
    }

    /// Lists the other devices that may read a message.
    fn readers(
        &self,
        conversation: ConversationId,
        record: &EntryRecord,
    ) -> impl Iterator<Item = wire::DeviceId> {
        let (author, lamport) = (record.author, record.lamport);
        self.charter
            .roster()
            .devices()
            .values()
            .filter(move |device| {
                device.id != self.me
                    && device.id != author
                    && self.journal.includes(&conversation, &device.member)
                    && self.journal.withheld_until(&conversation, &device.member) < lamport
            })
            .map(|device| device.id)
    }

    /// Says in words how far a message of this device has come.
    fn progress(
        &self,
        conversation: ConversationId,
        record: &EntryRecord,
        delivery: api::Delivery,
    ) -> Progress {
        let chain = (conversation, record.author);
        let under_way = self.readers(conversation, record).filter(|device| {
            self.links.get(device).is_some_and(|link| link.frontier_known && link.next(&chain) > record.seq)
        });
        let sent = count(under_way.count()).max(delivery.delivered);
        let api::Delivery { devices, delivered, read } = delivery;
        let of = |done: u32| match devices {
            1 => String::new(),
            _ => format!(" {done} of {devices} devices"),
        };
        let done = |word: &str, at: &str, done: u32| {
            if done == devices { word.to_owned() } else { format!("{word} {at}{}", of(done)) }
        };
        let (step, words, hint) = match () {
            () if read > 0 => (Step::Read, done("read", "on", read), None),
            () if delivered > 0 => (Step::Delivered, done("delivered", "to", delivered), None),
            () if self.standing != Standing::Member => {
                let hint = "this device was removed from the circle; ask an admin for a new invitation";
                (Step::Failed, "not sent".to_owned(), Some(hint))
            }
            () if self.is_forked(&conversation, &self.me) => {
                let hint = "an old copy of this vault was used: add this device anew and remove the old one";
                (
                    Step::Failed,
                    "not sent: nobody takes more of this device's forked chain".to_owned(),
                    Some(hint),
                )
            }
            () if record.gone != Gone::Not => {
                (Step::Failed, "erased before it was delivered".to_owned(), None)
            }
            () if devices == 0 => (Step::Stored, "stored".to_owned(), None),
            () if sent > 0 => (Step::Sent, done("sent", "to", sent), None),
            () => {
                let hint = "it goes out by itself as soon as one of the others can be reached";
                (Step::Stored, "waiting".to_owned(), Some(hint))
            }
        };
        Progress { step, sent, words: words.trim_end().to_owned(), hint: hint.map(str::to_owned) }
    }
}

/// Returns how a text begins, about a line of it.
fn beginning(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut short: String = line.chars().take(QUOTED).collect();
    if short.len() < text.trim_end().len() {
        short.push('…');
    }
    short
}

/// How many characters of an answered message are shown.
const QUOTED: usize = 80;
/// From when on a clock that is ahead is worth a word: what is less is common.
const AHEAD_MS: u64 = 5 * 60_000;
