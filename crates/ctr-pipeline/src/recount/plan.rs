//! Plans a recount: which windows can be recounted, and which parts of the logs must be read.

use ctr_domain::recount::{Recount, WindowRange};
use ctr_domain::rules::Rules;
use ctr_domain::side::{BySide, Side};
use ctr_domain::timestamp::to_rfc3339;

use super::settling_ms;
use crate::config::Config;
use crate::source::log_reader::{LogPart, LogReader};
use crate::source::topics::ClusterFacts;
use crate::wall_clock::now_ms;

/// Offsets read at the beginning of a log to find the first record: transaction markers may precede it.
const SEARCHED_RECORDS: i64 = 1_000;

/// A pair of partitions, with the parts of their logs to read.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) partition: i32,
    pub(super) parts: BySide<LogPart>,
}

impl Pair {
    pub(super) fn source_partition(&self) -> u32 {
        u32::try_from(self.partition).unwrap_or_default()
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &LogPart> {
        self.parts.0.iter()
    }
}

/// Windows that are refused, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedWindows {
    pub(crate) range: WindowRange,
    pub(crate) reason: String,
}

/// The plan of a recount.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) pairs: Vec<Pair>,
    /// The windows to recount, if any.
    pub(super) range: Option<WindowRange>,
    pub(super) refused: Vec<RefusedWindows>,
}

/// Determines the range of each log. The current end offsets are the ends of the recount.
///
/// # Errors
/// If the brokers do not respond.
pub(super) fn make(
    config: &Config,
    cluster: &ClusterFacts,
    rules: &Rules,
    asked: WindowRange,
    reader: &mut LogReader,
) -> anyhow::Result<Plan> {
    let topics = BySide([&config.kafka.topics.impression, &config.kafka.topics.click]);
    let now = now_ms();
    let (mut pairs, mut reach) = (Vec::new(), Reach::default());
    for partition in 0..reader.partitions(topics[Side::Impressions])? {
        let mut parts = Vec::new();
        for side in Side::BOTH {
            let part = reader.whole(topics[side], partition)?;
            reach.note(&part, removed_until(&part, cluster, now, reader)?);
            parts.push(reader.since(part, Recount::read_from(rules, &asked))?);
        }
        if let Ok(parts) = <[LogPart; 2]>::try_from(parts) {
            pairs.push(Pair { partition, parts: BySide(parts) });
        }
    }
    let (range, refused) = divide(asked, rules, &reach, now);
    Ok(Plan { pairs, range, refused })
}

/// The log whose retention removed the most recent records.
#[derive(Debug, Default)]
struct Reach {
    /// Records with a Kafka timestamp up to this time, epoch ms, may be gone.
    removed_until: Option<i64>,
    /// The log that determines it.
    log: String,
}

impl Reach {
    fn note(&mut self, part: &LogPart, removed_until: Option<i64>) {
        if removed_until > self.removed_until {
            self.removed_until = removed_until;
            self.log = format!("{}-{} begins at offset {}", part.topic, part.partition, part.start);
        }
    }
}

/// The Kafka timestamp up to which records of a log may have been removed; `None` if none were.
fn removed_until(
    part: &LogPart,
    cluster: &ClusterFacts,
    now: i64,
    reader: &mut LogReader,
) -> anyhow::Result<Option<i64>> {
    if part.start == 0 {
        return Ok(None);
    }
    let mut first = None;
    let beginning = LogPart { end: part.end.min(part.start + SEARCHED_RECORDS), ..part.clone() };
    reader.read(&beginning, |record| {
        first = first.or(record.mark.timestamp);
        Ok(())
    })?;
    // The log is empty: retention by time removed everything, because retention by size always keeps the newest segment.
    let retention = || cluster.topics.iter().find(|topic| topic.name == part.topic)?.retention_ms;
    Ok(first.or_else(|| Some(retention().map_or(now, |kept| now - kept))))
}

/// Splits the requested range into windows that the logs have lost, windows that can be recounted, and windows still open.
fn divide(asked: WindowRange, rules: &Rules, reach: &Reach, now: i64) -> (Option<WindowRange>, Vec<RefusedWindows>) {
    let size = rules.window_size;
    // The Kafka timestamp of an event may be this much before its window's start.
    let first = reach.removed_until.map_or(asked.start(), |removed| {
        // The first window that starts after that time.
        size.window_of(removed.saturating_add(rules.max_future_skew_ms)).end
    });
    let settled = size.window_of(now - settling_ms(rules)).start;
    let mut refused = Vec::new();
    if let Some(range) = WindowRange::covering(asked.start(), asked.end().min(first), size) {
        let reason = format!("not wholly in the log: {}; complete windows start at {}", reach.log, to_rfc3339(first));
        refused.push(RefusedWindows { range, reason });
    }
    let (from, to) = (asked.start().max(first), asked.end().min(settled));
    if let Some(range) = WindowRange::covering(asked.start().max(first).max(settled), asked.end(), size) {
        let when = to_rfc3339(range.end() + settling_ms(rules));
        refused.push(RefusedWindows { range, reason: format!("the job may still update them: recount after {when}") });
    }
    (WindowRange::covering(from, to, size), refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const NOW: i64 = 1_700_000_000_000;

    type Bounds = (i64, i64);

    fn divided(from: i64, to: i64, removed_until: Option<i64>) -> (Option<Bounds>, Vec<Bounds>) {
        let rules = Rules::default();
        let asked = WindowRange::covering(NOW + from, NOW + to, rules.window_size).unwrap();
        let reach = Reach { removed_until: removed_until.map(|time| NOW + time), log: "clicks-3".to_owned() };
        let (range, refused) = divide(asked, &rules, &reach, NOW);
        let bounds = |range: WindowRange| (range.start() - NOW, range.end() - NOW);
        (range.map(bounds), refused.into_iter().map(|refused| bounds(refused.range)).collect())
    }

    #[test]
    fn a_log_that_lost_nothing_has_every_window_of_the_past() {
        assert_eq!(divided(-HOUR, -HOUR / 2, None), (Some((-HOUR, -HOUR / 2)), vec![]));
    }

    #[test]
    fn windows_that_may_have_lost_records_are_refused() {
        // The event of a record stamped at −30 min may be 5 min ahead: the window at that time is incomplete.
        let (range, refused) = divided(-HOUR, -10_000 - 20 * 60_000, Some(-30 * 60_000));
        assert_eq!(refused, [(-HOUR, -25 * 60_000 + 10_000)]);
        assert_eq!(range, Some((-25 * 60_000 + 10_000, -10_000 - 20 * 60_000)));
        assert_eq!(divided(-HOUR, -HOUR / 2, Some(0)), (None, vec![(-HOUR, -HOUR / 2)]));
    }

    #[test]
    fn windows_that_the_job_may_still_count_are_refused() {
        // 2 s + 5 s + 60 s after its end.
        let (range, refused) = divided(-120_000, 60_000, None);
        assert_eq!((range, refused), (Some((-120_000, -70_000)), vec![(-70_000, 60_000)]));
    }

    #[test]
    fn what_is_neither_is_refused_once() {
        assert_eq!(divided(-20_000, 10_000, Some(0)), (None, vec![(-20_000, 10_000)]));
    }
}
