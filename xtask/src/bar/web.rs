use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bar, Verdict};
use crate::web;

pub(crate) const BUNDLE: Bar = Bar {
    name: "web-bundle",
    what: "everything a browser loads to show the page, each file compressed as gzip -9 does",
    limit: "at most 120 KiB",
    run: || verdict(&web::measure("web-bundle", None)?),
};

/// Reads what a measurement of `web/e2e/bar.ts` found.
fn verdict(verdict: &Value) -> Result<Verdict> {
    let figure = verdict.get("figure").and_then(Value::as_str).context("a verdict without a figure")?;
    let holds = verdict.get("holds").and_then(Value::as_bool).context("a verdict that does not say")?;
    Ok(Verdict { figure: figure.to_owned(), holds })
}
