use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// A name that a person chose, safe to print anywhere: 1 to 64 characters in NFC, trimmed, without control,
/// line-breaking, invisible or direction-changing characters.
///
/// Names are labels inside a circle, never identifiers: two members may bear the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // Four bytes is the longest character, three the longest a composed one takes apart: no work on more.
        if text.len() > limits::NAME * 12 {
            return Err(NameError::TooLong);
        }
        let name: String = text.trim().nfc().collect();
        if let Some(found) = name.chars().find(|&c| is_unsafe_in_names(c)) {
            return Err(NameError::Unsafe { found: u32::from(found) });
        }
        match name.chars().count() {
            0 => Err(NameError::Empty),
            count if count > limits::NAME => Err(NameError::TooLong),
            _ => Ok(Self(name)),
        }
    }
}

/// Tells characters that hide, move or break the text around them (Unicode TR36, TR55).
pub fn is_unsafe_in_names(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE000..=0xF8FF | 0xE0000..=0xE0FFF | 0xF0000..=0x10FFFF)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(…)")
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name: Self = text.parse().map_err(de::Error::custom)?;
        // What was signed must be what is shown: a name that would be shown changed is refused.
        if name.0 == text { Ok(name) } else { Err(de::Error::custom(NameError::NotNormal)) }
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing is left after trimming.
    #[error("a name needs at least one character")]
    Empty,
    /// More than [`limits::NAME`] characters.
    #[error("a name has at most {} characters", limits::NAME)]
    TooLong,
    /// A character that could hide or disguise the text around it.
    #[error("a name cannot contain the character U+{found:04X}")]
    Unsafe {
        /// The character's code point.
        found: u32,
    },
    /// Not trimmed or not in Unicode's normal form C.
    #[error("the name is not in normal form")]
    NotNormal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_of_people_everywhere() {
        for name in ["Ann", "Søren Åberg", "王小明", "José", "محمد", "O'Neil-Smith 3rd", "👩"] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        assert_eq!("  Ann ".parse::<Name>().unwrap().as_str(), "Ann");
        assert_eq!("Jose\u{301}".parse::<Name>().unwrap().as_str(), "José");
    }

    #[test]
    fn refuses_control_direction_and_invisible_characters() {
        for bad in ["a\nb", "a\u{1b}[2J", "a\u{202e}b", "a\u{200b}b", "a\u{2066}b", "\u{feff}a", "a\u{e0041}"]
        {
            assert!(matches!(bad.parse::<Name>(), Err(NameError::Unsafe { .. })), "{bad:?}");
        }
        assert_eq!("  ".parse::<Name>(), Err(NameError::Empty));
        assert_eq!("x".repeat(65).parse::<Name>(), Err(NameError::TooLong));
        assert!("x".repeat(64).parse::<Name>().is_ok());
    }

    #[test]
    fn the_wire_takes_only_what_would_be_shown_unchanged() {
        assert!(crate::decode::<Name>(&crate::encode(&"Ann"), 99).is_ok());
        assert!(crate::decode::<Name>(&crate::encode(&" Ann"), 99).is_err());
        assert!(crate::decode::<Name>(&crate::encode(&"Jose\u{301}"), 99).is_err());
    }
}
