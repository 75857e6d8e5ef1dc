use anyhow::Result;

use super::{Bar, Verdict, verdict};
use crate::{shell, web};

pub(crate) const BUNDLE: Bar = Bar {
    name: "web-bundle",
    what: "everything a browser loads to show the page, each file compressed as gzip -9 does",
    limit: "at most 120 KiB",
    run: || verdict(&web::measure("web-bundle", None)?),
};

pub(crate) const FIRST_MESSAGE: Bar = Bar {
    name: "web-first-message",
    what: "a newcomer, from the open page with a link in hand to his first message on the other's screen",
    limit: "at most 6 actions and 15 s",
    run: || measured("web-first-message"),
};

pub(crate) const KEYSTROKE: Bar = Bar {
    name: "web-keystroke",
    what: "from the key that sends to the frame that shows it on the other's screen, both on this machine",
    limit: "p50 at most 60 ms, p99 at most 150 ms",
    run: || measured("web-keystroke"),
};

pub(crate) const SCROLL: Bar = Bar {
    name: "web-scroll",
    what: "a conversation of 100,000 messages, opened and scrolled through to its beginning and back",
    limit: "opens within 300 ms, 60 fps, at most 200 MiB",
    run: || measured("web-scroll"),
};

pub(crate) const ACCESS: Bar = Bar {
    name: "web-access",
    what: "every screen, light and dark, examined by axe",
    limit: "0 serious findings",
    run: || measured("web-access"),
};

/// Runs a measurement with the release binary's nodes.
fn measured(name: &str) -> Result<Verdict> {
    verdict(&web::measure(name, Some(&shell::hexode()?))?)
}
