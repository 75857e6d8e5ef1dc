//! Tries the vectors under `vectors/frame`, `vectors/opening` and `vectors/name`, in both directions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

use std::{collections::BTreeMap, fs, path::Path};

use data_encoding::HEXLOWER_PERMISSIVE;
use hexode_wire::{self as wire, DecodeError, Frame, Name, Opening};
use serde::{Serialize, de::DeserializeOwned};

struct Vector {
    file: String,
    head: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

fn vectors(kind: &str) -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(kind);
    let mut vectors: Vec<_> = fs::read_dir(folder).unwrap().map(|file| read(&file.unwrap().path())).collect();
    vectors.sort_by(|a, b| a.file.cmp(&b.file));
    vectors
}

fn read(path: &Path) -> Vector {
    let text = fs::read_to_string(path).unwrap();
    let (head, body) = text.split_once("\n\n").expect("an empty line ends the header");
    let head = head.lines().map(|line| line.split_once(": ").expect("a header line is `key: value`"));
    let hex: String = body.split_whitespace().collect();
    Vector {
        file: path.file_name().unwrap().to_string_lossy().into_owned(),
        head: head.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        bytes: HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).expect("hexadecimal"),
    }
}

/// Checks every vector of a kind and that both expectations occur, so that an empty folder is a failure.
fn try_all<T: Serialize + DeserializeOwned>(kind: &str, decode: impl Fn(&[u8]) -> Result<T, DecodeError>) {
    let (mut accepted, mut refused) = (0, 0);
    for Vector { file, head, bytes } in vectors(kind) {
        match head["expect"].as_str() {
            "accepted" => {
                let value = decode(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert_eq!(serde_json::to_string(&value).unwrap(), head["value"], "{file}");
                let value: T = decode(&bytes).unwrap();
                assert_eq!(wire::encode(&value), bytes, "{file}");
                accepted += 1;
            }
            "refused" => {
                assert!(decode(&bytes).is_err(), "{file}: {}", head["comment"]);
                refused += 1;
            }
            other => panic!("{file}: expect: {other}"),
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
}

#[test]
fn frame_vectors_hold() {
    try_all("frame", Frame::decode);
}

#[test]
fn opening_vectors_hold() {
    try_all("opening", Opening::decode);
}

#[test]
fn name_vectors_hold() {
    try_all("name", |bytes| wire::decode::<Name>(bytes, wire::limits::NAME * 4 + 2));
}
