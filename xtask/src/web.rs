//! The page in `web/`: builds it, tests it, and lets it be driven by a real browser.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::shell;

/// Checks types, runs the unit tests, and compares the bundle in `web/dist` with what its sources make.
pub(crate) fn check() -> Result<()> {
    install()?;
    shell::run(npm(&["run", "check"]).env("CI", "1"))?;
    shell::run(&mut npm(&["test"]))?;
    let fresh = shell::target()?.join("web-dist");
    shell::run(npm(&["run", "build", "--", "--outDir"]).arg(&fresh))?;
    let (made, kept) = (files(&fresh)?, files(&shell::root().join("web/dist"))?);
    let stale: Vec<_> = made
        .keys()
        .chain(kept.keys())
        .filter(|name| made.get(*name) != kept.get(*name))
        .map(String::as_str)
        .collect();
    ensure!(stale.is_empty(), "web/dist is not what its sources make: {}", stale.join(", "));
    Ok(())
}

/// Runs the end-to-end tests: the release binary's page in Chromium.
pub(crate) fn end_to_end() -> Result<()> {
    install()?;
    let program = shell::hexode()?;
    shell::run(npm(&["run", "e2e"]).env("HEXODE", program))
}

/// Runs one of the page's measurements; its last line is the verdict in JSON.
pub(crate) fn measure(name: &str, program: Option<&Path>) -> Result<Value> {
    install()?;
    let mut command = npm(&["run", "--silent", "bar", "--", name]);
    command.envs(program.map(|program| ("HEXODE", program)));
    let said = shell::capture(&mut command)?;
    let last = said.lines().last().context("the measurement said nothing")?;
    serde_json::from_str(last).with_context(|| format!("the measurement's last line is no verdict: {last}"))
}

/// Installs the packages that the lock file names, unless they are there.
fn install() -> Result<()> {
    let folder = shell::root().join("web");
    let wanted =
        fs::read(folder.join("package-lock.json")).context("web/package-lock.json cannot be read")?;
    let mark = folder.join("node_modules/.hexode-lock");
    if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    shell::run(&mut npm(&["ci"]))?;
    fs::write(&mark, wanted).with_context(|| format!("{} cannot be written", mark.display()))
}

fn npm(words: &[&str]) -> Command {
    let mut command = shell::command("npm");
    command.args(words).current_dir(shell::root().join("web"));
    command
}

/// Reads the files of a folder.
pub(crate) fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let list = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut found = BTreeMap::new();
    for file in list {
        let file = file?;
        found.insert(file.file_name().to_string_lossy().into_owned(), fs::read(file.path())?);
    }
    Ok(found)
}
