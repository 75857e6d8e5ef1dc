//! The packets: multicast DNS questions for a service, and answers with one sealed text. No secrets here.

use simple_dns::{
    CLASS, CharacterString, Name, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE,
    rdata::{PTR, RData, TXT},
};

/// What a multicast packet says, as far as it may concern us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Someone asks who offers these services; full names, lower case.
    Query(Vec<String>),
    /// Someone offers a service.
    Announcement {
        /// The service's full name, lower case.
        service: String,
        /// The one who offers it: the first label of his name, lower case.
        token: String,
        /// The sealed bytes of his text record.
        sealed: Vec<u8>,
    },
}

/// Decodes a packet from the local network. Whatever else is multicast there is an error too, and is ignored.
pub fn decode(bytes: &[u8]) -> Result<Packet, LanError> {
    if bytes.len() > LIMIT {
        return Err(LanError::TooLong { found: bytes.len() });
    }
    if !bears_out_its_counts(bytes) {
        return Err(LanError::Malformed);
    }
    let packet = simple_dns::Packet::parse(bytes).map_err(|_| LanError::Malformed)?;
    if !packet.has_flags(PacketFlag::RESPONSE) {
        let ours = packet.questions.iter().take(QUESTIONS).filter(|q| q.qtype == QTYPE::TYPE(TYPE::PTR));
        return Ok(Packet::Query(ours.map(|question| lower(&question.qname)).collect()));
    }
    let text = packet.answers.iter().take(ANSWERS).find_map(|record| match &record.rdata {
        RData::TXT(text) => Some((&record.name, text)),
        _ => None,
    });
    let (name, text) = text.ok_or(LanError::NotOurs)?;
    let (token, service) = name.get_labels().split_first().ok_or(LanError::NotOurs)?;
    Ok(Packet::Announcement {
        service: lower(&Name::new_with_labels(service)),
        token: token.to_string().to_ascii_lowercase(),
        sealed: joined(text),
    })
}

/// Tells whether a packet is long enough for the questions and records it says it has: the parser takes memory for
/// as many as it says, which anybody on the network could make tens of megabytes with twelve bytes.
fn bears_out_its_counts(bytes: &[u8]) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return false };
    let [.., q1, q2, a1, a2, n1, n2, r1, r2] = *header;
    let [questions, records @ ..] =
        [[q1, q2], [a1, a2], [n1, n2], [r1, r2]].map(|count| usize::from(u16::from_be_bytes(count)));
    questions * QUESTION + records.iter().sum::<usize>() * RECORD <= rest.len()
}

/// Encodes a question for one service.
pub(crate) fn query(service: &str) -> Vec<u8> {
    let mut packet = simple_dns::Packet::new_query(0);
    let qtype = QTYPE::TYPE(TYPE::PTR);
    packet.questions.push(Question::new(name(service), qtype, QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec_compressed().expect("a question of our own names has its encoding")
}

/// Encodes an offer of a service by `token`.
pub(crate) fn announcement(service: &str, token: &str, sealed: &[u8]) -> Vec<u8> {
    let instance = format!("{token}.{service}");
    let mut text = TXT::new();
    for part in sealed.chunks(STRING) {
        text.add_char_string(CharacterString::new(part).expect("a part is no longer than a string may be"));
    }
    let mut packet = simple_dns::Packet::new_reply(0);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let pointer = RData::PTR(PTR(name(&instance)));
    packet.answers.push(ResourceRecord::new(name(service), CLASS::IN, LIFETIME, pointer));
    packet.answers.push(ResourceRecord::new(name(&instance), CLASS::IN, LIFETIME, RData::TXT(text)));
    packet.build_bytes_vec_compressed().expect("records of our own names have their encoding")
}

fn name(text: &str) -> Name<'_> {
    Name::new(text).expect("our names are short labels of letters and digits")
}

fn lower(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// Joins the strings of a text record, which the parser splits at the first `=` of each.
fn joined(text: &TXT<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in text.iter_raw() {
        bytes.extend_from_slice(key);
        if let Some(value) = value {
            bytes.push(b'=');
            bytes.extend_from_slice(value);
        }
    }
    bytes
}

/// Why a packet from the local network does not concern us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LanError {
    /// Longer than a multicast DNS packet may be.
    #[error("{found} bytes where at most {LIMIT} are allowed")]
    TooLong {
        /// How many bytes came.
        found: usize,
    },
    /// Not DNS.
    #[error("not a DNS packet")]
    Malformed,
    /// An answer without a text record.
    #[error("an answer about something else")]
    NotOurs,
}

/// The longest packet looked at; ours are far shorter.
pub(crate) const LIMIT: usize = 1472;
/// How many questions and answers of one packet are looked at.
const QUESTIONS: usize = 16;
const ANSWERS: usize = 16;
/// A packet's header, and the shortest question and record (RFC 1035 §4.1): the root's name and the fixed fields.
const HEADER: usize = 12;
const QUESTION: usize = 5;
const RECORD: usize = 11;
/// The longest string in a text record (RFC 1035 §3.3).
const STRING: usize = 255;
/// How long others may keep the answer, in seconds: usual for such records.
const LIFETIME: u32 = 120;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SERVICE: &str = "_abcdefghijklmno._udp.local";

    proptest! {
        #[test]
        fn announcements_are_read_back(sealed in proptest::collection::vec(any::<u8>(), 0..900)) {
            let bytes = announcement(SERVICE, "token", &sealed);
            let found = Packet::Announcement { service: SERVICE.into(), token: "token".into(), sealed };
            prop_assert_eq!(decode(&bytes), Ok(found));
        }

        #[test]
        fn any_bytes_are_refused_calmly(bytes in proptest::collection::vec(any::<u8>(), 0..1600)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn damaged_packets_are_refused_calmly(at in 0usize..200, bit in 0u8..8, cut in 0usize..400) {
            let mut bytes = announcement(SERVICE, "token", &[7; 300]);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes.truncate(cut);
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn questions_are_read_back_in_any_case() {
        assert_eq!(decode(&query(SERVICE)), Ok(Packet::Query(vec![SERVICE.into()])));
        assert_eq!(decode(&query(&SERVICE.to_uppercase())), Ok(Packet::Query(vec![SERVICE.into()])));
    }

    #[test]
    fn a_packet_that_claims_more_than_it_has_is_not_parsed() {
        let good = query(SERVICE);
        for at in [4, 6, 8, 10] {
            let mut bad = good.clone();
            bad[at] = 0xff;
            assert!(!bears_out_its_counts(&bad) && decode(&bad).is_err(), "count at {at}");
        }
        assert!(
            bears_out_its_counts(&good) && bears_out_its_counts(&announcement(SERVICE, "token", &[7; 900]))
        );
        assert!(!bears_out_its_counts(&good[..11]));
    }

    #[test]
    fn what_others_multicast_does_not_concern_us() {
        assert_eq!(decode(&[0; 1473]), Err(LanError::TooLong { found: 1473 }));
        assert_eq!(decode(b"hello"), Err(LanError::Malformed));
        let mut printer = simple_dns::Packet::new_reply(0);
        let pointer = RData::PTR(PTR(name("printer._ipp._tcp.local")));
        printer.answers.push(ResourceRecord::new(name("_ipp._tcp.local"), CLASS::IN, 120, pointer));
        assert_eq!(decode(&printer.build_bytes_vec().unwrap()), Err(LanError::NotOurs));
    }
}
