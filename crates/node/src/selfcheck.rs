//! What a node can check of itself, with the evidence.

use crypto::{OsEntropy, SealingKey, SigningKey, derive_key, hash};

use crate::{api::Check, engine::Engine, error::from_store};

/// Runs every check.
pub(crate) fn run(engine: &Engine) -> Vec<Check> {
    let mut checks = vec![known_answers(), key_exchange(), vault(engine)];
    checks.extend(core_dumps());
    checks
}

/// Runs each primitive on a published vector or a round trip of its own.
fn known_answers() -> Check {
    // RFC 8032 §7.1, test 1: the public key that belongs to a seed.
    let seed = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
        0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    let public = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
        0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];
    let key = SigningKey::from_seed(&seed);
    let signed = key.sign("selfcheck", &[b"part"]);
    let signs = key.public() == public
        && crypto::verify(&public, "selfcheck", &[b"part"], &signed).is_ok()
        && crypto::verify(&public, "selfcheck", &[b"trap"], &signed).is_err();
    let sealing = SealingKey::new(&derive_key(&seed, b"", "selfcheck"));
    let sealed = sealing.seal(b"context", b"plain");
    let seals =
        sealing.open(b"context", &sealed).as_deref() == Ok(b"plain") && sealing.open(b"", &sealed).is_err();
    let hashes = hash("a", &[b"b"]) != hash("a", &[b"c"]);
    let random = crypto::Entropy::bytes::<32>(&mut OsEntropy) != crypto::Entropy::bytes::<32>(&mut OsEntropy);
    Check {
        what: "cryptography: Ed25519 (RFC 8032 vector), AES-256-GCM, SHA-256, randomness".into(),
        holds: signs && seals && hashes && random,
        found: format!("signs {signs}, seals {seals}, hashes {hashes}, random {random}"),
    }
}

fn key_exchange() -> Check {
    let offered = tunnel::key_exchange_groups();
    Check {
        what: "tunnels offer X25519MLKEM768 and nothing weaker".into(),
        holds: offered == ["X25519MLKEM768"],
        found: offered.join(", "),
    }
}

fn vault(engine: &Engine) -> Check {
    let what = "vault: every page authenticates, indices agree with tables".to_owned();
    match engine.vault().map(vault::Vault::verify) {
        None => Check { what, holds: false, found: "locked".into() },
        Some(Ok(())) => Check { what, holds: true, found: "sound".into() },
        Some(Err(error)) => Check { what, holds: false, found: from_store(&error).message },
    }
}

/// Looks at what the kernel would write if the process crashed.
fn core_dumps() -> Option<Check> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max core file size"))?;
    let soft = line.split_whitespace().nth(4)?.to_owned();
    Some(Check { what: "no core dumps".into(), holds: soft == "0", found: format!("limit {soft}") })
}
