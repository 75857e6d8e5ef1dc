use bip39::Language;
use crypto::Entropy;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// What a person types to unlock a vault.
///
/// Taken as the same however a keyboard composes it: in Unicode's form C, every kind of space as the plain one
/// (RFC 8265, OpaqueString). Erased when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Passphrase {
    /// Takes a passphrase as typed.
    pub fn new(text: &str) -> Self {
        // Form C is at most three times as long as its source, so the string never moves and leaves no copy behind.
        let mut normal = Zeroizing::new(String::with_capacity(text.len() * 3));
        normal.extend(text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).nfc());
        Self(normal)
    }

    /// Makes a passphrase of six words (66 bits), to be written down or learnt.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
        for at in 0..WORDS {
            let mut bytes = [0; 2];
            entropy.fill(&mut bytes);
            // 2048 divides 65,536: every word is as likely as any other.
            let index = usize::from(u16::from_be_bytes(bytes)) % WORD_LIST;
            if at > 0 {
                text.push(' ');
            }
            text.push_str(Language::English.word_list().get(index).expect("the list has 2048 words"));
        }
        Self(text)
    }

    /// Returns the text, to show a generated passphrase once.
    pub fn danger_text(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Refuses what is too short to protect a vault.
    pub(crate) fn check_strength(&self) -> Result<(), WeakPassphrase> {
        if self.0.len() < LEAST { Err(WeakPassphrase { least: LEAST }) } else { Ok(()) }
    }
}

/// The passphrase is too short to protect a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase needs at least {least} characters")]
pub struct WeakPassphrase {
    /// How many bytes of UTF-8 it needs at least; as many characters always do.
    pub least: usize,
}

/// The length below which AWS-LC's FIPS module no longer takes a passphrase for one.
const LEAST: usize = 14;
const WORDS: usize = 6;
const WORD_LIST: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_on_every_keyboard() {
        let composed = Passphrase::new("caf\u{e9} au\u{a0}lait");
        assert_eq!(composed.as_bytes(), Passphrase::new("cafe\u{301} au lait").as_bytes());
        assert_ne!(composed.as_bytes(), Passphrase::new("cafe au lait").as_bytes());
        assert_eq!(format!("{composed:?}"), "Passphrase(…)");
    }

    #[test]
    fn generates_six_words_that_are_strong_enough() {
        let words = Passphrase::generate(&mut crypto::OsEntropy);
        assert_eq!(words.danger_text().split(' ').count(), 6);
        assert_eq!(words.check_strength(), Ok(()));
        assert_ne!(words.danger_text(), Passphrase::generate(&mut crypto::OsEntropy).danger_text());
        let shortest = Passphrase::new("add add add add add add");
        assert_eq!(shortest.check_strength(), Ok(()));
    }

    #[test]
    fn short_ones_are_refused() {
        assert_eq!(Passphrase::new("thirteen byte").check_strength(), Err(WeakPassphrase { least: 14 }));
        assert_eq!(Passphrase::new("fourteen bytes").check_strength(), Ok(()));
    }
}
