use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};

use crate::shell;

/// Endings by which a run of host-name characters is taken for a host.
const ENDINGS: &[&str] = &[
    "com", "net", "org", "io", "dev", "app", "link", "network", "computer", "cloud", "me", "co", "info",
    "eu", "de",
];

/// Hosts that may stand in the binary, as text only: nothing is ever asked of them. With the reason.
const HARMLESS: &[(&str, &str)] = &[];

/// What foreign TLS and its host names would leave behind.
const FORBIDDEN: &[&str] = &["OpenSSL 1.", "OpenSSL 3.", "GnuTLS", "ring_core_", "/etc/ssl/openssl.cnf"];

/// Looks through the bytes of the release binary.
pub(super) fn run() -> Result<()> {
    let path = shell::hexode()?;
    let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let hosts = foreign_hosts(&bytes);
    ensure!(
        hosts.is_empty(),
        "{} names {}",
        path.display(),
        hosts.into_iter().collect::<Vec<_>>().join(", ")
    );
    let words: Vec<_> = FORBIDDEN.iter().filter(|word| contains(&bytes, word.as_bytes())).collect();
    ensure!(words.is_empty(), "{} holds {words:?}", path.display());
    println!("{} B looked through", bytes.len());
    Ok(())
}

/// Finds everything that reads like the name of a host on the Internet.
fn foreign_hosts(bytes: &[u8]) -> BTreeSet<String> {
    bytes
        .split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')))
        .filter_map(|run| std::str::from_utf8(run).ok())
        .filter(|run| {
            let mut labels = run.rsplit('.');
            labels.next().is_some_and(|ending| ENDINGS.contains(&ending))
                && labels.next().is_some_and(|l| l.len() > 1)
        })
        .filter(|run| HARMLESS.iter().all(|(host, _)| host != run))
        .map(str::to_owned)
        .collect()
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
