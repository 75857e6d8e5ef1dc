use std::{io, sync::Mutex};

use files::{ChunkMap, Shape, Want};
use tokio::sync::{mpsc, watch};
use vault::{ChunkFile, ChunkStore, FilePlace, FileRecord};
use wire::{CircleId, FileId};

use super::{Report, Turn};

/// The chunks of one file that are here, for all who read and write them.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) circle: CircleId,
    pub(crate) file: FileId,
    pub(crate) shape: Shape,
    pub(crate) chunks: ChunkFile,
    place: FilePlace,
    map: Mutex<ChunkMap>,
    /// Counts how often the map has grown.
    pub(crate) grown: watch::Sender<u64>,
    _in_use: mpsc::Sender<()>,
}

impl Held {
    /// Opens the chunks; of a whole file all are said to be there, of any other none until it was looked.
    pub(crate) fn open(
        circle: CircleId,
        record: &FileRecord,
        whole: bool,
        store: &ChunkStore,
        in_use: mpsc::Sender<()>,
    ) -> io::Result<Self> {
        let shape = Shape::new(record.size).map_err(|_| io::ErrorKind::InvalidData)?;
        let map = if whole { ChunkMap::full(shape.chunks()) } else { ChunkMap::default() };
        Ok(Self {
            circle,
            file: record.file,
            shape,
            chunks: store.open(&record.place, &record.key)?,
            place: record.place,
            map: Mutex::new(map),
            grown: watch::Sender::new(0),
            _in_use: in_use,
        })
    }

    /// Tells whether these are the chunks that a record means.
    pub(crate) fn is_at(&self, record: &FileRecord) -> bool {
        self.place == record.place
    }

    /// Says what became of the file.
    pub(crate) fn report(&self, turn: Turn) -> Report {
        Report { file: self.file, place: self.place, turn }
    }

    /// Looks which chunks are there and whole, and returns them. Takes time in proportion to them.
    pub(crate) fn scan(&self) -> io::Result<ChunkMap> {
        let mut map = ChunkMap::default();
        for index in 0..self.shape.chunks() {
            let len = self.shape.chunk_len(index).unwrap_or_default();
            if self.chunks.has_chunk(index, len)? {
                map.insert(index);
            }
        }
        *self.map() = map.clone();
        self.grown.send_modify(|count| *count += 1);
        Ok(map)
    }

    /// Takes note of a chunk that was verified and written.
    pub(crate) fn put(&self, index: u64) {
        self.map().insert(index);
        self.grown.send_modify(|count| *count += 1);
    }

    /// Returns how many bytes a map's chunks have.
    pub(crate) fn bytes(&self, map: &ChunkMap) -> u64 {
        let chunk = wire::limits::FILE_CHUNK as u64;
        map.stretches()
            .map(|(start, end)| (end * chunk).min(self.shape.size()).saturating_sub(start * chunk))
            .sum()
    }

    /// Encodes which chunks are there.
    pub(crate) fn encoded_map(&self) -> Vec<u8> {
        self.map().encode()
    }

    /// Tells whether a chunk was there.
    pub(crate) fn has(&self, index: u64) -> bool {
        self.map().contains(index)
    }

    /// Tells whether all chunks were there.
    pub(crate) fn is_whole(&self) -> bool {
        self.map().count() == self.shape.chunks()
    }

    /// Reads what somebody wants; nothing if it is not there.
    pub(crate) fn read(&self, want: Want) -> io::Result<Option<Vec<u8>>> {
        match want {
            Want::Top => self.read_list(want, self.shape.parts()),
            Want::Part(part) => match self.shape.part_len(part) {
                Some(len) => self.read_list(want, len as u64),
                None => Ok(None),
            },
            Want::Chunk(index) => {
                if !self.map().contains(index) {
                    return Ok(None);
                }
                let Some(len) = self.shape.chunk_len(index) else { return Ok(None) };
                let read = self.chunks.read_chunk(index, len)?;
                if read.is_none() {
                    self.map().remove(index);
                }
                Ok(read)
            }
        }
    }

    /// Reads a list of so many hashes that was kept.
    fn read_list(&self, want: Want, hashes: u64) -> io::Result<Option<Vec<u8>>> {
        let len = usize::try_from(hashes * 32).map_err(|_| io::ErrorKind::InvalidInput)?;
        match place_of(want) {
            Some(place) => self.chunks.read_list(place, len),
            None => Ok(None),
        }
    }

    /// Keeps a list that was checked.
    pub(crate) fn keep(&self, list: Want, bytes: Vec<u8>) -> io::Result<()> {
        match place_of(list) {
            Some(place) => self.chunks.write_list(place, bytes),
            None => Ok(()),
        }
    }

    fn map(&self) -> std::sync::MutexGuard<'_, ChunkMap> {
        self.map.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Where among a file's lists one is kept.
fn place_of(list: Want) -> Option<u64> {
    match list {
        Want::Top => Some(0),
        Want::Part(part) => part.checked_add(1),
        Want::Chunk(_) => None,
    }
}
