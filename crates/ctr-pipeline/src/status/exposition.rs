//! A report in Prometheus's text format, the body of `/metrics`.

use prometheus::proto;
use prometheus::{Encoder as _, TEXT_FORMAT, TextEncoder};

use super::metrics::{METRICS, Metric, MetricKind, Reading};
use super::process::{self, ProcessMetric};
use super::report::StatusReport;
use crate::histogram::Histogram;

/// The content type of the response.
pub const CONTENT_TYPE: &str = TEXT_FORMAT;

/// All metrics of a report and of the process.
///
/// # Errors
/// If the encoder refuses a name, which a test prevents.
pub fn expose(report: &StatusReport) -> prometheus::Result<Vec<u8>> {
    let mut families: Vec<proto::MetricFamily> = METRICS.iter().map(|metric| family(metric, report)).collect();
    // The encoder refuses a family that has no values.
    families.retain(|family| !family.get_metric().is_empty());
    families.extend(process::metrics().iter().map(process_family));
    let mut text = Vec::with_capacity(32 << 10);
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(text)
}

fn family(metric: &Metric, report: &StatusReport) -> proto::MetricFamily {
    let mut family = empty_family(metric.name, metric.help, metric.kind);
    family.set_metric(match metric.read(report) {
        Reading::Histogram(histogram) => vec![histogram_value(&histogram)],
        Reading::Samples(samples) => {
            samples.0.into_iter().map(|(labels, value)| sample(metric.kind, metric.labels, labels, value)).collect()
        }
    });
    family
}

fn process_family(metric: &ProcessMetric) -> proto::MetricFamily {
    let mut family = empty_family(metric.name, metric.help, metric.kind);
    family.set_metric(vec![sample(metric.kind, &[], Vec::new(), metric.value)]);
    family
}

fn empty_family(name: &str, help: &str, kind: MetricKind) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(match kind {
        MetricKind::Counter => proto::MetricType::COUNTER,
        MetricKind::Gauge => proto::MetricType::GAUGE,
        MetricKind::Histogram => proto::MetricType::HISTOGRAM,
    });
    family
}

fn sample(kind: MetricKind, names: &[&str], labels: Vec<String>, value: f64) -> proto::Metric {
    let pair = |(name, value): (&&str, String)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value);
        pair
    };
    let mut sample = proto::Metric::from_label(names.iter().zip(labels).map(pair).collect());
    if kind == MetricKind::Counter {
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        sample.set_counter(counter);
    } else {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        sample.set_gauge(gauge);
    }
    sample
}

fn histogram_value(histogram: &Histogram) -> proto::Metric {
    let bucket = |(bound, total): (f64, u64)| {
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(total);
        bucket
    };
    let mut value = proto::Histogram::default();
    value.set_sample_count(histogram.count());
    value.set_sample_sum(histogram.sum());
    value.set_bucket(histogram.cumulative().map(bucket).collect());
    let mut sample = proto::Metric::default();
    sample.set_histogram(value);
    sample
}
