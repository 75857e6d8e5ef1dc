//! What can be said and asked of whose key is whose.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Device;

/// The record that a person compared a device's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    /// When.
    pub at_ms: u64,
    /// How.
    pub method: VerifyMethod,
    /// On which other device of the same person, if it was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How two people compared keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyMethod {
    /// Both read the same safety words.
    Words,
    /// Both saw the same signs.
    Emoji,
    /// One scanned the other's code.
    Qr,
    /// Nothing was compared: the person goes on with a new key in spite of the warning.
    Accepted,
}

/// What two people compare to be sure that no one sits between their devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SafetyWords {
    /// The other device.
    pub device: Device,
    /// Twelve words, the same on both screens (132 bits over circle and both keys).
    pub words: Vec<String>,
    /// The same 132 bits as twenty-two signs, each with its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emoji: Vec<Sign>,
    /// What the QR code says; the same on both screens.
    pub code: String,
}

/// A sign that stands for six bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sign {
    /// The sign.
    pub sign: String,
    /// What to call it.
    pub name: String,
}

/// Confirms that the words or the code were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// How they were compared.
    pub method: VerifyMethod,
    /// With [`VerifyMethod::Qr`], what was read from the other screen.
    #[serde(default)]
    pub code: Option<String>,
}
