//! Chunks of files: beside the database, each sealed by itself, so that they can be written and read in any order.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crypto::SealingKey;
use wire::limits;

use crate::FilePlace;

/// The folder with the chunks of all files; no keys are in it.
#[derive(Debug, Clone)]
pub struct ChunkStore {
    dir: PathBuf,
}

/// The chunks of one file, and the lists of their hashes.
///
/// A chunk is there if it opens: there is no other record of it, so none that could disagree with what a crash left. May be used by several
/// threads at once, if not two of them write the same chunk.
#[derive(Debug)]
pub struct ChunkFile {
    chunks: Slots,
    lists: Slots,
    folder: PathBuf,
    /// The folder may not have the names of these files on the disk yet.
    unnamed: AtomicBool,
}

/// Sealed pieces at fixed places of one file.
#[derive(Debug)]
struct Slots {
    file: File,
    key: SealingKey,
    /// What of a piece's context is the same for all.
    context: [u8; 17],
    slot: u64,
    /// Held while a piece is written: the system takes one write to a file at a time, and whoever waits for it there keeps a core busy.
    writing: Mutex<()>,
}

impl ChunkStore {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Opens the chunks of a file; there are none yet if it is new.
    pub fn open(&self, place: &FilePlace, key: &[u8; 32]) -> io::Result<ChunkFile> {
        self.make_folder()?;
        let slots = |kind: Kind| {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut context = [kind.0; 17];
            for (to, from) in context.iter_mut().skip(1).zip(place.0) {
                *to = from;
            }
            let slot = (kind.1 + SealingKey::OVERHEAD) as u64;
            Ok::<_, io::Error>(Slots {
                file: file.open(self.path(place, kind))?,
                key: SealingKey::new(key),
                context,
                slot,
                writing: Mutex::new(()),
            })
        };
        let (chunks, lists) = (slots(CHUNKS)?, slots(LISTS)?);
        Ok(ChunkFile { chunks, lists, folder: self.dir.clone(), unnamed: AtomicBool::new(true) })
    }

    fn make_folder(&self) -> io::Result<()> {
        if self.dir.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // What is in a folder whose own name a crash takes away is lost with it.
        self.dir.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
    }

    /// Removes the chunks of a file.
    pub fn erase(&self, place: &FilePlace) -> io::Result<()> {
        for kind in [CHUNKS, LISTS] {
            match fs::remove_file(self.path(place, kind)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes all chunks but those at `keep`: what a crash left, whose keys are in no record. Returns how many files went.
    /// What cannot be removed keeps nothing else from it; the last such error is returned.
    pub fn sweep(&self, keep: &BTreeSet<FilePlace>) -> io::Result<usize> {
        let kept: BTreeSet<_> =
            keep.iter().flat_map(|place| [CHUNKS, LISTS].map(|kind| self.path(place, kind))).collect();
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let (mut gone, mut failed) = (0, None);
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if kept.contains(&path) || entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            match fs::remove_file(path) {
                Ok(()) => gone += 1,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(gone), Err)
    }

    /// Returns how many bytes this process may still write to the disk that holds the chunks.
    pub fn free(&self) -> io::Result<u64> {
        self.make_folder()?;
        let disk = rustix::fs::statvfs(&self.dir)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn path(&self, place: &FilePlace, kind: Kind) -> PathBuf {
        let name: String = place.0.iter().map(|byte| format!("{byte:02x}")).collect();
        self.dir.join(name + kind.2)
    }
}

impl ChunkFile {
    /// Seals a chunk and writes it. The system has it when this returns, the disk after [`sync`](Self::sync).
    pub fn write_chunk(&self, index: u64, plain: Vec<u8>) -> io::Result<()> {
        self.chunks.write(index, plain)
    }

    /// Reads a chunk of `len` bytes; nothing if it is not there, or not whole.
    pub fn read_chunk(&self, index: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        self.chunks.read(index, len)
    }

    /// Tells whether a chunk of `len` bytes is there and whole.
    pub fn has_chunk(&self, index: u64, len: usize) -> io::Result<bool> {
        Ok(self.chunks.is_written(index, len)? && self.read_chunk(index, len)?.is_some())
    }

    /// Seals a list and writes it.
    pub fn write_list(&self, index: u64, plain: Vec<u8>) -> io::Result<()> {
        self.lists.write(index, plain)
    }

    /// Reads a list of `len` bytes; nothing if it is not there, or not whole.
    pub fn read_list(&self, index: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        self.lists.read(index, len)
    }

    /// Waits until the disk has everything, the files' names too.
    pub fn sync(&self) -> io::Result<()> {
        self.chunks.file.sync_data()?;
        self.lists.file.sync_data()?;
        if self.unnamed.load(Ordering::Acquire) {
            File::open(&self.folder)?.sync_all()?;
            self.unnamed.store(false, Ordering::Release);
        }
        Ok(())
    }
}

impl Slots {
    fn write(&self, index: u64, mut bytes: Vec<u8>) -> io::Result<()> {
        let len = bytes.len() as u64 + SealingKey::OVERHEAD as u64;
        if len > self.slot {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.key.seal_appending(&self.context(index), &mut bytes);
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.file.write_all_at(&bytes, self.start(index)?)
    }

    fn read(&self, index: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        let sealed = len + SealingKey::OVERHEAD;
        if sealed as u64 > self.slot {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = vec![0; sealed];
        match self.file.read_exact_at(&mut bytes, self.start(index)?) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(self.key.open_appended(&self.context(index), &mut bytes).is_ok().then_some(bytes))
    }

    /// Looks at a nonce only: where nothing was written there is a hole, which reads as zeros.
    fn is_written(&self, index: u64, len: usize) -> io::Result<bool> {
        let mut nonce = [0; SealingKey::NONCE];
        let behind = (len + SealingKey::OVERHEAD - SealingKey::NONCE) as u64;
        match self.file.read_exact_at(&mut nonce, self.start(index)? + behind) {
            Ok(()) => Ok(nonce != [0; SealingKey::NONCE]),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn start(&self, index: u64) -> io::Result<u64> {
        index.checked_mul(self.slot).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// What a piece is and where it stands: none can be put in another's place.
    fn context(&self, index: u64) -> [u8; 25] {
        let mut context = [0; 25];
        for (to, from) in context.iter_mut().zip(self.context.iter().chain(&index.to_be_bytes())) {
            *to = *from;
        }
        context
    }
}

/// What a file is a file of: a byte for the context, a piece's most bytes, its name's ending.
type Kind = (u8, usize, &'static str);

const CHUNKS: Kind = (0, limits::FILE_CHUNK, ".chunks");
/// The list of parts is the longest or as long.
const LISTS: Kind = (1, longest(limits::FILE_PART, limits::FILE_PARTS) * 32, ".lists");

const fn longest(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}
