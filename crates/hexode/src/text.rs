//! Makes what other people wrote safe to show on a terminal: nothing in it can move the cursor, recolour,
//! retitle, reorder or hide what stands around it, or look like a line that this program wrote.

use serde::Serialize;
use unicode_width::UnicodeWidthChar;

/// Returns the text on one line, safe to print.
pub(crate) fn line(text: &str) -> String {
    safe(text, |c| if matches!(c, '\n' | '\t' | '\r') { ' ' } else { replacement(c) })
}

/// Returns the text with its own line breaks, each further line set in, safe to print.
///
/// What is set in cannot be taken for the beginning of another message.
pub(crate) fn block(text: &str) -> String {
    lines(text).join("\n    ")
}

/// Returns the text's lines, each safe to print.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(|part| line(part.strip_suffix('\r').unwrap_or(part))).collect()
}

/// Says how many there are of something.
pub(crate) fn count(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Writes a value as JSON on one line, with every character escaped that a terminal could obey.
pub(crate) fn json(value: &impl Serialize) -> String {
    let written = serde_json::to_string(value).expect("the API's types have only text keys");
    let mut safe = String::with_capacity(written.len());
    for c in written.chars() {
        // Outside of strings JSON is plain ASCII, and in strings serde has escaped U+0000 to U+001F itself.
        if replacement(c) == c {
            safe.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    safe
}

fn safe(text: &str, replace: impl Fn(char) -> char) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars().map(replace) {
        // Piles of combining marks would be drawn over the neighbouring lines.
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        if marks <= MARKS {
            safe.push(c);
        }
    }
    safe
}

/// Returns a harmless sign for a character that acts on a terminal or hides, and any other as it is.
fn replacement(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1F => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7F => '\u{2421}',
        // Controls; invisible and direction-changing characters (Unicode TR36, TR55); private use; tags. Joiners and
        // variation selectors stay: scripts and emoji need them.
        0x80..=0x9F
        | 0xAD
        | 0x034F
        | 0x061C
        | 0x115F..=0x1160
        | 0x17B4..=0x17B5
        | 0x180B..=0x180F
        | 0x200B
        | 0x200E..=0x200F
        | 0x2028..=0x202E
        | 0x2060..=0x206F
        | 0x3164
        | 0xFEFF
        | 0xFFA0
        | 0xFFF0..=0xFFFB
        | 0x1BCA0..=0x1BCA3
        | 0x1D173..=0x1D17A
        | 0xE000..=0xF8FF
        | 0xE0000..=0x10FFFF => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

/// How many marks may sit on one character: more than any script uses.
const MARKS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_act_on_the_terminal() {
        let evil =
            "a\u{1b}[2Jb\u{1b}]0;title\u{7}c\u{9b}31md\u{202e}e\u{2066}f\rg\u{8}h\u{7f}\u{feff}\u{e0041}";
        let shown = line(evil);
        assert_eq!(shown, "a␛[2Jb␛]0;title␇c\u{fffd}31md\u{fffd}e\u{fffd}f g␈h␡\u{fffd}\u{fffd}");
        assert!(!shown.chars().any(char::is_control));
        for code in 0..=u32::from(char::MAX) {
            let Some(c) = char::from_u32(code) else { continue };
            assert!(!line(&c.to_string()).chars().any(char::is_control), "{code:x}");
        }
    }

    #[test]
    fn a_line_cannot_be_forged() {
        assert_eq!(block("hi\r\n12:00 Ann: forged\n\ttab"), "hi\n    12:00 Ann: forged\n     tab");
        assert_eq!(line("one\ntwo"), "one two");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["Grüße, 王小明 👩‍👩‍👧 ❤️", "שלום", "می‌خواهم", "e\u{301}", "{\"a\": 1}"]
        {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn marks_do_not_pile_up() {
        let zalgo = format!("a{}b", "\u{301}".repeat(100));
        assert_eq!(line(&zalgo), format!("a{}b", "\u{301}".repeat(MARKS)));
    }

    #[test]
    fn json_is_the_same_value_without_anything_a_terminal_obeys() {
        let text = "\u{1b}[0m\u{9b}2J\u{202e}\u{7f}\u{e0041} é\n";
        let written = json(&text);
        assert!(written.chars().all(|c| replacement(c) == c), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
