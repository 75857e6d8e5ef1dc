//! Carries out what the engine decides about files: reads and writes chunks, talks on streams.
//!
//! Beside the engine's thread, so that no message waits for a disk. What is true of a transfer stands in the crate
//! `files`; who may have what, the engine decides in a turn.

mod export;
mod fetching;
mod held;
mod import;
mod jobs;
mod progress;
mod serving;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Weak, atomic::AtomicU64},
    time::Instant,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::AbortHandle,
};
use tunnel::{LinkId, Stream, Tunnel};
use vault::{ChunkStore, FilePlace, FileRecord};
use wire::{CircleId, DeviceId, FileId};

pub(crate) use export::{Export, ExportError, export, has_room};
pub(crate) use held::Held;
pub(crate) use import::{ImportError, Imported, import, open as open_source};
pub(crate) use jobs::{Begun, Jobs};
pub use progress::Progress;

use crate::{
    engine::Input,
    shell::{Order, Orders},
};

/// What the engine wants done about files.
pub enum Command {
    /// The vault is open; chunks of files that are not named here are left over.
    Open {
        /// Where chunks are.
        store: ChunkStore,
        /// What the vault knows of.
        keep: BTreeSet<FilePlace>,
    },
    /// The vault is closed: everything ends, and no key stays.
    Close,
    /// Collect a file, or go on.
    Fetch {
        /// The circle.
        circle: CircleId,
        /// The file.
        record: FileRecord,
        /// Where it is told how it goes.
        progress: Arc<Progress>,
    },
    /// These devices may be asked for a file that is being collected, and no others.
    Ask {
        /// The circle.
        circle: CircleId,
        /// The file.
        file: FileId,
        /// The devices, and the links to them.
        holders: BTreeMap<DeviceId, LinkId>,
    },
    /// Collect a file no longer; what is there stays.
    Stop {
        /// The circle.
        circle: CircleId,
        /// The file.
        file: FileId,
    },
    /// A device may have what is here of a file: answer it.
    Serve {
        /// The circle.
        circle: CircleId,
        /// The file.
        record: FileRecord,
        /// Who asks.
        device: DeviceId,
        /// On what.
        stream: Stream,
        /// Counts the bytes that are given.
        given: Arc<AtomicU64>,
    },
    /// A file is to be here no more. Its key is erased already.
    Erase {
        /// The circle.
        circle: CircleId,
        /// The file.
        file: FileId,
        /// Where its chunks are.
        place: FilePlace,
    },
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open { .. } => "Open",
            Self::Close => "Close",
            Self::Fetch { .. } => "Fetch",
            Self::Ask { .. } => "Ask",
            Self::Stop { .. } => "Stop",
            Self::Serve { .. } => "Serve",
            Self::Erase { .. } => "Erase",
        })
    }
}

impl Command {
    /// Returns the circle it is about, if it is about one.
    pub(crate) fn circle(&self) -> Option<CircleId> {
        match self {
            Self::Open { .. } | Self::Close => None,
            Self::Fetch { circle, .. }
            | Self::Ask { circle, .. }
            | Self::Stop { circle, .. }
            | Self::Serve { circle, .. }
            | Self::Erase { circle, .. } => Some(*circle),
        }
    }
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    pub(crate) file: FileId,
    /// Of which chunks it is told: they may have been erased meanwhile, and the file begun anew.
    pub(crate) place: FilePlace,
    pub(crate) turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It came on, or to a halt.
    Moved,
    /// All of it is on the disk.
    Whole,
    /// It was held, and a part of it cannot be read any more.
    Torn,
}

type Key = (CircleId, FileId);

/// All that runs for files.
pub(crate) struct FilesShell {
    runtime: Handle,
    orders: Orders,
    started: Instant,
    jobs: Jobs,
    open: Option<OpenFiles>,
}

/// What runs while the vault is open.
struct OpenFiles {
    store: ChunkStore,
    fetches: BTreeMap<Key, Fetching>,
    held: BTreeMap<Key, Weak<Held>>,
    serving: Vec<(Key, DeviceId, AbortHandle)>,
    /// Held by whoever holds a key; when the last one is gone the other end says so.
    in_use: mpsc::Sender<()>,
    ended: mpsc::Receiver<()>,
}

struct Fetching {
    reach: watch::Sender<Reach>,
    task: AbortHandle,
}

/// Who can be asked, and through what.
#[derive(Clone, Default)]
pub(crate) struct Reach {
    pub(crate) tunnel: Option<Tunnel>,
    pub(crate) holders: BTreeMap<DeviceId, LinkId>,
}

impl FilesShell {
    pub(crate) fn new(runtime: Handle, orders: Orders, jobs: Jobs) -> Self {
        Self { runtime, orders, started: Instant::now(), jobs, open: None }
    }

    /// Carries out a command; `tunnel` is that of its circle, if one runs.
    pub(crate) fn carry_out(&mut self, command: Command, tunnel: Option<Tunnel>) {
        match command {
            Command::Open { store, keep } => self.open(store, keep),
            Command::Close => drop(self.close()),
            Command::Fetch { circle, record, progress } => self.fetch(circle, &record, progress),
            Command::Ask { circle, file, holders } => {
                if let Some(fetch) = self.open.as_ref().and_then(|open| open.fetches.get(&(circle, file))) {
                    fetch.reach.send_replace(Reach { tunnel, holders });
                }
            }
            Command::Stop { circle, file } => self.stop((circle, file)),
            Command::Serve { circle, record, device, stream, given } => {
                self.serve(circle, &record, device, (stream, given));
            }
            Command::Erase { circle, file, place } => self.erase((circle, file), place),
        }
    }

    /// Ends everything; what is returned is over when no key is in memory any more.
    pub(crate) fn close(&mut self) -> impl Future<Output = ()> + Send + 'static {
        self.jobs.close();
        let open = self.open.take();
        if let Some(open) = &open {
            open.fetches.values().for_each(|fetch| fetch.task.abort());
            open.serving.iter().for_each(|(_, _, task)| task.abort());
        }
        async move {
            if let Some(OpenFiles { in_use, mut ended, .. }) = open {
                drop(in_use);
                // Nothing is ever sent: it ends when the last holder lets go.
                let _ = ended.recv().await;
            }
        }
    }

    fn open(&mut self, store: ChunkStore, keep: BTreeSet<FilePlace>) {
        let (in_use, ended) = mpsc::channel(1);
        self.jobs.open(in_use.clone());
        let sweeping = store.clone();
        self.runtime.spawn_blocking(move || match sweeping.sweep(&keep) {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "chunks of files that are not known any more were removed"),
            Err(error) => tracing::warn!(%error, "the folder of chunks cannot be looked through"),
        });
        self.open = Some(OpenFiles {
            store,
            fetches: BTreeMap::new(),
            held: BTreeMap::new(),
            serving: Vec::new(),
            in_use,
            ended,
        });
    }

    fn fetch(&mut self, circle: CircleId, record: &FileRecord, progress: Arc<Progress>) {
        let key = (circle, record.file);
        self.stop(key);
        let Some(held) = self.held(circle, record, false) else { return };
        let report = self.reporter(circle);
        let (reach, reached) = watch::channel(Reach::default());
        let work = fetching::run(held, progress, reached, self.started, report);
        let task = self.runtime.spawn(work).abort_handle();
        if let Some(open) = &mut self.open {
            open.fetches.insert(key, Fetching { reach, task });
        }
    }

    fn stop(&mut self, key: Key) {
        if let Some(fetch) = self.open.as_mut().and_then(|open| open.fetches.remove(&key)) {
            fetch.task.abort();
        }
    }

    fn serve(
        &mut self,
        circle: CircleId,
        record: &FileRecord,
        device: DeviceId,
        (stream, given): (Stream, Arc<AtomicU64>),
    ) {
        let whole = record.state == vault::FileState::Held;
        let key = (circle, record.file);
        let Some(open) = &mut self.open else { return };
        open.serving.retain(|(_, _, task)| !task.is_finished());
        // Whoever asks on more streams than this is told nothing, and asks again later.
        if open.serving.iter().filter(|(_, other, _)| *other == device).count() >= SERVED {
            return;
        }
        let Some(held) = self.held(circle, record, whole) else { return };
        let report = self.reporter(circle);
        let task = self.runtime.spawn(serving::run(held, stream, given, report)).abort_handle();
        if let Some(open) = &mut self.open {
            open.serving.push((key, device, task));
        }
    }

    fn erase(&mut self, key: Key, place: FilePlace) {
        self.stop(key);
        let Some(open) = &mut self.open else { return };
        for (_, _, task) in open.serving.iter().filter(|(served, _, _)| *served == key) {
            task.abort();
        }
        open.held.remove(&key);
        let store = open.store.clone();
        self.runtime.spawn_blocking(move || {
            // What stays is noise, and is swept at the next start.
            if let Err(error) = store.erase(&place) {
                tracing::warn!(%error, "chunks of an erased file could not be removed");
            }
        });
    }

    /// Opens a file's chunks, once for all who work on it.
    fn held(&mut self, circle: CircleId, record: &FileRecord, whole: bool) -> Option<Arc<Held>> {
        let open = self.open.as_mut()?;
        let key = (circle, record.file);
        if let Some(held) = open.held.get(&key).and_then(Weak::upgrade).filter(|held| held.is_at(record)) {
            return Some(held);
        }
        match Held::open(circle, record, whole, &open.store, open.in_use.clone()) {
            Ok(held) => {
                let held = Arc::new(held);
                open.held.retain(|_, other| other.strong_count() > 0);
                open.held.insert(key, Arc::downgrade(&held));
                Some(held)
            }
            Err(error) => {
                tracing::warn!(%error, "the chunks of a file cannot be opened");
                None
            }
        }
    }

    fn reporter(&self, circle: CircleId) -> impl Fn(Report) + Clone + Send + Sync + 'static {
        let orders = self.orders.clone();
        // An error says that the node has stopped.
        move |report| {
            orders.give(Order::Input(Input::Files(circle, report)));
        }
    }
}

/// On how many streams one device is served at a time.
const SERVED: usize = 8;
