//! Takes a file of this machine in: reads it once, hashes, seals and stores it.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use crypto::{Entropy, OsEntropy, SealingKey};
use files::{Shape, TreeBuilder};
use vault::{ChunkStore, FilePlace, FileRecord, FileState};
use wire::{CircleId, limits};
use zeroize::Zeroizing;

use super::jobs::Work;

/// A file that was taken in and is on the disk.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) record: FileRecord,
}

/// Why a file was not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ImportError {
    /// It is a folder, a pipe, a device or a socket.
    #[error("it is not a file: folders, pipes and devices cannot be sent")]
    NotAFile,
    /// It was written to, or cut, while it was being read.
    #[error("it changed while it was being read")]
    Changed,
    /// It is larger than a file may be.
    #[error(transparent)]
    TooLarge(#[from] files::TooLarge),
    /// There is no room for it.
    #[error("there is no room for it")]
    NoRoom,
    /// The vault was locked meanwhile.
    #[error("the node was locked meanwhile")]
    Cancelled,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It cannot be stored.
    #[error("it cannot be stored: {0}")]
    Store(#[source] io::Error),
}

/// Opens a file for sending, and refuses what is none. A pipe is not waited for.
pub(crate) fn open(path: &Path) -> Result<(std::fs::File, std::fs::Metadata), ImportError> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    // Looked at first: to open some devices does something.
    if !std::fs::metadata(path).map_err(ImportError::Read)?.is_file() {
        return Err(ImportError::NotAFile);
    }
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(ImportError::Read)?;
    let metadata = file.metadata().map_err(ImportError::Read)?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(ImportError::NotAFile) }
}

/// Takes a file in. What was stored of it when it fails is removed again.
pub(crate) fn import(
    store: &ChunkStore,
    circle: CircleId,
    path: &Path,
    room: u64,
    work: &Arc<Work>,
) -> Result<Imported, ImportError> {
    let (mut file, before) = open(path)?;
    let shape = Shape::new(before.len())?;
    if shape.size() > room || store.free().is_ok_and(|free| shape.size().saturating_add(SPARE) > free) {
        return Err(ImportError::NoRoom);
    }
    let key = Zeroizing::new(OsEntropy.bytes());
    let place = FilePlace(OsEntropy.bytes());
    let taken = take(store, &place, &key, circle, shape, &mut file, work);
    let same = || {
        let after = file.metadata().map_err(ImportError::Read)?;
        let stamp = |of: &std::fs::Metadata| (of.len(), of.modified().ok());
        if stamp(&after) == stamp(&before) { Ok(()) } else { Err(ImportError::Changed) }
    };
    match taken.and_then(|id| same().map(|()| id)) {
        Ok(id) => {
            let record = FileRecord { file: id, size: shape.size(), key, place, state: FileState::Held };
            Ok(Imported { record })
        }
        Err(error) => {
            // What stays is noise, and is swept at the next start.
            let _ = store.erase(&place);
            Err(error)
        }
    }
}

fn take(
    store: &ChunkStore,
    place: &FilePlace,
    key: &[u8; 32],
    circle: CircleId,
    shape: Shape,
    file: &mut std::fs::File,
    work: &Arc<Work>,
) -> Result<wire::FileId, ImportError> {
    let chunks = store.open(place, key).map_err(stored)?;
    let mut tree = TreeBuilder::new(circle);
    let mut part = 0;
    for index in 0..shape.chunks() {
        if work.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        let len = shape.chunk_len(index).unwrap_or_default();
        let mut bytes = Vec::with_capacity(limits::FILE_CHUNK + SealingKey::OVERHEAD);
        bytes.resize(len, 0);
        file.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ImportError::Changed,
            _ => ImportError::Read(error),
        })?;
        if let Some(list) = tree.chunk(&bytes) {
            part += 1;
            chunks.write_list(part, list).map_err(stored)?;
        }
        chunks.write_chunk(index, bytes).map_err(stored)?;
        work.did(len as u64);
    }
    // One byte more is another file.
    if file.read(&mut [0]).map_err(ImportError::Read)? > 0 {
        return Err(ImportError::Changed);
    }
    let built = tree.finish();
    if let Some(list) = built.last {
        chunks.write_list(part + 1, list).map_err(stored)?;
    }
    chunks.write_list(0, built.top).map_err(stored)?;
    chunks.sync().map_err(stored)?;
    Ok(built.id)
}

fn stored(error: io::Error) -> ImportError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => ImportError::NoRoom,
        _ => ImportError::Store(error),
    }
}

/// How many bytes of a disk are left to others.
pub(crate) const SPARE: u64 = 64 << 20;
