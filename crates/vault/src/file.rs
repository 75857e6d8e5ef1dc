use sqlcipher::rusqlite::Row;
use wire::{DeviceId, FileId};
use zeroize::Zeroizing;

use crate::{
    CircleRow, ConversationRow, EntryRecord, StoreError, Turn, Vault,
    entry::{columns, entry},
    row::{Code, code, decode, id},
};

/// What a file's chunks are called on this disk: drawn at random, so that it tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePlace(pub [u8; 16]);

/// A file of which this device keeps chunks.
#[derive(Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Its id.
    pub file: FileId,
    /// Its size in bytes.
    pub size: u64,
    /// The key under which its chunks are sealed.
    pub key: Zeroizing<[u8; 32]>,
    /// Where its chunks are.
    pub place: FilePlace,
    /// How it stands.
    pub state: FileState,
}

impl std::fmt::Debug for FileRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileRecord({:?}, {:?})", self.file, self.state)
    }
}

/// How a file stands on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// The person, or his rule, wants it; chunks are fetched from whoever has them.
    Wanted,
    /// It was wanted and is to wait.
    Paused,
    /// All of it is here.
    Held,
}

impl Code for FileState {
    const ALL: &'static [(Self, i64)] = &[(Self::Wanted, 0), (Self::Paused, 1), (Self::Held, 2)];
}

impl Vault {
    /// Returns all files of a circle of which chunks are kept.
    pub fn files(&self, circle: CircleRow) -> Result<Vec<FileRecord>, StoreError> {
        const SQL: &str = "SELECT file_id, size, key, place, state FROM file WHERE circle = ?1";
        let record = |row: &Row<'_>| {
            Ok(FileRecord {
                file: id(row, 0, FileId::new)?,
                size: row.get(1)?,
                key: Zeroizing::new(row.get(2)?),
                place: FilePlace(row.get(3)?),
                state: decode(row, 4)?,
            })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], record)?.collect())
    }

    /// Returns the messages that offer files, the last that came first; of one file if one is given.
    pub fn offers(
        &self,
        circle: CircleRow,
        file: Option<&FileId>,
        limit: usize,
    ) -> Result<Vec<(ConversationRow, EntryRecord)>, StoreError> {
        const ALL: &str = concat!(
            "SELECT ",
            columns!(),
            ", e.conversation FROM offer o CROSS JOIN entry e CROSS JOIN chain c
            WHERE o.circle = ?1 AND e.position = o.position AND c.id = e.chain ORDER BY o.position DESC LIMIT ?2"
        );
        const ONE: &str = concat!(
            "SELECT ",
            columns!(),
            ", e.conversation FROM offer o CROSS JOIN entry e CROSS JOIN chain c
            WHERE o.circle = ?1 AND o.file_id = ?3 AND e.position = o.position AND e.gone = 0 AND c.id = e.chain
            ORDER BY o.position DESC LIMIT ?2"
        );
        let found = |row: &Row<'_>| Ok((row.get(11)?, entry(row)?));
        self.read(|db| match file {
            None => db.prepare_cached(ALL)?.query_map((circle, limit), found)?.collect(),
            Some(file) => {
                db.prepare_cached(ONE)?.query_map((circle, limit, file.as_bytes()), found)?.collect()
            }
        })
    }
}

impl Vault {
    /// Returns the conversations in which a file is offered and the latest Lamport time at which it is, of each.
    ///
    /// What was deleted, has expired or is void offers nothing.
    pub fn offered_in(
        &self,
        circle: CircleRow,
        file: &FileId,
    ) -> Result<Vec<(ConversationRow, u64)>, StoreError> {
        const SQL: &str = "SELECT e.conversation, max(e.lamport) FROM offer o CROSS JOIN entry e
            WHERE o.circle = ?1 AND o.file_id = ?2 AND e.position = o.position AND e.gone = 0
            GROUP BY e.conversation";
        self.read(|db| {
            let mut statement = db.prepare_cached(SQL)?;
            statement.query_map((circle, file.as_bytes()), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }
}

impl Turn<'_> {
    /// Records a file, in place of what was recorded of it.
    pub fn put_file(&mut self, circle: CircleRow, record: &FileRecord) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO file (circle, file_id, size, key, place, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT DO UPDATE SET size = excluded.size, key = excluded.key, place = excluded.place, state = excluded.state";
        let FileRecord { file, size, key, place, state } = record;
        let row = (circle, file.as_bytes(), size, key.as_slice(), place.0, code(*state));
        self.write(|db| db.prepare_cached(SQL)?.execute(row)).map(drop)
    }

    /// Records how a file stands.
    pub fn set_file_state(
        &mut self,
        circle: CircleRow,
        file: &FileId,
        state: FileState,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE file SET state = ?3 WHERE circle = ?1 AND file_id = ?2";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, file.as_bytes(), code(state)))).map(drop)
    }

    /// Erases a file's key, for good: what is left of its chunks cannot be read any more.
    pub fn remove_file(&mut self, circle: CircleRow, file: &FileId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM file WHERE circle = ?1 AND file_id = ?2";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, file.as_bytes())))?;
        self.vault.scrub = true;
        Ok(())
    }

    /// Notes that a message offers a file.
    pub fn add_offer(
        &mut self,
        circle: CircleRow,
        (conversation, author, seq): (ConversationRow, &DeviceId, u64),
        file: &FileId,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO offer (position, circle, file_id)
            SELECT position, ?4, ?5 FROM entry WHERE seq = ?3
            AND chain = (SELECT id FROM chain WHERE conversation = ?1 AND author = ?2)
            ON CONFLICT DO NOTHING";
        let row = (conversation, author.as_bytes(), seq, circle, file.as_bytes());
        self.write(|db| db.prepare_cached(SQL)?.execute(row)).map(drop)
    }

    /// Notes that a message offers nothing any more.
    pub fn remove_offer(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        seq: u64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM offer WHERE position = (SELECT position FROM entry WHERE seq = ?3
            AND chain = (SELECT id FROM chain WHERE conversation = ?1 AND author = ?2))";
        self.write(|db| db.prepare_cached(SQL)?.execute((conversation, author.as_bytes(), seq))).map(drop)
    }
}
