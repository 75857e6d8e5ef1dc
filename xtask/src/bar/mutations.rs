use anyhow::Result;

use super::{Bar, Verdict};
use crate::shell::{self, cargo};

/// Bytes from outside, made wrong in every way.
pub(crate) const BAR: Bar = Bar {
    name: "mutations",
    what: "a million mutated encodings for every decoder of bytes from outside",
    limit: "no panic, no memory or time beyond what is stated",
    run,
};

fn run() -> Result<Verdict> {
    shell::run(&mut cargo("build --locked --release --package hexode-fuzz --bin mutate"))?;
    let mutate = shell::target()?.join("release/mutate");
    let mut command = shell::command(mutate);
    command.args(["--inputs", &INPUTS.to_string()]);
    let (said, holds) = shell::show(&mut command)?;
    let full = format!(" {INPUTS} inputs ");
    let decoders = said.lines().filter(|line| line.contains(&full)).count();
    Ok(Verdict {
        figure: format!("{decoders} decoders, {INPUTS} inputs each"),
        holds: holds && decoders >= DECODERS,
    })
}

const INPUTS: u64 = 1_000_000;
/// At least frames, charter entries, journal entries, invitations, hellos and announcements have one each.
const DECODERS: usize = 6;
