use std::vec;

use sqlcipher::rusqlite::{OptionalExtension, Row};
use wire::{Blob, EntryId};

use crate::{CircleRow, StoreError, Turn, Vault, row::id};

/// A signed charter entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharterRecord {
    /// Its id.
    pub entry: EntryId,
    /// Its signed bytes.
    pub bytes: Blob,
}

/// A circle's charter entries in the order they were added, read a page at a time.
#[derive(Debug)]
pub struct CharterEntries<'v> {
    vault: &'v Vault,
    circle: CircleRow,
    after: i64,
    page: vec::IntoIter<(i64, CharterRecord)>,
    ended: bool,
}

impl Vault {
    /// Returns a circle's charter entries in the order they were added.
    pub fn charter_entries(&self, circle: CircleRow) -> CharterEntries<'_> {
        CharterEntries { vault: self, circle, after: 0, page: Vec::new().into_iter(), ended: false }
    }

    /// Returns one charter entry's signed bytes.
    pub fn charter_entry(&self, circle: CircleRow, entry: &EntryId) -> Result<Option<Blob>, StoreError> {
        const SQL: &str = "SELECT bytes FROM charter_entry WHERE circle = ?1 AND entry_id = ?2";
        self.read(|db| {
            let bytes = db.prepare_cached(SQL)?.query_row((circle, entry.as_bytes()), |row| row.get(0));
            Ok(bytes.optional()?.map(Blob))
        })
    }

    fn charter_page(&self, circle: CircleRow, after: i64) -> Result<Vec<(i64, CharterRecord)>, StoreError> {
        const SQL: &str = "SELECT position, entry_id, bytes FROM charter_entry
            WHERE circle = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
        let record = |row: &Row<'_>| {
            let record = CharterRecord { entry: id(row, 1, EntryId::new)?, bytes: Blob(row.get(2)?) };
            Ok((row.get(0)?, record))
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map((circle, after, PAGE), record)?.collect())
    }
}

impl Iterator for CharterEntries<'_> {
    type Item = Result<CharterRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 && !self.ended {
            match self.vault.charter_page(self.circle, self.after) {
                Ok(page) => {
                    self.ended = page.len() < PAGE;
                    self.page = page.into_iter();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let (position, record) = self.page.next()?;
        self.after = position;
        Some(Ok(record))
    }
}

impl Turn<'_> {
    /// Adds a charter entry; false if it was there already.
    pub fn add_charter_entry(
        &mut self,
        circle: CircleRow,
        entry: &EntryId,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO charter_entry (circle, entry_id, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT (circle, entry_id) DO NOTHING";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, entry.as_bytes(), bytes)))
            .map(|added| added == 1)
    }
}

const PAGE: usize = 256;
