use anyhow::{Context, Result};

use super::{Bar, Verdict};
use crate::shell::{self, cargo};

/// The charter at the size DESIGN.md names.
pub(crate) const BAR: Bar = Bar {
    name: "fold",
    what: "the charter of 1,000 members with 2 devices each: all entries to a roster",
    limit: "at most 100 ms for the fold, 1 s with reading the entries",
    run,
};

fn run() -> Result<Verdict> {
    let figures = measure()?;
    Ok(Verdict {
        figure: format!("fold {:.1} ms, restored from entries {:.1} ms", figures.fold, figures.restored),
        holds: figures.fold <= 100.0 && figures.restored <= 1000.0,
    })
}

/// Medians, in milliseconds.
pub(crate) struct Figures {
    pub(crate) fold: f64,
    pub(crate) restored: f64,
}

/// Runs the charter's own bench and reads its figures.
pub(crate) fn measure() -> Result<Figures> {
    let said = shell::capture(&mut cargo("bench --locked --package hexode-charter --bench fold"))?;
    print!("{said}");
    Ok(Figures {
        fold: figure(&said, "full fold and roster")?,
        restored: figure(&said, "restored from the vault")?,
    })
}

/// Finds the number after a line's name.
pub(crate) fn figure(said: &str, name: &str) -> Result<f64> {
    let rest = said.lines().find_map(|line| line.strip_prefix(name));
    let number = rest.and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("the bench has no figure \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_read_by_its_name() {
        let said = "1000 members\nfull fold and roster          12.345 ms  (best 11.000 ms)\n";
        assert_eq!(figure(said, "full fold and roster").unwrap(), 12.345);
        assert!(figure(said, "restored from the vault").is_err());
    }
}
