use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::api::{ApiError, FileJob};

/// Files that are being taken in or put out. Clones are handles on the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    last: u64,
    jobs: BTreeMap<u64, (FileJob, Arc<Work>)>,
}

/// What one job has done, for whoever does it and whoever looks.
#[derive(Default)]
pub(crate) struct Work {
    done: AtomicU64,
    cancelled: AtomicBool,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Work({} B)", self.done.load(Ordering::Relaxed))
    }
}

impl Work {
    pub(crate) fn did(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl Jobs {
    /// Begins a job; nothing if too many are under way.
    pub(crate) fn begin(&self, name: String, size: u64) -> Option<(FileJob, Arc<Work>)> {
        let mut list = self.list();
        if list.jobs.values().filter(|(job, _)| !job.over).count() >= AT_ONCE {
            return None;
        }
        // Those that are over are kept for a while, so that whoever began them hears how they ended.
        while list.jobs.len() >= KEPT {
            let oldest = list.jobs.iter().find(|(_, (job, _))| job.over).map(|(id, _)| *id);
            list.jobs.remove(&oldest?);
        }
        list.last += 1;
        let id = list.last;
        let job = FileJob { id, name, size, done: 0, over: false, message: None, path: None, error: None };
        let work = Arc::new(Work::default());
        list.jobs.insert(id, (job.clone(), work.clone()));
        Some((job, work))
    }

    /// Returns how a job goes.
    pub(crate) fn job(&self, id: u64) -> Option<FileJob> {
        let list = self.list();
        let (job, work) = list.jobs.get(&id)?;
        Some(FileJob { done: work.done.load(Ordering::Relaxed).min(job.size), ..job.clone() })
    }

    /// Ends a job.
    pub(crate) fn end(&self, id: u64, outcome: Result<impl FnOnce(&mut FileJob), ApiError>) {
        if let Some((job, _)) = self.list().jobs.get_mut(&id) {
            job.over = true;
            match outcome {
                Ok(fill) => fill(job),
                Err(error) => job.error = Some(error),
            }
        }
    }

    /// Asks all jobs to end: the vault is closed.
    pub(crate) fn cancel(&self) {
        for (_, work) in self.list().jobs.values() {
            work.cancelled.store(true, Ordering::Relaxed);
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many jobs are under way at a time.
const AT_ONCE: usize = 4;
/// How many are remembered.
const KEPT: usize = 64;
