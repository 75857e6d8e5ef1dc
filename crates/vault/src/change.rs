//! What later entries do to messages: which change which, which are gone, which are going.

use sqlcipher::rusqlite::{Connection, OptionalExtension, Result as SqlResult, Row};
use wire::{ConversationId, DeviceId, EntryPlace, MessageId};

use crate::{
    CircleRow, ConversationRow, EntryKind, EntryRecord, Gone, StoreError, Turn, Vault,
    entry::{columns, entry},
    row::{code, id},
};

/// A place whose body this device lacks, and where it stands in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lacking {
    /// Its position in the order of arrival.
    pub position: i64,
    /// The entry.
    pub place: EntryPlace,
}

impl Vault {
    /// Returns the entries that change a message: of each sort the last in each chain.
    pub fn changes_of(
        &self,
        conversation: ConversationRow,
        target: &MessageId,
    ) -> Result<Vec<EntryRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM change x CROSS JOIN entry e CROSS JOIN chain c
            WHERE x.target = ?1 AND x.latest = 1 AND e.position = x.position AND e.conversation = ?2 AND c.id = e.chain"
        );
        let key = (target.as_bytes(), conversation);
        self.read(|db| db.prepare_cached(SQL)?.query_map(key, entry)?.collect())
    }

    /// Returns the edits of a message and the signs under it that were not erased.
    pub fn erasable_changes_of(
        &self,
        conversation: ConversationRow,
        target: &MessageId,
    ) -> Result<Vec<EntryRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM change x CROSS JOIN entry e CROSS JOIN chain c
            WHERE x.target = ?1 AND x.kind IN (1, 3) AND e.position = x.position AND e.gone = 0 AND e.conversation = ?2
            AND c.id = e.chain"
        );
        let key = (target.as_bytes(), conversation);
        self.read(|db| db.prepare_cached(SQL)?.query_map(key, entry)?.collect())
    }

    /// Returns the pins of a conversation, for each message the last in each chain: at most `limit`, those that came
    /// last first.
    pub fn pins(&self, conversation: ConversationRow, limit: usize) -> Result<Vec<EntryRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM chain c CROSS JOIN entry e CROSS JOIN change x
            WHERE c.conversation = ?1 AND e.chain = c.id AND e.kind <> 0 AND e.kind = 4 AND x.position = e.position
            AND x.latest = 1 ORDER BY e.position DESC LIMIT ?2"
        );
        self.read(|db| db.prepare_cached(SQL)?.query_map((conversation, limit), entry)?.collect())
    }

    /// Returns entries of a kind in a circle, chain by chain; those of one author, if one is given.
    pub fn entries_of_kind(
        &self,
        circle: CircleRow,
        kind: EntryKind,
        author: Option<&DeviceId>,
    ) -> Result<Vec<(ConversationRow, EntryRecord)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            ", e.conversation FROM conversation v CROSS JOIN chain c CROSS JOIN entry e
            WHERE v.circle = ?1 AND c.conversation = v.id AND e.chain = c.id AND e.kind <> 0 AND e.kind = ?2
                AND (?3 IS NULL OR c.author = ?3)"
        );
        let found = |row: &Row<'_>| Ok((row.get(11)?, entry(row)?));
        let key = (circle, code(kind), author.map(DeviceId::as_bytes));
        self.read(|db| db.prepare_cached(SQL)?.query_map(key, found)?.collect())
    }

    /// Returns the places in each chain of a conversation that hold no message.
    pub fn places_beside(&self, conversation: ConversationRow) -> Result<Vec<(DeviceId, u64)>, StoreError> {
        const SQL: &str = "SELECT c.author, e.seq FROM chain c CROSS JOIN entry e
            WHERE c.conversation = ?1 AND e.chain = c.id AND e.kind <> 0";
        let found = |row: &Row<'_>| Ok((id(row, 0, DeviceId::new)?, row.get(1)?));
        self.read(|db| db.prepare_cached(SQL)?.query_map([conversation], found)?.collect())
    }

    /// Returns entries of a circle whose body never came, after a position in the order of arrival.
    pub fn lacking(&self, circle: CircleRow, after: i64, limit: usize) -> Result<Vec<Lacking>, StoreError> {
        const SQL: &str = "SELECT e.position, v.conversation_id, c.author, e.seq
            FROM entry e CROSS JOIN chain c CROSS JOIN conversation v
            WHERE e.body IS NULL AND e.gone = 0 AND e.position > ?2 AND c.id = e.chain AND v.id = c.conversation
            AND v.circle = ?1 ORDER BY e.position LIMIT ?3";
        let found = |row: &Row<'_>| {
            let conversation = id(row, 1, ConversationId::new)?;
            let place = EntryPlace { conversation, author: id(row, 2, DeviceId::new)?, seq: row.get(3)? };
            Ok(Lacking { position: row.get(0)?, place })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map((circle, after, limit), found)?.collect())
    }

    /// Returns messages of a circle whose time is over.
    pub fn expired(
        &self,
        circle: CircleRow,
        now_ms: u64,
        limit: usize,
    ) -> Result<Vec<(ConversationRow, EntryRecord)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            ", e.conversation FROM expiring x CROSS JOIN entry e CROSS JOIN chain c CROSS JOIN conversation v
            WHERE x.at_ms <= ?2 AND e.position = x.position AND c.id = e.chain AND v.id = e.conversation
            AND v.circle = ?1 LIMIT ?3"
        );
        let found = |row: &Row<'_>| Ok((row.get(11)?, entry(row)?));
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.read(|db| db.prepare_cached(SQL)?.query_map((circle, now_ms, limit), found)?.collect())
    }

    /// Returns when the next message of a circle is to be erased.
    pub fn next_expiry(&self, circle: CircleRow) -> Result<Option<u64>, StoreError> {
        const SQL: &str = "SELECT x.at_ms FROM expiring x CROSS JOIN entry e CROSS JOIN conversation v
            WHERE e.position = x.position AND v.id = e.conversation AND v.circle = ?1 ORDER BY x.at_ms LIMIT 1";
        self.read(|db| db.prepare_cached(SQL)?.query_row([circle], |row| row.get(0)).optional())
    }
}

impl Turn<'_> {
    /// Notes that an entry changes a message.
    pub fn add_change(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        seq: u64,
        target: &MessageId,
    ) -> Result<(), StoreError> {
        const EARLIER: &str = "UPDATE change SET latest = 0
            WHERE target = ?1 AND chain = ?2 AND latest = 1 AND kind = (SELECT kind FROM entry WHERE chain = ?2 AND seq = ?3)";
        const ADD: &str = "INSERT INTO change (position, target, kind, chain, latest)
            SELECT position, ?1, kind, chain, 1 FROM entry WHERE chain = ?2 AND seq = ?3";
        let chain = self.chain(conversation, author)?;
        self.write(|db| {
            db.prepare_cached(EARLIER)?.execute((target.as_bytes(), chain, seq))?;
            db.prepare_cached(ADD)?.execute((target.as_bytes(), chain, seq))
        })
        .map(drop)
    }

    /// Erases an entry's body, for good, in the words' index too; its place in the chain stays.
    ///
    /// `text` is what of the body is in that index.
    pub fn erase(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        seq: u64,
        why: Gone,
        text: Option<&str>,
    ) -> Result<(), StoreError> {
        const FIND: &str = "SELECT position, body IS NULL FROM entry WHERE seq = ?3
            AND chain = (SELECT id FROM chain WHERE conversation = ?1 AND author = ?2)";
        const ERASE: &str = "UPDATE entry SET body = NULL, gone = ?2 WHERE position = ?1";
        // 0: not begun to tidy; 1: to be begun again; 2: begun.
        const MARK: &str = "INSERT INTO setting (key, value) VALUES (?1, x'00')
            ON CONFLICT DO UPDATE SET value = x'01' WHERE value = x'02'";
        let key = (conversation, author.as_bytes(), seq);
        let erased = self.write(|db| {
            let find = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let Some((position, empty)) = db.prepare_cached(FIND)?.query_row(key, find).optional()? else {
                return Ok(false);
            };
            let (position, empty): (i64, bool) = (position, empty);
            db.prepare_cached("DELETE FROM expiring WHERE position = ?1")?.execute([position])?;
            db.prepare_cached(ERASE)?.execute((position, code(why)))?;
            if let Some(text) = text.filter(|_| !empty)
                && position <= indexed(db)?
            {
                unindex(db, position, text)?;
                db.prepare_cached(MARK)?.execute([UNTIDY])?;
            }
            Ok(!empty)
        })?;
        self.vault.scrub |= erased;
        Ok(())
    }

    /// Lets a body be lacking that was erased because its entry was taken back: nobody took it back after all.
    pub fn want_deleted(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        seq: u64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE entry SET gone = 0 WHERE seq = ?3 AND gone = 1
            AND chain = (SELECT id FROM chain WHERE conversation = ?1 AND author = ?2)";
        let key = (conversation, author.as_bytes(), seq);
        self.write(|db| db.prepare_cached(SQL)?.execute(key)).map(drop)
    }

    /// Puts a body where there was none; `text` is what of it goes into the words' index.
    pub fn fill_body(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        seq: u64,
        body: &[u8],
        text: Option<&str>,
    ) -> Result<(), StoreError> {
        const FIND: &str = "SELECT position FROM entry WHERE seq = ?3 AND body IS NULL AND gone = 0
            AND chain = (SELECT id FROM chain WHERE conversation = ?1 AND author = ?2)";
        let key = (conversation, author.as_bytes(), seq);
        self.write(|db| {
            let found = db.prepare_cached(FIND)?.query_row(key, |row| row.get(0)).optional()?;
            let Some(position): Option<i64> = found else { return Ok(()) };
            db.prepare_cached("UPDATE entry SET body = ?2 WHERE position = ?1")?.execute((position, body))?;
            match text {
                Some(text) if position <= indexed(db)? => index(db, position, text),
                _ => Ok(()),
            }
        })
    }

    /// Records when a message is to be erased.
    pub fn set_expiry(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        seq: u64,
        at_ms: u64,
    ) -> Result<(), StoreError> {
        const SET: &str =
            "INSERT INTO expiring (position, at_ms) SELECT position, ?4 FROM entry WHERE seq = ?3
            AND chain = (SELECT id FROM chain WHERE conversation = ?1 AND author = ?2)
            ON CONFLICT (position) DO UPDATE SET at_ms = excluded.at_ms";
        let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
        let key = (conversation, author.as_bytes(), seq, at_ms);
        self.write(|db| db.prepare_cached(SET)?.execute(key)).map(drop)
    }
}

/// Returns up to which position texts are in the index.
pub(crate) fn indexed(db: &Connection) -> SqlResult<i64> {
    db.prepare_cached("SELECT position FROM words_until")?.query_row([], |row| row.get(0))
}

/// Puts the words of a text into the index.
pub(crate) fn index(db: &Connection, position: i64, text: &str) -> SqlResult<()> {
    db.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?.execute((position, text)).map(drop)
}

/// Takes the words of a text out of the index; it must be the text that went in.
pub(crate) fn unindex(db: &Connection, position: i64, text: &str) -> SqlResult<()> {
    const SQL: &str = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?1, ?2)";
    db.prepare_cached(SQL)?.execute((position, text)).map(drop)
}

/// The setting that is there while marks of what was erased may stand in the words' index.
pub(crate) const UNTIDY: &str = "vault/untidy words";
