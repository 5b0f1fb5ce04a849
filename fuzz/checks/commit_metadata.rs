//! The metadata of a commit, as another tool, another version or an attacker may write it. What is read is written back with the
//! same meaning, and a task can begin there whatever the log holds.
//!
//! Corpus: the committed offset on the first line, then the metadata.

use ctr_domain::checkpoint::{PartitionCheckpoint, RecordMark};
use ctr_domain::event::Event;
use ctr_domain::recovery::{Commit, FreshStart, LogBounds, recover};
use ctr_domain::rules::Rules;
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::Task;

/// The broker's limit for metadata.
const MAX_METADATA: usize = 4_096;

/// Logs before, around and after the offset 50.
const LOGS: [(i64, i64); 4] = [(0, 20), (0, 100), (60, 200), (1 << 62, (1 << 62) + 10)];

const CLICK: &[u8] = br#"{"event_type":"click","product_id":"p","timestamp":1700000000000}"#;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (offset, metadata) = text.split_once('\n').unwrap_or((text, ""));
    let offset = offset.parse().unwrap_or(50);
    if let Ok(checkpoint) = PartitionCheckpoint::from_commit(offset, metadata) {
        assert!(0 <= offset && offset == checkpoint.low_offset && offset <= checkpoint.position, "{checkpoint:?}");
        let written = checkpoint.metadata();
        assert!(written.len() < MAX_METADATA, "{written}");
        assert_eq!(PartitionCheckpoint::from_commit(offset, &written), Ok(checkpoint), "{written}");
    }
    for (start, end) in LOGS {
        begins(Commit { offset, metadata }, LogBounds { start, end });
    }
}

/// A task begins where the commit says, or is refused; three records later, every one is accounted for.
fn begins(commit: Commit<'_>, log: LogBounds) {
    let rules = Rules::default();
    let Ok((begin, notice)) = recover(Some(commit), log, FreshStart::Earliest, &rules) else { return };
    let lost = notice.map(|notice| notice.records_lost_at_most());
    assert!(log.start <= begin.offset && begin.offset <= log.end, "{begin:?} in {log:?}, {lost:?} lost");
    let mut task = Task::restore(rules, 0, BySide([begin; 2]), 0);
    for next in 0..3 {
        let mark = RecordMark { offset: begin.offset.saturating_add(next), timestamp: Some(1_700_000_000_000) };
        task.on_event(Side::Clicks, mark, Event::parse(Some(CLICK)));
    }
    for side in Side::BOTH {
        task.on_partition_end(side, task.position(side));
    }
    task.fire(1_000_000, 10, |_| {});
    if let Some(checkpoint) = task.checkpoint() {
        assert!(checkpoint.partitions.iter().all(|partition| partition.metadata().len() < MAX_METADATA));
    }
    assert_eq!(task.ledger(Side::Clicks).difference(), 0);
}
