use tunnel::{fuzzing, lan};

use super::{Decoder, SMALL};

pub(super) fn decoders() -> Vec<Decoder> {
    vec![
        Decoder { name: "hello", seeds: fuzzing::hellos(), bound: SMALL, run: Box::new(fuzzing::is_hello) },
        Decoder {
            name: "frame-length",
            seeds: vec![vec![0, 0, 0, 1], vec![0, 0x10, 0, 0]],
            bound: SMALL,
            run: Box::new(fuzzing::is_frame_length),
        },
        Decoder {
            name: "lan-packet",
            seeds: fuzzing::lan_packets(),
            bound: SMALL,
            run: Box::new(|bytes| lan::decode(bytes).is_ok()),
        },
        Decoder {
            name: "lan-announcement",
            seeds: vec![fuzzing::whereabouts()],
            bound: SMALL,
            run: Box::new(fuzzing::is_whereabouts),
        },
        Decoder {
            name: "dht-answer",
            seeds: fuzzing::dht_answers(),
            bound: SMALL,
            run: Box::new(fuzzing::is_dht_answer),
        },
        Decoder {
            name: "dht-record",
            seeds: fuzzing::dht_answers().into_iter().take(1).collect(),
            bound: SMALL,
            run: Box::new(fuzzing::is_dht_record),
        },
        Decoder {
            name: "lane-opening",
            seeds: vec![fuzzing::lane_opening()],
            bound: SMALL,
            run: Box::new(fuzzing::is_lane_opening),
        },
        Decoder {
            name: "lane-packets",
            seeds: vec![fuzzing::lane_packets()],
            bound: SMALL,
            run: Box::new(fuzzing::are_lane_packets),
        },
        Decoder {
            name: "router-packet",
            seeds: fuzzing::router_packets(),
            bound: SMALL,
            run: Box::new(fuzzing::is_router_packet),
        },
        Decoder {
            name: "router-text",
            seeds: fuzzing::router_texts(),
            bound: SMALL,
            run: Box::new(fuzzing::is_router_text),
        },
    ]
}
