mod altered;
mod binary;
mod habits;
mod tools;

pub(crate) use tools::is_root;

use std::{process::ExitCode, time::Instant};

use anyhow::{Result, bail, ensure};

use crate::{
    shell::{self, cargo},
    web,
};

/// One thing that must hold before a change goes in.
struct Step {
    name: &'static str,
    what: &'static str,
    /// What to do when it does not hold.
    remedy: &'static str,
    run: fn() -> Result<()>,
}

/// The gate, cheapest first. All builds but this tool's own are release builds, so that lints, tests,
/// documentation and demo share one build of the dependencies.
const STEPS: &[Step] = &[
    Step {
        name: "tools",
        what: "the programs the other steps call are here",
        remedy: "install what is named above",
        run: tools::run,
    },
    Step {
        name: "format",
        what: "rustfmt has nothing to change",
        remedy: "cargo fmt --all",
        run: || shell::run(&mut cargo("fmt --all --check")),
    },
    Step {
        name: "habits",
        what: "file sizes, arrows between rooms, purity, forbidden words",
        remedy: "CONTRIBUTING.md says what each habit is for",
        run: habits::run,
    },
    Step {
        name: "altered",
        what: "others' code in third_party is what they published and the patch beside it",
        remedy: "third_party/README.md says how to change the patch",
        run: altered::run,
    },
    Step {
        name: "deny",
        what: "licences, banned crates and sources of all dependencies",
        remedy: "choose another dependency, or argue for a change of deny.toml in docs/decisions",
        run: || shell::run(&mut cargo("deny --locked check licenses bans sources")),
    },
    Step {
        name: "web",
        what: "the page's types and unit tests, and that web/dist is what its sources make",
        remedy: "in web/: npm run check, npm test, npm run build; commit web/dist",
        run: web::check,
    },
    Step {
        name: "clippy",
        what: "no lint of the workspace is broken, in code, tests and benches",
        remedy: "cargo clippy --workspace --all-targets",
        run: || shell::run(&mut cargo("clippy --locked --release --workspace --all-targets -- -D warnings")),
    },
    Step {
        name: "docs",
        what: "the documentation builds without a warning",
        remedy: "cargo doc --workspace --no-deps",
        run: || {
            let mut doc = cargo("doc --locked --release --workspace --no-deps");
            shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
        },
    },
    Step {
        name: "tests",
        what: "unit, model, vector and whole-node tests",
        remedy: "cargo nextest run NAME shows one test's output",
        run: || {
            shell::run(
                cargo("nextest run --locked --release --workspace --profile ci").env("INSTA_UPDATE", "no"),
            )
        },
    },
    Step {
        name: "doctests",
        what: "the examples in the documentation",
        remedy: "cargo test --doc -p CRATE",
        run: || shell::run(&mut cargo("test --locked --release --workspace --doc --quiet")),
    },
    Step {
        name: "demo",
        what: "the README's demo tells its whole story, in under 20 s",
        remedy: "cargo run --release -- demo",
        run: demo,
    },
    Step {
        name: "page",
        what: "the page in Chromium, with two real nodes behind it",
        remedy: "in web/: HEXODE=../target/release/hexode npm run e2e -- NAME",
        run: web::end_to_end,
    },
    Step {
        name: "binary",
        what: "the release binary names no third party's host and no foreign TLS",
        remedy: "find where the string comes from: grep -r STRING ~/.cargo/registry/src",
        run: binary::run,
    },
    Step {
        name: "netns",
        what: "tests in network namespaces of their own; needs root",
        remedy: "as root: cargo nextest run --release --workspace --profile netns NAME",
        run: || {
            ensure!(is_root(), "network namespaces need root; `--skip netns` leaves this to CI");
            let mut tests =
                cargo("nextest run --locked --release --workspace --profile netns --no-fail-fast");
            shell::run(tests.env("INSTA_UPDATE", "no"))
        },
    },
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints the steps there are.
    #[arg(long)]
    list: bool,
    /// Runs only this step; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Leaves this step out; may be given several times.
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
}

/// Runs the gate and stops at the first step that does not hold.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.list {
        for step in STEPS {
            println!("{:<10} {}", step.name, step.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = args.only.iter().chain(&args.skip).find(|name| STEPS.iter().all(|s| s.name != **name))
    {
        bail!("there is no step \"{name}\"; `cargo xtask ci --list` names those there are");
    }
    let wanted = |step: &&Step| {
        (args.only.is_empty() || args.only.iter().any(|name| name == step.name))
            && args.skip.iter().all(|name| name != step.name)
    };
    let mut times = Vec::new();
    let all = Instant::now();
    for step in STEPS.iter().filter(wanted) {
        println!("\n── {}: {}", step.name, step.what);
        let started = Instant::now();
        if let Err(error) = (step.run)() {
            println!("\n{:<10} FAILS: {error:#}\nWhat to do: {}", step.name, step.remedy);
            return Ok(ExitCode::FAILURE);
        }
        times.push((step.name, started.elapsed()));
    }
    println!();
    for (name, time) in &times {
        println!("{name:<10} holds {:>7.1} s", time.as_secs_f64());
    }
    let left_out = STEPS.len() - times.len();
    let note =
        if left_out == 0 { String::new() } else { format!(", {left_out} of {} steps left out", STEPS.len()) };
    println!("{:<10} holds {:>7.1} s{note}", "all", all.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

fn demo() -> Result<()> {
    shell::hexode()?;
    let started = Instant::now();
    shell::run(&mut cargo("run --locked --release -- demo"))?;
    let took = started.elapsed().as_secs_f64();
    ensure!(took < DEMO_SECONDS, "the demo took {took:.1} s, which is more than {DEMO_SECONDS} s");
    Ok(())
}

/// How long the demo may take once it is built.
const DEMO_SECONDS: f64 = 20.0;
