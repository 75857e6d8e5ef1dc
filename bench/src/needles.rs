use std::{collections::BTreeMap, fs, io::Read, path::Path};

use anyhow::{Context, Result};
use data_encoding::{BASE32, BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use memchr::memmem::Finder;

/// Byte strings that must not be found, each in all the forms a program might have written it in.
pub(crate) struct Needles(Vec<Needle>);

struct Needle {
    what: String,
    form: &'static str,
    finder: Finder<'static>,
}

/// How often each needle was found, by what it is and in which form.
pub(crate) type Counts = BTreeMap<(String, &'static str), usize>;

/// What was found where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub(crate) what: String,
    pub(crate) form: &'static str,
    pub(crate) place: String,
}

impl Needles {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a text: as it is, in UTF-16, and encoded.
    pub(crate) fn text(&mut self, what: &str, text: &str) {
        self.bytes(what, text.as_bytes());
        self.add(what, "UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        self.add(what, "UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        self.add(what, "upper case", text.to_uppercase().into_bytes());
        self.add(what, "lower case", text.to_lowercase().into_bytes());
    }

    /// Adds bytes: as they are and encoded, wherever in a longer encoded string they lie.
    pub(crate) fn bytes(&mut self, what: &str, bytes: &[u8]) {
        self.add(what, "plain", bytes.to_vec());
        self.add(what, "hex", HEXLOWER.encode(bytes).into_bytes());
        self.add(what, "HEX", HEXUPPER.encode(bytes).into_bytes());
        for shift in 0..3 {
            self.add(what, "base64", inner(bytes, shift, 3, 4, |bytes| BASE64.encode(bytes)));
            self.add(what, "base64url", inner(bytes, shift, 3, 4, |bytes| BASE64URL.encode(bytes)));
        }
        for shift in 0..5 {
            let upper = inner(bytes, shift, 5, 8, |bytes| BASE32.encode(bytes));
            self.add(what, "base32", upper.to_ascii_lowercase());
            self.add(what, "BASE32", upper);
        }
    }

    /// Adds one form, unless it is so short that chance finds it or it is there already.
    fn add(&mut self, what: &str, form: &'static str, bytes: Vec<u8>) {
        let there = self.0.iter().any(|needle| needle.finder.needle() == bytes);
        if bytes.len() >= SHORTEST && !there {
            self.0.push(Needle { what: what.to_owned(), form, finder: Finder::new(&bytes).into_owned() });
        }
    }

    /// Looks for all of them in one piece of memory.
    pub(crate) fn find(&self, place: &str, haystack: &[u8], hits: &mut Vec<Hit>) {
        for needle in &self.0 {
            if needle.finder.find(haystack).is_some() {
                hits.push(Hit { what: needle.what.clone(), form: needle.form, place: place.to_owned() });
            }
        }
    }

    /// Looks in all files of a folder, and in their names; returns how many bytes were looked at.
    pub(crate) fn find_in_folder(&self, folder: &Path, hits: &mut Vec<Hit>) -> Result<u64> {
        let mut looked_at = 0;
        for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let shown = path.display().to_string();
            self.find(&format!("the name {shown}"), path.as_os_str().as_encoded_bytes(), hits);
            if kind.is_dir() {
                looked_at += self.find_in_folder(&path, hits)?;
            } else if kind.is_file() {
                let bytes = fs::read(&path)?;
                looked_at += bytes.len() as u64;
                self.find(&shown, &bytes, hits);
            }
        }
        Ok(looked_at)
    }

    /// Looks in all memory of a process that may be written, as a core dump would hold it; returns how many bytes
    /// that was and how often each needle occurs.
    pub(crate) fn find_in_memory(&self, pid: u32) -> Result<(u64, Counts)> {
        use std::io::{Seek, SeekFrom};
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let mut memory = fs::File::open(format!("/proc/{pid}/mem"))?;
        let (mut looked_at, mut found) = (0, Counts::new());
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
            let Some((from, to)) = range.split_once('-') else { continue };
            let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
            if !rights.starts_with("rw") {
                continue;
            }
            let mut bytes = vec![0; usize::try_from(to - from)?];
            memory.seek(SeekFrom::Start(from))?;
            // What was never touched, and guard pages, cannot be read.
            if memory.read_exact(&mut bytes).is_err() {
                continue;
            }
            looked_at += bytes.len() as u64;
            for needle in &self.0 {
                let count = needle.finder.find_iter(&bytes).count();
                if count > 0 {
                    *found.entry((needle.what.clone(), needle.form)).or_default() += count;
                }
            }
        }
        Ok((looked_at, found))
    }
}

/// Encodes bytes as they would be `shift` bytes into a longer string, without the characters at both ends that
/// their neighbours would change.
fn inner(
    bytes: &[u8],
    shift: usize,
    group: usize,
    characters: usize,
    encode: impl Fn(&[u8]) -> String,
) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let whole = padded.len() - padded.len() % group;
    padded.truncate(whole);
    let text = encode(&padded).into_bytes();
    let skip = if shift == 0 { 0 } else { characters };
    text.into_iter().skip(skip).collect()
}

/// Shorter ones are found by chance in encrypted files.
const SHORTEST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_in_every_form_and_wherever_it_lies() {
        let mut needles = Needles::new();
        needles.text("name", "Wilhelmina");
        let finds = |haystack: &[u8]| {
            let mut hits = Vec::new();
            needles.find("here", haystack, &mut hits);
            !hits.is_empty()
        };
        for before in 0..6 {
            let text = format!("{}Wilhelmina and more", "x".repeat(before));
            assert!(finds(text.as_bytes()));
            assert!(finds(BASE64.encode(text.as_bytes()).as_bytes()), "base64 at {before}");
            assert!(finds(BASE32.encode(text.as_bytes()).as_bytes()), "base32 at {before}");
            assert!(finds(HEXUPPER.encode(text.as_bytes()).as_bytes()));
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(finds(&wide));
        }
        assert!(finds(b"WILHELMINA") && finds(b"wilhelmina"));
        assert!(!finds(b"Wilhelm"));
        assert!(!finds(&[0; 4096]));
    }

    #[test]
    fn a_canary_is_found_in_a_file_a_file_name_and_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let mut needles = Needles::new();
        needles.bytes("key", b"sixteen secret b");
        let search = || {
            let mut hits = Vec::new();
            needles.find_in_folder(folder.path(), &mut hits).unwrap();
            hits.len()
        };
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("inner/innocent"), "nothing").unwrap();
        assert_eq!(search(), 0);
        fs::write(folder.path().join("inner/guilty"), "a sixteen secret b c").unwrap();
        assert_eq!(search(), 1);
        fs::write(folder.path().join("sixteen secret b"), "").unwrap();
        assert_eq!(search(), 2);
        let (looked_at, found) = needles.find_in_memory(std::process::id()).unwrap();
        assert!(looked_at > 0 && found.contains_key(&("key".to_owned(), "plain")));
    }
}
