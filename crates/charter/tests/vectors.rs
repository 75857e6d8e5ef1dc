//! Tries the vectors under `vectors/charter`: entries and links, in both directions.
//!
//! `cargo test -p hexode-charter --test vectors -- --ignored` writes them anew; the difference shows what changed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::{collections::BTreeMap, fs, path::PathBuf};

use charter::{Charter, Invitation, Received, Sheet};
use data_encoding::HEXLOWER_PERMISSIVE;
use wire::{Blob, CircleId, EntryId};

#[path = "vectors/make.rs"]
mod make;

struct Vector {
    head: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/charter")
}

fn vectors() -> BTreeMap<String, Vector> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let vectors = files.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let (head, body) = text.split_once("\n\n").expect("an empty line ends the header");
        let head = head.lines().map(|line| line.split_once(": ").expect("a header line is `key: value`"));
        let hex: String = body.split_whitespace().collect();
        let vector = Vector {
            head: head.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            bytes: HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).expect("hexadecimal"),
        };
        (path.file_stem().unwrap().to_string_lossy().into_owned(), vector)
    });
    vectors.collect()
}

/// Takes the entries that a vector is said to come after.
fn given(vectors: &BTreeMap<String, Vector>, head: &BTreeMap<String, String>) -> Charter {
    let circle: CircleId = head["circle"].parse().unwrap();
    let mut charter = Charter::awaiting(circle);
    for name in head.get("given").iter().flat_map(|given| given.split(' ')) {
        let accepted = charter.handle_entry(Blob(vectors[name].bytes.clone())).unwrap();
        assert_eq!(accepted.len(), 1, "{name}");
    }
    charter
}

#[test]
fn charter_vectors_hold() {
    let vectors = vectors();
    let mut count = BTreeMap::new();
    for (name, Vector { head, bytes }) in &vectors {
        let expect = head["expect"].as_str();
        *count.entry(expect).or_insert(0) += 1;
        let error = head.get("error").map(String::as_str);
        if head["kind"] == "link" {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let read = text.parse::<Invitation>();
            match (read, expect) {
                (Ok(read), "accepted") => {
                    assert_eq!(read.to_link(), text, "{name}");
                    assert_eq!(read.circle().to_string(), head["circle"], "{name}");
                    assert_eq!(read.id().to_string(), head["invitation"], "{name}");
                    assert_eq!(read.expires_ms().to_string(), head["expires"], "{name}");
                    let public = EntryId::new(*read.public().as_bytes()).to_string();
                    assert_eq!(public, head["public"], "{name}");
                }
                (Err(found), "refused") => assert_eq!(Some(found.to_string().as_str()), error, "{name}"),
                (read, _) => panic!("{name}: {read:?}"),
            }
            continue;
        }
        if head["kind"] == "sheet" {
            let text = String::from_utf8(bytes.clone()).unwrap();
            match (text.parse::<Sheet>(), expect) {
                (Ok(read), "accepted") => {
                    assert_eq!(*read.to_words(), text, "{name}");
                    let public = EntryId::new(*read.public().as_bytes()).to_string();
                    assert_eq!(public, head["public"], "{name}");
                }
                (Err(found), "refused") => assert_eq!(Some(found.to_string().as_str()), error, "{name}"),
                (read, _) => panic!("{name}: {read:?}"),
            }
            continue;
        }
        let mut charter = given(&vectors, head);
        let blob = Blob(bytes.clone());
        let id = Received::decode(&blob).map(|received| received.id().to_string());
        let outcome = charter.handle_entry(blob.clone());
        match (outcome, expect) {
            (Ok(accepted), "accepted" | "void") => {
                assert_eq!(accepted.len(), 1, "{name}");
                assert_eq!(accepted[0].blob, blob, "{name}");
                assert_eq!(id.as_deref(), Ok(head["id"].as_str()), "{name}");
                let void = charter.roster().void_entries();
                let reason = void.iter().find(|void| void.id == accepted[0].id).map(|void| void.reason);
                let reason = reason.map(|reason| serde_json::to_string(&reason).unwrap());
                assert_eq!(reason.as_ref(), head.get("reason"), "{name}");
                assert_eq!(reason.is_some(), expect == "void", "{name}");
            }
            (Err(found), "refused") => {
                let source = std::error::Error::source(&found).map(ToString::to_string);
                let found = source.unwrap_or_else(|| found.to_string());
                assert_eq!(Some(found.as_str()), error, "{name}");
            }
            (outcome, _) => panic!("{name}: {outcome:?}"),
        }
    }
    assert!(count["accepted"] >= 10 && count["refused"] >= 15 && count["void"] >= 3, "{count:?}");
}

#[test]
fn the_vectors_are_those_that_are_made() {
    let held = vectors();
    let made = make::all();
    assert_eq!(held.len(), made.len());
    for made in made {
        assert_eq!(held[made.name].bytes, made.bytes, "{}", made.name);
    }
}

#[test]
#[ignore = "writes the vectors anew"]
fn write_the_vectors() {
    for made in make::all() {
        fs::write(folder().join(format!("{}.txt", made.name)), made.text()).unwrap();
    }
}
