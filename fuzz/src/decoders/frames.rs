use wire::{
    Blob, ChainHead, CircleId, ConversationFrontier, ConversationId, DeviceAddresses, DeviceId, EntryBody,
    EntryId, EntryPlace, Frame, MemberId, MessageId, Name, RawEntry, Receipt, Run, Signature,
};

use super::{Bound, Decoder, SMALL};

pub(super) fn decoders() -> Vec<Decoder> {
    vec![
        Decoder {
            name: "frame",
            seeds: frames().iter().map(Frame::encode).collect(),
            bound: Bound { constant: 512 << 10, ..SMALL },
            run: Box::new(|bytes| {
                let Ok(frame) = Frame::decode(bytes) else { return false };
                assert_eq!(Frame::decode(&frame.encode()).as_ref(), Ok(&frame), "a frame is read back");
                true
            }),
        },
        Decoder {
            name: "name",
            seeds: ["Ann", "Søren Åberg", "王小明", "O'Neil-Smith 3rd", "👩"]
                .map(|name| wire::encode(&name))
                .into(),
            bound: SMALL,
            run: Box::new(|bytes| {
                let text = bytes.get(1..).and_then(|text| std::str::from_utf8(text).ok());
                if let Some(Ok(name)) = text.map(str::parse::<Name>) {
                    assert_eq!(name.as_str().parse::<Name>().as_ref(), Ok(&name), "a name stays itself");
                }
                wire::decode::<Name>(bytes, wire::limits::NAME * 4 + 2).is_ok()
            }),
        },
        Decoder {
            name: "id",
            seeds: [[0; 32], [7; 32], [0xff; 32]].map(|id| CircleId::new(id).to_string().into_bytes()).into(),
            bound: SMALL,
            run: Box::new(|bytes| {
                let Ok(text) = std::str::from_utf8(bytes) else { return false };
                let Ok(id) = text.parse::<CircleId>() else { return false };
                assert_eq!(id.to_string(), text.to_ascii_lowercase(), "an id has one text");
                text.parse::<DeviceId>().is_ok()
                    && text.parse::<MemberId>().is_ok()
                    && text.parse::<EntryId>().is_ok()
                    && text.parse::<ConversationId>().is_ok()
                    && text.parse::<MessageId>().is_ok()
            }),
        },
    ]
}

fn frames() -> Vec<Frame> {
    let head = ChainHead { author: DeviceId::new([1; 32]), seq: 300, hash: [2; 32] };
    let entry = RawEntry { header: Blob(vec![1; 160]), body: Some(Blob(vec![2; 300])) };
    let erased = RawEntry { body: None, ..entry.clone() };
    let run = Run { entries: vec![entry.clone(), erased, entry], signature: Signature([3; 64]) };
    let place =
        EntryPlace { conversation: ConversationId::new([4; 32]), author: DeviceId::new([1; 32]), seq: 301 };
    let receipt = Receipt {
        conversation: ConversationId::new([4; 32]),
        author: DeviceId::new([1; 32]),
        stored: 301,
        read: 7,
    };
    let addresses = DeviceAddresses {
        device: DeviceId::new([1; 32]),
        addresses: ["127.0.0.1:9", "[::1]:9"].iter().filter_map(|address| address.parse().ok()).collect(),
    };
    vec![
        Frame::CharterHave(vec![EntryId::new([9; 32]); 3]),
        Frame::CharterEntries(vec![Blob(vec![1; 300]), Blob(vec![2; 200])]),
        Frame::CharterDone,
        Frame::CharterMore,
        Frame::Wanted(vec![place]),
        Frame::Bodies(1, vec![EntryBody { place, body: Blob(vec![5; 300]) }]),
        Frame::Frontier(
            vec![ConversationFrontier { descriptor: Blob(vec![0]), chains: vec![head; 3] }; 2],
            true,
        ),
        Frame::Entries(vec![run.clone(), run]),
        Frame::Receipts(5, vec![receipt; 3]),
        Frame::Rendezvous(EntryId::new([9; 32]), Signature([8; 64])),
        Frame::Addresses(vec![addresses; 2]),
    ]
}
