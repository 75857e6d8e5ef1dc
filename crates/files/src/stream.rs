//! What is said on a stream about a file: questions one way, answers in their order the other way.

use wire::limits;

use crate::ChunkMap;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// The hashes of the file's parts.
    Top,
    /// The hashes of a part's chunks.
    Part(u64),
    /// A chunk.
    Chunk(u64),
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Which chunks the one that answers holds; said first, and whenever it has grown.
    Map,
    /// What was asked for.
    Wanted(Want),
    /// What was asked for is not held: the file is not here, or not any more, or not for the one that asks.
    Not,
}

/// The start of an answer; as many bytes as it says follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerHead {
    /// What follows.
    pub answer: Answer,
    /// How many bytes.
    pub len: usize,
}

/// What came on a stream is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A question or an answer of a kind that there is not.
    #[error("kind {found} is not known")]
    Kind {
        /// What came.
        found: u8,
    },
    /// More bytes than such an answer has.
    #[error("{found} bytes where at most {limit} are allowed")]
    TooLong {
        /// The bound.
        limit: usize,
        /// What came.
        found: u32,
    },
}

impl Want {
    /// Encodes the question: a kind and a number.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let (kind, number) = match *self {
            Self::Top => (0, 0),
            Self::Part(part) => (1, part),
            Self::Chunk(index) => (2, index),
        };
        let mut bytes = [0; Self::LEN];
        if let Some((first, rest)) = bytes.split_first_mut() {
            *first = kind;
            rest.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// Decodes a question.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, StreamError> {
        let [kind, number @ ..] = *bytes;
        let number = u64::from_be_bytes(number);
        match kind {
            0 => Ok(Self::Top),
            1 => Ok(Self::Part(number)),
            2 => Ok(Self::Chunk(number)),
            found => Err(StreamError::Kind { found }),
        }
    }

    /// How many bytes a question has.
    pub const LEN: usize = 9;
}

impl AnswerHead {
    /// Encodes the start of an answer.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [mut kind, number @ ..] = match self.answer {
            Answer::Wanted(want) => want.encode(),
            Answer::Map | Answer::Not => [0; Want::LEN],
        };
        match self.answer {
            Answer::Wanted(_) => {}
            Answer::Map => kind = MAP,
            Answer::Not => kind = NOT,
        }
        let mut bytes = [0; Self::LEN];
        let len = u32::try_from(self.len).unwrap_or(u32::MAX).to_be_bytes();
        for (to, from) in bytes.iter_mut().zip([kind].iter().chain(&number).chain(&len)) {
            *to = *from;
        }
        bytes
    }

    /// Decodes the start of an answer, and checks its length against what such an answer can have.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, StreamError> {
        let [kind, n0, n1, n2, n3, n4, n5, n6, n7, len @ ..] = *bytes;
        let found = u32::from_be_bytes(len);
        let answer = match kind {
            MAP => Answer::Map,
            NOT => Answer::Not,
            _ => Answer::Wanted(Want::decode(&[kind, n0, n1, n2, n3, n4, n5, n6, n7])?),
        };
        let limit = match answer {
            Answer::Map => ChunkMap::ENCODED,
            Answer::Not => 0,
            Answer::Wanted(Want::Top) => limits::FILE_PARTS * 32,
            Answer::Wanted(Want::Part(_)) => limits::FILE_PART * 32,
            Answer::Wanted(Want::Chunk(_)) => limits::FILE_CHUNK,
        };
        match usize::try_from(found) {
            Ok(len) if len <= limit => Ok(Self { answer, len }),
            _ => Err(StreamError::TooLong { limit, found }),
        }
    }

    /// How many bytes the start of an answer has.
    pub const LEN: usize = Want::LEN + 4;
}

const MAP: u8 = 16;
const NOT: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_are_read_back() {
        for want in [Want::Top, Want::Part(3), Want::Chunk(u64::MAX)] {
            assert_eq!(Want::decode(&want.encode()), Ok(want));
            let head = AnswerHead { answer: Answer::Wanted(want), len: 1000 };
            assert_eq!(AnswerHead::decode(&head.encode()), Ok(head));
        }
        for head in [AnswerHead { answer: Answer::Map, len: 9 }, AnswerHead { answer: Answer::Not, len: 0 }] {
            assert_eq!(AnswerHead::decode(&head.encode()), Ok(head));
        }
    }

    #[test]
    fn an_answer_longer_than_its_kind_allows_is_refused_before_it_is_read() {
        let over = |answer, len| AnswerHead::decode(&AnswerHead { answer, len }.encode());
        assert!(over(Answer::Wanted(Want::Chunk(0)), limits::FILE_CHUNK).is_ok());
        for (answer, len) in [
            (Answer::Wanted(Want::Chunk(0)), limits::FILE_CHUNK + 1),
            (Answer::Wanted(Want::Part(0)), limits::FILE_PART * 32 + 1),
            (Answer::Wanted(Want::Top), limits::FILE_PARTS * 32 + 1),
            (Answer::Map, ChunkMap::ENCODED + 1),
            (Answer::Not, 1),
        ] {
            assert!(matches!(over(answer, len), Err(StreamError::TooLong { .. })), "{answer:?}");
        }
        assert_eq!(Want::decode(&[3; 9]), Err(StreamError::Kind { found: 3 }));
    }
}
