use std::ops::Deref;

use sqlcipher::rusqlite::{Connection, Result as SqlResult};

use crate::{StoreError, Vault};

/// All that one turn of the engine writes: stored together by [`commit`](Self::commit), or not at all.
///
/// Reads through it see what it has written so far.
#[must_use = "a turn that is dropped is rolled back"]
#[derive(Debug)]
pub struct Turn<'v> {
    pub(crate) vault: &'v mut Vault,
    committed: bool,
}

impl Vault {
    /// Begins a turn.
    pub fn begin(&mut self) -> Result<Turn<'_>, StoreError> {
        self.read(|db| db.prepare_cached("BEGIN IMMEDIATE")?.execute([]))?;
        Ok(Turn { vault: self, committed: false })
    }
}

impl Turn<'_> {
    /// Stores the turn; when this returns, it survives whatever the vault's durability promises.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.write(|db| db.prepare_cached("COMMIT")?.execute([]))?;
        self.committed = true;
        self.vault.scrub();
        Ok(())
    }

    /// Runs statements and sorts their failure.
    pub(crate) fn write<T>(&self, run: impl FnOnce(&Connection) -> SqlResult<T>) -> Result<T, StoreError> {
        // After some failures SQLite rolls back at once; what came after would then be stored on its own.
        if self.vault.connection.is_autocommit() {
            return Err(StoreError::RolledBack);
        }
        self.vault.read(run)
    }
}

impl Deref for Turn<'_> {
    type Target = Vault;

    fn deref(&self) -> &Vault {
        self.vault
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        // Chains numbered in this turn have no number any more.
        self.vault.chains.clear();
        if !self.vault.connection.is_autocommit() {
            // Where this fails, SQLite rolls back when the connection is closed or the file opened next.
            let _ = self.vault.read(|db| db.prepare_cached("ROLLBACK")?.execute([]));
        }
    }
}
