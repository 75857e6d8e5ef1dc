use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};

use crate::{shell, web};

/// Endings by which a run of host-name characters is taken for a host.
const ENDINGS: &[&str] =
    &["com", "net", "org", "io", "dev", "app", "link", "computer", "cloud", "me", "co", "info", "eu", "de"];

/// Hosts that stand in the binary as text only: nothing is ever asked of them. With the reason.
const HARMLESS: &[(&str, &str)] = &[
    ("openssl.org", "AWS-LC's assembler names its author"),
    (
        "schemas.xmlsoap.org",
        "the name of SOAP's namespace, in what is said to the router of one's own network",
    ),
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
    "router.bittorrent",
    "dht.libtorrent",
    "dht.transmissionbt",
    "pkarr.org",
    "OpenSSL 1.",
    "OpenSSL 3.",
    "GnuTLS",
    "ring_core_",
];

/// The host in the names by which SVG and HTML are told apart; nothing is ever asked of it.
const NAMESPACES: &str = "www.w3.org";

/// Looks through the text in the release binary.
pub(super) fn run() -> Result<()> {
    let path = shell::hexode()?;
    let mut bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    // In a script "circle.link" is no host but a field: there, what looks like an address is looked for.
    let mut found = BTreeSet::new();
    for (name, page) in web::files(&shell::root().join("web/dist"))? {
        cut(&mut bytes, &page).with_context(|| format!("the binary does not hold web/dist/{name}"))?;
        found.extend(addresses(&page));
    }
    found.extend(faults(&bytes));
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

/// Takes the page's file out of the binary's bytes.
fn cut(bytes: &mut [u8], page: &[u8]) -> Option<()> {
    let first = page.get(..page.len().min(64))?;
    let starts = bytes.windows(first.len()).enumerate().filter(|(_, part)| *part == first).map(|(at, _)| at);
    let at = starts.into_iter().find(|at| bytes.get(*at..at + page.len()) == Some(page))?;
    bytes.get_mut(at..at + page.len())?.fill(0);
    Some(())
}

/// Finds the addresses in a file of the page; all but names of XML's namespaces are foreign.
fn addresses(page: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(page);
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
    let hosts = text.split("//").skip(1).filter_map(|rest| rest.split(ends).next());
    let mut found: BTreeSet<_> =
        hosts.filter(|host| host.contains('.') && *host != NAMESPACES).map(str::to_owned).collect();
    // A host that stands in a text of its own, maybe with what is asked of it.
    let quoted = text.split(['\'', '"', '`']).filter_map(|text| text.split([':', '/', '?']).next());
    let named = |host: &&str| host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    found.extend(quoted.filter(named).filter(|host| is_foreign_host(host)).map(str::to_owned));
    found.extend(FORBIDDEN.iter().filter(|word| text.contains(*word)).map(|word| format!("\"{word}\"")));
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
    fn addresses_in_the_page_are_found_and_fields_are_none() {
        let page = b"import'/a.js';x.link;y='http://www.w3.org/2000/svg';fetch('//cdn.example.com/x')";
        assert_eq!(addresses(page), ["cdn.example.com".to_owned()].into());
        let plain =
            b"a('stun.example.org:3478',\"cdn.example.com/x.js\",`x.example.io`,b.link,'app.js',\"3.de\")";
        let found: Vec<_> = addresses(plain).into_iter().collect();
        assert_eq!(found, ["\"stun.\"", "cdn.example.com", "stun.example.org", "x.example.io"]);
        let mut binary = [&[1, 2][..], page, &[3]].concat();
        cut(&mut binary, page).unwrap();
        assert_eq!((binary.len(), binary[2], binary[1]), (page.len() + 3, 0, 2));
        assert_eq!(cut(&mut binary, page), None);
    }

    #[test]
    fn hosts_are_found_in_the_middle_of_other_bytes() {
        assert!(faults(b"\0\xffversion 1.2 of foo.rs: see https://github.com/a/b\0").is_empty());
        assert_eq!(faults(b"\0https://relay.example.com:443/\0"), ["relay.example.com".to_owned()].into());
        assert_eq!(faults(b"addr\0eu.relay.n0.iroh.link.default_url"), ["\"iroh.link\"".to_owned()].into());
        assert_eq!(faults(b"\0OpenSSL 3.0.2 15 Mar 2022\0"), ["\"OpenSSL 3.\"".to_owned()].into());
    }
}
