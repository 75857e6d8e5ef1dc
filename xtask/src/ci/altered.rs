use std::{fs, process::Command};

use crate::shell;
use anyhow::{Context, Result, ensure};

/// Checks that code of others differs from what they published by the patch that lies beside it, and nothing else.
pub(super) fn run() -> Result<()> {
    let folder = shell::root().join("third_party");
    let scratch = shell::target()?.join("altered");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).context("the last run's copy cannot be removed")?;
    }
    fs::create_dir_all(&scratch)?;
    let copy = scratch.join("iroh");
    shell::run(Command::new("cp").arg("-R").arg(folder.join("iroh")).arg(&copy))?;
    let patch = folder.join("iroh.patch");
    shell::run(Command::new("git").arg("apply").arg("--reverse").arg(&patch).current_dir(&copy))
        .context("third_party/iroh.patch is not what was changed in third_party/iroh")?;
    let hashes = folder.join("iroh.sha256");
    let published = fs::read_to_string(&hashes).context("third_party/iroh.sha256 cannot be read")?;
    let mut check = Command::new("sha256sum");
    shell::run(check.arg("--check").arg("--quiet").arg(&hashes).current_dir(&copy))
        .context("a file in third_party/iroh was changed beyond third_party/iroh.patch")?;
    let files = shell::capture(Command::new("find").args(["src", "-type", "f"]).current_dir(&copy))?;
    for file in files.lines() {
        ensure!(
            published.contains(&format!("  {file}\n")),
            "third_party/iroh/{file} is not in the published crate"
        );
    }
    Ok(())
}
