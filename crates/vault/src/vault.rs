use std::{collections::HashMap, fs::OpenOptions, path::Path};

use crypto::OsEntropy;
use sqlcipher::rusqlite::{Connection, OpenFlags, Result as SqlResult, config::DbConfig};
use wire::DeviceId;
use zeroize::Zeroizing;

use crate::{
    ChunkStore, ConversationRow, Kdf, Passphrase,
    error::{CreateError, OpenError, Part, StoreError, WipeError},
    files::{Files, FilesError},
    guard::Guard,
    header::{self, Header, MasterKey},
    kdf::KdfError,
    schema::{self, Schema},
};

/// An unlocked vault.
///
/// There is no locked one: to lock is to [`close`](Self::close) (or drop) it, which erases the keys, closes the
/// database and lets go of the folder. Reading takes `&Vault`; writing goes through [`begin`](Self::begin).
pub struct Vault {
    pub(crate) connection: Connection,
    /// The numbers of chains met of late, so that a batch looks each up once.
    pub(crate) chains: HashMap<(ConversationRow, DeviceId), i64>,
    /// Whether something was erased that still stands in older pages of the write-ahead log.
    pub(crate) scrub: bool,
    blob_key: Zeroizing<[u8; 32]>,
    pub(crate) files: Files,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

/// How a vault is created or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// What a commit waits for.
    pub durability: Durability,
    /// How a new passphrase is stretched; [`Kdf::ARGON2ID`] where none is given. An old one keeps its own cost.
    pub kdf: Option<Kdf>,
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Until the disk says it has it: what is committed survives a loss of power.
    #[default]
    Full,
    /// For nothing: a loss of power may take what was committed, or the vault. For tests of other things.
    DangerOffForTests,
}

impl Vault {
    /// Creates an empty vault in a folder, which is made if it is not there, and opens it.
    ///
    /// Until it returns there is no vault: a crash on the way leaves nothing that stands in the way of another try.
    pub fn create(dir: &Path, passphrase: &Passphrase, options: Options) -> Result<Self, CreateError> {
        passphrase.check_strength()?;
        let mut files = Files::create(dir)?;
        if files.is_destroyed()? {
            files.destroy_header(&mut OsEntropy)?;
            files.remove_all()?;
            files = Files::create(dir)?;
        }
        if files.has_database()? {
            return Err(CreateError::AlreadyExists);
        }
        files.remove_unfinished()?;

        let master = MasterKey::generate(&mut OsEntropy);
        let kdf = options.kdf.unwrap_or(Kdf::ARGON2ID);
        let header = Header::wrap(&master, passphrase, kdf, &mut OsEntropy)?;

        let unfinished = files.create_unfinished_database()?;
        let mut connection = connect(&unfinished, &master, options.durability)?;
        let migrated = schema::migrate(&mut connection, schema::MIGRATIONS);
        migrated.map_err(|error| StoreError::new(&connection, error))?;
        connection.close().map_err(|(connection, error)| StoreError::new(&connection, error))?;

        files.write_header(&header.encode())?;
        let guard = Guard::without_duress(kdf, 0, &mut OsEntropy).and_then(|guard| guard.write(&files));
        guard.map_err(guard_error)?;
        files.finish_database()?;
        let connection = connect(&files.database(), &master, options.durability)?;
        Ok(Self::new(connection, &master, files))
    }

    /// Tells whether a folder holds a vault, opened or not.
    pub fn exists(dir: &Path) -> bool {
        Files::hold_vault(dir)
    }

    /// Opens the vault in a folder.
    pub fn open(dir: &Path, passphrase: &Passphrase, options: Options) -> Result<Self, OpenError> {
        let files = Files::find(dir)?.ok_or(OpenError::Missing)?;
        let header = read_header(&files)?;
        let master = header.unwrap(passphrase)?;
        Self::open_with(files, &master, options)
    }

    pub(crate) fn open_with(files: Files, master: &MasterKey, options: Options) -> Result<Self, OpenError> {
        if !files.has_database()? {
            return Err(OpenError::Damaged { what: Part::Database });
        }
        let mut connection = connect(&files.database(), master, options.durability)?;
        match schema::migrate(&mut connection, schema::MIGRATIONS) {
            Ok(Schema::Current) => {
                let mut vault = Self::new(connection, master, files);
                // A crash may have come between the erasing of something and this.
                vault.scrub = true;
                vault.scrub();
                Ok(vault)
            }
            // What counted as a vault had a schema: a file that was cut to nothing is no empty vault.
            Ok(Schema::Fresh) => Err(OpenError::Damaged { what: Part::Database }),
            Ok(Schema::Newer { found }) => {
                Err(OpenError::NewerVersion { found, known: schema::version(schema::MIGRATIONS) })
            }
            Err(error) => Err(StoreError::new(&connection, error).into()),
        }
    }

    fn new(connection: Connection, master: &MasterKey, files: Files) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Self { connection, chains: HashMap::new(), scrub: false, blob_key: master.blobs(), files }
    }

    /// Wraps the master key under another passphrase; nothing else is written anew.
    ///
    /// Whoever kept a copy of the old header can still open it with the old passphrase.
    pub fn change_passphrase(
        &mut self,
        old: &Passphrase,
        new: &Passphrase,
        kdf: Option<Kdf>,
    ) -> Result<(), OpenError> {
        new.check_strength()?;
        let master = read_header(&self.files)?.unwrap(old)?;
        // Both would open something; the one that empties the vault would never be heard of again.
        if Guard::is_duress(&self.files, new)? {
            return Err(OpenError::SamePassphrase);
        }
        let header = Header::wrap(&master, new, kdf.unwrap_or(Kdf::ARGON2ID), &mut OsEntropy)?;
        self.files.write_header(&header.encode())?;
        Ok(())
    }

    /// Locks the vault: moves the write-ahead log into the database, closes it and erases the keys.
    ///
    /// The vault is locked whatever is returned; all that was committed is there when it is opened again.
    pub fn close(self) -> Result<(), StoreError> {
        self.connection.flush_prepared_statement_cache();
        self.connection.close().map_err(|(connection, error)| StoreError::new(&connection, error))
    }

    /// Destroys the vault: first the wrapped master key, without which nothing else can be read, then the rest.
    pub fn wipe(self) -> Result<(), WipeError> {
        let Self { connection, files, blob_key, .. } = self;
        let destroyed = files.destroy_header(&mut OsEntropy);
        drop(blob_key);
        // Whether its log could still be moved into the database no longer matters.
        drop(connection);
        destroyed?;
        Ok(files.remove_all()?)
    }

    /// Destroys a vault that is not open, as [`wipe`](Self::wipe) does. No vault is as good as a destroyed one.
    pub fn wipe_locked(dir: &Path) -> Result<(), WipeError> {
        let Some(files) = Files::find(dir)? else {
            return Ok(());
        };
        files.destroy_header(&mut OsEntropy)?;
        Ok(files.remove_all()?)
    }

    /// Checks every page's authenticity and the database's inner consistency. Takes time in proportion to its size.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.read(|db| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))?;
        let finding = self.read(|db| {
            let mut check = db.prepare("PRAGMA cipher_integrity_check")?;
            let mut findings = check.query([])?;
            findings.next()?.map(|row| row.get::<_, String>(0)).transpose()
        })?;
        if let Some(finding) = finding {
            let page = finding.rsplit(' ').find_map(|word| word.parse().ok());
            return Err(StoreError::Damaged { what: page.map_or(Part::Database, Part::Page) });
        }
        let verdict: String =
            self.read(|db| db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)))?;
        if verdict == "ok" { Ok(()) } else { Err(StoreError::Damaged { what: Part::Database }) }
    }

    /// Moves the write-ahead log into the database and empties it, if something was erased: what is gone from the
    /// database is then gone from all files.
    pub(crate) fn scrub(&mut self) {
        if !self.scrub {
            return;
        }
        let moved: Result<i64, _> =
            self.read(|db| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)));
        // Where it fails, the disk is full or broken: it is tried again with the next turn.
        self.scrub = !matches!(moved, Ok(0));
    }

    /// Counts the pages in which some bytes stand, as SQLite sees them behind the encryption; pages that are free, and what is left
    /// over in others, are looked at too. For tests of what was erased.
    #[doc(hidden)]
    pub fn danger_pages_with(&self, needle: &[u8]) -> Result<usize, StoreError> {
        self.read(|db| {
            let mut pages = db.prepare("SELECT data FROM sqlite_dbpage")?;
            let mut found = 0;
            for page in pages.query_map([], |row| row.get::<_, Vec<u8>>(0))? {
                found += usize::from(page?.windows(needle.len().max(1)).any(|window| window == needle));
            }
            Ok(found)
        })
    }

    /// Returns where the chunks of files are kept.
    pub fn chunk_store(&self) -> ChunkStore {
        ChunkStore::new(self.files.chunks())
    }

    /// Returns the key under which the keys of encrypted files stand.
    pub fn danger_blob_key(&self) -> &[u8; 32] {
        &self.blob_key
    }

    /// Runs statements and sorts their failure.
    pub(crate) fn read<T>(&self, run: impl FnOnce(&Connection) -> SqlResult<T>) -> Result<T, StoreError> {
        run(&self.connection).map_err(|error| StoreError::new(&self.connection, error))
    }
}

pub(crate) fn read_header(files: &Files) -> Result<Header, OpenError> {
    if !files.has_header()? {
        return Err(OpenError::Damaged { what: Part::Header });
    }
    Header::decode(&files.read_header(header::MAX_LEN)?)
}

/// Says why a guard could not be written for a new vault.
fn guard_error(error: OpenError) -> CreateError {
    match error {
        OpenError::DiskFull => CreateError::DiskFull,
        OpenError::Io(error) => error.into(),
        OpenError::CostOutOfBounds => CreateError::CostOutOfBounds,
        _ => CreateError::Io(std::io::ErrorKind::Other.into()),
    }
}

fn connect(path: &Path, master: &MasterKey, durability: Durability) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite says only that it can't; the system says why.
    OpenOptions::new().read(true).write(true).open(path).map_err(StoreError::Io)?;
    let connection = Connection::open_with_flags(path, flags).map_err(StoreError::Database)?;
    configure(&connection, master, durability).map_err(|error| StoreError::new(&connection, error))?;
    Ok(connection)
}

fn configure(connection: &Connection, master: &MasterKey, durability: Durability) -> SqlResult<()> {
    sqlcipher::unlock(connection, &master.database())?;
    connection.execute_batch(PRAGMAS)?;
    // Plans do not depend on the values that are bound: otherwise some statements are compiled anew for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(match durability {
        Durability::Full => "PRAGMA synchronous = FULL",
        Durability::DangerOffForTests => "PRAGMA synchronous = OFF",
    })?;
    // The first look at a page: here a wrong key or a damaged file shows.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

impl From<FilesError> for CreateError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::InUse => Self::InUse,
            FilesError::Io(error) => error.into(),
        }
    }
}

impl From<FilesError> for OpenError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::InUse => Self::InUse,
            FilesError::Io(error) => error.into(),
        }
    }
}

impl From<FilesError> for WipeError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::InUse => Self::InUse,
            FilesError::Io(error) => Self::Io(error),
        }
    }
}

impl From<KdfError> for CreateError {
    fn from(error: KdfError) -> Self {
        match error {
            KdfError::OutOfBounds => Self::CostOutOfBounds,
            KdfError::OutOfMemory => Self::Io(std::io::ErrorKind::OutOfMemory.into()),
        }
    }
}

impl From<KdfError> for OpenError {
    fn from(error: KdfError) -> Self {
        match error {
            KdfError::OutOfBounds => Self::CostOutOfBounds,
            KdfError::OutOfMemory => Self::Io(std::io::ErrorKind::OutOfMemory.into()),
        }
    }
}

/// How many prepared statements are kept: more than this crate has.
const STATEMENTS: usize = 112;

/// Set on every connection, after the key and before anything else.
///
/// HMAC-SHA-256 costs half of what SQLCipher's default, HMAC-SHA-512, costs where the processor knows SHA-256, and is
/// as far out of reach. `cipher_memory_security` stays off: it locks and unlocks memory around every allocation, which
/// makes reading five times as slow; SQLCipher's keys are in memory that is locked and erased in any case.
///
/// One process owns the vault, so the index of the write-ahead log stays in its memory and no `-shm` file is made.
const PRAGMAS: &str = "
    PRAGMA cipher_hmac_algorithm = HMAC_SHA256;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA cache_size = -2048;
    PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA journal_size_limit = 16777216;
";
