use serde::{Deserialize, Serialize};
use wire::{DeviceId, EntryId};

/// How somebody came to believe that a device is whose it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Both read the same safety words.
    Words,
    /// Both saw the same signs.
    Emoji,
    /// One read the other's code.
    Code,
    /// He did not compare anything, but goes on with the new key in spite of the warning.
    Accepted,
}

impl Method {
    /// Tells whether keys were compared.
    pub fn compares(self) -> bool {
        self != Self::Accepted
    }
}

/// What a device has said last of another one's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How it was compared; none if that was taken back.
    pub method: Option<Method>,
    /// When, by the clock of the device that says so.
    pub at_ms: u64,
    /// Logical time: of what several devices of one person said, the last counts.
    pub lamport: u64,
    /// The entry.
    pub entry: EntryId,
}

impl super::Roster {
    /// Returns what the devices in the circle have said last of a device's key, each under who said it.
    pub fn verifications(&self, device: &DeviceId) -> impl Iterator<Item = (&DeviceId, &Verification)> {
        self.0.verified.get(device).into_iter().flatten().filter(|(by, _)| self.is_live(by))
    }
}
