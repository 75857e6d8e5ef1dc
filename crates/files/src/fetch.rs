//! Collects one file from whoever holds it: decides whom to ask for what, and whom no more.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use wire::{CircleId, DeviceId, FileId};

use crate::{Answer, ChunkMap, ListError, Lists, Shape, Want};

/// A file that is being collected.
#[derive(Debug)]
pub struct Fetch {
    lists: Lists,
    held: ChunkMap,
    /// Chunks that came and are being checked and stored.
    working: BTreeSet<u64>,
    holders: BTreeMap<DeviceId, Holder>,
    banned: BTreeSet<DeviceId>,
    outputs: VecDeque<Output>,
    done: bool,
}

/// A device with a stream on which it can be asked.
#[derive(Debug, Default)]
struct Holder {
    /// What it says it holds; nothing until it has said so.
    map: Option<ChunkMap>,
    /// What it was asked and has not answered, in order.
    open: VecDeque<Want>,
    /// How many of its chunks are being checked.
    working: usize,
    /// Since when its next answer is awaited.
    since: Duration,
    /// It has kept us waiting: what it was asked for others are asked for, too.
    slow: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask a device on its stream.
    Ask {
        /// Whom.
        holder: DeviceId,
        /// What for.
        want: Want,
    },
    /// Check a chunk, store it, and say so by [`Fetch::handle_checked`].
    Check {
        /// From whom it came.
        holder: DeviceId,
        /// Which chunk.
        index: u64,
        /// What it has to hash to.
        expected: [u8; 32],
        /// What came.
        bytes: Vec<u8>,
    },
    /// Store a list, which was checked.
    Keep {
        /// Which list.
        list: Want,
        /// Its hashes.
        bytes: Vec<u8>,
    },
    /// Close a device's stream.
    Drop {
        /// Whose.
        holder: DeviceId,
        /// Why.
        fault: Fault,
    },
    /// Everything is held.
    Done,
}

/// Why a device is asked no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It holds nothing of the file, or does not say so to us. It may later.
    #[error("has nothing of it")]
    HoldsNothing,
    /// It sent bytes that are not the file's. It is banned for this file.
    #[error("sent wrong bytes")]
    WrongBytes,
    /// It said what nobody asked, or what means nothing. It is banned for this file.
    #[error("said what it was not asked")]
    Misspoke,
}

impl Fault {
    /// Tells whether the device is not asked for this file again.
    pub fn bans(&self) -> bool {
        *self != Self::HoldsNothing
    }
}

impl Fetch {
    /// Begins, or goes on, with what is held already.
    pub fn new(circle: CircleId, id: FileId, size: u64, held: ChunkMap) -> Result<Self, ListError> {
        let lists = Lists::new(circle, id, size)?;
        let (holders, banned) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self {
            lists,
            held,
            working: BTreeSet::new(),
            holders,
            banned,
            outputs: VecDeque::new(),
            done: false,
        })
    }

    /// Returns how the file is cut.
    pub fn shape(&self) -> Shape {
        self.lists.shape()
    }

    /// Returns which chunks are held.
    pub fn held(&self) -> &ChunkMap {
        &self.held
    }

    /// Takes a list that was stored before; one that does not fit is asked for again, as is one for which there is no room.
    pub fn recall(&mut self, list: Want, bytes: &[u8]) -> Result<(), ListError> {
        let full = matches!(list, Want::Part(_)) && self.lists.held_parts().count() >= LISTS;
        if full { Ok(()) } else { self.put_list(list, bytes) }
    }

    fn put_list(&mut self, list: Want, bytes: &[u8]) -> Result<(), ListError> {
        match list {
            Want::Top => self.lists.put_top(bytes),
            Want::Part(part) => self.lists.put_part(part, bytes),
            Want::Chunk(_) => Err(ListError::Unknown),
        }
    }

    /// Lists the parts of which something is lacking.
    pub fn lacking_parts(&self) -> impl Iterator<Item = u64> {
        (0..self.shape().parts()).filter(|part| self.lacks_in(*part))
    }

    /// Tells whether nobody with a stream has anything that is lacking.
    pub fn waits(&self) -> bool {
        !self.done && self.working.is_empty() && self.holders.values().all(|holder| holder.open.is_empty())
    }

    /// Tells whether a device was banned for this file.
    pub fn is_banned(&self, device: &DeviceId) -> bool {
        self.banned.contains(device)
    }

    /// Takes note of a device with which there is a stream; `false` if it is banned.
    pub fn handle_holder(&mut self, device: DeviceId, now: Duration) -> bool {
        if self.banned.contains(&device) {
            return false;
        }
        self.holders.insert(device, Holder { since: now, ..Holder::default() });
        self.plan(now);
        true
    }

    /// Takes note that the stream with a device is gone.
    pub fn handle_gone(&mut self, device: &DeviceId, now: Duration) {
        self.holders.remove(device);
        self.plan(now);
    }

    /// Takes an answer. Its length was checked against its kind's.
    pub fn handle_answer(&mut self, device: DeviceId, answer: Answer, bytes: Vec<u8>, now: Duration) {
        let Some(holder) = self.holders.get_mut(&device) else { return };
        let taken = match answer {
            Answer::Map => match ChunkMap::decode(&bytes, self.lists.shape().chunks()) {
                Ok(map) => {
                    holder.map = Some(map);
                    Ok(())
                }
                Err(_) => Err(Fault::Misspoke),
            },
            Answer::Not => Err(Fault::HoldsNothing),
            Answer::Wanted(want) if holder.open.pop_front() != Some(want) => Err(Fault::Misspoke),
            Answer::Wanted(want) => {
                // Nothing but this: a map nobody asked for, so it does not show that the holder answers.
                holder.since = now;
                holder.slow = false;
                match want {
                    Want::Chunk(index) => self.take_chunk(device, index, bytes),
                    list => self.take_list(list, bytes),
                }
            }
        };
        if let Err(fault) = taken {
            self.drop_holder(device, fault);
        }
        self.plan(now);
    }

    /// Takes what came on a device's stream and was no answer.
    pub fn handle_nonsense(&mut self, device: DeviceId, now: Duration) {
        self.drop_holder(device, Fault::Misspoke);
        self.plan(now);
    }

    /// Takes note that a chunk was checked, and stored if it was right.
    pub fn handle_checked(&mut self, device: DeviceId, index: u64, right: bool, now: Duration) {
        self.working.remove(&index);
        if let Some(holder) = self.holders.get_mut(&device) {
            holder.working = holder.working.saturating_sub(1);
        }
        if right {
            self.held.insert(index);
            let part = Shape::part_of(index);
            if !self.lacks_in(part) {
                self.lists.forget_part(part);
            }
        } else {
            self.drop_holder(device, Fault::WrongBytes);
        }
        self.plan(now);
    }

    /// Looks who has kept us waiting.
    pub fn handle_timeout(&mut self, now: Duration) {
        for holder in self.holders.values_mut() {
            holder.slow |= !holder.open.is_empty() && now >= holder.since + PATIENCE;
        }
        self.plan(now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called if nothing comes before.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let awaited = self.holders.values().filter(|holder| !holder.open.is_empty() && !holder.slow);
        awaited.map(|holder| holder.since + PATIENCE).min()
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn take_chunk(&mut self, device: DeviceId, index: u64, bytes: Vec<u8>) -> Result<(), Fault> {
        if self.held.contains(index) || self.working.contains(&index) {
            // It was asked of another, too, who was quicker.
            return Ok(());
        }
        let expected = self.lists.chunk(index).ok_or(Fault::Misspoke)?;
        if self.shape().chunk_len(index) != Some(bytes.len()) {
            return Err(Fault::WrongBytes);
        }
        self.working.insert(index);
        if let Some(holder) = self.holders.get_mut(&device) {
            holder.working += 1;
        }
        self.outputs.push_back(Output::Check { holder: device, index, expected, bytes });
        Ok(())
    }

    fn take_list(&mut self, list: Want, bytes: Vec<u8>) -> Result<(), Fault> {
        self.put_list(list, &bytes).map_err(|_| Fault::WrongBytes)?;
        if let Want::Part(part) = list {
            self.make_room(part);
        }
        self.outputs.push_back(Output::Keep { list, bytes });
        Ok(())
    }

    /// Forgets a part's list if too many are held: a holder of one chunk of each part would have all of them kept. The
    /// last one goes of which no chunk is under way; it is asked for again when its turn comes.
    fn make_room(&mut self, new: u64) {
        if self.lists.held_parts().count() <= LISTS {
            return;
        }
        let under_way = |part: u64| {
            let mut open = self.holders.values().flat_map(|holder| &holder.open);
            open.any(|want| matches!(want, Want::Chunk(index) if Shape::part_of(*index) == part))
        };
        let spare = self.lists.held_parts().rev().find(|part| *part != new && !under_way(*part));
        if let Some(part) = spare {
            self.lists.forget_part(part);
        }
    }

    #[cfg(test)]
    pub(crate) fn lists(&self) -> &Lists {
        &self.lists
    }

    fn drop_holder(&mut self, device: DeviceId, fault: Fault) {
        if fault.bans() {
            self.banned.insert(device);
        }
        if self.holders.remove(&device).is_some() {
            self.outputs.push_back(Output::Drop { holder: device, fault });
        }
    }

    fn lacks_in(&self, part: u64) -> bool {
        let Some(len) = self.shape().part_len(part) else { return false };
        let start = part * wire::limits::FILE_PART as u64;
        self.held.first_lacking(start) < start + len as u64
    }

    /// Asks everybody who has something that is lacking, until enough is under way.
    fn plan(&mut self, now: Duration) {
        if self.done {
            return;
        }
        let known = self.lists.has_top();
        if known && self.held.count() == self.shape().chunks() {
            self.done = true;
            self.outputs.push_back(Output::Done);
            return;
        }
        let devices: Vec<_> = self.holders.keys().copied().collect();
        // In turns, so that all get something to do before one has much.
        for room in 1..=WINDOW {
            for device in &devices {
                if self.load(device) < room
                    && let Some(want) = self.next_for(device, now)
                {
                    self.ask(*device, want, now);
                }
            }
        }
    }

    fn ask(&mut self, device: DeviceId, want: Want, now: Duration) {
        let Some(holder) = self.holders.get_mut(&device) else { return };
        if holder.open.is_empty() {
            holder.since = now;
        }
        holder.open.push_back(want);
        self.outputs.push_back(Output::Ask { holder: device, want });
    }

    fn load(&self, device: &DeviceId) -> usize {
        self.holders.get(device).map_or(usize::MAX, |holder| holder.open.len() + holder.working)
    }

    fn next_for(&self, device: &DeviceId, now: Duration) -> Option<Want> {
        let holder = self.holders.get(device)?;
        let map = holder.map.as_ref()?;
        if !self.lists.has_top() {
            return (!self.is_asked(Want::Top)).then_some(Want::Top);
        }
        let mut from = 0;
        let mut late = None;
        loop {
            let lacking = self.held.first_lacking(from);
            let Some(index) = map.first_held(lacking) else { break };
            from = index + 1;
            if index != lacking && self.held.contains(index) {
                from = index;
                continue;
            }
            if self.working.contains(&index) {
                continue;
            }
            if self.is_asked(Want::Chunk(index)) {
                late = late.or_else(|| self.is_late(device, index, now).then_some(index));
                continue;
            }
            let part = Shape::part_of(index);
            if self.lists.has_part(part) {
                return Some(Want::Chunk(index));
            }
            // One list is waited for, the chunks behind it come later.
            return (!self.is_asked(Want::Part(part))).then_some(Want::Part(part));
        }
        // Nothing is left that nobody was asked for: whoever is free helps those who take long.
        late.map(Want::Chunk)
    }

    /// Tells whether somebody who is not slow was asked for this.
    fn is_asked(&self, want: Want) -> bool {
        self.holders.values().any(|holder| !holder.slow && holder.open.contains(&want))
    }

    /// Tells whether a chunk was asked of others only, who take long.
    fn is_late(&self, device: &DeviceId, index: u64, now: Duration) -> bool {
        let want = Want::Chunk(index);
        let mut askers = self.holders.iter().filter(|(_, holder)| holder.open.contains(&want));
        askers.all(|(other, holder)| other != device && now >= holder.since + LATE)
    }
}

/// How much one device is asked for at a time: three quarters of a mebibyte. What is under way when a process dies is
/// sent again.
const WINDOW: usize = 3;
/// How many parts' lists are held in memory, of 128 KiB each; more only while their chunks are under way.
const LISTS: usize = 64;
/// After what time without an answer others are asked for the same.
const PATIENCE: Duration = Duration::from_secs(20);
/// After what time without an answer others help who have nothing else to do.
const LATE: Duration = Duration::from_secs(2);
