use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Breaks a text, already safe to print and without line breaks, into lines of at most `width` columns, between
/// words where that is possible; of the first line `used` columns are taken already.
pub(super) fn wrap(text: &str, width: usize, mut used: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in text.split_word_bounds() {
        let wide = piece.width();
        if used + wide <= width {
            line.push_str(piece);
            used += wide;
            continue;
        }
        if piece.trim().is_empty() {
            // The break takes the place of the space.
            lines.push(std::mem::take(&mut line));
            used = 0;
            continue;
        }
        if used > 0 {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for sign in piece.graphemes(true) {
            if used + sign.width() > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(sign);
            used += sign.width();
        }
    }
    lines.push(line);
    lines
}

/// Cuts a text to at most `width` columns and shows where.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for sign in text.graphemes(true) {
        used += sign.width();
        if used > width {
            break;
        }
        kept.push_str(sign);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_inside_only_if_need_be() {
        assert_eq!(wrap("the quick brown fox", 10, 0), ["the quick", "brown fox"]);
        assert_eq!(wrap("abcdefghijkl mn", 5, 0), ["abcde", "fghij", "kl mn"]);
        assert_eq!(wrap("", 5, 0), [""]);
        assert_eq!(wrap("a b c", 0, 0), ["a", "b", "c"]);
        assert_eq!(wrap("quick brown", 10, 5), ["quick", "brown"]);
        assert_eq!(wrap("quick", 10, 8), ["", "quick"]);
    }

    #[test]
    fn wide_signs_count_double_and_are_never_torn() {
        assert_eq!(wrap("王小明你好", 5, 0), ["王小", "明你", "好"]);
        for line in wrap("👩‍👩‍👧 fam 👩‍👩‍👧 e\u{301}e\u{301}", 4, 0) {
            assert!(line.width() <= 4, "{line}");
        }
    }

    #[test]
    fn a_cut_shows() {
        assert_eq!(cut("Friday dinner", 8), "Friday …");
        assert_eq!(cut("王小明", 5), "王小…");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("short", 0), "");
    }
}
