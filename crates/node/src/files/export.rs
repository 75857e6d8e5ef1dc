//! Puts a file out, as plain bytes, where a person wants it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use files::{Shape, numbered};
use vault::{ChunkStore, FileRecord};

use super::{import::SPARE, jobs::Work};

/// What is put out, and where.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) store: ChunkStore,
    pub(crate) record: FileRecord,
    /// A name that is safe in any folder.
    pub(crate) name: String,
    /// A folder, or the path of the new file.
    pub(crate) to: PathBuf,
    pub(crate) overwrite: bool,
}

/// Why a file was not put out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ExportError {
    /// Something is there already.
    #[error("there is a file of that name")]
    Exists,
    /// What is there is no file.
    #[error("what is there is not a file")]
    NotAFile,
    /// A chunk cannot be read any more.
    #[error("a part of the file is damaged here")]
    Torn,
    /// There is no room for it.
    #[error("the disk is full")]
    NoRoom,
    /// The vault was locked meanwhile.
    #[error("the node was locked meanwhile")]
    Cancelled,
    /// It cannot be written there.
    #[error("it cannot be written there: {0}")]
    Write(#[source] io::Error),
    /// The chunks cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
}

/// Puts the file out and returns where it is. Until it is whole it has another name; when it fails nothing is left of it.
pub(crate) fn export(export: &Export, work: &Arc<Work>) -> Result<PathBuf, ExportError> {
    let folder = if export.to.is_dir() { &export.to } else { export.to.parent().unwrap_or(Path::new("/")) };
    // Beside the place it is meant for, so that it can take it in one step.
    let [one, two]: [u8; 2] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
    let unfinished = folder.join(format!(".hexode-{}-{one:02x}{two:02x}.part", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished).map_err(written)?;
    let put = pour(export, &mut file, work).and_then(|()| settle(export, &unfinished));
    if put.is_err() {
        // It may be that nothing can be removed there, either.
        let _ = fs::remove_file(&unfinished);
    }
    put
}

fn pour(export: &Export, file: &mut File, work: &Arc<Work>) -> Result<(), ExportError> {
    let record = &export.record;
    let chunks = export.store.open(&record.place, &record.key).map_err(ExportError::Read)?;
    let shape = Shape::new(record.size).map_err(|_| ExportError::Torn)?;
    for index in 0..shape.chunks() {
        if work.is_cancelled() {
            return Err(ExportError::Cancelled);
        }
        let len = shape.chunk_len(index).unwrap_or_default();
        let bytes = chunks.read_chunk(index, len).map_err(ExportError::Read)?.ok_or(ExportError::Torn)?;
        file.write_all(&bytes).map_err(written)?;
        work.did(len as u64);
    }
    file.sync_all().map_err(written)
}

/// Gives the finished file its name, without taking it from another.
fn settle(export: &Export, unfinished: &Path) -> Result<PathBuf, ExportError> {
    let Export { to, name, overwrite, .. } = export;
    if !to.is_dir() {
        match to.symlink_metadata() {
            Ok(there) if !there.is_file() => return Err(ExportError::NotAFile),
            _ => {}
        }
        if *overwrite {
            fs::rename(unfinished, to).map_err(written)?;
            return Ok(to.clone());
        }
        return place(unfinished, to)?.then(|| to.clone()).ok_or(ExportError::Exists);
    }
    let first = to.join(name);
    if *overwrite && first.symlink_metadata().is_ok_and(|there| there.is_file()) {
        fs::rename(unfinished, &first).map_err(written)?;
        return Ok(first);
    }
    for number in 1..=NUMBERS {
        let path = if number == 1 { first.clone() } else { to.join(numbered(name, number)) };
        if place(unfinished, &path)? {
            return Ok(path);
        }
    }
    Err(ExportError::Exists)
}

/// Moves a file to a path at which there is nothing; `false` if there is something. No step between looking and taking.
fn place(from: &Path, to: &Path) -> Result<bool, ExportError> {
    match rustix::fs::renameat_with(
        rustix::fs::CWD,
        from,
        rustix::fs::CWD,
        to,
        rustix::fs::RenameFlags::NOREPLACE,
    ) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        // A file system without it: a second name is as careful.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => match fs::hard_link(from, to) {
            Ok(()) => fs::remove_file(from).map(|()| true).map_err(written),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(written(error)),
        },
        Err(error) => Err(written(error.into())),
    }
}

/// Tells whether a disk has room for a file.
pub(crate) fn has_room(store: &ChunkStore, size: u64) -> bool {
    store.free().is_ok_and(|free| size.saturating_add(SPARE) <= free)
}

fn written(error: io::Error) -> ExportError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => ExportError::NoRoom,
        _ => ExportError::Write(error),
    }
}

/// How many names are tried in a folder.
const NUMBERS: u32 = 1000;
