//! Bencoding (BEP 3), as far as messages of the DHT need it.
//!
//! The crates for it that were looked at descend as deep as a packet says; this reader does not.

/// A value, of which nothing is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
    List,
    /// Its keys as they came; of a key that is there twice the first counts.
    Dictionary(Vec<(&'a [u8], Self)>),
}

impl<'a> Value<'a> {
    /// Decodes one value and nothing after it.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let value = reader.value(DEPTH)?;
        reader.0.is_empty().then_some(value)
    }

    /// Returns what is under a key of a dictionary.
    pub(super) fn at(&self, key: &str) -> Option<&Self> {
        let Self::Dictionary(entries) = self else { return None };
        entries.iter().find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.bytes()?.try_into().ok()
    }

    pub(super) fn integer(&self) -> Option<i64> {
        if let Self::Integer(integer) = self { Some(*integer) } else { None }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        let depth = depth.checked_sub(1)?;
        match self.0.first()? {
            b'i' => {
                self.skip(1)?;
                self.number(b'e').map(Value::Integer)
            }
            b'0'..=b'9' => self.bytes().map(Value::Bytes),
            b'l' => {
                self.skip(1)?;
                while !self.ends()? {
                    self.value(depth)?;
                }
                Some(Value::List)
            }
            b'd' => {
                self.skip(1)?;
                let mut entries = Vec::new();
                while !self.ends()? {
                    let key = self.bytes()?;
                    entries.push((key, self.value(depth)?));
                    if entries.len() > ENTRIES {
                        return None;
                    }
                }
                Some(Value::Dictionary(entries))
            }
            _ => None,
        }
    }

    /// Takes the end of a list or dictionary, if that comes next.
    fn ends(&mut self) -> Option<bool> {
        let ends = *self.0.first()? == b'e';
        if ends {
            self.skip(1)?;
        }
        Some(ends)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number(b':')?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Takes a number and what ends it.
    fn number(&mut self, end: u8) -> Option<i64> {
        // No number of 64 bits has more.
        let at = self.0.iter().take(21).position(|byte| *byte == end)?;
        let digits = std::str::from_utf8(self.0.get(..at)?).ok()?;
        self.skip(at + 1)?;
        if digits.starts_with('+') { None } else { digits.parse().ok() }
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }
}

/// Writes a dictionary; its keys have to come in their order.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(b"d".to_vec())
    }

    pub(super) fn bytes(self, key: &str, value: &[u8]) -> Self {
        let mut writer = self.key(key);
        writer.text(value);
        writer
    }

    pub(super) fn integer(self, key: &str, value: i64) -> Self {
        let mut writer = self.key(key);
        writer.0.extend_from_slice(format!("i{value}e").as_bytes());
        writer
    }

    pub(super) fn dictionary(self, key: &str, value: Self) -> Self {
        let mut writer = self.key(key);
        writer.0.extend_from_slice(&value.finish());
        writer
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'e');
        self.0
    }

    fn key(mut self, key: &str) -> Self {
        self.text(key.as_bytes());
        self
    }

    fn text(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
        self.0.extend_from_slice(bytes);
    }
}

/// How deep a message goes; none of the DHT's goes deeper than four.
const DEPTH: usize = 6;
/// How many entries a dictionary has at most; none of the DHT's has more than ten.
const ENTRIES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let inner = Writer::new().bytes("id", b"abc").integer("seq", -7);
        let bytes = Writer::new().dictionary("a", inner).bytes("y", b"q").finish();
        assert_eq!(bytes, b"d1:ad2:id3:abc3:seqi-7ee1:y1:qe");
        let value = Value::decode(&bytes).unwrap();
        assert_eq!(value.at("a").unwrap().at("id").unwrap().bytes(), Some(&b"abc"[..]));
        assert_eq!(value.at("a").unwrap().at("seq").unwrap().integer(), Some(-7));
        assert_eq!(value.at("y").unwrap().array(), Some(*b"q"));
        assert_eq!(value.at("z"), None);
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bad in [
            &b""[..],
            b"i",
            b"ie",
            b"i1",
            b"i+1e",
            b"i99999999999999999999e",
            b"1",
            b"1:",
            b"2:a",
            b"-1:a",
            b"9223372036854775807:a",
            b"99999999999999999999:a",
            b"l",
            b"d",
            b"d1:a",
            b"d1:ae",
            b"di1e1:ae",
            b"x",
            b"i1ei1e",
            b"d1:ai1e",
        ] {
            assert_eq!(Value::decode(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn depth_and_width_are_bounded() {
        let deep = |levels| [vec![b'l'; levels], vec![b'e'; levels]].concat();
        assert!(Value::decode(&deep(DEPTH)).is_some());
        assert_eq!(Value::decode(&deep(DEPTH + 1)), None);
        assert_eq!(Value::decode(&deep(700)), None);
        let wide = |entries| [b"d".to_vec(), b"1:ai1e".repeat(entries), b"e".to_vec()].concat();
        assert!(Value::decode(&wide(ENTRIES)).is_some());
        assert_eq!(Value::decode(&wide(ENTRIES + 1)), None);
    }
}
