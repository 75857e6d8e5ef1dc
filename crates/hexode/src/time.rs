//! Shows times as the clock on the wall has them, and reads how long something shall hold.

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::text;

/// Returns day, hour and minute in local time.
pub(crate) fn minute(ms: u64) -> String {
    local(ms).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns hour and minute in local time.
pub(crate) fn clock(ms: u64) -> String {
    local(ms).strftime("%H:%M").to_string()
}

/// Returns the day in local time, with its name.
pub(crate) fn day(ms: u64) -> String {
    local(ms).strftime("%A, %Y-%m-%d").to_string()
}

fn local(ms: u64) -> Zoned {
    // A time that is out of every range comes from a clock that is off: show the end of time rather than nothing.
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::system())
}

/// Returns a round trip in the unit that fits.
pub(crate) fn round_trip(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..100_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{} ms", us / 1000),
    }
}

/// Returns a length of time in the largest unit that fits.
pub(crate) fn span(seconds: u64) -> String {
    let units = [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute")];
    let fits = |(unit, _): &(u64, &str)| seconds >= *unit && seconds.is_multiple_of(*unit);
    let found =
        units.into_iter().find(fits).or_else(|| units.into_iter().find(|(unit, _)| seconds >= 2 * unit));
    let (unit, name) = found.unwrap_or((1, "second"));
    text::count(seconds / unit, name)
}

/// Returns the time now.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// Reads `90s`, `30m`, `24h`, `7d` or `2w` as seconds.
pub(crate) fn parse_span(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number with a unit: 30m, 24h, 7d or 2w".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).unwrap_or(text).parse().map_err(|_| wrong())?;
    match number.checked_mul(seconds) {
        Some(0) | None => Err(wrong()),
        Some(total) => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_unit_and_nothing_else_is() {
        assert_eq!(parse_span("90s"), Ok(90));
        assert_eq!(parse_span("24h"), Ok(86_400));
        assert_eq!(parse_span("2w"), Ok(1_209_600));
        for wrong in
            ["", "h", "24", "1.5h", "-1h", "0d", "3y", "99999999999999999999d", "18446744073709551615d", "1é"]
        {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_written_as_people_say_them() {
        let said = [1, 59, 60, 90, 3600, 7200, 86_400, 604_800, 90_000, 31_557_600].map(span);
        let expected =
            ["1 second", "59 seconds", "1 minute", "90 seconds", "1 hour", "2 hours", "1 day", "1 week"];
        assert_eq!(said[..8], expected);
        assert_eq!(said[8..], ["25 hours", "8766 hours"]);
    }

    #[test]
    fn a_clock_that_is_off_breaks_nothing() {
        assert!(minute(u64::MAX).starts_with("9999-"));
        assert!(minute(0).contains("19"));
    }

    #[test]
    fn round_trips_keep_their_sense() {
        assert_eq!([850, 1_250, 250_000].map(round_trip), ["850 µs", "1.2 ms", "250 ms"]);
    }
}
