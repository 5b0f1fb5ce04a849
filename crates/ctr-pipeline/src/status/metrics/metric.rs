//! One metric: its name, type, labels and meaning, and how its values are read from a report.

use crate::histogram::Histogram;
use crate::status::report::StatusReport;

/// The type of a metric in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows while the process lives.
    Counter,
    /// A current value.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

impl MetricKind {
    /// As written in the text format and the documentation.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, which includes the unit.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Its meaning, one sentence.
    pub help: &'static str,
    read: Read,
}

/// How the values are read from a report.
#[derive(Debug, Clone, Copy)]
enum Read {
    /// One value; none if it is not known yet.
    One(fn(&StatusReport) -> Option<f64>),
    /// One value for each combination of labels.
    Each(fn(&StatusReport, &mut Samples)),
    /// One histogram.
    Histogram(fn(&StatusReport) -> Histogram),
}

/// Values with their label values.
#[derive(Debug, Default)]
pub struct Samples(pub Vec<(Vec<String>, f64)>);

impl Samples {
    pub(super) fn add(&mut self, labels: &[&str], value: f64) {
        self.0.push((labels.iter().map(|label| (*label).to_owned()).collect(), value));
    }
}

/// The values of a metric in a report.
#[derive(Debug)]
pub enum Reading {
    /// Values by labels.
    Samples(Samples),
    /// A histogram.
    Histogram(Histogram),
}

impl Metric {
    /// Reads them.
    #[must_use]
    pub fn read(&self, report: &StatusReport) -> Reading {
        let mut samples = Samples::default();
        match self.read {
            Read::One(read) => samples.0.extend(read(report).map(|value| (Vec::new(), value))),
            Read::Each(read) => read(report, &mut samples),
            Read::Histogram(read) => return Reading::Histogram(read(report)),
        }
        Reading::Samples(samples)
    }
}

pub(super) const fn counter(name: &'static str, help: &'static str, read: fn(&StatusReport) -> Option<f64>) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels: &[], help, read: Read::One(read) }
}

pub(super) const fn gauge(name: &'static str, help: &'static str, read: fn(&StatusReport) -> Option<f64>) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels: &[], help, read: Read::One(read) }
}

pub(super) const fn histogram(name: &'static str, help: &'static str, read: fn(&StatusReport) -> Histogram) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels: &[], help, read: Read::Histogram(read) }
}

/// A metric with labels.
pub(super) const fn by(
    labels: &'static [&'static str],
    kind: MetricKind,
    name: &'static str,
    help: &'static str,
    read: fn(&StatusReport, &mut Samples),
) -> Metric {
    Metric { name, kind, labels, help, read: Read::Each(read) }
}
