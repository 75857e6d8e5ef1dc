use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

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
    // Not only sources: a manifest or a script beside them says what is built, too.
    let files = shell::capture(Command::new("find").args([".", "-not", "-type", "d"]).current_dir(&copy))?;
    for file in files.lines().filter_map(|file| file.strip_prefix("./")) {
        ensure!(
            published.contains(&format!("  {file}\n")),
            "third_party/iroh/{file} is not in the published crate"
        );
    }
    match package() {
        Some(package) => compare(&package, &hashes, &scratch),
        None => {
            println!("{PACKAGE} is not in cargo's cache: the list of hashes is taken at its word");
            Ok(())
        }
    }
}

/// Compares the list of hashes with the package as crates.io has it.
fn compare(package: &Path, hashes: &Path, scratch: &Path) -> Result<()> {
    let hash = shell::capture(Command::new("sha256sum").arg(package))?;
    ensure!(hash.starts_with(CHECKSUM), "{} is not what crates.io has", package.display());
    shell::run(Command::new("tar").arg("-xf").arg(package).arg("-C").arg(scratch))?;
    let unpacked = scratch.join(PACKAGE.trim_end_matches(".crate"));
    let mut check = Command::new("sha256sum");
    shell::run(check.arg("--check").arg("--quiet").arg(hashes).current_dir(unpacked))
        .context("third_party/iroh.sha256 does not hold the hashes of the published crate")
}

/// Finds the package in cargo's cache.
fn package() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/cache")).ok()?;
    registries.flatten().map(|registry| registry.path().join(PACKAGE)).find(|path| path.is_file())
}

const PACKAGE: &str = "iroh-1.4.1.crate";
/// What the index of crates.io says of it.
const CHECKSUM: &str = "e3689cab508af9bcef7816c1201b403595ec6aa20e7d15e1f9683bb4be4a5b17";
