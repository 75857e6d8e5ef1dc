//! Every bound on what a device accepts, in one place, in the units it is counted in.

/// The largest frame on a tunnel, in bytes, without its length prefix.
pub const FRAME: usize = 1 << 20;
/// The largest text of one message, in bytes of UTF-8.
pub const TEXT: usize = 64 << 10;
/// How many members one message names.
pub const MENTIONS: usize = 64;
/// The largest sign under a message, in bytes of UTF-8.
pub const SIGN: usize = 32;
/// After how many seconds at most messages are erased: ten years.
pub const EXPIRY_S: u64 = 3653 * 86_400;
/// The largest body of one journal entry, in bytes: a text and its wrapping.
pub const BODY: usize = TEXT + (4 << 10);
/// The largest header of one journal entry, in bytes.
pub const HEADER: usize = 1 << 10;
/// The smallest header of one journal entry, in bytes: four hashes and ids, and what else it cannot do without.
pub const HEADER_LEAST: usize = 128;
/// How many items any one list in a frame has; a decoder reads no further.
pub const LIST: usize = 4096;
/// How many entries one signature may cover.
pub const RUN: usize = 256;
/// How many bytes of entries an author puts under one signature before he signs anew.
pub const RUN_BYTES: usize = 256 << 10;
/// The heaviest run that is taken, so that what came in one frame also goes out in one.
pub const RUN_WEIGHT: usize = FRAME / 2;
/// By how many milliseconds the Lamport time of a journal entry may exceed the clock of the device that takes it.
pub const AHEAD_MS: u64 = 24 * 60 * 60 * 1000;
/// How many other chains' heads one journal entry names.
pub const SEEN: usize = 8;
/// The largest signed charter entry, in bytes.
pub const CHARTER_ENTRY: usize = 4 << 10;
/// How many parents one charter entry names.
pub const PARENTS: usize = 16;
/// How many charter ids one `CharterHave` frame names.
pub const HAVE: usize = 128;
/// How many charter entries may wait for a parent that has not come, per circle.
pub const ORPHANS: usize = 1024;
/// How many chain heads one frontier frame carries.
pub const FRONTIER: usize = 4096;
/// How many participants a group has at most.
pub const GROUP: usize = 256;
/// The largest signed act in a group, in bytes.
pub const GROUP_ACT: usize = 16 << 10;
/// How many acts one group's log holds. Three quarters of it, and of [`GROUP_LOG`], are open to all but its founder.
pub const GROUP_ACTS: usize = 1024;
/// How many bytes of acts one group's log holds; one device other than the founder's writes a sixteenth of it.
pub const GROUP_LOG: usize = 512 << 10;
/// How many chains' ends one act in a group names.
pub const GROUP_HEADS: usize = 64;
/// How many chains' ends one journal entry names.
pub const ENDS: usize = 3;
/// How many groups of one founding device are kept.
pub const GROUPS: usize = 1024;
/// The longest name of a person, device, circle or group, in characters.
pub const NAME: usize = 64;
/// How many addresses a device announces of itself.
pub const ADDRESSES: usize = 16;
/// The largest invitation, in bytes before it is written as text.
pub const INVITATION: usize = 1 << 10;
/// How many charter entries one circle keeps. Of those under members' and guests' grants a quarter of it is taken,
/// of those under all but the founder's three quarters: the more senior always have room to remove who fills it.
pub const CHARTER_ENTRIES: usize = 1 << 16;
/// How many charter entries one device writes as founder or admin; others an eighth.
pub const CHARTER_CHAIN: u64 = 1 << 14;
/// How many recovery keys a circle has at most.
pub const RECOVERY_KEYS: usize = 16;
/// How many devices an invitation names to be dialled.
pub const HINTS: usize = 4;
/// How many addresses an invitation names of each of them.
pub const HINT_ADDRESSES: usize = 8;
/// How many bodies a device asks for at once.
pub const WANTED: usize = 256;
/// How many devices one device asks another to forward to, at a time.
pub const FORWARDED: usize = 256;
/// How many bytes a chunk of a file has; the last one may have fewer.
pub const FILE_CHUNK: usize = 256 << 10;
/// How many chunks a part of a file has, whose hashes travel in one list; the last one may have fewer.
pub const FILE_PART: usize = 4096;
/// How many parts a file has at most: 4 TiB.
pub const FILE_PARTS: usize = 4096;
/// The longest name of a file, in bytes of UTF-8.
pub const FILE_NAME: usize = 255;
/// The longest media type of a file, in bytes.
pub const FILE_KIND: usize = 127;
/// How many stretches of a file one device tells another that it holds.
pub const FILE_STRETCHES: usize = 1024;
/// The largest statement of what a stream is for, in bytes.
pub const OPENING: usize = 1 << 10;
/// The longest name of an offered stream, and the longest label, in bytes.
pub const WORD: usize = 64;
/// The longest record on a flow, in bytes, without its length: what a 16-bit length can say.
pub const RECORD: usize = 65_535;
/// How many streams one device offers in a circle.
pub const OFFERS: usize = 256;
/// How many flows one offer has open at a time, at most.
pub const FLOWS: usize = 16_384;
