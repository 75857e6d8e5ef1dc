//! What grows with a circle: the tables of `docs/scale.md`.

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};

use crate::shell::{self, cargo};

/// Measures, and puts the tables in the place of those that the page has.
pub(crate) fn run() -> Result<ExitCode> {
    let said = shell::capture(&mut cargo("bench --locked --package hexode-journal --bench scale"))?;
    let from = said.find("| devices").context("the bench shows no table")?;
    let tables = said.get(from..).context("the bench shows no table")?;
    let page = shell::root().join("docs/scale.md");
    let text = fs::read_to_string(&page).context("docs/scale.md cannot be read")?;
    let (head, rest) = text.split_once(BEGIN).context("docs/scale.md has no place for tables")?;
    let (_, tail) = rest.split_once(END).context("docs/scale.md has no place for tables")?;
    fs::write(&page, format!("{head}{BEGIN}\n{}\n{END}{tail}", tables.trim_end()))?;
    println!("{tables}");
    Ok(ExitCode::SUCCESS)
}

const BEGIN: &str = "<!-- tables: cargo xtask scale -->";
const END: &str = "<!-- end of tables -->";
