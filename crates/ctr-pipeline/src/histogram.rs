//! Histograms of durations: counts by upper bound, as in Prometheus.

use std::time::Duration;

use serde::Serialize;

/// Upper bounds of the buckets in seconds: from a firing of a few rows to a catch-up of minutes. All histograms use the
/// same bounds, so that they can be compared.
pub const BOUNDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Durations counted by [`BOUNDS`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Histogram {
    /// By bucket; the last one has no upper bound.
    counts: [u64; BOUNDS.len() + 1],
    /// Of all durations, in seconds.
    sum: f64,
}

/// Quantiles of a histogram, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantiles {
    /// The number of durations.
    pub count: u64,
    /// The median; `None` if there are no durations.
    pub p50_seconds: Option<f64>,
    /// The 95th percentile.
    pub p95_seconds: Option<f64>,
    /// The 99th percentile.
    pub p99_seconds: Option<f64>,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.counts[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum += seconds;
    }

    /// Adds another histogram to this one.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    /// The number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations, in seconds.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// Each bound with the number of durations up to it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        BOUNDS.iter().zip(&self.counts).scan(0, |total, (bound, count)| {
            *total += count;
            Some((*bound, *total))
        })
    }

    /// The quantiles, each within the width of its bucket.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.count(),
            p50_seconds: self.quantile(0.5),
            p95_seconds: self.quantile(0.95),
            p99_seconds: self.quantile(0.99),
        }
    }

    /// Like Prometheus's `histogram_quantile`: linear within the bucket, and the last bound for durations beyond it.
    #[allow(clippy::cast_precision_loss, reason = "counts of durations are far below 2^53")]
    fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        let rank = share * count as f64;
        let (mut lower, mut below) = (0.0, 0);
        for (bound, total) in self.cumulative() {
            if total as f64 >= rank && total > below {
                return Some(lower + (bound - lower) * (rank - below as f64) / (total - below) as f64);
            }
            (lower, below) = (bound, total);
        }
        (count > 0).then_some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        seconds.iter().for_each(|seconds| histogram.observe(Duration::from_secs_f64(*seconds)));
        histogram
    }

    #[test]
    fn a_duration_belongs_to_the_first_bound_that_it_does_not_pass() {
        let histogram = of(&[0.005, 0.006, 0.25, 400.0]);
        let at = |bound: f64| histogram.cumulative().find(|(upper, _)| *upper >= bound).unwrap().1;
        assert_eq!([at(0.005), at(0.01), at(0.1), at(0.25), at(300.0)], [1, 2, 2, 3, 3]);
        assert_eq!(histogram.count(), 4);
        assert!((histogram.sum() - 400.261).abs() < 1e-9);
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        assert_eq!(Histogram::default().quantiles().p50_seconds, None);
        let quantiles = of(&[0.2; 100]).quantiles();
        assert!((quantiles.p50_seconds.unwrap() - 0.175).abs() < 1e-9, "{quantiles:?}");
        assert_eq!(of(&[1_000.0]).quantiles().p99_seconds, Some(300.0));
    }

    #[test]
    fn sums_add_up() {
        let mut sum = of(&[0.1]);
        sum.add(&of(&[0.1, 2.0]));
        assert_eq!(sum, of(&[0.1, 0.1, 2.0]));
    }
}
