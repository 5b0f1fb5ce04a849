//! The snapshots as JSON: what `/api/v1/status` answers.

use ctr_domain::ledger::Ledger;
use ctr_domain::rejection::RejectionCode;
use serde_json::{Map, Value, json};

use super::snapshot::{PartitionStatus, WorkerBoard, WorkerStatus};
use crate::sink::writer::SinkState;

/// The process as it is: its workers with their partitions, the sink, and the account of all records read.
#[must_use]
pub fn report(board: &WorkerBoard, sink: &SinkState) -> Value {
    let workers = board.read();
    let mut ledger = Ledger::default();
    for status in workers.iter().flatten() {
        ledger.add(&status.ledger);
    }
    json!({
        "ready": board.obstacles().is_empty() && sink.is_available(),
        "ledger": ledger_report(&ledger),
        "sink": sink_report(sink),
        "workers": workers.iter().map(|status| status.as_ref().map(worker_report)).collect::<Vec<_>>(),
    })
}

fn ledger_report(ledger: &Ledger) -> Value {
    let rejected: Map<String, Value> = RejectionCode::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), ledger.rejected[code.index()].into()))
        .filter(|(_, count): &(String, Value)| count != 0)
        .collect();
    json!({
        "consumed": ledger.consumed,
        "counted": ledger.counted,
        "duplicates": ledger.duplicates,
        "tooLate": ledger.too_late,
        "closedEarly": ledger.closed_early,
        "rejected": rejected,
        "replayed": ledger.replayed,
        // Anything but 0 is a defect of ours.
        "difference": i64::try_from(ledger.difference()).unwrap_or(i64::MAX),
    })
}

fn sink_report(sink: &SinkState) -> Value {
    let history = sink.history();
    json!({
        "available": sink.is_available(),
        "batches": sink.batches(),
        "rows": sink.rows(),
        "retries": sink.retries(),
        "bufferedBytes": sink.buffered_bytes(),
        "lastDurableSecondsAgo": history.last_durable.map(|at| at.elapsed().as_secs_f64()),
        "lastError": history.last_error.map(|(at, error)| json!({ "secondsAgo": at.elapsed().as_secs_f64(), "error": error })),
    })
}

fn worker_report(status: &WorkerStatus) -> Value {
    json!({
        "joined": status.joined,
        "replaying": status.replaying,
        "partitions": status.partitions.iter().map(partition_report).collect::<Vec<_>>(),
        "checkpoints": {
            "completed": status.checkpoints_completed,
            "failed": status.checkpoints_failed,
            "lastSecondsAgo": status.last_checkpoint.map(|at| at.elapsed().as_secs_f64()),
            "lastDurationSeconds": status.last_checkpoint_duration.map(|duration| duration.as_secs_f64()),
        },
        "deadLetters": {
            "written": status.letters_written,
            "waiting": status.letters_waiting,
            "failing": status.letters_failing,
        },
        "recoveries": status.recoveries,
        "recordsLostAtMost": status.records_lost,
    })
}

fn partition_report(partition: &PartitionStatus) -> Value {
    json!({
        "topic": partition.topic,
        "partition": partition.partition,
        "position": partition.position,
        "lowOffset": partition.low_offset,
        "watermark": partition.watermark,
        "atEnd": partition.at_end,
        "idle": partition.idle,
        "waitsFor": partition.waits_for.map(super::snapshot::WaitReason::text),
        "openWindows": partition.open_windows,
    })
}
