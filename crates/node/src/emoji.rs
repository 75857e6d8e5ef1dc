//! Safety words as signs, for people who share no language.

/// Writes the first 132 bits of a hash as twenty-two of sixty-four signs: the same bits that the words say, none left out.
///
/// Fewer would be easier to compare, and easier to make alike: the keys are there before the comparison, so whoever wants
/// two of his own to show the same signs can try as long as he likes.
pub(crate) fn emoji(digest: &[u8; 32]) -> Vec<(&'static str, &'static str)> {
    let bit = |at: usize| digest.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let number = |sign: usize| (0..6).fold(0, |number, at| number << 1 | usize::from(bit(sign * 6 + at)));
    (0..22).filter_map(|sign| SIGNS.get(number(sign)).copied()).collect()
}

#[rustfmt::skip]
const SIGNS: [(&str, &str); 64] = [
    ("🐶", "dog"), ("🐱", "cat"), ("🦁", "lion"), ("🐴", "horse"), ("🦄", "unicorn"), ("🐷", "pig"), ("🐘", "elephant"), ("🐰", "rabbit"),
    ("🐼", "panda"), ("🐓", "rooster"), ("🐧", "penguin"), ("🐢", "turtle"), ("🐟", "fish"), ("🐙", "octopus"), ("🦋", "butterfly"), ("🐝", "bee"),
    ("🌻", "sunflower"), ("🌳", "tree"), ("🌵", "cactus"), ("🍄", "mushroom"), ("🌍", "globe"), ("🌙", "moon"), ("⛅", "cloud"), ("🔥", "fire"),
    ("🍌", "banana"), ("🍎", "apple"), ("🍓", "strawberry"), ("🌽", "corn"), ("🍕", "pizza"), ("🎂", "cake"), ("🍋", "lemon"), ("🧀", "cheese"),
    ("🤖", "robot"), ("🎩", "hat"), ("👓", "glasses"), ("🔧", "wrench"), ("🎅", "santa"), ("👍", "thumb"), ("☂️", "umbrella"), ("⌛", "hourglass"),
    ("⏰", "clock"), ("🎁", "gift"), ("💡", "bulb"), ("📕", "book"), ("✏️", "pencil"), ("📎", "clip"), ("✂️", "scissors"), ("🔒", "lock"),
    ("🔑", "key"), ("🔨", "hammer"), ("☎️", "telephone"), ("🏁", "flag"), ("🚂", "train"), ("🚲", "bicycle"), ("✈️", "plane"), ("🚀", "rocket"),
    ("🏆", "cup"), ("⚽", "ball"), ("🎸", "guitar"), ("🎺", "trumpet"), ("🔔", "bell"), ("⚓", "anchor"), ("🎧", "headphones"), ("📌", "pin"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_bit_of_the_first_132_counts() {
        assert_eq!(emoji(&[0; 32]), vec![("🐶", "dog"); 22]);
        for at in 0..132 {
            let mut digest = [0; 32];
            digest[at / 8] ^= 0x80 >> (at % 8);
            let changed = emoji(&digest).iter().filter(|(_, name)| *name != "dog").count();
            assert_eq!(changed, 1, "bit {at}");
        }
    }

    #[test]
    fn no_two_signs_look_or_sound_alike() {
        let signs: BTreeSet<_> = SIGNS.iter().map(|(sign, _)| sign).collect();
        let names: BTreeSet<_> = SIGNS.iter().map(|(_, name)| name).collect();
        assert_eq!((signs.len(), names.len()), (64, 64));
    }
}
