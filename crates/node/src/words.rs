//! Safety words.

use bip39::Language;

/// Writes the first 132 bits of a hash as twelve words of the BIP 39 English list (2,048 words, 11 bits each).
///
/// Two people who read the same twelve words have the same hash but for a chance of 2⁻¹³²; somebody who wants
/// two of his own keys to give the same words has to try about 2⁶⁶ of them.
pub fn words(digest: &[u8; 32]) -> Vec<String> {
    let list = Language::English.word_list();
    let bit = |at: usize| digest.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let number = |word: usize| (0..11).fold(0, |number, at| number << 1 | usize::from(bit(word * 11 + at)));
    (0..12).filter_map(|word| list.get(number(word)).map(|word| (*word).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_the_first_132_counts() {
        assert_eq!(words(&[0; 32]), vec!["abandon"; 12]);
        assert_eq!(words(&[0xff; 32]), vec!["zoo"; 12]);
        for at in 0..132 {
            let mut digest = [0; 32];
            digest[at / 8] ^= 0x80 >> (at % 8);
            let changed = words(&digest).iter().filter(|word| *word != "abandon").count();
            assert_eq!(changed, 1, "bit {at}");
        }
    }
}
