use std::{fmt, io};

use sqlcipher::rusqlite::{self, Connection, ErrorCode};

use crate::WeakPassphrase;

/// Why a vault was not created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The folder holds a vault already.
    #[error("there is a vault here already")]
    AlreadyExists,
    /// The passphrase would not protect it.
    #[error(transparent)]
    WeakPassphrase(#[from] WeakPassphrase),
    /// The cost asked for is out of bounds.
    #[error("key derivation cost out of bounds")]
    CostOutOfBounds,
    /// Another process has the vault open.
    #[error("the vault is in use by another process")]
    InUse,
    /// No room is left.
    #[error("the disk is full")]
    DiskFull,
    /// The system refused an input or output.
    #[error("input or output failed: {0}")]
    Io(#[source] io::Error),
    /// SQLite refused what this crate asked of it.
    #[error("database refused: {0}")]
    Database(#[source] rusqlite::Error),
}

/// Why a vault was not opened, or its passphrase not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no vault in the folder.
    #[error("there is no vault here")]
    Missing,
    /// The passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The passphrase does not open it, and not many more are let try.
    #[error("wrong passphrase; after {left} more the vault is destroyed")]
    WrongPassphraseOf {
        /// How many more.
        left: u32,
    },
    /// One more wrong passphrase destroys the vault, and whoever tries may not do that.
    #[error("one try is left")]
    LastTry,
    /// Too many wrong passphrases were tried.
    #[error("the vault was destroyed after too many wrong passphrases")]
    Destroyed,
    /// The passphrase that is to empty the vault is the one that opens it.
    #[error("this passphrase opens the vault")]
    SamePassphrase,
    /// The new passphrase would not protect it.
    #[error(transparent)]
    WeakPassphrase(#[from] WeakPassphrase),
    /// The cost asked for is out of bounds.
    #[error("key derivation cost out of bounds")]
    CostOutOfBounds,
    /// What is stored is not what was written.
    #[error("the vault is damaged: {what}")]
    Damaged {
        /// Which part of it.
        what: Part,
    },
    /// A newer build wrote it.
    #[error("the vault has version {found}, this build knows up to {known}")]
    NewerVersion {
        /// The vault's version.
        found: u32,
        /// The newest that this build knows.
        known: u32,
    },
    /// Another process has the vault open.
    #[error("the vault is in use by another process")]
    InUse,
    /// No room is left.
    #[error("the disk is full")]
    DiskFull,
    /// The system refused an input or output.
    #[error("input or output failed: {0}")]
    Io(#[source] io::Error),
    /// SQLite refused what this crate asked of it.
    #[error("database refused: {0}")]
    Database(#[source] rusqlite::Error),
}

/// Why something was not read from, or written to, an open vault.
///
/// A turn that ends with one has changed nothing; the vault stays open and usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room is left.
    #[error("the disk is full")]
    DiskFull,
    /// What is stored is not what was written.
    #[error("the vault is damaged: {what}")]
    Damaged {
        /// Which part of it.
        what: Part,
    },
    /// A record names a row that is not there, or one that is there once already.
    #[error("the record does not fit the others")]
    Conflict,
    /// The turn was rolled back when an earlier write in it failed.
    #[error("the turn was rolled back")]
    RolledBack,
    /// A number is larger than the store can order.
    #[error("a number is out of range")]
    OutOfRange,
    /// The system refused an input or output.
    #[error("input or output failed: {0}")]
    Io(#[source] io::Error),
    /// SQLite refused what this crate asked of it.
    #[error("database refused: {0}")]
    Database(#[source] rusqlite::Error),
}

/// Why a vault was not wiped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WipeError {
    /// Another process has the vault open.
    #[error("the vault is in use by another process")]
    InUse,
    /// The system refused an input or output.
    #[error("input or output failed: {0}")]
    Io(#[source] io::Error),
}

/// A part of a vault that can be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The file with the wrapped master key.
    Header,
    /// The database as a whole.
    Database,
    /// One page of the database, counted from 1.
    Page(u32),
    /// A record whose pages are sound, yet has a value that its column cannot have.
    Record,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Database => f.write_str("database"),
            Self::Page(number) => write!(f, "database page {number}"),
            Self::Record => f.write_str("a record"),
        }
    }
}

impl StoreError {
    /// Sorts what SQLite reports by what can be done about it.
    pub(crate) fn new(connection: &Connection, error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => Self::DiskFull,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Self::Damaged { what: Part::Database }
                }
                ErrorCode::ConstraintViolation => Self::Conflict,
                ErrorCode::OutOfMemory => Self::Io(io::ErrorKind::OutOfMemory.into()),
                ErrorCode::SystemIoFailure => Self::system(sqlcipher::system_error(connection)),
                _ => Self::Database(error),
            },
            rusqlite::Error::ToSqlConversionFailure(_) => Self::OutOfRange,
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => Self::Damaged { what: Part::Record },
            _ => Self::Database(error),
        }
    }

    fn system(error: io::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Io(error) }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Damaged { what } => Self::Damaged { what },
            StoreError::Conflict | StoreError::RolledBack | StoreError::OutOfRange => {
                Self::Damaged { what: Part::Record }
            }
            StoreError::Io(error) => Self::Io(error),
            StoreError::Database(error) => Self::Database(error),
        }
    }
}

impl From<StoreError> for CreateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Io(error) => Self::Io(error),
            StoreError::Database(error) => Self::Database(error),
            // A database made a moment ago is damaged only by the disk under it.
            StoreError::Damaged { .. }
            | StoreError::Conflict
            | StoreError::RolledBack
            | StoreError::OutOfRange => Self::Io(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Io(error) }
    }
}

impl From<io::Error> for CreateError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Io(error) }
    }
}

impl From<io::Error> for WipeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Tells a full disk, an exhausted quota and a limit on file sizes from other failures.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
