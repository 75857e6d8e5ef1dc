use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::shell;
use anyhow::{Context, Result, ensure};

/// A crate of others that is altered here.
struct Altered {
    name: &'static str,
    version: &'static str,
    /// What the index of crates.io says of the package.
    checksum: &'static str,
}

impl Altered {
    fn package(&self) -> String {
        format!("{}-{}.crate", self.name, self.version)
    }
}

const ALTERED: [Altered; 2] = [
    Altered {
        name: "iroh",
        version: "1.4.1",
        checksum: "e3689cab508af9bcef7816c1201b403595ec6aa20e7d15e1f9683bb4be4a5b17",
    },
    Altered {
        name: "noq-proto",
        version: "1.4.0",
        checksum: "c01a35be3ed37558c8db69554419f24eff8a63599b54f711bbe3863ec727c47d",
    },
];

/// Checks that code of others differs from what they published by the patch that lies beside it, and nothing else.
pub(super) fn run() -> Result<()> {
    let scratch = shell::target()?.join("altered");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).context("the last run's copy cannot be removed")?;
    }
    fs::create_dir_all(&scratch)?;
    ALTERED.iter().try_for_each(|altered| check(altered, &scratch))
}

fn check(altered: &Altered, scratch: &Path) -> Result<()> {
    let (name, folder) = (altered.name, shell::root().join("third_party"));
    let copy = scratch.join(name);
    shell::run(Command::new("cp").arg("-R").arg(folder.join(name)).arg(&copy))?;
    let patch = folder.join(format!("{name}.patch"));
    shell::run(Command::new("git").arg("apply").arg("--reverse").arg(&patch).current_dir(&copy))
        .with_context(|| format!("third_party/{name}.patch is not what was changed in third_party/{name}"))?;
    let hashes = folder.join(format!("{name}.sha256"));
    let published =
        fs::read_to_string(&hashes).with_context(|| format!("third_party/{name}.sha256 cannot be read"))?;
    let mut sums = Command::new("sha256sum");
    shell::run(sums.arg("--check").arg("--quiet").arg(&hashes).current_dir(&copy)).with_context(|| {
        format!("a file in third_party/{name} was changed beyond third_party/{name}.patch")
    })?;
    // Not only sources: a manifest or a script beside them says what is built, too.
    let files = shell::capture(Command::new("find").args([".", "-not", "-type", "d"]).current_dir(&copy))?;
    for file in files.lines().filter_map(|file| file.strip_prefix("./")) {
        ensure!(
            published.contains(&format!("  {file}\n")),
            "third_party/{name}/{file} is not in the published crate"
        );
    }
    match package(altered) {
        Some(package) => compare(altered, &package, &hashes, scratch),
        None => {
            println!(
                "{} is not in cargo's cache: the list of hashes is taken at its word",
                altered.package()
            );
            Ok(())
        }
    }
}

/// Compares the list of hashes with the package as crates.io has it.
fn compare(altered: &Altered, package: &Path, hashes: &Path, scratch: &Path) -> Result<()> {
    let hash = shell::capture(Command::new("sha256sum").arg(package))?;
    ensure!(hash.starts_with(altered.checksum), "{} is not what crates.io has", package.display());
    shell::run(Command::new("tar").arg("-xf").arg(package).arg("-C").arg(scratch))?;
    let unpacked = scratch.join(altered.package().trim_end_matches(".crate"));
    let mut check = Command::new("sha256sum");
    shell::run(check.arg("--check").arg("--quiet").arg(hashes).current_dir(unpacked)).with_context(|| {
        format!("third_party/{}.sha256 does not hold the hashes of the published crate", altered.name)
    })
}

/// Finds the package in cargo's cache.
fn package(altered: &Altered) -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/cache")).ok()?;
    let package = altered.package();
    registries.flatten().map(|registry| registry.path().join(&package)).find(|path| path.is_file())
}
