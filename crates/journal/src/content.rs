use serde::{Deserialize, Serialize};
use wire::{ChainHead, EntryId, MemberId, MessageId, decode, limits};

use crate::{Offer, Target};

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A text, at most [`limits::TEXT`] bytes.
    Text(String),
    /// A text with more to it.
    Post(Post),
    /// Another text for a message.
    Edit {
        /// What it says from here on.
        text: String,
        /// Members that the text names.
        mentions: Vec<MemberId>,
    },
    /// Takes a message back.
    Delete,
    /// A sign under a message; of each member the last one counts.
    React {
        /// The sign, at most [`limits::SIGN`] bytes; empty takes the last one back.
        sign: String,
    },
    /// Puts a message where all find it, or takes it away from there.
    Pin {
        /// Whether it is to be there.
        pinned: bool,
    },
    /// Whoever hears of it lets what he writes from then on be erased a while after.
    Expiry {
        /// After how many seconds; 0 for never.
        after_s: u64,
    },
    /// Where the chains of a removed device end stands in the header.
    End,
    /// A file is offered.
    File(Offer),
}

/// A text with more to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Post {
    /// The text, at most [`limits::TEXT`] bytes.
    pub text: String,
    /// The message it answers.
    pub reply: Option<Target>,
    /// Members that the text names, at most [`limits::MENTIONS`].
    pub mentions: Vec<MemberId>,
    /// Whether it was said elsewhere before; not by whom.
    pub forwarded: bool,
}

/// What an entry is, unless a message that stays. It stands in the signed header, so that it is known also when the body
/// is erased, or has not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    /// Gives a message of the same member another text.
    Edit(Target),
    /// Takes a message of the same member back: its body is erased everywhere.
    Delete(Target),
    /// Puts a sign under a message.
    React(Target),
    /// Puts a message where all find it, or takes it away from there.
    Pin(Target),
    /// Asks that messages written from then on be erased after a while.
    Expiry,
    /// Says where the chains of devices end that the author removed from the circle.
    End(Ends),
    /// It is a message, and its author agreed to its being erased.
    Passing {
        /// How many seconds after it was written: 1 to [`limits::EXPIRY_S`].
        after_s: u64,
    },
    /// Something that this program does not know.
    #[serde(skip)]
    Unknown,
}

/// Where the chains of removed devices end, in one conversation, as far as their remover held them. A chain that he names
/// nowhere has no entry that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// The charter entry that removed them.
    pub removal: EntryId,
    /// The last entry of each chain that counts, at most [`limits::ENDS`].
    pub heads: Vec<ChainHead>,
}

/// Why something cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The text is longer than [`limits::TEXT`].
    #[error("the text has {found} bytes, at most {} are allowed", limits::TEXT)]
    TextTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The sign is longer than [`limits::SIGN`], or could break a line.
    #[error("a reaction is one sign of at most {} bytes", limits::SIGN)]
    NoSign,
    /// It is said by an entry of another sort.
    #[error("an entry of this sort does not say this")]
    Unsuited,
    /// More members are named than [`limits::MENTIONS`].
    #[error("{found} members are named, at most {} are allowed", limits::MENTIONS)]
    TooManyMentions {
        /// How many.
        found: usize,
    },
    /// Messages are erased later than [`limits::EXPIRY_S`].
    #[error("messages can be erased after at most {} days", limits::EXPIRY_S / 86_400)]
    ExpiresTooLate,
    /// The file's name is empty, longer than [`limits::FILE_NAME`], or would be shown other than it is.
    #[error("a file's name has 1 to {} bytes and no control or invisible characters", limits::FILE_NAME)]
    NoFileName,
    /// The file's media type is longer than [`limits::FILE_KIND`] or none.
    #[error("that is no media type")]
    NoFileKind,
}

/// A body as encoded: the salt keeps the hash in the header from betraying a short text after it was erased.
#[derive(Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) salt: [u8; 16],
    pub(crate) content: Content,
}

impl Content {
    /// Reads the content out of a stored body; nothing if it is of a kind this program does not know or out of bounds.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let body: Body = decode(body, limits::BODY).ok()?;
        body.content.check().is_ok().then_some(body.content)
    }

    /// Checks every bound.
    pub fn check(&self) -> Result<(), ContentError> {
        match self {
            Self::Text(text) => check_text(text),
            Self::Post(Post { text, mentions, .. }) | Self::Edit { text, mentions } => {
                check_text(text)?;
                match mentions.len() {
                    found if found > limits::MENTIONS => Err(ContentError::TooManyMentions { found }),
                    _ => Ok(()),
                }
            }
            Self::React { sign } if sign.len() > limits::SIGN || sign.chars().any(char::is_control) => {
                Err(ContentError::NoSign)
            }
            Self::Expiry { after_s } if *after_s > limits::EXPIRY_S => Err(ContentError::ExpiresTooLate),
            Self::File(offer) => offer.check(),
            Self::React { .. } | Self::Expiry { .. } | Self::Delete | Self::Pin { .. } | Self::End => Ok(()),
        }
    }

    /// Tells whether an entry of this sort says this sort of thing.
    pub fn suits(&self, beside: Option<&Beside>) -> bool {
        matches!(
            (self, beside),
            (Self::Text(_) | Self::Post(_) | Self::File(_), None | Some(Beside::Passing { .. }))
                | (Self::Edit { .. }, Some(Beside::Edit(_)))
                | (Self::Delete, Some(Beside::Delete(_)))
                | (Self::React { .. }, Some(Beside::React(_)))
                | (Self::Pin { .. }, Some(Beside::Pin(_)))
                | (Self::Expiry { .. }, Some(Beside::Expiry))
                | (Self::End, Some(Beside::End(_)))
        )
    }

    /// Returns the text that people read, if it has one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Edit { text, .. } => Some(text),
            Self::Post(post) => Some(&post.text),
            Self::File(offer) => Some(&offer.text),
            Self::Delete | Self::React { .. } | Self::Pin { .. } | Self::Expiry { .. } | Self::End => None,
        }
    }

    /// Returns the file that is offered, if one is.
    pub fn offer(&self) -> Option<&Offer> {
        match self {
            Self::File(offer) => Some(offer),
            _ => None,
        }
    }

    /// Returns the members that the text names.
    pub fn mentions(&self) -> &[MemberId] {
        match self {
            Self::Post(Post { mentions, .. }) | Self::Edit { mentions, .. } => mentions,
            _ => &[],
        }
    }
}

impl Beside {
    /// Returns the message that the entry changes.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Edit(target) | Self::Delete(target) | Self::React(target) | Self::Pin(target) => {
                Some(target)
            }
            Self::Expiry | Self::End(_) | Self::Passing { .. } | Self::Unknown => None,
        }
    }
}

impl Target {
    /// Tells whether this names the entry with `id` at `author`'s place `seq`.
    pub fn is(&self, author: &wire::DeviceId, seq: u64, id: &MessageId) -> bool {
        self.author == *author && self.seq == seq && self.id == *id
    }
}

fn check_text(text: &str) -> Result<(), ContentError> {
    match text.len() {
        found if found > limits::TEXT => Err(ContentError::TextTooLong { found }),
        _ => Ok(()),
    }
}
