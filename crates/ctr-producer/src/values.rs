//! The formats of numbers on the command line.

use std::time::Duration;

/// The units of a duration, and their length in milliseconds. Longer names come before the names they end in.
const UNITS: [(&str, f64); 5] = [("ms", 1.0), ("s", 1_000.0), ("m", 60_000.0), ("h", 3_600_000.0), ("d", 86_400_000.0)];

/// Parses a share: `0.05` or `5%`, from nothing to all.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    match number.trim().parse::<f64>() {
        Ok(number) if (0.0..=whole).contains(&number) => Ok(number / whole),
        _ => Err("not a share; use 0 to 1, or a percentage such as 5%".to_owned()),
    }
}

/// Parses a duration: a number and its unit, such as `500ms`, `30s`, `5m`, `2h`, `1d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration; use a number with a unit: 500ms, 30s, 5m, 2h, 1d".to_owned();
    let (number, unit) = UNITS.iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, ms))).ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit / 1_000.0).map_err(|_| wrong())
}

/// Parses a number of events per second: 0 (unlimited) or more.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
        _ => Err("not a rate; use events per second, or 0 for unlimited".to_owned()),
    }
}

/// Parses an event time: epoch milliseconds, `YYYY-MM-DD HH:MM:SS` (UTC) or RFC 3339, as in the events themselves.
pub(crate) fn time(text: &str) -> Result<i64, String> {
    ctr_domain::timestamp::parse_text(text).map_err(|error| error.to_string())
}

/// Parses `key=value`.
pub(crate) fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("not a property; use key=value, such as compression.type=zstd".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_fraction_or_a_percentage() {
        assert_eq!(share("0.05"), Ok(0.05));
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!(share("100%"), Ok(1.0));
        for wrong in ["1.01", "101%", "-0.1", "NaN", "five", "%", ""] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        for wrong in ["30", "s", "-1s", "NaNs", "1e300d", "1w", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_times_and_properties() {
        assert_eq!(rate("0.5"), Ok(0.5));
        assert!(rate("-1").is_err() && rate("inf").is_err() && rate("fast").is_err());
        assert_eq!(time("2023-11-14T22:13:20Z"), Ok(1_700_000_000_000));
        assert_eq!(time("1700000000000"), Ok(1_700_000_000_000));
        assert!(time("1").is_err() && time("today").is_err());
        assert_eq!(property("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert!(property("a").is_err() && property("=a").is_err());
    }
}
