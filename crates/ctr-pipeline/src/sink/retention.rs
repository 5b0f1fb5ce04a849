//! The retention of the results table. ClickHouse acknowledges an older row and then drops it.

use std::time::Duration;

use super::clickhouse::{ClickHouse, ClickHouseError};
use super::row_binary;

/// The age, in event time, at which the results table drops a row; `None` if it keeps all rows, or its TTL has another form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention(Option<Duration>);

impl Retention {
    /// Reads the table's TTL.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn ask(server: &ClickHouse) -> Result<Self, ClickHouseError> {
        match server.engine_with_ttl().await?.as_deref().and_then(interval_of) {
            Some(interval) => Ok(Self(server.length_of(&interval).await?)),
            None => Ok(Self(None)),
        }
    }

    /// At the time `now`, rows of windows that end at or before the returned time are dropped; both epoch ms.
    #[must_use]
    pub fn drops_until(self, now: i64) -> Option<i64> {
        let age = i64::try_from(self.0?.as_millis()).ok()?;
        Some(now.saturating_sub(age))
    }

    /// How many of these encoded rows are dropped at the time `now`, epoch ms.
    #[must_use]
    pub fn dropped<'a>(self, chunks: impl IntoIterator<Item = &'a [u8]>, now: i64) -> u64 {
        let Some(until) = self.drops_until(now) else { return 0 };
        let dropped = |chunk| row_binary::window_ends(chunk).filter(|end| *end <= until).count() as u64;
        chunks.into_iter().map(dropped).sum()
    }
}

/// The interval of a TTL on the window's end (clickhouse/retention/limit.sql), as ClickHouse writes it: `toIntervalDay(30)`, or
/// `toIntervalDay(_CAST(30, 'UInt16'))` if the number was a parameter.
pub(crate) fn interval_of(engine: &str) -> Option<String> {
    let (_, ttl) = engine.split_once(" TTL ")?;
    let ttl = ttl.split_once(" SETTINGS ").map_or(ttl, |(ttl, _)| ttl);
    let (column, interval) = ttl.split_once("toInterval")?;
    let (unit, number) = interval.split_once('(')?;
    let number = number.strip_prefix("_CAST(").unwrap_or(number);
    let digits = number.find(|letter: char| !letter.is_ascii_digit()).map(|end| &number[..end])?;
    let is_plain = !digits.is_empty() && !unit.is_empty() && unit.chars().all(|letter| letter.is_ascii_alphabetic());
    (is_plain && column.contains("window_end")).then(|| format!("toInterval{unit}({digits})"))
}

#[cfg(test)]
mod tests {
    use ctr_domain::counts::{Counts, CtrResult};
    use ctr_domain::window::Window;

    use super::*;

    const OURS: &str = "ReplacingMergeTree(version) PARTITION BY toYYYYMM(window_end) ORDER BY (window_end, product_id) \
        TTL toDateTime(least(window_end, toDateTime64('2070-01-01 00:00:00', 3, 'UTC')), 'UTC') + toIntervalDay(30) \
        SETTINGS fsync_after_insert = 1, index_granularity = 8192";

    #[test]
    fn the_interval_of_our_ttl_is_found() {
        assert_eq!(interval_of(OURS).as_deref(), Some("toIntervalDay(30)"));
        assert_eq!(interval_of(&OURS.replace("Day(30)", "Month(3)")).as_deref(), Some("toIntervalMonth(3)"));
        for other in
            ["MergeTree ORDER BY a", &OURS.replace("window_end", "inserted_at"), &OURS.replace("(30)", "(x)"), " TTL "]
        {
            assert_eq!(interval_of(other), None, "{other}");
        }
    }

    #[test]
    fn rows_beyond_it_are_counted() {
        let mut rows = Vec::new();
        for end in [10_000, 20_000, 30_000] {
            let window = Window { start: end - 10_000, end };
            let counts = Counts { impressions: 1, clicks: 0 };
            row_binary::encode(&CtrResult { product_id: "p", window, source_partition: 0, counts }, &mut rows);
        }
        let retention = Retention(Some(Duration::from_secs(100)));
        assert_eq!(retention.dropped([&rows[..]], 120_000), 2);
        assert_eq!(Retention::default().dropped([&rows[..]], 120_000), 0);
    }
}
