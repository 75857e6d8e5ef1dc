//! The tree of hashes: chunks, parts of 4096 chunks, the list of parts, the id.

use std::collections::BTreeMap;

use wire::{CircleId, FileId, limits};

/// How a file of some size is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    size: u64,
}

/// The file is larger than [`limits::FILE_PARTS`] parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file has at most {} GiB", LARGEST >> 30)]
pub struct TooLarge;

impl Shape {
    /// Takes a size that a file may have.
    pub fn new(size: u64) -> Result<Self, TooLarge> {
        if size > LARGEST { Err(TooLarge) } else { Ok(Self { size }) }
    }

    /// Returns the file's size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns how many chunks it has.
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(CHUNK)
    }

    /// Returns how many parts it has.
    pub fn parts(&self) -> u64 {
        self.chunks().div_ceil(PART)
    }

    /// Returns how many bytes a chunk has; nothing if there is no such chunk.
    pub fn chunk_len(&self, index: u64) -> Option<usize> {
        let start = index.checked_mul(CHUNK).filter(|start| *start < self.size)?;
        usize::try_from((self.size - start).min(CHUNK)).ok()
    }

    /// Returns how many chunks a part has; nothing if there is no such part.
    pub fn part_len(&self, part: u64) -> Option<usize> {
        let start = part.checked_mul(PART).filter(|start| *start < self.chunks())?;
        usize::try_from((self.chunks() - start).min(PART)).ok()
    }

    /// Returns in which part a chunk is.
    pub fn part_of(index: u64) -> u64 {
        index / PART
    }
}

/// Makes a file's tree while its chunks pass by, one after the other.
#[derive(Debug)]
pub struct TreeBuilder {
    circle: CircleId,
    size: u64,
    part: Vec<u8>,
    top: Vec<u8>,
}

/// A file's tree, but for the lists of its full parts, which were given out on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The file's id in this circle.
    pub id: FileId,
    /// Its size.
    pub size: u64,
    /// The hashes of its parts, one after the other.
    pub top: Vec<u8>,
    /// The hashes of the last part's chunks, if that part is not full.
    pub last: Option<Vec<u8>>,
}

impl TreeBuilder {
    /// Begins a file of a circle.
    pub fn new(circle: CircleId) -> Self {
        Self { circle, size: 0, part: Vec::new(), top: Vec::new() }
    }

    /// Takes the next chunk; all but the last have [`limits::FILE_CHUNK`] bytes. Returns the list of a part that became full.
    pub fn chunk(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.size += bytes.len() as u64;
        self.part.extend_from_slice(&chunk_hash(&self.circle, bytes));
        (self.part.len() == limits::FILE_PART * HASH).then(|| self.close_part())
    }

    /// Ends the file.
    pub fn finish(mut self) -> Built {
        let last = (!self.part.is_empty()).then(|| self.close_part());
        let id = file_id(&self.circle, self.size, &self.top);
        Built { id, size: self.size, top: self.top, last }
    }

    fn close_part(&mut self) -> Vec<u8> {
        let part = std::mem::take(&mut self.part);
        self.top.extend_from_slice(&part_hash(&self.circle, &part));
        part
    }
}

/// The lists of a file that are known: each was checked against the one above it, the top against the id.
#[derive(Debug)]
pub struct Lists {
    circle: CircleId,
    id: FileId,
    shape: Shape,
    top: Option<Vec<u8>>,
    parts: BTreeMap<u64, Vec<u8>>,
}

/// A list is not the one that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The size is above all bounds.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It does not hash to what stands above it.
    #[error("a list of hashes that is not this file's")]
    Mismatch,
    /// It cannot be checked yet, or there is no such part.
    #[error("a list of hashes that nothing is known of")]
    Unknown,
}

impl Lists {
    /// Knows nothing yet but what the offer says.
    pub fn new(circle: CircleId, id: FileId, size: u64) -> Result<Self, ListError> {
        Ok(Self { circle, id, shape: Shape::new(size)?, top: None, parts: BTreeMap::new() })
    }

    /// Returns how the file is cut.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Tells whether the list of parts is known.
    pub fn has_top(&self) -> bool {
        self.top.is_some()
    }

    /// Tells whether the list of a part's chunks is at hand.
    pub fn has_part(&self, part: u64) -> bool {
        self.parts.contains_key(&part)
    }

    /// Lists the parts whose lists are at hand, in order.
    pub fn held_parts(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.parts.keys().copied()
    }

    /// Takes the list of parts.
    pub fn put_top(&mut self, bytes: &[u8]) -> Result<(), ListError> {
        let right = usize::try_from(self.shape.parts()).is_ok_and(|parts| bytes.len() == parts * HASH)
            && file_id(&self.circle, self.shape.size, bytes) == self.id;
        if !right {
            return Err(ListError::Mismatch);
        }
        self.top = Some(bytes.to_vec());
        Ok(())
    }

    /// Takes the list of a part's chunks; the list of parts has to be known.
    pub fn put_part(&mut self, part: u64, bytes: &[u8]) -> Result<(), ListError> {
        let expected = self.top.as_deref().and_then(|top| at(top, part)).ok_or(ListError::Unknown)?;
        let len = self.shape.part_len(part).ok_or(ListError::Unknown)?;
        if bytes.len() != len * HASH || part_hash(&self.circle, bytes) != expected {
            return Err(ListError::Mismatch);
        }
        self.parts.insert(part, bytes.to_vec());
        Ok(())
    }

    /// Forgets the list of a part that is not needed any more.
    pub fn forget_part(&mut self, part: u64) {
        self.parts.remove(&part);
    }

    /// Returns what a chunk hashes to, if its part's list is at hand.
    pub fn chunk(&self, index: u64) -> Option<[u8; 32]> {
        at(self.parts.get(&Shape::part_of(index))?, index % PART)
    }
}

/// The bytes of a chunk of which it is known that they are the right ones.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified(Vec<u8>);

impl Verified {
    /// Returns the bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A chunk does not hash to what its file's tree says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunk is not this file's")]
pub struct Mismatch;

/// Checks a chunk against its hash.
pub fn check_chunk(circle: &CircleId, expected: [u8; 32], bytes: Vec<u8>) -> Result<Verified, Mismatch> {
    if chunk_hash(circle, &bytes) == expected { Ok(Verified(bytes)) } else { Err(Mismatch) }
}

/// The circle is part of each hash: what a file is called in one says nothing in another.
pub(crate) fn chunk_hash(circle: &CircleId, bytes: &[u8]) -> [u8; 32] {
    crypto::hash("hexode/files/chunk/1", &[circle.as_bytes(), bytes])
}

pub(crate) fn part_hash(circle: &CircleId, list: &[u8]) -> [u8; 32] {
    crypto::hash("hexode/files/part/1", &[circle.as_bytes(), list])
}

pub(crate) fn file_id(circle: &CircleId, size: u64, top: &[u8]) -> FileId {
    FileId::new(crypto::hash("hexode/files/file/1", &[circle.as_bytes(), &size.to_be_bytes(), top]))
}

fn at(list: &[u8], index: u64) -> Option<[u8; 32]> {
    let start = usize::try_from(index).ok()?.checked_mul(HASH)?;
    list.get(start..start.checked_add(HASH)?)?.try_into().ok()
}

const HASH: usize = 32;
const CHUNK: u64 = limits::FILE_CHUNK as u64;
const PART: u64 = limits::FILE_PART as u64;
const LARGEST: u64 = limits::FILE_PARTS as u64 * PART * CHUNK;

#[cfg(test)]
mod tests {
    use super::*;

    fn circle() -> CircleId {
        CircleId::new([7; 32])
    }

    #[test]
    fn a_file_is_cut_without_a_byte_left_over() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, PART * CHUNK, PART * CHUNK + 1, LARGEST] {
            let shape = Shape::new(size).unwrap();
            let last = shape.chunks().checked_sub(1);
            let bytes = last.map_or(0, |last| last * CHUNK + shape.chunk_len(last).unwrap() as u64);
            assert_eq!(bytes, size);
            assert_eq!(shape.chunk_len(shape.chunks()), None);
            assert_eq!(shape.part_len(shape.parts()), None);
        }
        assert_eq!(Shape::new(LARGEST + 1), Err(TooLarge));
        assert_eq!(Shape::new(LARGEST).unwrap().parts(), limits::FILE_PARTS as u64);
    }

    #[test]
    fn every_list_is_checked_against_the_one_above_it() {
        let mut tree = TreeBuilder::new(circle());
        let chunk = |at: u64| at.to_be_bytes().repeat(limits::FILE_CHUNK / 8);
        // The hash is what counts here, so two full chunks and a short one do.
        assert!(tree.chunk(&chunk(0)).is_none() && tree.chunk(&chunk(1)).is_none());
        assert!(tree.chunk(b"end").is_none());
        let built = tree.finish();
        let part = built.last.clone().unwrap();
        let mut lists = Lists::new(circle(), built.id, built.size).unwrap();
        assert_eq!(lists.put_part(0, &part), Err(ListError::Unknown), "nothing to check it against");
        let mut bad = built.top.clone();
        bad[0] ^= 1;
        assert_eq!(lists.put_top(&bad), Err(ListError::Mismatch));
        assert_eq!(lists.put_top(&[]), Err(ListError::Mismatch));
        lists.put_top(&built.top).unwrap();
        assert_eq!(lists.put_part(1, &part), Err(ListError::Unknown));
        assert_eq!(lists.put_part(0, &part[32..]), Err(ListError::Mismatch));
        lists.put_part(0, &part).unwrap();
        assert!(check_chunk(&circle(), lists.chunk(1).unwrap(), chunk(1)).is_ok());
        assert_eq!(check_chunk(&circle(), lists.chunk(1).unwrap(), chunk(0)), Err(Mismatch));
        assert_eq!(lists.chunk(3), None);
    }

    #[test]
    fn a_file_has_another_id_in_another_circle_and_for_another_size() {
        let id = |circle: u8, bytes: &[u8]| {
            let mut tree = TreeBuilder::new(CircleId::new([circle; 32]));
            tree.chunk(bytes);
            tree.finish().id
        };
        assert_eq!(id(1, b"beans"), id(1, b"beans"));
        assert_ne!(id(1, b"beans"), id(2, b"beans"));
        assert_ne!(id(1, b"beans"), id(1, b"bean"));
        let nothing = TreeBuilder::new(circle()).finish();
        assert!(Lists::new(circle(), nothing.id, 0).unwrap().put_top(&[]).is_ok());
        assert!(Lists::new(circle(), nothing.id, 1).unwrap().put_top(&[]).is_err());
    }

    #[test]
    fn a_full_part_is_given_out_when_it_is_full() {
        let mut tree = TreeBuilder::new(circle());
        let parts: Vec<_> = (0..=limits::FILE_PART).filter_map(|_| tree.chunk(b"x")).collect();
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].len(), limits::FILE_PART * 32);
        let built = tree.finish();
        assert_eq!((built.top.len(), built.last.map(|last| last.len())), (64, Some(32)));
    }
}
