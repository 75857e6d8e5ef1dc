//! Tries the vectors under `vectors/file`, which were made from the specification by another program.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first thing amiss")]

use std::{collections::BTreeMap, fs, path::Path};

use data_encoding::HEXLOWER_PERMISSIVE;
use hexode_files::TreeBuilder;
use wire::{CircleId, FileId, limits};

#[test]
fn file_vectors_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/file");
    let (mut accepted, mut refused) = (0, 0);
    for path in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&path).unwrap();
        let (head, body) = text.split_once("\n\n").expect("an empty line ends the header");
        let head: BTreeMap<_, _> =
            head.lines().map(|line| line.split_once(": ").expect("a header line is `key: value`")).collect();
        let hex: String = body.split_whitespace().collect();
        let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).expect("hexadecimal");
        let file = bytes.repeat(head["times"].parse().unwrap());
        let mut tree = TreeBuilder::new(head["circle"].parse::<CircleId>().unwrap());
        file.chunks(limits::FILE_CHUNK).for_each(|chunk| drop(tree.chunk(chunk)));
        let holds = tree.finish().id == head["id"].parse::<FileId>().unwrap();
        match head["expect"] {
            "accepted" => accepted += usize::from(holds),
            "refused" => refused += usize::from(!holds),
            other => panic!("{path:?}: expect: {other}"),
        }
        assert_eq!(holds, head["expect"] == "accepted", "{path:?}: {}", head["comment"]);
    }
    assert!(accepted == 3 && refused == 2, "{accepted} accepted, {refused} refused");
}
