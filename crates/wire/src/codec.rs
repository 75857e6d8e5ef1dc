use serde::{Serialize, de::DeserializeOwned};

/// Encodes a value canonically.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("encoding to memory fails only for types this workspace does not use")
}

/// Decodes one value from the start of at most `limit` bytes, and returns what stands behind it.
pub fn decode_start<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<(T, &[u8]), DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { limit, found: bytes.len() });
    }
    postcard::take_from_bytes(bytes).map_err(DecodeError::Malformed)
}

/// Decodes exactly one value of at most `limit` bytes, with nothing behind it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    let (value, rest) = decode_start(bytes, limit)?;
    match rest.len() {
        0 => Ok(value),
        left => Err(DecodeError::Trailing { left }),
    }
}

/// Decodes like [`decode`] and also refuses any encoding but the one [`encode`] gives.
pub fn decode_canonical<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    limit: usize,
) -> Result<T, DecodeError> {
    let value = decode(bytes, limit)?;
    if encode(&value) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    Ok(value)
}

/// Bytes from outside that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than this kind of value may have.
    #[error("{found} bytes where at most {limit} are allowed")]
    TooLong {
        /// The bound, in bytes.
        limit: usize,
        /// What came, in bytes.
        found: usize,
    },
    /// A list with more items than this kind of value may have.
    #[error("{found} {what} where at most {limit} are allowed")]
    TooMany {
        /// What was counted.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// How many came.
        found: usize,
    },
    /// Bytes are left after the value.
    #[error("{left} bytes left after the value")]
    Trailing {
        /// How many bytes.
        left: usize,
    },
    /// The value has another, shorter or differently ordered encoding.
    #[error("not the canonical encoding")]
    NotCanonical,
    /// A field has a value that its type does not allow.
    #[error("{0}")]
    Invalid(&'static str),
    /// The bytes end early or hold an unknown variant.
    #[error("malformed: {0}")]
    Malformed(#[source] postcard::Error),
}

impl DecodeError {
    /// Refuses a list that is longer than its bound.
    pub fn check_count(what: &'static str, found: usize, limit: usize) -> Result<(), Self> {
        if found > limit { Err(Self::TooMany { what, limit, found }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_trailing_long_and_overlong_encodings() {
        assert_eq!(decode::<u32>(&[5], 8), Ok(5));
        assert_eq!(decode::<u32>(&[5, 0], 8), Err(DecodeError::Trailing { left: 1 }));
        assert_eq!(decode::<u32>(&[5, 0], 1), Err(DecodeError::TooLong { limit: 1, found: 2 }));
        assert!(matches!(decode::<u32>(&[], 8), Err(DecodeError::Malformed(_))));
        assert_eq!(decode::<u32>(&[0x85, 0x00], 8), Ok(5), "postcard itself takes an overlong varint");
        assert_eq!(decode_canonical::<u32>(&[0x85, 0x00], 8), Err(DecodeError::NotCanonical));
    }
}
