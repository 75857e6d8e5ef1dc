use std::{fmt, str::FromStr};

use bip39::Language;
use crypto::{Entropy, SigningKey};
use zeroize::Zeroizing;

use crate::PublicKey;

/// The private half of one recovery key, as words that a person prints, keeps and types in.
///
/// Sixteen words of the BIP 39 English list: 4 bits version, 128 bits secret, 44 bits checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct Sheet(Zeroizing<[u8; 16]>);

impl Sheet {
    pub(crate) fn draw(entropy: &mut dyn Entropy) -> Self {
        let mut secret = Zeroizing::new([0; 16]);
        entropy.fill(&mut *secret);
        Self(secret)
    }

    /// Returns its key.
    pub fn key(&self) -> SigningKey {
        SigningKey::from_seed(&crypto::derive_key(&*self.0, &[], "hexode/charter/recovery/1"))
    }

    /// Returns the public half, which is in the charter.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.key().public())
    }

    /// Writes the sheet as sixteen words.
    pub fn to_words(&self) -> Zeroizing<String> {
        let bits = self.bits();
        let list = Language::English.word_list();
        let mut text = Zeroizing::new(String::with_capacity(16 * 9));
        for word in 0..WORDS {
            let number = (0..11).fold(0, |number, at| number << 1 | usize::from(bit(&*bits, word * 11 + at)));
            if word > 0 {
                text.push(' ');
            }
            text.push_str(list.get(number).copied().unwrap_or_default());
        }
        text
    }

    /// Returns the 22 bytes that the words write: version and secret, then their checksum.
    fn bits(&self) -> Zeroizing<[u8; BYTES]> {
        let mut bits = Zeroizing::new([0; BYTES]);
        let mut set = |at: usize, value: bool| {
            if let Some(byte) = bits.get_mut(at / 8) {
                *byte |= u8::from(value) << (7 - at % 8);
            }
        };
        (0..4).for_each(|at| set(at, VERSION >> (3 - at) & 1 == 1));
        (0..128).for_each(|at| set(4 + at, bit(&*self.0, at)));
        let sum = crypto::hash("hexode/charter/sheet-checksum/1", &[&[VERSION], &*self.0]);
        (0..44).for_each(|at| set(132 + at, bit(&sum, at)));
        bits
    }
}

impl FromStr for Sheet {
    type Err = SheetError;

    /// Reads sixteen words; of each, its first four letters are enough.
    fn from_str(text: &str) -> Result<Self, SheetError> {
        let mut bits = Zeroizing::new([0; BYTES]);
        let mut count = 0;
        for (at, word) in text.split_whitespace().take(WORDS + 1).enumerate() {
            count = at + 1;
            let number = number(word).ok_or(SheetError::Word { at: at + 1 })?;
            for place in 0..11 {
                let to = at * 11 + place;
                if let Some(byte) = bits.get_mut(to / 8) {
                    *byte |= u8::from(number >> (10 - place) & 1 == 1) << (7 - to % 8);
                }
            }
        }
        if count != WORDS {
            return Err(SheetError::Count);
        }
        let version = (0..4).fold(0, |version, at| version << 1 | u8::from(bit(&*bits, at)));
        let mut secret = Zeroizing::new([0_u8; 16]);
        for at in 0..128 {
            if let Some(byte) = secret.get_mut(at / 8) {
                *byte |= u8::from(bit(&*bits, 4 + at)) << (7 - at % 8);
            }
        }
        let sheet = Self(secret);
        match version {
            VERSION if sheet.bits() == bits => Ok(sheet),
            VERSION => Err(SheetError::Checksum),
            found => Err(SheetError::Newer { found }),
        }
    }
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sheet")
    }
}

/// Why words are no sheet. What was typed is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SheetError {
    /// There are more or fewer words than a sheet has.
    #[error("a recovery sheet has sixteen words")]
    Count,
    /// A word is not in the list.
    #[error("word {at} is on no recovery sheet")]
    Word {
        /// Which one, from 1.
        at: usize,
    },
    /// The words are all known, but one is wrong or two are in each other's place.
    #[error("the words do not belong together: one is wrong, or two have changed places")]
    Checksum,
    /// A later version of Hexode made the sheet.
    #[error("a recovery sheet of a newer Hexode (version {found})")]
    Newer {
        /// The sheet's version.
        found: u8,
    },
}

fn bit(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
}

/// Finds a word by its first four letters, which differ between all words of the list.
fn number(word: &str) -> Option<usize> {
    let word = Zeroizing::new(word.to_ascii_lowercase());
    let list = Language::English.word_list();
    let known = |listed: &str| {
        listed == word.as_str() || (word.len() == 4 && listed.as_bytes().starts_with(word.as_bytes()))
    };
    list.iter().position(|listed| known(listed))
}

const VERSION: u8 = 1;
const WORDS: usize = 16;
const BYTES: usize = WORDS * 11 / 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(byte: u8) -> Sheet {
        Sheet(Zeroizing::new([byte; 16]))
    }

    #[test]
    fn sixteen_words_say_the_same_as_the_sheet() {
        for byte in [0, 1, 0x5a, 0xff] {
            let words = sheet(byte).to_words();
            assert_eq!(words.split(' ').count(), 16);
            assert_eq!(words.parse::<Sheet>(), Ok(sheet(byte)));
            let short: Vec<String> = words
                .split(' ')
                .map(|word| word.chars().take(4).collect::<String>().to_uppercase())
                .collect();
            assert_eq!(short.join("  \n").parse::<Sheet>(), Ok(sheet(byte)));
        }
    }

    #[test]
    fn a_wrong_word_or_two_in_each_others_place_are_noticed() {
        let words = sheet(0x37).to_words();
        let words: Vec<&str> = words.split(' ').collect();
        for at in 1..16 {
            let mut wrong = words.clone();
            wrong[at] = if wrong[at] == "zoo" { "abandon" } else { "zoo" };
            assert_eq!(wrong.join(" ").parse::<Sheet>(), Err(SheetError::Checksum), "word {at}");
        }
        let mut swapped = words.clone();
        swapped.swap(14, 15);
        assert_eq!(swapped.join(" ").parse::<Sheet>(), Err(SheetError::Checksum));
        assert_eq!(words[1..].join(" ").parse::<Sheet>(), Err(SheetError::Count));
        assert_eq!(format!("{} zoo", words.join(" ")).parse::<Sheet>(), Err(SheetError::Count));
        let mut odd = words;
        odd[3] = "hexode";
        assert_eq!(odd.join(" ").parse::<Sheet>(), Err(SheetError::Word { at: 4 }));
    }

    #[test]
    fn a_sheet_shows_nothing_when_it_is_logged() {
        assert_eq!(format!("{:?}", sheet(7)), "Sheet");
    }
}
