//! Latencies: percentiles and a histogram in text.

use std::time::Duration;

use serde::Serialize;

/// The bounds of the histogram's bars, in ms; the last bar has none.
const BOUNDS_MS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0];

/// The longest bar, in characters.
const BAR: usize = 40;

/// Latencies of responses.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Latencies {
    count: usize,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The number below each bound of the histogram, and not below the previous one.
    bars: Vec<usize>,
}

impl Latencies {
    pub(super) fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let mut bars = vec![0; BOUNDS_MS.len() + 1];
        for latency in &latencies {
            bars[BOUNDS_MS.partition_point(|bound| *bound <= ms(*latency))] += 1;
        }
        // The smallest value that this percentage does not exceed.
        let percentile = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
            latencies.get(rank).map_or(0.0, |latency| ms(*latency))
        };
        Self {
            count: latencies.len(),
            p50_ms: percentile(50),
            p95_ms: percentile(95),
            p99_ms: percentile(99),
            max_ms: percentile(100),
            bars,
        }
    }

    /// The heading over [`Latencies::row`].
    pub(super) fn heading() -> String {
        format!("{:>8}{:>10}{:>10}{:>10}{:>10}", "answers", "p50 ms", "p95 ms", "p99 ms", "max ms")
    }

    pub(super) fn row(&self) -> String {
        let Self { count, p50_ms, p95_ms, p99_ms, max_ms, .. } = self;
        format!("{count:>8}{p50_ms:>10.1}{p95_ms:>10.1}{p99_ms:>10.1}{max_ms:>10.1}")
    }

    /// A bar for every range with at least one response.
    pub(super) fn histogram(&self) -> String {
        let longest = self.bars.iter().copied().max().unwrap_or(0).max(1);
        let names = BOUNDS_MS.iter().map(|bound| format!("< {bound} ms")).chain(["longer".to_owned()]);
        let bars = names.zip(&self.bars).filter(|(_, count)| **count > 0);
        bars.map(|(name, count)| format!("{name:>10} {} {count}\n", "#".repeat((count * BAR).div_ceil(longest))))
            .collect()
    }
}

fn ms(latency: Duration) -> f64 {
    latency.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_rank() {
        let latencies = Latencies::of((1..=200).rev().map(Duration::from_millis).collect());
        let Latencies { count, p50_ms, p95_ms, p99_ms, max_ms, .. } = latencies;
        assert_eq!((count, p50_ms, p95_ms, p99_ms, max_ms), (200, 100.0, 190.0, 198.0, 200.0));
    }

    #[test]
    fn nothing_is_no_reason_to_fail() {
        assert_eq!(Latencies::of(Vec::new()).row().split_whitespace().next(), Some("0"));
        assert!(Latencies::of(Vec::new()).histogram().is_empty());
    }

    #[test]
    fn bars_are_as_long_as_they_are_many() {
        let text = Latencies::of([1, 1, 1, 7].map(Duration::from_millis).to_vec()).histogram();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(lines, [format!("< 2 ms {} 3", "#".repeat(40)), format!("< 10 ms {} 1", "#".repeat(14))]);
    }
}
