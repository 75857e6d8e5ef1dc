use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    /// The most that was ever resident, in bytes.
    pub(crate) peak: u64,
    /// Resident memory, pages shared with other processes divided among them, in bytes.
    pub(crate) proportional: u64,
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
pub(crate) fn folder() -> Result<Folder> {
    let program = std::env::current_exe()?;
    let parent = program.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let random: [u8; 8] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
    let path = parent.join(format!("bench-{}", data_encoding::HEXLOWER.encode(&random)));
    fs::create_dir(&path).context("no folder for vaults")?;
    Ok(Folder(path))
}

/// A folder that goes with its handle.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the build's folder, and goes with it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a figure in bytes reads.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
