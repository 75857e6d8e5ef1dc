use unicode_segmentation::UnicodeSegmentation;

/// The text being written, and where in it the cursor stands: between what is left and what is right of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Input {
    left: String,
    right: String,
}

impl Input {
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty() && self.right.is_empty()
    }

    /// Returns the text before the cursor.
    pub(super) fn before(&self) -> &str {
        &self.left
    }

    /// Returns the whole text.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.left, self.right)
    }

    /// Puts a text at the cursor, as much of it as a message may hold.
    pub(super) fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|&c| c != '\r') {
            if self.left.len() + self.right.len() + c.len_utf8() > wire::limits::TEXT {
                return;
            }
            self.left.push(c);
        }
    }

    /// Takes the text and leaves nothing.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(self).text()
    }

    pub(super) fn backspace(&mut self) {
        pop_last(&mut self.left);
    }

    pub(super) fn delete(&mut self) {
        pop_first(&mut self.right);
    }

    pub(super) fn back(&mut self) {
        let moved = pop_last(&mut self.left);
        self.right.insert_str(0, &moved);
    }

    pub(super) fn forward(&mut self) {
        let moved = pop_first(&mut self.right);
        self.left.push_str(&moved);
    }

    pub(super) fn home(&mut self) {
        self.right.insert_str(0, &std::mem::take(&mut self.left));
    }

    pub(super) fn end(&mut self) {
        self.left.push_str(&std::mem::take(&mut self.right));
    }

    /// Moves to the beginning of the word.
    pub(super) fn word_back(&mut self) {
        let word = pop_word(&mut self.left);
        self.right.insert_str(0, &word);
    }

    /// Moves behind the word.
    pub(super) fn word_forward(&mut self) {
        let length = word_end(&self.right);
        let rest = self.right.split_off(length);
        self.left.push_str(&std::mem::replace(&mut self.right, rest));
    }

    /// Deletes back to the beginning of the word.
    pub(super) fn cut_word(&mut self) {
        pop_word(&mut self.left);
    }

    /// Deletes back to the beginning.
    pub(super) fn cut_before(&mut self) {
        self.left.clear();
    }

    /// Deletes to the end.
    pub(super) fn cut_after(&mut self) {
        self.right.clear();
    }
}

/// Takes off the last sign that a person sees as one.
fn pop_last(text: &mut String) -> String {
    let at = text.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
    text.split_off(at)
}

fn pop_first(text: &mut String) -> String {
    let length = text.graphemes(true).next().map_or(0, str::len);
    let rest = text.split_off(length);
    std::mem::replace(text, rest)
}

/// Takes off the last word and the space behind it.
fn pop_word(text: &mut String) -> String {
    let kept = text.trim_end().rfind(char::is_whitespace);
    let at = kept.map_or(0, |at| at + text.split_at(at).1.chars().next().map_or(0, char::len_utf8));
    text.split_off(at)
}

fn word_end(text: &str) -> usize {
    let space = text.len() - text.trim_start().len();
    let (_, words) = text.split_at(space);
    space + words.find(char::is_whitespace).unwrap_or(words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(left: &str, right: &str) -> Input {
        Input { left: left.into(), right: right.into() }
    }

    #[test]
    fn editing_goes_by_what_a_person_sees_as_one_sign() {
        let mut line = input("a👩‍👩‍👧e\u{301}", "");
        line.back();
        assert_eq!(line, input("a👩‍👩‍👧", "e\u{301}"));
        line.backspace();
        assert_eq!(line, input("a", "e\u{301}"));
        line.delete();
        assert_eq!(line, input("a", ""));
        line.delete();
        line.forward();
        line.backspace();
        line.backspace();
        line.back();
        assert!(line.is_empty());
    }

    #[test]
    fn words_are_passed_and_cut() {
        let mut line = input("one two  three", "");
        line.word_back();
        assert_eq!(line, input("one two  ", "three"));
        line.word_back();
        assert_eq!(line, input("one ", "two  three"));
        line.word_forward();
        line.word_forward();
        line.word_forward();
        assert_eq!(line, input("one two  three", ""));
        line.cut_word();
        assert_eq!(line, input("one two  ", ""));
        line.cut_word();
        line.home();
        assert_eq!(line, input("", "one "));
        line.cut_after();
        assert!(line.is_empty());
    }

    #[test]
    fn a_draft_is_never_longer_than_a_message() {
        let mut line = Input::default();
        line.insert(&"é".repeat(wire::limits::TEXT));
        assert_eq!(line.text().len(), wire::limits::TEXT);
        assert_eq!(line.take().len(), wire::limits::TEXT);
        assert!(line.is_empty());
    }
}
