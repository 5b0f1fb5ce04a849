//! Progress during the run, and the statistics at the end.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::console::Console;
use crate::deliveries::Deliveries;
use crate::record::{Category, Record, Stream};

const TERMINAL_INTERVAL: Duration = Duration::from_secs(1);
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Counts of the records handed to Kafka.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    by_category: [u64; Category::ALL.len()],
    by_stream: [u64; Stream::ALL.len()],
}

impl Tally {
    /// Counts a record that was sent.
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        self.by_category[record.category.index()] += 1;
        self.by_stream[record.stream.index()] += 1;
    }

    /// All records sent.
    pub(crate) fn sent(&self) -> u64 {
        self.by_stream.iter().sum()
    }
}

/// Reports progress: every second on a terminal, otherwise a line every ten seconds.
pub(crate) struct Progress {
    console: Arc<Console>,
    interval: Duration,
    started: Instant,
    shown: Instant,
    shown_sent: u64,
}

impl Progress {
    /// Counts time from now on.
    pub(crate) fn new(console: Arc<Console>) -> Self {
        let interval = if console.is_terminal() { TERMINAL_INTERVAL } else { PLAIN_INTERVAL };
        let now = Instant::now();
        Self { console, interval, started: now, shown: now, shown_sent: 0 }
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Reports progress if it is due.
    pub(crate) fn tick(&mut self, tally: &Tally, deliveries: &Deliveries) {
        let since = self.shown.elapsed();
        if since < self.interval {
            return;
        }
        let sent = tally.sent();
        let rate = per_second(sent - self.shown_sent, since);
        let mut line = format!("{sent} sent, {rate:.0}/s, {} acknowledged", deliveries.acknowledged());
        let failed = [("failed", deliveries.failed())];
        let faults = Category::ALL.into_iter().filter(|category| *category != Category::OnTime);
        let faults = faults.map(|category| (category.name(), tally.by_category[category.index()]));
        for (name, count) in failed.into_iter().chain(faults).filter(|(_, count)| *count > 0) {
            // Writing to memory does not fail.
            let _ = write!(line, ", {count} {name}");
        }
        let _ = write!(line, ", {} s", self.started.elapsed().as_secs());
        self.console.status(&line);
        self.shown = Instant::now();
        self.shown_sent = sent;
    }

    /// The statistics of the whole run, one per line.
    pub(crate) fn statistics(&self, tally: &Tally, deliveries: &Deliveries) -> String {
        let elapsed = self.elapsed();
        let sent = tally.sent();
        let mut lines = vec![
            ("sent", sent.to_string()),
            ("acknowledged", deliveries.acknowledged().to_string()),
            ("failed", deliveries.failed().to_string()),
            ("impressions", tally.by_stream[Stream::Impressions.index()].to_string()),
            ("clicks", tally.by_stream[Stream::Clicks.index()].to_string()),
        ];
        for category in Category::ALL {
            lines.push((category.name(), tally.by_category[category.index()].to_string()));
        }
        lines.push(("seconds", format!("{:.2}", elapsed.as_secs_f64())));
        lines.push(("events/s", format!("{:.0}", per_second(sent, elapsed))));
        if let Some(cpu) = cpu_time() {
            lines.push(("CPU seconds", format!("{:.2}", cpu.as_secs_f64())));
            lines.push(("events/CPU-second", format!("{:.0}", per_second(sent, cpu))));
        }
        lines.into_iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name:<18}{value:>14}");
            text
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "only displayed")]
fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

/// The CPU time of this process, all threads, user and system; `None` without Linux's `/proc`. The unit is 1/100 s on every
/// architecture (`USER_HZ`).
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program name in parentheses may contain anything; utime and stime are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    Some(Duration::from_millis((times.next()? + times.next()?) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Fact;

    #[test]
    fn cpu_time_grows_with_work() {
        let Some(before) = cpu_time() else { return };
        let started = Instant::now();
        while cpu_time().is_some_and(|now| now - before < Duration::from_millis(30)) {
            assert!(started.elapsed() < Duration::from_secs(30), "CPU time stands still");
        }
    }

    #[test]
    fn statistics_name_every_kind() {
        let console = Arc::new(Console::new());
        let deliveries = Deliveries::new(Arc::clone(&console), String::new(), None);
        let mut tally = Tally::default();
        let fact = Fact::Invalid(ctr_domain::rejection::RejectionCode::Tombstone);
        tally.add(&Record { stream: Stream::Clicks, key: None, payload: None, category: Category::Bad, fact });
        assert_eq!(tally.sent(), 1);
        let text = Progress::new(console).statistics(&tally, &deliveries);
        for (name, value) in [("sent", "1"), ("acknowledged", "0"), ("clicks", "1"), ("impressions", "0"), ("bad", "1")]
        {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            assert_eq!(line.split_whitespace().last(), Some(value), "{line}");
        }
    }
}
