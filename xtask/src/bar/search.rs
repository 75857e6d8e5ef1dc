use anyhow::Result;

use super::{Bar, Verdict, fold::figure};
use crate::shell::{self, cargo};

/// Words in a million messages.
pub(crate) const BAR: Bar = Bar {
    name: "search",
    what: "words in 1,000,000 messages, by a vault on disk",
    limit: "p95 at most 100 ms, at most 150 MiB resident",
    run,
};

fn run() -> Result<Verdict> {
    let said = shell::capture(&mut cargo("bench --locked --package hexode-vault --bench search"))?;
    print!("{said}");
    let (p95, resident) = (figure(&said, "search p95")?, figure(&said, "resident at most")?);
    Ok(Verdict {
        figure: format!("p95 {p95:.1} ms, {resident:.0} MiB"),
        holds: p95 <= 100.0 && resident <= 150.0,
    })
}
