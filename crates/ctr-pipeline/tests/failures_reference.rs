//! The table of failures agrees with the documents, the alerts and the code. After changing the table:
//! `UPDATE_REFERENCE=1 cargo test -p ctr-pipeline --test failures_reference`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps; clippy knows only functions marked as tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ctr_domain::dead_letter::TOO_LATE;
use ctr_domain::rejection::RejectionCode;
use ctr_pipeline::failures::{Action, FAILURES, Scope};
use ctr_pipeline::sink::clickhouse::ClickHouseError;
use ctr_pipeline::status::metrics::{METRICS, PROCESS_METRICS};
use ctr_pipeline::status::snapshot::WaitReason;

mod reference;

fn names(scope: Scope, action: Action) -> BTreeSet<&'static str> {
    FAILURES.iter().filter(|row| row.scope == scope && row.action == action).map(|row| row.name).collect()
}

fn checkout(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

#[test]
fn every_code_and_reason_of_the_code_is_in_the_table_and_no_other() {
    let letters = RejectionCode::ALL.iter().map(|code| code.as_str()).chain([TOO_LATE]).collect();
    assert_eq!(names(Scope::Record, Action::Letter), letters);
    assert_eq!(names(Scope::ClickHouse, Action::Wait), ClickHouseError::KINDS.into());
    assert_eq!(names(Scope::Partition, Action::Wait), WaitReason::ALL.iter().map(|reason| reason.label()).collect());
}

#[test]
fn metrics_and_alerts_of_the_table_exist_and_every_alert_is_in_it() {
    let metrics: BTreeSet<_> =
        METRICS.iter().map(|metric| metric.name).chain(PROCESS_METRICS.iter().map(|(name, ..)| *name)).collect();
    let alerts = checkout("monitoring/alerts.yml");
    let alerts: BTreeSet<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let runbook = checkout("docs/runbook.md");
    for row in FAILURES {
        assert!(row.metric.is_none_or(|metric| metrics.contains(metric)), "{}: {:?}", row.name, row.metric);
        if let Some(alert) = row.alert {
            assert!(runbook.contains(&format!("\n## {alert}\n")), "{alert} has no section in the runbook");
        }
        let is_end = matches!(row.action, Action::End(_));
        assert!(is_end || (row.metric.is_some() && row.alert.is_some()), "{}: it would go unnoticed", row.name);
    }
    assert_eq!(FAILURES.iter().filter_map(|row| row.alert).collect::<BTreeSet<_>>(), alerts);
}

#[test]
fn the_runbook_names_every_reason_of_clickhouse() {
    let runbook = checkout("docs/runbook.md");
    let section = runbook.split("\n## CtrSinkFailing\n").nth(1).unwrap().split("\n## ").next().unwrap();
    for kind in ClickHouseError::KINDS {
        assert!(section.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn the_page_is_up_to_date() {
    let mut page = String::from(
        "# What may go wrong\n\n\
         Generated from the table in `crates/ctr-pipeline/src/failures.rs`; do not edit by hand. How to respond to each alert: \
         [runbook.md](runbook.md). A wait ends by itself; its reason is shown on the page, in `/api/v1/status`, in the metric and in the \
         log. Exit code 2 means that someone must fix the configuration before a restart can succeed; 1 means that the job gave up.\n\n\
         | scope | name | what happened | who can fix it | what the pipeline does | metric | alert |\n|---|---|---|---|---|---|---|\n",
    );
    for row in FAILURES {
        let metric = row.metric.map_or_else(String::new, |metric| format!("`{metric}`"));
        let alert =
            row.alert.map_or_else(String::new, |alert| format!("[{alert}](runbook.md#{})", alert.to_lowercase()));
        let (scope, name, what, fault, action) =
            (row.scope.text(), row.name, row.what, row.fault.text(), row.action.text());
        writeln!(page, "| {scope} | `{name}` | {what} | {fault} | {action} | {metric} | {alert} |").unwrap();
    }
    reference::up_to_date("docs/failures.md", &page);
}
