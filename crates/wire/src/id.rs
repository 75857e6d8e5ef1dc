use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Writes 32 bytes as 52 lower-case base32 characters (RFC 4648 §6, no padding).
fn write(bytes: &[u8; 32]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn parse(text: &str) -> Result<[u8; 32], IdError> {
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| IdError)?;
    bytes.try_into().map_err(|_| IdError)
}

/// The text is not an id: 52 letters and digits of base32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 52 base32 characters")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the 32 bytes of an id.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the first eight characters of the text form, for people; never enough to identify.
            pub fn short(&self) -> String {
                let mut text = write(&self.0);
                text.truncate(8);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&write(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(&write(&self.0))
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

id! {
    /// An act in a group: the hash of its signed bytes.
    ActId
}

id! {
    /// A circle: the hash of its founding entry.
    CircleId
}
id! {
    /// A device in one circle: its Ed25519 public key there. The same hardware has another in every circle.
    DeviceId
}
id! {
    /// A charter entry: the hash of its signed bytes.
    EntryId
}
id! {
    /// A member: derived from the charter entry that first admitted one of his devices.
    MemberId
}
id! {
    /// A conversation: the hash of what it is between whom.
    ConversationId
}
id! {
    /// A journal entry: the hash of its header, which commits to its body and to all before it in its chain.
    MessageId
}
id! {
    /// A file in one circle: the hash of its size and its hash tree.
    FileId
}

impl DeviceId {
    /// Checks a signature by this device's key.
    pub fn verify(
        &self,
        domain: &str,
        parts: &[&[u8]],
        signature: &crate::Signature,
    ) -> Result<(), crypto::SignatureError> {
        crypto::verify(&self.0, domain, parts, &signature.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_read_back_and_nothing_else_is() {
        let id = DeviceId::new(std::array::from_fn(|at| at as u8));
        let text = id.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_ascii_uppercase().parse(), Ok(id));
        assert_eq!(text.split_at(1).1.parse::<DeviceId>(), Err(IdError));
        assert_eq!(format!("{text}a").parse::<DeviceId>(), Err(IdError));
        assert_eq!(serde_json::from_str::<DeviceId>(&format!("\"{text}\"")).unwrap(), id);
        assert_eq!(crate::encode(&id), id.as_bytes());
    }
}
