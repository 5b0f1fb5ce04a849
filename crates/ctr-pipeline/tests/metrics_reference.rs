//! `docs/metrics.md` is generated from the list of metrics. After changing the list:
//! `UPDATE_REFERENCE=1 cargo test -p ctr-pipeline --test metrics_reference`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps; clippy knows only functions marked as tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ctr_pipeline::status::metrics::{METRICS, MetricKind, PROCESS_METRICS};

mod reference;

#[test]
fn the_table_in_the_documentation_is_up_to_date() {
    reference::up_to_date("docs/metrics.md", &documentation());
}

#[test]
fn names_are_unique_and_follow_the_conventions() {
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for metric in METRICS {
        let name = metric.name;
        assert!(name.starts_with("ctr_"), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            metric.kind == MetricKind::Counter,
            "{name}: counters and only they end so"
        );
        assert!(metric.kind != MetricKind::Histogram || name.ends_with("_seconds"), "{name}: its unit");
        assert!(metric.help.ends_with('.'), "{name}");
        assert!(!metric.labels.iter().any(|label| label.contains("product")), "{name} would have a series per product");
    }
}

fn documentation() -> String {
    let mut page = String::from(
        "# Metrics of ctr-pipeline\n\n\
         Generated from the list in `crates/ctr-pipeline/src/status/metrics.rs`; do not edit by hand.\n\n\
         `/metrics` on the port of the job page returns Prometheus' text format. The page, `/api/v1/status` and these metrics come from the \
         same report, so they agree. No metric has a label per product: a scrape is as fast with 100,000 products as with one.\n\n\
         **Lag** is measured from the position, the next offset to read. The lag that Kafka's own tools show for the group is measured from \
         the committed offset, which is the *low offset* here: the first record of any window that is still held. It never reaches 0 while \
         events arrive, which is expected. Monitor `ctr_partition_lag_records` and `ctr_partition_lag_seconds` instead.\n\n\
         Counters start at 0 with the process; a restarted worker continues them. A gauge whose value is not known yet is absent. \
         How to respond to alerts: [runbook.md](runbook.md). Terms: [glossary.md](glossary.md).\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (metric.name, metric.kind.text());
        writeln!(page, "| `{name}` | {kind} | {} | {} |", labels.join(", "), metric.help).unwrap();
    }
    page.push_str(
        "\nOn Linux, also the standard process metrics of Prometheus clients:\n\n| metric | type | meaning |\n|---|---|---|\n",
    );
    for (name, kind, help) in PROCESS_METRICS {
        writeln!(page, "| `{name}` | {} | {help} |", kind.text()).unwrap();
    }
    page
}
