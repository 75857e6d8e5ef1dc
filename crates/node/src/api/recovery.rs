//! What can be said and asked of recovery keys and the sheets that hold them.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{DeviceId, EntryId};

use super::{Circle, Found};

/// How many sheets there are to be, and how many of them bring the founder back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSheets {
    /// How many it takes: more than half.
    pub needed: u8,
    /// How many there are, 16 at most.
    pub of: u8,
}

/// Founds a circle whose founder can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FoundRecoverable {
    /// The circle.
    pub found: Found,
    /// The sheets.
    pub sheets: NewSheets,
}

/// One recovery key's private half, to be printed and kept away from all devices; never shown, not even to a
/// debugger's `{:?}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// Which one, from 1.
    pub number: u8,
    /// Its sixteen words.
    pub words: String,
}

/// New sheets: the only time that they are shown. The node keeps none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sheets {
    /// The circle they are for.
    pub circle: Circle,
    /// How many of them it takes.
    pub needed: u8,
    /// The sheets.
    pub sheets: Vec<Sheet>,
}

/// The words of a sheet, as they were typed in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetWords {
    /// The words.
    pub words: String,
}

/// Puts this device in the founder's place.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseSheets {
    /// The words of enough sheets.
    pub sheets: Vec<String>,
    /// Replaces the sheets, too; without it the same ones count again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew: Option<NewSheets>,
}

/// A circle's recovery keys and what was done with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recovery {
    /// How many sheets bring the founder back; 0 if there are none.
    pub needed: u8,
    /// How many sheets there are.
    pub of: u8,
    /// Their uses, in order.
    pub uses: Vec<RecoveryUse>,
}

/// A use of recovery keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryUse {
    /// The charter's entry.
    #[schema(value_type = String)]
    pub entry: EntryId,
    /// The device that was put in the founder's place.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Its name, and its member's.
    pub name: String,
    /// When, by its clock.
    pub at_ms: u64,
    /// Whether one's own device is it, or this person has verified the device since.
    pub noticed: bool,
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sheet({}, …)", self.number)
    }
}

impl fmt::Debug for SheetWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SheetWords(…)")
    }
}

impl fmt::Debug for UseSheets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UseSheets({} sheets, renew: {:?})", self.sheets.len(), self.renew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_sheet_are_not_shown() {
        let words = "zebra zebra".to_owned();
        let shown = format!(
            "{:?} {:?} {:?}",
            Sheet { number: 1, words: words.clone() },
            SheetWords { words: words.clone() },
            UseSheets { sheets: vec![words], renew: None }
        );
        assert!(!shown.contains("zebra"), "{shown}");
    }
}
