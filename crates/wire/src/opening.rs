use serde::{Deserialize, Serialize};

use crate::{DecodeError, FileId, decode, encode, limits};

/// What a stream is for: the first thing that whoever opens it says on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// To ask for chunks of a file.
    File(FileId),
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
        let opening = Opening::File(FileId::new([7; 32]));
        let bytes = opening.encode();
        assert_eq!(Opening::decode(&bytes), Ok(opening));
        assert!(Opening::decode(&bytes[..32]).is_err());
        assert!(Opening::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Opening::decode(&[1; 33]).is_err(), "of a kind that is not known");
    }
}
