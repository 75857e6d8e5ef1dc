//! Tries the vectors under `vectors/flow`, which were made from the specification by another program.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

use std::{collections::BTreeMap, fs, path::Path};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hexode_streams::{Kind, RecordError, Sealer, Side, Unsealer, record_len};

#[test]
fn flow_vectors_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/flow");
    let (mut accepted, mut refused) = (0, 0);
    for path in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&path).unwrap();
        let (head, body) = text.split_once("\n\n").expect("an empty line ends the header");
        let head: BTreeMap<_, _> =
            head.lines().map(|line| line.split_once(": ").expect("a header line is `key: value`")).collect();
        let hex = |text: &str| {
            let hex: String = text.split_whitespace().collect();
            HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).expect("hexadecimal")
        };
        let secret: [u8; 32] = hex(head["secret"]).try_into().unwrap();
        let (stream, opening) = (head["stream"].parse().unwrap(), hex(head["opening"]));
        let side = match head["side"] {
            "opener" => Side::Opener,
            _ => Side::Offerer,
        };
        let heard = hear(Unsealer::new(&secret, stream, &opening, side), &hex(body));
        match head["expect"] {
            "accepted" => {
                let heard = heard.unwrap_or_else(|error| panic!("{path:?}: {error}"));
                let says: Vec<_> = heard
                    .iter()
                    .map(|(kind, bytes)| format!("{}:{}", *kind as u8, HEXLOWER.encode(bytes)))
                    .collect();
                assert_eq!(says.join(" "), head["says"], "{path:?}");
                let mut sealer = Sealer::new(&secret, stream, &opening, side);
                let mut made = Vec::new();
                for (kind, bytes) in heard {
                    let mut record = Sealer::record(bytes.len());
                    record.extend_from_slice(&bytes);
                    sealer.seal(kind, &mut record).unwrap();
                    made.extend(record);
                }
                assert_eq!(made, hex(body), "{path:?}");
                accepted += 1;
            }
            "refused" => {
                assert!(heard.is_err(), "{path:?}: {}", head["comment"]);
                refused += 1;
            }
            other => panic!("{path:?}: expect: {other}"),
        }
    }
    assert!(accepted == 3 && refused == 8, "{accepted} accepted, {refused} refused");
}

fn hear(mut unsealer: Unsealer, mut bytes: &[u8]) -> Result<Vec<(Kind, Vec<u8>)>, RecordError> {
    let mut heard = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk() {
        let (sealed, rest) = rest.split_at(record_len(*head)?);
        let mut sealed = sealed.to_vec();
        heard.push((unsealer.open(&mut sealed)?, sealed));
        bytes = rest;
    }
    Ok(heard)
}
