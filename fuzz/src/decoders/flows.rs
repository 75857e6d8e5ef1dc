use std::time::Duration;

use streams::{Class, Grants, Kind, Offer, Offered, Rules, Sealer, Side, Target, Unsealer, record_len};
use wire::{Flow, FlowKind, MemberId, Opening, Word};

use super::{Bound, Decoder, SMALL};

pub(super) fn decoders() -> Vec<Decoder> {
    vec![
        Decoder {
            name: "word",
            seeds: vec![wire::encode(&"a.b_c-9")],
            bound: SMALL,
            run: Box::new(|bytes| {
                let Ok(word) = wire::decode::<Word>(bytes, 80) else { return false };
                assert_eq!(word.as_str().parse(), Ok(word.clone()), "a word is one");
                assert!(!word.as_str().contains(['/', '\0']) && !word.as_str().starts_with(['.', '-']));
                true
            }),
        },
        Decoder {
            name: "flow-records",
            seeds: vec![records(&[b"beans", b""]), records(&[&[7; 300]])],
            bound: LARGE,
            run: Box::new(|bytes| {
                let mut unsealer = Unsealer::new(&[7; 32], 4, &opening(), Side::Opener);
                let mut rest = bytes;
                while let Some((head, behind)) = rest.split_first_chunk() {
                    let Ok(len) = record_len(*head) else { return false };
                    let Some((sealed, behind)) = behind.split_at_checked(len) else { return false };
                    if unsealer.open(&mut sealed.to_vec()).is_err() {
                        return false;
                    }
                    rest = behind;
                }
                rest.is_empty() && !bytes.is_empty()
            }),
        },
        Decoder {
            name: "stream-offers",
            seeds: vec![wire::encode(&offered())],
            bound: LARGE,
            run: Box::new(|bytes| wire::decode::<Offered>(bytes, Offered::MOST).is_ok()),
        },
    ]
}

/// Makes an opening of a flow.
pub(super) fn opening() -> Vec<u8> {
    let word = |text: &str| text.parse().expect("a word");
    let (offer, label, kind) = (word("db"), Some(word("beans")), FlowKind::Bytes);
    Opening::Flow(Flow { offer, label, kind }).encode()
}

/// Makes what a device keeps of its offers.
fn offered() -> Offered {
    let word = |text: &str| text.parse::<Word>().expect("a word");
    let offer = |name| Offer {
        name: word(name),
        target: Target::Unix("/run/db".into()),
        label: Some(word("beans")),
        class: Class::Message,
        rate: 1 << 20,
        flows: 256,
        grants: Grants { members: [MemberId::new([1; 32])].into(), role: None },
    };
    let rules = Rules { on: true, labels: [word("beans")].into() };
    Offered { rules, offers: ["db", "web", "log"].map(offer).into() }
}

fn records(parts: &[&[u8]]) -> Vec<u8> {
    let mut sealer = Sealer::new(&[7; 32], 4, &opening(), Side::Opener);
    let mut all = Vec::new();
    for part in parts {
        let mut record = Sealer::record(part.len());
        record.extend_from_slice(part);
        sealer.seal(Kind::Data, &mut record).expect("it is short enough");
        all.extend(record);
    }
    all
}

/// What a decoder of records may cost.
const LARGE: Bound = Bound { factor: 16, constant: 256 << 10, time: Duration::from_millis(100) };
