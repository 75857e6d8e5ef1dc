use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::shell;

/// The longest file that is still read in one sitting, in lines.
const LINES: usize = 800;

/// Which rooms a room may see: arrows point up only.
const ARROWS: &[(&str, &[&str])] = &[
    ("hexode-crypto", &[]),
    ("hexode-wire", &["hexode-crypto"]),
    ("hexode-charter", &["hexode-crypto", "hexode-wire"]),
    ("hexode-journal", &["hexode-crypto", "hexode-wire", "hexode-charter"]),
    ("hexode-files", &["hexode-crypto", "hexode-wire"]),
    ("hexode-streams", &["hexode-crypto", "hexode-wire", "hexode-charter"]),
    ("hexode-sqlcipher", &[]),
    ("hexode-vault", &["hexode-crypto", "hexode-wire", "hexode-sqlcipher"]),
    ("hexode-tunnel", &["hexode-crypto", "hexode-wire", "hexode-charter"]),
    (
        "hexode-node",
        &[
            "hexode-crypto",
            "hexode-wire",
            "hexode-charter",
            "hexode-journal",
            "hexode-files",
            "hexode-streams",
            "hexode-vault",
            "hexode-tunnel",
        ],
    ),
    ("hexode-gateway", &["hexode-crypto", "hexode-wire", "hexode-node"]),
    ("hexode", &["hexode-crypto", "hexode-wire", "hexode-vault", "hexode-node", "hexode-gateway"]),
    ("xtask", &[]),
];

/// For measuring and testing only: these see everything, and nothing that is shipped sees them.
const DEV_ONLY: &[&str] = &["hexode-bench", "hexode-fuzz", "hexode-netlab", "hexode-testnet"];

/// Rooms without I/O, clock or randomness.
const PURE: &[&str] = &["wire", "charter", "journal", "files", "streams"];

/// What a pure room's own `clippy.toml` disallows, and what it repeats from the workspace's, which it replaces.
const PURITY: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::collections::HashMap::iter",
    "std::collections::HashMap::keys",
    "std::collections::HashMap::values",
    "allow-unwrap-in-tests = true",
    "allow-indexing-slicing-in-tests = true",
];

/// What a pure room may not depend on, tests apart.
const IMPURE_CRATES: &[&str] =
    &["tokio", "rand", "getrandom", "chrono", "time", "async-std", "tracing-subscriber"];

/// Strings that no source file holds, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("todo!(", "real things only"),
    ("unimplemented!(", "real things only"),
    ("#[ignore]", "a test that does not run is no test"),
    ("#[ignore = ", "a test that does not run is no test"),
    ("\"/root/", "a path of one machine"),
    (" /root/", "a path of one machine"),
    ("\"/home/", "a path of one machine"),
    (" /home/", "a path of one machine"),
    ("\"/work/", "a path of one machine"),
    (" /work/", "a path of one machine"),
    ("n0.computer", "a third party's host"),
    ("iroh.network", "a third party's host"),
    ("iroh.link", "a third party's host"),
    ("stun.", "a third party's host"),
    ("google", "a third party's host"),
    ("cloudflare", "a third party's host"),
    ("amazonaws", "a third party's host"),
];

/// How the reason begins of what is no test for every day: a process that another test starts and kills, a
/// longer run of a test that there is, a writer of test data.
const IGNORED: &[&str] = &["child of ", "takes minutes: cargo ", "writes "];

/// Checks the habits that a machine can check.
pub(super) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for file in shell::files()? {
        let Ok(text) = fs::read_to_string(&file) else {
            continue; // not text
        };
        let name = file.strip_prefix(shell::root()).unwrap_or(&file);
        if name.starts_with("third_party") {
            continue; // others' habits; the step "altered" looks after it
        }
        faults.extend(in_file(name, &text));
    }
    let metadata = shell::metadata()?;
    faults.extend(arrows(&metadata)?);
    for room in PURE {
        faults.extend(purity(room)?);
    }
    let limits = fs::read_to_string(shell::root().join("crates/wire/src/limits.rs"))?;
    faults.extend(unspecified(&limits, &fs::read_to_string(shell::root().join("docs/spec/01-wire.md"))?));
    for fault in &faults {
        println!("{fault}");
    }
    ensure!(faults.is_empty(), "{} places break a habit", faults.len());
    Ok(())
}

/// Finds what is wrong in one file of the project.
fn in_file(name: &Path, text: &str) -> Vec<String> {
    let shown = name.display();
    let extension = name.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if matches!(extension, "rs" | "ts" | "svelte" | "md" | "toml" | "sql" | "sh") && lines > LINES {
        faults.push(format!("{shown}: {lines} lines, more than {LINES}: look for a noun that wants out"));
    }
    if name.ends_with("mod.rs") {
        faults.push(format!("{shown}: a module's file bears its name: foo.rs beside foo/"));
    }
    if name.starts_with("vectors") && !text.starts_with("expect: ") {
        faults.push(format!("{shown}: a vector opens with \"expect: \" and what a decoder must say"));
    }
    // This file and its neighbour name what they forbid.
    if matches!(extension, "rs" | "ts" | "svelte" | "sql") && !name.starts_with("xtask/src/ci") {
        for (at, line) in text.lines().enumerate() {
            let reason = line.split_once("#[ignore = \"").map_or("", |(_, reason)| reason);
            if IGNORED.iter().any(|beginning| reason.starts_with(beginning)) {
                continue;
            }
            let found = FORBIDDEN.iter().filter(|(word, _)| line.contains(word));
            faults.extend(found.map(|(word, why)| format!("{shown}:{}: holds \"{word}\": {why}", at + 1)));
        }
    }
    faults
}

/// Finds dependencies between rooms that point down.
fn arrows(metadata: &Value) -> Result<Vec<String>> {
    let packages =
        metadata.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
    let ours: BTreeSet<_> = packages.iter().filter_map(|package| package.get("name")?.as_str()).collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some((_, may_see)) = ARROWS.iter().find(|(room, _)| *room == name) else {
            if !DEV_ONLY.contains(&name) {
                faults.push(format!("{name}: a new room; say in xtask/src/ci/habits.rs what it may see"));
            }
            continue;
        };
        for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
            let seen = dependency.get("name").and_then(Value::as_str).unwrap_or_default();
            let in_tests_only = dependency.get("kind").and_then(Value::as_str) == Some("dev");
            if ours.contains(seen) && !in_tests_only && !may_see.contains(&seen) {
                faults.push(format!("{name}: sees {seen}, which lies above or beside it"));
            }
            let pure = name.strip_prefix("hexode-").is_some_and(|room| PURE.contains(&room));
            if pure && !in_tests_only && IMPURE_CRATES.contains(&seen) {
                faults.push(format!("{name}: depends on {seen}, but is pure"));
            }
        }
    }
    Ok(faults)
}

/// Finds what a pure room's lint settings lack; clippy itself then finds what breaks them.
fn purity(room: &str) -> Result<Vec<String>> {
    let path: PathBuf = ["crates", room, "clippy.toml"].iter().collect();
    let text = fs::read_to_string(shell::root().join(&path))
        .with_context(|| format!("{} cannot be read, but the room is pure", path.display()))?;
    let lacking = PURITY.iter().filter(|rule| !text.contains(*rule));
    Ok(lacking.map(|rule| format!("{}: lacks {rule}", path.display())).collect())
}

/// Finds limits of the code that the specification does not name.
fn unspecified(limits: &str, specification: &str) -> Vec<String> {
    limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .filter(|name| !specification.contains(&format!("| `{name}` | ")))
        .map(|name| format!("docs/spec/01-wire.md: lacks the limit {name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_fault_in_a_file_is_found() {
        let faults = |name: &str, text: &str| in_file(Path::new(name), text).len();
        assert_eq!(faults("crates/a/src/lib.rs", "fn a() {}\n"), 0);
        assert_eq!(faults("crates/a/src/lib.rs", &"\n".repeat(801)), 1);
        assert_eq!(faults("crates/a/src/mod.rs", ""), 1);
        assert_eq!(faults("crates/a/src/lib.rs", "const HOST: &str = \"stun.example\";"), 1);
        assert_eq!(faults("crates/a/src/lib.rs", "\n    todo!()\n"), 1);
        assert_eq!(faults("crates/a/src/tests.rs", "#[ignore = \"slow\"]"), 1);
        assert_eq!(faults("crates/a/src/tests.rs", "#[ignore = \"child of another\"]"), 0);
        assert_eq!(faults("vectors/name/long.txt", "61"), 1);
        assert_eq!(faults("vectors/name/long.txt", "expect: refused\n61"), 0);
    }

    #[test]
    fn a_limit_that_no_specification_names_is_found() {
        let limits = "/// How many.\npub const HAVE: usize = 128;\npub const NEW: u64 = 1;\n";
        let found = unspecified(limits, "| limit | value |\n| `HAVE` | 128 | ids |\n");
        assert_eq!(found, ["docs/spec/01-wire.md: lacks the limit NEW"]);
    }

    #[test]
    fn an_arrow_that_points_down_is_found() {
        let package = |name: &str, seen: &str, kind: Value| {
            json!({ "packages": [
                { "name": seen, "dependencies": [] },
                { "name": name, "dependencies": [{ "name": seen, "kind": kind }] },
            ] })
        };
        let faults = |metadata| arrows(&metadata).unwrap().len();
        assert_eq!(faults(package("hexode-charter", "hexode-wire", Value::Null)), 0);
        assert_eq!(faults(package("hexode-wire", "hexode-charter", Value::Null)), 1);
        assert_eq!(faults(package("hexode-wire", "hexode-charter", json!("build"))), 1);
        assert_eq!(faults(package("hexode-wire", "hexode-testnet", json!("dev"))), 0);
        assert_eq!(faults(package("hexode-wire", "hexode-attic", json!("dev"))), 1, "an unknown room");
    }
}
