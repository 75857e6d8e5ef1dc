//! Finds words in everything that is kept.

use sqlcipher::rusqlite::{Error, Row};
use wire::{Blob, MessageId};

use crate::{
    CircleRow, ConversationRow, EntryKind, EntryRecord, StoreError, Turn, Vault,
    change::{UNTIDY, index, indexed, unindex},
    entry::{columns, entry},
    row::decode,
};

/// An entry in whose text the words stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its position in the order of arrival: from here a search goes on.
    pub position: i64,
    /// Its circle.
    pub circle: CircleRow,
    /// Its conversation.
    pub conversation: ConversationRow,
    /// The entry.
    pub entry: EntryRecord,
}

/// A stored text that is not in the index yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unindexed {
    /// Its entry's position in the order of arrival.
    pub position: i64,
    /// What sort of entry it is.
    pub kind: EntryKind,
    /// Its entry's body; none if it was erased.
    pub body: Option<Blob>,
}

impl Vault {
    /// Returns entries that are not in the words' index yet, in the order of arrival.
    pub fn unindexed(&self, limit: usize) -> Result<Vec<Unindexed>, StoreError> {
        const SQL: &str = "SELECT position, kind, body FROM entry
            WHERE position > (SELECT position FROM words_until) ORDER BY position LIMIT ?1";
        let found = |row: &Row<'_>| {
            let body = row.get::<_, Option<Vec<u8>>>(2)?.map(Blob);
            Ok(Unindexed { position: row.get(0)?, kind: decode(row, 1)?, body })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map([limit], found)?.collect())
    }

    /// Tells whether words were taken out of the index since it was last [tidied](Turn::tidy_words).
    pub fn has_untidy_words(&self) -> Result<bool, StoreError> {
        Ok(self.setting(UNTIDY)?.is_some())
    }

    /// Returns entries in whose texts all of `words` stand, those that came last first: at most `limit`, which came
    /// before the position `before`.
    ///
    /// The last word may be the beginning of one, if it has three letters or more.
    pub fn search(&self, words: &[&str], before: Option<i64>, limit: usize) -> Result<Vec<Hit>, StoreError> {
        const SQL: &str =
            "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3";
        const ENTRY: &str = concat!(
            "SELECT ",
            columns!(),
            ", e.conversation, v.circle FROM entry e CROSS JOIN chain c CROSS JOIN conversation v
            WHERE e.position = ?1 AND c.id = e.chain AND v.id = e.conversation"
        );
        let Some(query) = query(words) else { return Ok(Vec::new()) };
        self.read(|db| {
            let mut find = db.prepare_cached(SQL)?;
            let mut read = db.prepare_cached(ENTRY)?;
            let key = (query, before.unwrap_or(i64::MAX), limit);
            let mut hits = Vec::new();
            let mut rows = find.query(key)?;
            loop {
                let position: i64 = match rows.next() {
                    Ok(Some(row)) => row.get(0)?,
                    Ok(None) => break,
                    // A sign that counts as a letter here and not there makes a phrase, which stands nowhere.
                    Err(Error::SqliteFailure(_, Some(why))) if why.contains("phrase queries") => break,
                    Err(error) => return Err(error),
                };
                let hit = |row: &Row<'_>| {
                    Ok(Hit { position, conversation: row.get(11)?, circle: row.get(12)?, entry: entry(row)? })
                };
                for hit in read.query_map([position], hit)? {
                    hits.push(hit?);
                }
            }
            Ok(hits)
        })
    }

    /// Returns entries whose ids begin with the same bits, at most `limit`; with none, nothing.
    pub fn entries_like(
        &self,
        from: &MessageId,
        to: &MessageId,
        limit: usize,
    ) -> Result<Vec<(ConversationRow, EntryRecord)>, StoreError> {
        const NEWEST: &str = "SELECT coalesce(max(position) >> 13, -1) FROM entry";
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            ", e.conversation FROM entry e CROSS JOIN chain c WHERE e.position >> 13 = ?1
            AND substr(e.message_id, 1, 8) BETWEEN substr(?2, 1, 8) AND substr(?3, 1, 8)
            AND e.message_id BETWEEN ?2 AND ?3 AND c.id = e.chain LIMIT ?4"
        );
        let found = |row: &Row<'_>| Ok((row.get(11)?, entry(row)?));
        self.read(|db| {
            let newest: i64 = db.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
            let mut select = db.prepare_cached(SQL)?;
            let mut records = Vec::new();
            for generation in (0..=newest).rev() {
                let key = (generation, from.as_bytes(), to.as_bytes(), limit);
                for record in select.query_map(key, found)? {
                    records.push(record?);
                }
                if records.len() >= limit {
                    break;
                }
            }
            Ok(records)
        })
    }
}

impl Turn<'_> {
    /// Puts texts into the words' index, each under its entry's position, and takes note that all up to `until` are.
    pub fn index<'t>(
        &mut self,
        texts: impl IntoIterator<Item = (i64, &'t str)>,
        until: i64,
    ) -> Result<(), StoreError> {
        self.write(|db| {
            let from = indexed(db)?;
            for (position, text) in texts.into_iter().filter(|(position, _)| *position > from) {
                index(db, position, text)?;
            }
            db.prepare_cached("UPDATE words_until SET position = max(position, ?1)")?.execute([until])
        })
        .map(drop)
    }

    /// Writes about so many pages of the words' index anew if words were taken out of it: beginnings of them stand on as
    /// marks between its pages. `true` if more is left to do.
    pub fn tidy_words(&mut self, pages: u32) -> Result<bool, StoreError> {
        const MERGE: &str = "INSERT INTO words (words, rank) VALUES ('merge', ?1)";
        let Some(state) = self.setting(UNTIDY)? else { return Ok(false) };
        let begins = state != BEGUN;
        let more = self.write(|db| {
            // One segment alone would be left as it is.
            if state == NEW {
                index(db, NOWHERE, "x")?;
            }
            let before = db.total_changes();
            let pages = i64::from(pages);
            db.prepare_cached(MERGE)?.execute([if begins { -pages } else { pages }])?;
            // As FTS5 says: fewer than two changes are none.
            let more = db.total_changes() - before >= 2;
            if !more {
                unindex(db, NOWHERE, "x")?;
            }
            Ok(more)
        })?;
        if more {
            self.set_setting(UNTIDY, BEGUN)?;
        } else {
            self.remove_setting(UNTIDY)?;
            self.vault.scrub = true;
        }
        Ok(more)
    }
}

/// Writes words as a query in which nothing is an operator.
fn query(words: &[&str]) -> Option<String> {
    // The index knows words only, no phrases: what it would take for several is looked for as several.
    let words: Vec<_> = words
        .iter()
        .flat_map(|word| word.split(|c| !is_of_word(c)))
        .filter(|word| !word.is_empty())
        .collect();
    let (last, rest) = words.split_last()?;
    let mut query: Vec<_> = rest.iter().map(|word| format!("\"{word}\"")).collect();
    let prefix = if last.chars().count() >= PREFIX { "*" } else { "" };
    query.push(format!("\"{last}\"{prefix}"));
    Some(query.join(" "))
}

/// Tells whether the index takes a character for a part of a word.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

/// A position at which no entry stands.
const NOWHERE: i64 = -1;
/// What is kept under [`UNTIDY`] at first, and while the index is written anew; what is erased meanwhile begins it again.
const NEW: &[u8] = &[0];
const BEGUN: &[u8] = &[2];
/// From how many letters on the beginning of a word is enough: as many as the index is made for.
const PREFIX: usize = 3;
