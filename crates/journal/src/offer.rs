use serde::{Deserialize, Serialize};
use wire::{FileId, limits};

use crate::ContentError;

/// A file that is offered in a conversation.
///
/// The id commits to every byte of it: who has the signed entry knows what the author meant, whoever the bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What its author calls it, at most [`limits::FILE_NAME`] bytes. Not to be used as a path.
    pub name: String,
    /// What sort of thing it is, as a media type, at most [`limits::FILE_KIND`] bytes; may be empty.
    pub kind: String,
    /// Its size in bytes.
    pub size: u64,
    /// Which file.
    pub file: FileId,
    /// What is said with it, at most [`limits::TEXT`] bytes; may be empty.
    pub text: String,
}

impl Offer {
    /// Checks every bound.
    pub fn check(&self) -> Result<(), ContentError> {
        let shown = |text: &str| !text.chars().any(wire::is_unsafe_in_names);
        if self.name.is_empty() || self.name.len() > limits::FILE_NAME || !shown(&self.name) {
            return Err(ContentError::NoFileName);
        }
        if self.kind.len() > limits::FILE_KIND || !self.kind.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ContentError::NoFileKind);
        }
        match self.text.len() {
            found if found > limits::TEXT => Err(ContentError::TextTooLong { found }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_one_that_can_be_shown() {
        let offer = Offer {
            name: "beans.txt".into(),
            kind: "text/plain".into(),
            size: 7,
            file: FileId::new([1; 32]),
            text: "Look!".into(),
        };
        assert_eq!(offer.check(), Ok(()));
        for name in ["", "a\nb", "a\u{202e}txt.exe", "nul\0", &"x".repeat(256)] {
            assert_eq!(Offer { name: name.into(), ..offer.clone() }.check(), Err(ContentError::NoFileName));
        }
        for kind in ["text plain", "text/\u{fc}", &"x".repeat(128)] {
            assert_eq!(Offer { kind: kind.into(), ..offer.clone() }.check(), Err(ContentError::NoFileKind));
        }
        assert!(Offer { text: "x".repeat(limits::TEXT + 1), ..offer }.check().is_err());
    }
}
