//! Tries the vectors under `vectors/journal`, and that they are the ones `make` makes.
//!
//! `WRITE_VECTORS=1 cargo test -p hexode-journal --test vectors` writes them anew; the difference shows what changed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::{collections::BTreeMap, fs, path::PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use hexode_journal::{Act, Content, Descriptor, Entry, Journal, RunError};
use wire::{DecodeError, MessageId, RawEntry, Run, limits};

#[path = "vectors/make.rs"]
mod make;

use make::{Ann, CIRCLE};

struct Vector {
    head: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/journal")
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

#[test]
fn the_files_are_what_is_made() {
    let made = make::all();
    if std::env::var_os("WRITE_VECTORS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &made {
            fs::write(folder().join(format!("{name}.txt")), text).unwrap();
        }
    }
    let names: Vec<_> = vectors().into_keys().collect();
    assert_eq!(names, made.keys().cloned().collect::<Vec<_>>());
    for (name, text) in made {
        let file = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
        assert_eq!(file, text, "{name}");
    }
}

/// Checks every vector of a kind; `try_one` gives the header lines that an accepted one must have, or an error.
fn try_all(kind: &str, try_one: impl Fn(&Vector) -> Result<BTreeMap<&'static str, String>, String>) {
    let (mut accepted, mut refused) = (0, 0);
    let vectors = vectors();
    for (name, vector) in vectors.iter().filter(|(name, _)| name.starts_with(kind)) {
        match (vector.head["expect"].as_str(), try_one(vector)) {
            ("accepted", Ok(found)) => {
                for (key, value) in found {
                    assert_eq!(value, vector.head[key], "{name}: {key}");
                }
                accepted += 1;
            }
            ("refused", Err(error)) => {
                let expected = vector.head.get("error");
                assert!(expected.is_none_or(|expected| *expected == error), "{name}: {error}");
                refused += 1;
            }
            (expected, found) => panic!("{name}: expected {expected}, found {found:?}"),
        }
    }
    assert!(accepted > 0 && refused > 0, "{kind}: {accepted} accepted, {refused} refused");
}

#[test]
fn descriptor_vectors_hold() {
    try_all("descriptor", |vector| {
        let descriptor = Descriptor::decode(&vector.bytes, &CIRCLE).map_err(|error| error.to_string())?;
        assert_eq!(descriptor.encode().0, vector.bytes);
        Ok(BTreeMap::from([("id", descriptor.id(&CIRCLE).to_string())]))
    });
}

#[test]
fn act_vectors_hold() {
    try_all("act", |vector| {
        let blob = vector.bytes.clone().into();
        let (id, act) = Act::decode(&blob, &CIRCLE).map_err(|error| error.to_string())?;
        let deed = serde_json::to_string(&act.deed).unwrap();
        Ok(BTreeMap::from([("id", id.to_string()), ("deed", deed)]))
    });
}

#[test]
fn entry_vectors_hold() {
    try_all("entry", |vector| {
        let raw: RawEntry =
            wire::decode(&vector.bytes, limits::FRAME).map_err(|error: DecodeError| error.to_string())?;
        assert_eq!(wire::encode(&raw), vector.bytes);
        let entry = Entry::decode(raw).map_err(|error| error.to_string())?;
        let text = entry.content().and_then(|content| content.text().map(str::to_owned));
        let content = entry.content().filter(|content| !matches!(content, Content::Text(_)));
        Ok(BTreeMap::from([
            ("id", entry.id.to_string()),
            ("header", serde_json::to_string(&entry.header).unwrap()),
            ("text", serde_json::to_string(&text).unwrap()),
            ("beside", make::beside_text(&entry)),
            ("content", serde_json::to_string(&content).unwrap()),
        ]))
    });
}

#[test]
fn run_vectors_hold() {
    let vectors = vectors();
    try_all("run", |vector| {
        let ann = Ann::new();
        let mut journal = Journal::new(CIRCLE);
        journal.open(Descriptor::Everyone);
        let mut held: BTreeMap<u64, MessageId> = BTreeMap::new();
        let mut place = |bytes: &[u8]| {
            let run: Run = wire::decode(bytes, limits::FRAME).unwrap();
            let placed =
                journal.handle_run(run, &ann.device, &ann, make::NOW_MS, |seq| held.get(&seq).copied())?;
            held.extend(placed.run.entries.iter().map(|entry| (entry.header.seq, entry.id)));
            Ok::<_, RunError>(placed.run.entries.len())
        };
        for given in vector.head.get("given").iter().flat_map(|given| given.split(' ')) {
            place(&vectors[given].bytes).unwrap();
        }
        let placed = place(&vector.bytes).map_err(|error| error.to_string())?;
        Ok(BTreeMap::from([("new", placed.to_string())]))
    });
}
