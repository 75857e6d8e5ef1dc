use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    /// The most that was ever resident, in bytes.
    pub(crate) peak: u64,
    /// Resident memory, pages shared with other processes divided among them, in bytes.
    pub(crate) proportional: u64,
    /// Processor time of all threads.
    pub(crate) cpu: Duration,
    /// How often a thread waited and was woken.
    pub(crate) wakes: u64,
}

/// Reads a process's usage.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
    };
    let status = read("status")?;
    let stat = read("stat")?;
    // After the program's name, which may hold anything, fields are numbered from the third on.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |at: usize| fields.get(at - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let mut wakes = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended since it was listed.
        let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        wakes += number(&status, "voluntary_ctxt_switches:");
    }
    Ok(Usage {
        resident: number(&status, "VmRSS:") << 10,
        peak: number(&status, "VmHWM:") << 10,
        proportional: number(&read("smaps_rollup").unwrap_or_default(), "Pss:") << 10,
        cpu: Duration::from_millis((ticks(14) + ticks(15)) * 1000 / TICKS_PER_SECOND),
        wakes,
    })
}

/// Reads a process's processor time to the microsecond, from the scheduler's own account of its threads.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let mut all = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        all += text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(all))
}

fn number(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Makes a folder on the disk that holds this program: the system's temporary folder may be in memory, where a
/// commit costs nothing.
pub(crate) fn folder() -> Result<TempDir> {
    let program = std::env::current_exe()?;
    let parent = program.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    tempfile::Builder::new().prefix("bench-").tempdir_in(parent).context("no folder for vaults")
}

/// How a figure in bytes reads.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// `USER_HZ`, which the kernel's interface fixes on every architecture Hexode is built for.
const TICKS_PER_SECOND: u64 = 100;
