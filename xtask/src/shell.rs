use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use anyhow::{Context, Result, bail, ensure};

use crate::ci::is_root;

/// Returns the workspace's folder: of the clone that is run, which need not be the one that was compiled when
/// several share a target folder.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&own).parent().expect("xtask/ lies in the workspace's folder").to_owned()
    });
    &ROOT
}

/// Starts a command in the workspace's folder.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Starts a `cargo` command in the workspace's folder, with the cargo that runs this tool.
pub(crate) fn cargo(words: &str) -> Command {
    let mut command = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words.split_whitespace());
    command
}

/// Runs a command with its output on this terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command.status().with_context(|| format!("{} did not start", line(command)))?;
    ensure!(status.success(), "{} ended with {status}", line(command));
    Ok(())
}

/// Runs a command and returns what it wrote on its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} did not start", line(command)))?;
    ensure!(output.status.success(), "{} ended with {}", line(command), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{} did not write UTF-8", line(command)))
}

/// Tells whether a program is installed.
pub(crate) fn has(program: &str) -> Result<bool> {
    match Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("{program} did not start")),
    }
}

/// Makes sure that a program is there which something is measured beside: installs its package where that can be, and says so.
pub(crate) fn need(program: &str, package: &str) -> Result<()> {
    if has(program)? {
        return Ok(());
    }
    let hint =
        format!("this is measured beside {program}, which is not here\nHint: install the package {package}");
    ensure!(is_root() && has("apt-get")?, "{hint}");
    println!("{program} is not here: installing {package}");
    run(command("apt-get").args(["install", "--yes", "--no-install-recommends", package])).context(hint)
}

/// Returns what `cargo metadata` says about the workspace's own packages.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let text = capture(&mut cargo("metadata --format-version 1 --no-deps"))?;
    Ok(serde_json::from_str(&text)?)
}

/// Builds the release binary `hexode` and returns its path.
pub(crate) fn hexode() -> Result<PathBuf> {
    run(&mut cargo("build --release"))?;
    Ok(target()?.join("release/hexode"))
}

/// Returns the folder that holds what is built.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata()?;
    let Some(target) = metadata.get("target_directory").and_then(|folder| folder.as_str()) else {
        bail!("cargo metadata names no target folder");
    };
    Ok(PathBuf::from(target))
}

/// Runs a command and returns what it wrote on its standard output, which is shown too, and whether it succeeded.
pub(crate) fn show(command: &mut Command) -> Result<(String, bool)> {
    println!("$ {}", line(command));
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("{} did not start", line(command)))?;
    let words = child.stdout.take().context("no way to hear it")?;
    let said = echo(words)?;
    Ok((said, child.wait()?.success()))
}

/// Runs a command and returns what it wrote on its standard error, which is shown too, and whether it succeeded.
pub(crate) fn listen(command: &mut Command) -> Result<(String, bool)> {
    println!("$ {}", line(command));
    let mut child =
        command.stderr(Stdio::piped()).spawn().with_context(|| format!("{} did not start", line(command)))?;
    let words = child.stderr.take().context("no way to hear it")?;
    let said = echo(words)?;
    Ok((said, child.wait()?.success()))
}

fn echo(words: impl io::Read) -> Result<String> {
    let mut said = String::new();
    for words in BufReader::new(words).lines() {
        let words = words?;
        println!("{words}");
        said.push_str(&words);
        said.push('\n');
    }
    Ok(said)
}

/// Returns the files that belong to the project: those git tracks, and new ones it does not ignore.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let list =
        capture(command("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]))?;
    Ok(list
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(|path| root().join(path))
        .filter(|path| path.is_file())
        .collect())
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
