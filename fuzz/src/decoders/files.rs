use files::{Answer, AnswerHead, ChunkMap, Want};
use wire::{FileId, Opening};

use super::{Decoder, SMALL};

pub(super) fn decoders() -> Vec<Decoder> {
    vec![
        Decoder {
            name: "opening",
            seeds: vec![Opening::File(FileId::new([7; 32])).encode(), super::flows::opening()],
            bound: SMALL,
            run: Box::new(|bytes| {
                let Ok(opening) = Opening::decode(bytes) else { return false };
                assert_eq!(Opening::decode(&opening.encode()), Ok(opening), "an opening is read back");
                true
            }),
        },
        Decoder {
            name: "file-want",
            seeds: [Want::Top, Want::Part(3), Want::Chunk(300)].map(|want| want.encode().to_vec()).into(),
            bound: SMALL,
            run: Box::new(|bytes| {
                let Some(Ok(want)) = bytes.try_into().ok().map(Want::decode) else { return false };
                assert_eq!(Want::decode(&want.encode()), Ok(want), "a question is read back");
                true
            }),
        },
        Decoder {
            name: "file-answer",
            seeds: [Answer::Map, Answer::Wanted(Want::Top), Answer::Wanted(Want::Chunk(9))]
                .map(|answer| AnswerHead { answer, len: 300 }.encode().to_vec())
                .into(),
            bound: SMALL,
            run: Box::new(|bytes| {
                let Some(Ok(head)) = bytes.try_into().ok().map(AnswerHead::decode) else { return false };
                assert_eq!(AnswerHead::decode(&head.encode()), Ok(head), "an answer's start is read back");
                true
            }),
        },
        Decoder {
            name: "file-map",
            seeds: vec![ChunkMap::full(CHUNKS).encode(), every_third().encode()],
            bound: SMALL,
            run: Box::new(|bytes| {
                let Ok(map) = ChunkMap::decode(bytes, CHUNKS) else { return false };
                assert!(map.stretches().all(|(from, to)| from < to && to <= CHUNKS), "within the file");
                assert_eq!(ChunkMap::decode(&map.encode(), CHUNKS).as_ref(), Ok(&map), "a map is read back");
                true
            }),
        },
    ]
}

fn every_third() -> ChunkMap {
    let mut map = ChunkMap::default();
    for index in (0..CHUNKS).step_by(3) {
        map.insert(index);
    }
    map
}

const CHUNKS: u64 = 300;
