//! Sizes, as people type and read them.

/// Writes a number of bytes in the largest unit of which there is at least one.
pub(crate) fn bytes(number: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = "B";
    for larger in units {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    if unit == "B" || value >= 99.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// Reads a number of bytes: `10M`, `1.5 GB`, `0`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("“{text}” is no size: write something like 10M or 2G");
    let text_ = text.trim().trim_end_matches(['b', 'B']);
    let (number, factor) = match text_.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => {
            let factor = match unit.to_ascii_lowercase() {
                'k' => 1e3,
                'm' => 1e6,
                'g' => 1e9,
                't' => 1e12,
                _ => return Err(wrong()),
            };
            (text_.split_at_checked(at).map_or("", |(number, _)| number), factor)
        }
        Some(_) => (text_, 1.0),
        None => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let bytes = number * factor;
    // What a JSON number holds exactly.
    if (0.0..=9e15).contains(&bytes) { Ok(bytes.round() as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_say_them() {
        let said = [0, 999, 1000, 12_345, 999_499, 999_950, 1_073_741_824, 5_000_000_000_000].map(bytes);
        assert_eq!(said, ["0 B", "999 B", "1.0 kB", "12.3 kB", "999 kB", "1.0 MB", "1.1 GB", "5.0 TB"]);
    }

    #[test]
    fn sizes_are_read_in_every_unit_and_nothing_else_is() {
        for (text, size) in
            [("0", 0), ("512", 512), ("10M", 10_000_000), ("1.5 GB", 1_500_000_000), ("2k", 2000)]
        {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
        for wrong in ["", "M", "ten", "-1", "1X", "1e30", "NaN", "inf"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
