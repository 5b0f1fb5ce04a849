//! Every metric of the process: name, type, labels, meaning, and its value in the report. `docs/metrics.md` is
//! generated from this list; alert rules and dashboards are tested against it. No metric has a label per product.

mod metric;

pub use metric::{Metric, MetricKind, Reading, Samples};
use metric::{by, counter, gauge, histogram};

use super::report::StatusReport;
use crate::sink::clickhouse::ClickHouseError;

const PARTITION: &[&str] = &["topic", "partition"];

/// Our own metrics, in the order of the exposition. Those of the process follow: [`PROCESS_METRICS`].
pub const METRICS: &[Metric] = &[
    by(
        &["version", "instance_id"],
        MetricKind::Gauge,
        "ctr_build_info",
        "Always 1; the labels are the version and the instance ID.",
        |report, samples| {
            samples.add(&[report.version, &report.instance], 1.0);
        },
    ),
    gauge(
        "ctr_ready",
        "1 while partitions are assigned, their replay is over and ClickHouse acknowledges.",
        |report| Some(flag(report.ready)),
    ),
    gauge("ctr_uptime_seconds", "Time since the process started.", |report| Some(report.uptime_seconds)),
    by(&["topic"], MetricKind::Counter, "ctr_records_consumed_total", "Records read.", |report, samples| {
        for topic in &report.ledger_by_topic {
            samples.add(&[&topic.topic], count(topic.ledger.consumed));
        }
    }),
    by(
        &["topic", "outcome"],
        MetricKind::Counter,
        "ctr_records_total",
        "Records by outcome: counted, duplicate, too_late, rejected, replayed. The sum is the number of records consumed.",
        records_by_outcome,
    ),
    gauge(
        "ctr_ledger_difference_records",
        "Records that the ledger does not account for; anything but 0 is a defect.",
        |report| Some(signed(report.ledger.difference)),
    ),
    by(PARTITION, MetricKind::Gauge, "ctr_partition_position_offset", "The next offset to read.", |report, samples| {
        each_partition(report, samples, |partition| Some(signed(partition.position)));
    }),
    by(
        PARTITION,
        MetricKind::Gauge,
        "ctr_partition_low_offset",
        "The committed offset: the first record of any open window.",
        |report, samples| {
            each_partition(report, samples, |partition| partition.low_offset.map(signed));
        },
    ),
    by(
        PARTITION,
        MetricKind::Gauge,
        "ctr_partition_end_offset",
        "The offset that the next record of the log will get, as last reported by the broker.",
        |report, samples| {
            each_partition(report, samples, |partition| partition.end_offset.map(signed));
        },
    ),
    by(
        PARTITION,
        MetricKind::Gauge,
        "ctr_partition_lag_records",
        "Records not read yet: end offset minus position. Kafka's tools measure from the low offset instead.",
        |report, samples| each_partition(report, samples, |partition| partition.lag_records.map(signed)),
    ),
    by(
        PARTITION,
        MetricKind::Gauge,
        "ctr_partition_held_back_records",
        "Records in the log that cannot be read yet because of an open transaction.",
        |report, samples| each_partition(report, samples, |partition| partition.held_back_records.map(signed)),
    ),
    by(
        PARTITION,
        MetricKind::Gauge,
        "ctr_partition_lag_seconds",
        "Age of the newest event time read, by the wall clock, while there are unread records; 0 if everything has been read.",
        |report, samples| each_partition(report, samples, |partition| partition.lag_seconds),
    ),
    by(
        PARTITION,
        MetricKind::Gauge,
        "ctr_partition_watermark_timestamp_seconds",
        "Event time below which no more events are expected.",
        |report, samples| {
            each_partition(report, samples, |partition| {
                partition.watermark.map(|watermark| signed(watermark) / 1_000.0)
            });
        },
    ),
    by(
        PARTITION,
        MetricKind::Gauge,
        "ctr_partition_idle",
        "1 while the partition is idle at its end and does not hold back any firing.",
        |report, samples| {
            each_partition(report, samples, |partition| Some(flag(partition.idle)));
        },
    ),
    by(
        &["topic", "partition", "reason"],
        MetricKind::Gauge,
        "ctr_partition_waiting",
        "1 while the partition is not read, by reason: sink_unavailable, sink_full, dead_letters, dead_letters_full, drift, unreadable, stopping.",
        |report, samples| {
            for partition in &report.partitions {
                for pause in &report.pauses {
                    let waits = partition.wait == Some(pause.wait);
                    samples.add(&[&partition.topic, &partition.partition.to_string(), pause.wait], flag(waits));
                }
            }
        },
    ),
    by(
        &["reason"],
        MetricKind::Counter,
        "ctr_pause_seconds_total",
        "Time in which workers did not read, by reason.",
        |report, samples| {
            for pause in &report.pauses {
                samples.add(&[pause.wait], pause.seconds);
            }
        },
    ),
    gauge(
        "ctr_end_offsets_age_seconds",
        "Time since the brokers last reported the ends of the logs; the lag is equally old.",
        |report| report.lag.ends_age_seconds,
    ),
    gauge("ctr_open_windows", "Windows that are open.", |report| Some(size(report.open_windows))),
    by(
        &["firing"],
        MetricKind::Counter,
        "ctr_window_firings_total",
        "Windows fired: on_time for the first time in a task's life, late for a change after that.",
        |report, samples| {
            samples.add(&["on_time"], count(report.windows_on_time));
            samples.add(&["late"], count(report.windows_late));
        },
    ),
    histogram(
        "ctr_firing_duration_seconds",
        "Time a worker spent handing rows to the sink instead of reading, per round with rows due.",
        |report| report.firing_durations,
    ),
    gauge("ctr_sink_available", "1 while the last request to ClickHouse succeeded.", |report| {
        Some(flag(report.sink.available))
    }),
    gauge("ctr_sink_unanswered_seconds", "Age of the pending request to ClickHouse; 0 if none is pending.", |report| {
        Some(report.sink.unanswered_seconds.unwrap_or(0.0))
    }),
    gauge("ctr_sink_buffered_bytes", "Encoded rows that have not been acknowledged.", |report| {
        Some(count(report.sink.buffered_bytes))
    }),
    gauge("ctr_sink_last_durable_age_seconds", "Time since rows were last acknowledged.", |report| {
        report.sink.last_durable_seconds_ago
    }),
    counter("ctr_sink_rows_total", "Rows acknowledged by ClickHouse.", |report| Some(count(report.sink.rows))),
    counter("ctr_sink_batches_total", "Batches acknowledged by ClickHouse.", |report| Some(count(report.sink.batches))),
    counter("ctr_sink_retries_total", "Inserts that failed and were sent again.", |report| {
        Some(count(report.sink.retries))
    }),
    by(
        &["reason"],
        MetricKind::Gauge,
        "ctr_sink_failing",
        "1 for the reason why ClickHouse does not accept rows, 0 for the others.",
        |report, samples| {
            let failing =
                report.sink.last_error.as_ref().filter(|_| !report.sink.available).map(|failure| failure.kind);
            for kind in ClickHouseError::KINDS {
                samples.add(&[kind], if failing == Some(kind) { 1.0 } else { 0.0 });
            }
        },
    ),
    counter(
        "ctr_rows_beyond_retention_total",
        "Rows acknowledged by ClickHouse and then dropped by it, because their windows are older than the table's retention.",
        |report| Some(count(report.sink.rows_beyond_retention)),
    ),
    histogram(
        "ctr_sink_insert_duration_seconds",
        "Time from the request of an insert to ClickHouse's response, for successful inserts.",
        |report| report.sink.insert_durations,
    ),
    histogram(
        "ctr_end_to_end_latency_seconds",
        "Time from the end of a window, by the wall clock, until its first rows were durable.",
        |report| report.sink.end_to_end_latencies,
    ),
    by(
        &["outcome"],
        MetricKind::Counter,
        "ctr_checkpoints_total",
        "Commits: completed, or failed (no response, or refused).",
        |report, samples| {
            samples.add(&["completed"], count(report.checkpoints.completed));
            samples.add(&["failed"], count(report.checkpoints.failed));
        },
    ),
    gauge(
        "ctr_checkpoint_age_seconds",
        "Time since everything was committed, in the worker where that is longest ago.",
        |report| report.checkpoints.age_seconds,
    ),
    histogram(
        "ctr_checkpoint_duration_seconds",
        "Time from taking a checkpoint to the broker's response: dead letters and the commit itself.",
        |report| report.checkpoints.durations,
    ),
    by(
        &["code"],
        MetricKind::Counter,
        "ctr_dead_letters_total",
        "Records that were not counted, by the code of their dead letter.",
        |report, samples| {
            for (code, letters) in &report.dead_letters.by_code {
                samples.add(&[code], count(*letters));
            }
        },
    ),
    counter(
        "ctr_dead_letters_closed_early_total",
        "The part of TOO_LATE that the partition alone would still have counted.",
        |report| Some(count(report.ledger.closed_early)),
    ),
    counter("ctr_dead_letters_written_total", "Dead letters acknowledged by their topic.", |report| {
        Some(count(report.dead_letters.written))
    }),
    gauge("ctr_dead_letters_waiting", "Dead letters not yet handed to the producer.", |report| {
        Some(size(report.dead_letters.waiting))
    }),
    gauge(
        "ctr_dead_letters_failing",
        "1 while dead letters cannot be written; nothing is committed meanwhile.",
        |report| Some(flag(report.dead_letters.failing)),
    ),
    gauge("ctr_replaying_pairs", "Pairs of partitions that are replaying what an earlier run has read.", |report| {
        Some(size(report.workers.iter().map(|worker| worker.replaying).sum()))
    }),
    gauge("ctr_workers", "Reading threads, as configured.", |report| Some(size(report.workers.len()))),
    gauge("ctr_workers_joined", "Reading threads with an assignment from the group.", |report| {
        Some(size(report.workers.iter().filter(|worker| worker.joined).count()))
    }),
    counter("ctr_worker_restarts_total", "Restarts of failed workers.", |report| {
        Some(count(report.workers.iter().map(|worker| worker.restarts).sum()))
    }),
    by(
        &["log"],
        MetricKind::Counter,
        "ctr_log_lines_lost_total",
        "Log lines dropped because their reader was too slow (console, file), or not written because the disk was full (unwritten).",
        |report, samples| {
            samples.add(&["console"], count(report.log_lines_lost.console));
            samples.add(&["file"], count(report.log_lines_lost.file));
            samples.add(&["unwritten"], count(report.log_lines_lost.unwritten));
        },
    ),
    counter(
        "ctr_process_stopped_seconds_total",
        "Time in which the process did not run: stopped by a signal, a paused container, or no CPU.",
        |report| Some(report.stopped_seconds),
    ),
    counter(
        "ctr_status_visitors_turned_away_total",
        "Connections to the status server that were closed because there were too many, or because they were silent.",
        |report| Some(count(report.visitors_turned_away)),
    ),
    counter("ctr_recoveries_total", "Partition starts that were not plain continuations.", |report| {
        Some(count(report.recoveries))
    }),
    counter(
        "ctr_records_lost_total",
        "Records that retention removed before their counts were known to be in the tables: the maximum number missing there.",
        |report| Some(count(report.records_lost_at_most)),
    ),
];

/// The standard process metrics of Prometheus clients (on Linux): name, type, meaning.
pub const PROCESS_METRICS: &[(&str, MetricKind, &str)] = &[
    ("process_cpu_seconds_total", MetricKind::Counter, "CPU time of the process, user and system."),
    ("process_max_fds", MetricKind::Gauge, "File descriptors that it may open."),
    ("process_open_fds", MetricKind::Gauge, "File descriptors that are open."),
    ("process_resident_memory_bytes", MetricKind::Gauge, "Memory in use."),
    ("process_start_time_seconds", MetricKind::Gauge, "When it began."),
    ("process_threads", MetricKind::Gauge, "Threads of the operating system."),
    ("process_virtual_memory_bytes", MetricKind::Gauge, "Address space in use."),
];

fn records_by_outcome(report: &StatusReport, samples: &mut Samples) {
    for topic in &report.ledger_by_topic {
        let ledger = &topic.ledger;
        let outcomes = [
            ("counted", ledger.counted),
            ("duplicate", ledger.duplicates),
            ("too_late", ledger.too_late),
            ("rejected", ledger.rejected_total()),
            ("replayed", ledger.replayed),
        ];
        for (outcome, records) in outcomes {
            samples.add(&[&topic.topic, outcome], count(records));
        }
    }
}

fn each_partition(
    report: &StatusReport,
    samples: &mut Samples,
    value: fn(&super::report::PartitionReport) -> Option<f64>,
) {
    for partition in &report.partitions {
        if let Some(value) = value(partition) {
            samples.add(&[&partition.topic, &partition.partition.to_string()], value);
        }
    }
}

const fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

// Prometheus has no integers: above 2^53 the last digits are lost, which no counter here reaches.
#[allow(clippy::cast_precision_loss, reason = "see above")]
const fn count(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_precision_loss, reason = "see above")]
const fn signed(value: i64) -> f64 {
    value as f64
}

#[allow(clippy::cast_precision_loss, reason = "see above")]
const fn size(value: usize) -> f64 {
    value as f64
}
