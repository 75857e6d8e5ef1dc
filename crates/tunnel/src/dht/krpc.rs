//! The messages of the Mainline DHT (BEP 5, 32, 43, 44): what a client asks, and what it makes of the answers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::bencode::{Value, Writer};

/// A place in the DHT: a node's or a record's.
pub(super) type Place = [u8; 20];

/// The mutable item that is kept at a place (BEP 44), as it goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) key: [u8; 32],
    pub(super) seq: i64,
    pub(super) value: &'a [u8],
    pub(super) signature: [u8; 64],
}

/// What a node is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'a> {
    /// For the item of a place, and for nodes nearer to it.
    Get { target: Place },
    /// To keep an item; the token is the node's own, from its answer to [`Get`](Self::Get).
    Put { item: Item<'a>, token: &'a [u8] },
}

/// What a node answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// It did as it was asked.
    Yes {
        /// The node's own place.
        id: Place,
        token: Option<&'a [u8]>,
        /// Nodes that it knows.
        nodes: Vec<(Place, SocketAddr)>,
        item: Option<Item<'a>>,
    },
    /// It will not, for whatever reason.
    No,
}

/// Names a question, so that its answer is known.
pub(super) type Transaction = [u8; 4];

impl Question<'_> {
    /// Encodes the question, as one who keeps nothing and answers nobody (BEP 43).
    pub(super) fn encode(&self, transaction: Transaction, own: &Place) -> Vec<u8> {
        let (name, arguments) = match self {
            Self::Get { target } => ("get", Writer::new().bytes("id", own).bytes("target", target)),
            Self::Put { item, token } => {
                let arguments = Writer::new()
                    .bytes("id", own)
                    .bytes("k", &item.key)
                    .integer("seq", item.seq)
                    .bytes("sig", &item.signature)
                    // Follows from the key, but some programs want it said.
                    .bytes("target", &place(&item.key))
                    .bytes("token", token)
                    .bytes("v", item.value);
                ("put", arguments)
            }
        };
        Writer::new()
            .dictionary("a", arguments)
            .bytes("q", name.as_bytes())
            .integer("ro", 1)
            .bytes("t", &transaction)
            .bytes("y", b"q")
            .finish()
    }
}

impl<'a> Answer<'a> {
    /// Decodes an answer; `None` for all else, questions too.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<(Transaction, Self)> {
        if bytes.len() > LIMIT {
            return None;
        }
        let message = Value::decode(bytes)?;
        let transaction = message.at("t")?.array()?;
        match message.at("y")?.bytes()? {
            b"e" => Some((transaction, Self::No)),
            b"r" => Some((transaction, Self::yes(message.at("r")?)?)),
            _ => None,
        }
    }

    fn yes(said: &Value<'a>) -> Option<Self> {
        let bytes = |key| said.at(key).and_then(Value::bytes);
        let nodes = bytes("nodes").into_iter().flat_map(v4).chain(bytes("nodes6").into_iter().flat_map(v6));
        let item = || {
            Some(Item {
                key: said.at("k")?.array()?,
                seq: said.at("seq")?.integer()?,
                value: bytes("v")?,
                signature: said.at("sig")?.array()?,
            })
        };
        Some(Self::Yes {
            id: said.at("id")?.array()?,
            token: bytes("token").filter(|token| token.len() <= TOKEN),
            nodes: nodes.take(NODES).collect(),
            item: item(),
        })
    }
}

fn v4(bytes: &[u8]) -> impl Iterator<Item = (Place, SocketAddr)> {
    bytes.as_chunks::<26>().0.iter().filter_map(|node| {
        let (id, rest) = node.split_first_chunk()?;
        let (ip, port) = rest.split_first_chunk::<4>()?;
        Some((*id, (Ipv4Addr::from(*ip), u16::from_be_bytes(port.try_into().ok()?)).into()))
    })
}

fn v6(bytes: &[u8]) -> impl Iterator<Item = (Place, SocketAddr)> {
    bytes.as_chunks::<38>().0.iter().filter_map(|node| {
        let (id, rest) = node.split_first_chunk()?;
        let (ip, port) = rest.split_first_chunk::<16>()?;
        Some((*id, (Ipv6Addr::from(*ip), u16::from_be_bytes(port.try_into().ok()?)).into()))
    })
}

impl Item<'_> {
    /// Returns the bytes that are signed (BEP 44), for an item without salt.
    pub(super) fn statement(seq: i64, value: &[u8]) -> Vec<u8> {
        [format!("3:seqi{seq}e1:v{}:", value.len()).as_bytes(), value].concat()
    }

    /// Tells whether the item is its key's.
    pub(super) fn is_genuine(&self) -> bool {
        let statement = Self::statement(self.seq, self.value);
        crypto::danger_verify_bare(&self.key, &statement, &self.signature).is_ok()
    }
}

/// Returns the place of a key's item.
pub(super) fn place(key: &[u8; 32]) -> Place {
    crypto::danger_sha1(&[key])
}

/// The longest datagram that is read.
pub(super) const LIMIT: usize = 1472;
/// The longest token that is kept; common ones have 4 to 20 bytes.
const TOKEN: usize = 64;
/// How many nodes of one answer are looked at; common is 8, some send 20.
const NODES: usize = 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_item_is_signed_as_bep_44_has_it() {
        // Its test vectors 1: value "12:Hello World!", seq 1.
        assert_eq!(Item::statement(1, b"Hello World!"), b"3:seqi1e1:v12:Hello World!");
        let hex = |digits| data_encoding::HEXLOWER.decode(digits).unwrap();
        let item = Item {
            key: hex(b"77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548").try_into().unwrap(),
            seq: 1,
            value: b"Hello World!",
            signature: hex(b"305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01").try_into().unwrap(),
        };
        assert!(item.is_genuine() && !Item { seq: 2, ..item }.is_genuine());
        assert_eq!(place(&item.key)[..], hex(b"4a533d47ec9c7d95b1ad75f576cffc641853b750"));
    }

    #[test]
    fn questions_are_as_the_specification_has_them() {
        let get = Question::Get { target: *b"mnopqrstuvwxyz123456" };
        assert_eq!(
            get.encode(*b"aaaa", b"abcdefghij0123456789"),
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q3:get2:roi1e1:t4:aaaa1:y1:qe"
        );
        let item = Item { key: [b'k'; 32], seq: 4, value: b"vv", signature: [b's'; 64] };
        let put = Question::Put { item, token: b"tok" }.encode(*b"aaaa", b"abcdefghij0123456789");
        let target = place(&item.key);
        let expected = [
            &b"d1:ad2:id20:abcdefghij01234567891:k32:"[..],
            &[b'k'; 32],
            b"3:seqi4e3:sig64:",
            &[b's'; 64],
            b"6:target20:",
            &target,
            b"5:token3:tok1:v2:vve1:q3:put2:roi1e1:t4:aaaa1:y1:qe",
        ];
        assert_eq!(put, expected.concat());
    }

    #[test]
    fn answers_of_both_families_are_read() {
        let v4 = [&[1; 20][..], &[192, 0, 2, 1, 0x1a, 0xe1]].concat();
        let v6 = [&[2; 20][..], &Ipv6Addr::LOCALHOST.octets(), &[0, 9]].concat();
        let said =
            Writer::new().bytes("id", &[7; 20]).bytes("nodes", &v4).bytes("nodes6", &v6).bytes("token", b"t");
        let bytes = Writer::new().dictionary("r", said).bytes("t", b"aaaa").bytes("y", b"r").finish();
        let nodes = vec![([1; 20], "192.0.2.1:6881".parse().unwrap()), ([2; 20], "[::1]:9".parse().unwrap())];
        let yes = Answer::Yes { id: [7; 20], token: Some(b"t"), nodes, item: None };
        assert_eq!(Answer::decode(&bytes), Some((*b"aaaa", yes)));
        assert_eq!(Answer::decode(b"d1:eli201e5:Errore1:t4:aaaa1:y1:ee"), Some((*b"aaaa", Answer::No)));
        assert_eq!(Answer::decode(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t4:aaaa1:y1:qe"), None);
    }

    #[test]
    fn one_answer_brings_no_more_nodes_than_are_looked_at() {
        let said = Writer::new().bytes("id", &[7; 20]).bytes("nodes", &[9; 26 * 50]);
        let bytes = Writer::new().dictionary("r", said).bytes("t", b"aaaa").bytes("y", b"r").finish();
        let Some((_, Answer::Yes { nodes, .. })) = Answer::decode(&bytes) else { panic!() };
        assert_eq!(nodes.len(), NODES);
        assert_eq!(Answer::decode(&[bytes, vec![b' '; LIMIT]].concat()), None);
    }

    proptest! {
        #[test]
        fn damaged_answers_are_refused_calmly(at in 0usize..400, byte: u8, cut in 0usize..400) {
            let said = Writer::new().bytes("id", &[7; 20]).bytes("k", &[8; 32]).bytes("nodes", &[9; 26 * 3])
                .integer("seq", 4).bytes("sig", &[9; 64]).bytes("token", b"tok").bytes("v", b"value");
            let mut bytes = Writer::new().dictionary("r", said).bytes("t", b"aaaa").bytes("y", b"r").finish();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(cut);
            let _ = Answer::decode(&bytes);
        }
    }
}
