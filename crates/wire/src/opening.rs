use serde::{Deserialize, Serialize};

use crate::{DecodeError, FileId, Word, decode, encode, limits};

/// What a stream is for: the first thing that whoever opens it says on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// To ask for chunks of a file.
    File(FileId),
    /// To be joined with what the other end offers.
    Flow(Flow),
}

/// Which offered stream is meant, and what is to go on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The name under which it is offered.
    pub offer: Word,
    /// The label under which whoever opens it means to use it.
    pub label: Option<Word>,
    /// What goes on it.
    pub kind: FlowKind,
}

/// What goes on a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowKind {
    /// Bytes, in order, without borders.
    Bytes,
    /// Datagrams, each whole or not at all.
    Datagrams,
}

impl Opening {
    /// Encodes it for the start of a stream.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes the start of a stream, exactly and within its bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, limits::OPENING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_is_for_is_read_back_and_nothing_else_is() {
        let flow = Flow {
            offer: "db".parse().unwrap(),
            label: Some("beans".parse().unwrap()),
            kind: FlowKind::Bytes,
        };
        for opening in [Opening::File(FileId::new([7; 32])), Opening::Flow(flow)] {
            let bytes = opening.encode();
            assert_eq!(Opening::decode(&bytes), Ok(opening));
            assert!(Opening::decode(&bytes[..bytes.len() - 1]).is_err());
            assert!(Opening::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
        assert!(Opening::decode(&[127; 33]).is_err(), "of a kind that is not known");
        assert!(Opening::decode(&[1, 2, b'.', b'.', 0, 0]).is_err(), "a name that is no word");
    }
}
