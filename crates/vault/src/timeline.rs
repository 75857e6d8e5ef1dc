use wire::DeviceId;

use crate::{
    ConversationRow, EntryRecord, StoreError, Vault,
    entry::{columns, entry},
};

/// Where an entry stands on every device's screen: by Lamport time, then author, then place in his chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelinePosition {
    /// The entry's Lamport time.
    pub lamport: u64,
    /// The entry's author.
    pub author: DeviceId,
    /// The entry's place in the author's chain.
    pub seq: u64,
}

impl From<&EntryRecord> for TimelinePosition {
    fn from(entry: &EntryRecord) -> Self {
        Self { lamport: entry.lamport, author: entry.author, seq: entry.seq }
    }
}

impl Vault {
    /// Returns the last messages of a conversation before a position (or at its end), in the order of the timeline.
    pub fn timeline_before(
        &self,
        conversation: ConversationRow,
        before: Option<TimelinePosition>,
        limit: usize,
    ) -> Result<Vec<EntryRecord>, StoreError> {
        let before = before.unwrap_or(END);
        let mut page = self.timeline(BEFORE, conversation, before, limit)?;
        page.reverse();
        Ok(page)
    }

    /// Returns the first messages of a conversation after a position (or from its start), in the order of the timeline.
    pub fn timeline_after(
        &self,
        conversation: ConversationRow,
        after: Option<TimelinePosition>,
        limit: usize,
    ) -> Result<Vec<EntryRecord>, StoreError> {
        match after {
            Some(after) => self.timeline(AFTER, conversation, after, limit),
            None => self.timeline(FROM_START, conversation, END, limit),
        }
    }

    fn timeline(
        &self,
        sql: &str,
        conversation: ConversationRow,
        position: TimelinePosition,
        limit: usize,
    ) -> Result<Vec<EntryRecord>, StoreError> {
        let clamp = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let TimelinePosition { lamport, author, seq } = position;
        let key = (conversation, clamp(lamport), author.as_bytes(), clamp(seq), limit);
        self.read(|db| db.prepare_cached(sql)?.query_map(key, entry)?.collect())
    }
}

/// Behind every entry that can be stored.
const END: TimelinePosition =
    TimelinePosition { lamport: u64::MAX, author: DeviceId::new([0xff; 32]), seq: u64::MAX };

// The index gives the order by Lamport time; SQLite sorts only entries of one time by their authors' ids, and stops
// when it has enough. Entries of one time are at most as many as the conversation has chains.
macro_rules! timeline {
    ($condition:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM entry e CROSS JOIN chain c WHERE e.conversation = ?1 AND e.kind = 0 AND e.gone < 3 AND c.id = e.chain ",
            $condition,
            " ORDER BY e.lamport ",
            $order,
            ", c.author ",
            $order,
            ", e.seq ",
            $order,
            " LIMIT ?5"
        )
    };
}
pub(crate) const BEFORE: &str =
    timeline!("AND e.lamport <= ?2 AND (e.lamport, c.author, e.seq) < (?2, ?3, ?4)", "DESC");
pub(crate) const AFTER: &str =
    timeline!("AND e.lamport >= ?2 AND (e.lamport, c.author, e.seq) > (?2, ?3, ?4)", "ASC");
pub(crate) const FROM_START: &str =
    timeline!("AND ?2 IS NOT NULL AND ?3 IS NOT NULL AND ?4 IS NOT NULL", "ASC");
