use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits;

/// A word for machines and people alike: 1 to 64 of `A`–`Z`, `a`–`z`, `0`–`9`, `.`, `_`, `-`, the first no sign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(String);

impl Word {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Word {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        if text.len() > limits::WORD {
            return Err(WordError::TooLong);
        }
        let first = text.chars().next().ok_or(WordError::Empty)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match first.is_ascii_alphanumeric() && text.chars().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(WordError::Sign),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Why a text is no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordError {
    /// It has no character.
    #[error("it needs at least one character")]
    Empty,
    /// More than [`limits::WORD`] characters.
    #[error("it has at most {} characters", limits::WORD)]
    TooLong,
    /// A character that is not allowed, or not as the first.
    #[error("it is made of letters A to Z, digits, and . _ - behind the first")]
    Sign,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_in_every_shell_path_and_table() {
        for word in ["db", "Beans.2", "a_b-c", "7"] {
            assert_eq!(word.parse::<Word>().unwrap().as_str(), word);
        }
        assert_eq!("".parse::<Word>(), Err(WordError::Empty));
        assert_eq!("x".repeat(65).parse::<Word>(), Err(WordError::TooLong));
        for bad in ["-rf", ".", "..", "a/b", "a b", "ü", "a\0", "a\n", "$x"] {
            assert_eq!(bad.parse::<Word>(), Err(WordError::Sign), "{bad:?}");
        }
    }
}
