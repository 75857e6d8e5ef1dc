use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};

use crate::shell;

/// Endings by which a run of host-name characters is taken for a host.
const ENDINGS: &[&str] =
    &["com", "net", "org", "io", "dev", "app", "link", "computer", "cloud", "me", "co", "info", "eu", "de"];

/// Hosts that stand in the binary as text only: nothing is ever asked of them. With the reason.
const HARMLESS: &[(&str, &str)] = &[
    ("openssl.org", "AWS-LC's assembler names its author"),
    ("github.com", "clap asks to report its bugs there"),
    ("docs.iroh.computer", "iroh's message about a relay's rate limit says where to read more"),
    ("SSL.com", "the name of a certificate authority, in a list that only iroh's relay client would use"),
    ("GoDaddy.com", "the name of a certificate authority, in a list that only iroh's relay client would use"),
];

/// What must stand nowhere, not even in the middle of other text: hosts of those who offer relays, look-ups and
/// clouds, and what foreign TLS would leave behind.
const FORBIDDEN: &[&str] = &[
    "iroh.link",
    "iroh.network",
    "n0.computer",
    "googleapis",
    "cloudflare",
    "amazonaws",
    "stun.",
    "OpenSSL 1.",
    "OpenSSL 3.",
    "GnuTLS",
    "ring_core_",
];

/// Looks through the text in the release binary.
pub(super) fn run() -> Result<()> {
    let path = shell::hexode()?;
    let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let found = faults(&bytes);
    ensure!(
        found.is_empty(),
        "{} holds {}",
        path.display(),
        found.into_iter().collect::<Vec<_>>().join(", ")
    );
    println!("{} B looked through", bytes.len());
    Ok(())
}

/// Finds everything that is forbidden or reads like the name of a host on the Internet.
fn faults(bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let texts = bytes
        .split(|byte| !matches!(byte, b' '..=b'~'))
        .filter(|text| text.len() > 4)
        .filter_map(|text| std::str::from_utf8(text).ok());
    for text in texts {
        found.extend(FORBIDDEN.iter().filter(|word| text.contains(*word)).map(|word| format!("\"{word}\"")));
        if text.contains('.') {
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'));
            found.extend(words.filter(|word| is_foreign_host(word)).map(str::to_owned));
        }
    }
    found
}

fn is_foreign_host(word: &str) -> bool {
    let word = word.trim_matches('.');
    let Some((rest, ending)) = word.rsplit_once('.') else {
        return false;
    };
    let label = rest.rsplit('.').next().unwrap_or_default();
    label.len() > 1 && ENDINGS.contains(&ending) && HARMLESS.iter().all(|(host, _)| *host != word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_the_middle_of_other_bytes() {
        assert!(faults(b"\0\xffversion 1.2 of foo.rs: see https://github.com/a/b\0").is_empty());
        assert_eq!(faults(b"\0https://relay.example.com:443/\0"), ["relay.example.com".to_owned()].into());
        assert_eq!(faults(b"addr\0eu.relay.n0.iroh.link.default_url"), ["\"iroh.link\"".to_owned()].into());
        assert_eq!(faults(b"\0OpenSSL 3.0.2 15 Mar 2022\0"), ["\"OpenSSL 3.\"".to_owned()].into());
    }
}
