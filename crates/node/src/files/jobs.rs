use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::mpsc;

use crate::api::{ApiError, ErrorKind, FileJob};

/// Files that are being taken in or put out. Clones are handles on the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    last: u64,
    /// How often the vault was closed.
    closed: u64,
    /// While the vault is open: held by whoever holds a key.
    in_use: Option<mpsc::Sender<()>>,
    jobs: BTreeMap<u64, (FileJob, Arc<Work>)>,
}

/// The time from one closing of the vault to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sitting(u64);

/// A job that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) job: FileJob,
    pub(crate) work: Arc<Work>,
    /// Kept as long as a key is.
    pub(crate) in_use: mpsc::Sender<()>,
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
    /// The vault is open: jobs may begin.
    pub(crate) fn open(&self, in_use: mpsc::Sender<()>) {
        self.list().in_use = Some(in_use);
    }

    /// Asks all jobs to end and forgets them: the vault is closed, and who opens another hears nothing of this one.
    pub(crate) fn close(&self) {
        let mut list = self.list();
        for (_, work) in std::mem::take(&mut list.jobs).into_values() {
            work.cancelled.store(true, Ordering::Relaxed);
        }
        list.closed += 1;
        list.in_use = None;
    }

    /// Returns what has to be the same still when a job begins that was prepared now.
    pub(crate) fn sitting(&self) -> Sitting {
        Sitting(self.list().closed)
    }

    /// Begins a job, unless too many are under way or the vault was closed since it was prepared.
    pub(crate) fn begin(&self, prepared: Sitting, name: String, size: u64) -> Result<Begun, ApiError> {
        let mut list = self.list();
        let Some(in_use) = list.in_use.clone().filter(|_| list.closed == prepared.0) else {
            return Err(
                ApiError::new(ErrorKind::Locked, "the vault was closed").hint("run \"hexode unlock\"")
            );
        };
        if list.jobs.values().filter(|(job, _)| !job.over).count() >= AT_ONCE {
            return Err(busy());
        }
        // Those that are over are kept for a while, so that whoever began them hears how they ended.
        while list.jobs.len() >= KEPT {
            let oldest = list.jobs.iter().find(|(_, (job, _))| job.over).map(|(id, _)| *id);
            let Some(oldest) = oldest else { return Err(busy()) };
            list.jobs.remove(&oldest);
        }
        list.last += 1;
        let id = list.last;
        let job = FileJob { id, name, size, done: 0, over: false, message: None, path: None, error: None };
        let work = Arc::new(Work::default());
        list.jobs.insert(id, (job.clone(), work.clone()));
        Ok(Begun { job, work, in_use })
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

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy() -> ApiError {
    ApiError::new(ErrorKind::Conflict, "too many files are being sent or saved").hint("wait for one to end")
}

/// How many jobs are under way at a time.
const AT_ONCE: usize = 4;
/// How many are remembered.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_under_one_vault_is_not_told_under_another_and_does_not_go_on() {
        let jobs = Jobs::default();
        assert_eq!(jobs.begin(jobs.sitting(), "early".into(), 1).unwrap_err().kind, ErrorKind::Locked);
        let (in_use, mut ended) = mpsc::channel(1);
        jobs.open(in_use);
        let prepared = jobs.sitting();
        let begun = jobs.begin(prepared, "beans".into(), 1).unwrap();
        assert!(jobs.job(begun.job.id).is_some());
        jobs.close();
        assert!(begun.work.is_cancelled());
        assert!(
            ended.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Empty),
            "a key is in use"
        );
        drop(begun.in_use);
        assert!(ended.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
        jobs.open(mpsc::channel(1).0);
        assert!(jobs.job(begun.job.id).is_none());
        assert_eq!(jobs.begin(prepared, "late".into(), 1).unwrap_err().kind, ErrorKind::Locked);
        assert!(jobs.begin(jobs.sitting(), "anew".into(), 1).is_ok());
    }
}
