use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crypto::Entropy;

/// The files of one vault: where they are, and the lock that keeps them to one process.
#[derive(Debug)]
pub(crate) struct Files {
    dir: PathBuf,
    /// Held until dropped; the system lets go of it however the process ends.
    _lock: File,
}

/// Why the files could not be had.
#[derive(Debug)]
pub(crate) enum FilesError {
    InUse,
    Io(io::Error),
}

impl From<io::Error> for FilesError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Files {
    /// Makes the folder (for its owner alone) where there is none, and locks it.
    pub(crate) fn create(dir: &Path) -> Result<Self, FilesError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Self::lock(dir)
    }

    /// Locks a folder that is there, and none that never held a vault: its owner may mean it for something else.
    pub(crate) fn find(dir: &Path) -> Result<Option<Self>, FilesError> {
        if dir.join(HEADER).try_exists()? || dir.join(DATABASE).try_exists()? {
            Self::lock(dir).map(Some)
        } else {
            Ok(None)
        }
    }

    fn lock(dir: &Path) -> Result<Self, FilesError> {
        let lock = private().create(true).truncate(false).write(true).open(dir.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FilesError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// Where the chunks of files are.
    pub(crate) fn chunks(&self) -> PathBuf {
        self.dir.join(CHUNKS)
    }

    /// Where a database is made before it counts.
    pub(crate) fn unfinished_database(&self) -> PathBuf {
        self.dir.join(UNFINISHED_DATABASE)
    }

    /// Makes an empty file that only its owner may read, for SQLite to fill: it gives its other files the same mode.
    pub(crate) fn create_unfinished_database(&self) -> io::Result<PathBuf> {
        let path = self.unfinished_database();
        private().create(true).truncate(true).write(true).open(&path)?;
        Ok(path)
    }

    /// Lets the finished database count, durably.
    pub(crate) fn finish_database(&self) -> io::Result<()> {
        fs::rename(self.unfinished_database(), self.database())?;
        self.sync_dir()
    }

    /// Removes what an interrupted creation left.
    pub(crate) fn remove_unfinished(&self) -> io::Result<()> {
        for suffix in SUFFIXES {
            remove(&self.dir.join(format!("{UNFINISHED_DATABASE}{suffix}")))?;
        }
        remove(&self.dir.join(UNFINISHED_GUARD))?;
        remove(&self.dir.join(UNFINISHED_HEADER))
    }

    /// Reads the header, at most `limit` bytes of it.
    pub(crate) fn read_header(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.dir.join(HEADER))?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes the header so that, whatever happens, either the old or the new one is there whole.
    pub(crate) fn write_header(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_whole(HEADER, UNFINISHED_HEADER, bytes)
    }

    fn write_whole(&self, name: &str, unfinished: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.dir.join(unfinished);
        let mut file = private().create(true).truncate(true).write(true).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(unfinished, self.dir.join(name))?;
        self.sync_dir()
    }

    /// Reads the guard, at most `limit` bytes of it; none if there is none.
    pub(crate) fn read_guard(&self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        match File::open(self.dir.join(GUARD)) {
            Ok(file) => file.take(limit).read_to_end(&mut bytes).map(|_| Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the guard so that, whatever happens, either the old or the new one is there whole.
    pub(crate) fn write_guard(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_whole(GUARD, UNFINISHED_GUARD, bytes)
    }

    /// Tells whether a folder holds a vault: a database that counts. One that cannot be looked at holds none.
    pub(crate) fn hold_vault(dir: &Path) -> bool {
        dir.join(DATABASE).is_file()
    }

    /// Tells whether the vault's destruction was begun.
    pub(crate) fn is_destroyed(&self) -> io::Result<bool> {
        Ok(self.has_header()? && self.read_header(DESTROYED.len() as u64)? == DESTROYED)
    }

    pub(crate) fn has_header(&self) -> io::Result<bool> {
        self.dir.join(HEADER).try_exists()
    }

    pub(crate) fn has_database(&self) -> io::Result<bool> {
        self.database().try_exists()
    }

    /// Destroys the wrapped master key: overwritten in place. What is left can't be opened any more.
    ///
    /// The header's file stays until all others are gone, and says that they are to go.
    pub(crate) fn destroy_header(&self, entropy: &mut dyn Entropy) -> io::Result<()> {
        self.overwrite(HEADER, &DESTROYED, entropy)?;
        for name in [UNFINISHED_HEADER, GUARD, UNFINISHED_GUARD] {
            self.overwrite(name, &[], entropy)?;
            remove(&self.dir.join(name))?;
        }
        self.sync_dir()
    }

    /// Writes noise over a file, behind some first bytes; none if there is none.
    fn overwrite(&self, name: &str, first: &[u8], entropy: &mut dyn Entropy) -> io::Result<()> {
        match OpenOptions::new().write(true).open(self.dir.join(name)) {
            Ok(mut file) => {
                let len = file.metadata()?.len().min(crate::header::MAX_LEN);
                let len = usize::try_from(len).expect("bounded").saturating_sub(first.len());
                let mut noise = vec![0; len];
                entropy.fill(&mut noise);
                file.write_all(&[first, &noise].concat())?;
                file.sync_all()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes all other files of the vault, the header's last, and the folder if nothing else is in it.
    pub(crate) fn remove_all(self) -> io::Result<()> {
        for name in [DATABASE, UNFINISHED_DATABASE] {
            for suffix in SUFFIXES {
                remove(&self.dir.join(format!("{name}{suffix}")))?;
            }
        }
        match fs::remove_dir_all(self.chunks()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.sync_dir()?;
        remove(&self.dir.join(HEADER))?;
        remove(&self.dir.join(LOCK))?;
        match fs::remove_dir(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
            _ => Ok(()),
        }
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

/// Options for a file that only its owner may read or write.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const HEADER: &str = "vault.key";
const UNFINISHED_HEADER: &str = "vault.key.new";
const GUARD: &str = "vault.guard";
const UNFINISHED_GUARD: &str = "vault.guard.new";
const DATABASE: &str = "vault.db";
const UNFINISHED_DATABASE: &str = "vault.db.new";
/// What SQLite puts beside a database, and the database itself.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
const LOCK: &str = "vault.lock";
const CHUNKS: &str = "files";
/// How the header of a vault begins that is being destroyed.
const DESTROYED: [u8; 8] = *b"hxgone\n\0";
