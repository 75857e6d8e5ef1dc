use sqlcipher::rusqlite::OptionalExtension;

use crate::{StoreError, Turn, Vault};

impl Vault {
    /// Returns what is kept under a name.
    pub fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        const SQL: &str = "SELECT value FROM setting WHERE key = ?1";
        self.read(|db| db.prepare_cached(SQL)?.query_row([key], |row| row.get(0)).optional())
    }
}

impl Turn<'_> {
    /// Keeps a value under a name, in place of what was there.
    pub fn set_setting(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO setting (key, value) VALUES (?1, ?2)
            ON CONFLICT DO UPDATE SET value = excluded.value";
        self.write(|db| db.prepare_cached(SQL)?.execute((key, value))).map(drop)
    }

    /// Forgets what is kept under a name.
    pub fn remove_setting(&mut self, key: &str) -> Result<(), StoreError> {
        self.write(|db| db.prepare_cached("DELETE FROM setting WHERE key = ?1")?.execute([key])).map(drop)
    }
}
