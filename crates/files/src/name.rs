//! Names under which files can be put into any folder of any system.

use wire::{is_unsafe_in_names, limits};

/// Makes a name of what another device calls a file, under which it can be put into a folder and nowhere else.
///
/// Only what stands behind the last separator is used. What separates, hides, moves or means something to a shell or a file system becomes
/// `_`; names of devices get one in front; a long name keeps its ending.
pub fn safe_name(told: &str) -> String {
    let last = told.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String =
        last.chars().map(|c| if is_unsafe_in_names(c) || "<>:\"|?*".contains(c) { '_' } else { c }).collect();
    name.truncate(name.trim_end_matches([' ', '.']).len());
    let name = name.trim_start();
    let name = match name.chars().next() {
        None => "file".to_owned(),
        // Nothing hides, and nothing is taken for an option.
        Some('.' | '-' | '~') => format!("_{name}"),
        Some(_) if is_device(name) => format!("_{name}"),
        Some(_) => name.to_owned(),
    };
    shortened(&name, limits::FILE_NAME)
}

/// Makes another name for a file whose name is taken.
pub fn numbered(name: &str, number: u32) -> String {
    let (stem, ending) = split(name);
    let ending = format!(" ({number}){ending}");
    let room = limits::FILE_NAME.saturating_sub(ending.len());
    format!("{}{ending}", cut(stem, room))
}

fn shortened(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let (stem, ending) = split(name);
    format!("{}{ending}", cut(stem, most.saturating_sub(ending.len())))
}

/// Parts a name from its ending, if that is a short one.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.').and_then(|at| name.split_at_checked(at)) {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= ENDING => (stem, ending),
        _ => (name, ""),
    }
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.split_at_checked(end).map_or("", |(start, _)| start)
}

/// Tells whether Windows means a device by a name, whatever its ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$")
        || ["COM", "LPT"].iter().any(|port| {
            stem.strip_prefix(port)
                .is_some_and(|number| number.chars().count() == 1 && number.chars().all(is_port))
        })
}

fn is_port(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '¹' | '²' | '³')
}

/// The longest ending that is kept, in bytes.
const ENDING: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_play_tricks_are_made_harmless() {
        for (told, safe) in [
            ("beans.txt", "beans.txt"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/etc/shadow", "shadow"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("a/", "file"),
            ("nul\0in.txt", "nul_in.txt"),
            ("CON", "_CON"),
            ("com1.txt", "_com1.txt"),
            ("LPT³.log", "_LPT³.log"),
            ("comma.txt", "comma.txt"),
            ("\u{202e}fdp.exe", "_fdp.exe"),
            (".bashrc", "_.bashrc"),
            ("-rf", "_-rf"),
            ("~root", "_~root"),
            ("what?.txt", "what_.txt"),
            ("stream.txt:hidden", "stream.txt_hidden"),
            ("trailing. . .", "trailing"),
            ("Zucchini überall 🥒.jpeg", "Zucchini überall 🥒.jpeg"),
        ] {
            assert_eq!(safe_name(told), safe, "{told:?}");
        }
        let long = safe_name(&format!("{}.tar.gz", "ü".repeat(300)));
        assert!(long.len() <= 255 && long.ends_with(".gz"));
        assert_eq!(numbered("beans.txt", 2), "beans (2).txt");
        assert_eq!(numbered("beans", 2), "beans (2)");
        assert!(numbered(&"x".repeat(255), 10).len() <= 255);
    }

    proptest! {
        #[test]
        fn a_safe_name_is_one_name_in_one_folder_and_stays_itself(told in any::<String>()) {
            let name = safe_name(&told);
            prop_assert!(!name.is_empty() && name.len() <= limits::FILE_NAME);
            prop_assert!(!name.contains(['/', '\\', '\0']) && name != "." && name != "..");
            prop_assert_eq!(std::path::Path::new(&name).components().count(), 1);
            prop_assert_eq!(safe_name(&name), name);
        }
    }
}
