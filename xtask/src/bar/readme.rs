use std::{env, fs, path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, ensure};

use super::{Bar, Verdict};
use crate::shell;

/// The README's two commands, as a newcomer runs them.
pub(crate) const BAR: Bar = Bar {
    name: "readme",
    what: "the README's two commands in a fresh clone of HEAD, with nothing built before",
    limit: "both exit 0",
    run,
};

fn run() -> Result<Verdict> {
    let readme = fs::read_to_string(shell::root().join("README.md")).context("README.md cannot be read")?;
    let commands = two_commands(&readme)?;
    let folder = env::temp_dir().join(format!("hexode-readme-{}", std::process::id()));
    let clone = folder.join("hexode");
    fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let outcome = try_in(&clone, &commands);
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    outcome
}

/// Clones the workspace's last commit and runs the commands there, each with nothing in its environment that
/// this run of cargo set.
fn try_in(clone: &Path, commands: &[String]) -> Result<Verdict> {
    shell::run(shell::command("git").args(["clone", "--quiet"]).arg(shell::root()).arg(clone))?;
    let mut figures = Vec::new();
    let mut holds = true;
    for line in commands {
        let started = Instant::now();
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(clone);
        for (name, _) in env::vars_os().filter(|(name, _)| is_set_by_cargo(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        println!("$ {line}");
        let status = command.status().with_context(|| format!("{line} did not start"))?;
        holds &= status.success();
        figures.push(format!("`{line}` {status} in {:.0} s", started.elapsed().as_secs_f64()));
    }
    Ok(Verdict { figure: figures.join(", "), holds })
}

/// Tells the variables that would lead an inner cargo to this build's folder or package.
fn is_set_by_cargo(name: &str) -> bool {
    name == "CARGO"
        || name == "CARGO_TARGET_DIR"
        || name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
}

/// Finds the commands in the first code block under the README's heading "Two commands".
fn two_commands(readme: &str) -> Result<Vec<String>> {
    let (_, section) =
        readme.split_once("## Two commands").context("README.md has no section \"Two commands\"")?;
    let block = section.split("```").nth(1).context("the section \"Two commands\" has no code block")?;
    let commands: Vec<String> = block
        .lines()
        .skip(1)
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    ensure!(commands.len() == 2, "the section \"Two commands\" has {} commands", commands.len());
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_its_two_commands() {
        let readme = fs::read_to_string(shell::root().join("README.md")).unwrap();
        assert_eq!(two_commands(&readme).unwrap(), ["cargo run --release -- demo", "cargo xtask ci"]);
    }

    #[test]
    fn a_readme_without_them_is_told_apart() {
        assert!(two_commands("# Hexode").is_err());
        assert!(two_commands("## Two commands\n```sh\ncargo build\n```").is_err());
    }
}
