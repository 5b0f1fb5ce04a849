//! Runs of a task over hand-written logs: a Kafka of two partitions, tables that keep the largest, and the owners that
//! read and die.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::event::Event;
use ctr_domain::recovery::{
    Commit, FreshStart, LogBounds, PartitionStart, RecoveryError, RecoveryNotice, made_anew, recover,
};
use ctr_domain::rules::Rules;
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::{Outcome, Task};

/// The Kafka timestamp and the value of a record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) timestamp: Option<i64>,
    pub(crate) value: Option<String>,
}

/// A partition: `[start, end)`, with gaps at missing offsets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) records: BTreeMap<i64, Record>,
}

impl Log {
    pub(crate) fn append(&mut self, timestamp: i64, value: String) {
        self.records.insert(self.end, Record { timestamp: Some(timestamp), value: Some(value) });
        self.end += 1;
    }

    /// Retention removes everything below.
    pub(crate) fn cut(&mut self, start: i64) {
        self.start = start;
        self.records = self.records.split_off(&start);
    }
}

/// Everything that outlives the runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cluster {
    pub(crate) logs: BySide<Log>,
    pub(crate) commits: BySide<Option<(i64, String)>>,
    /// Impressions and clicks by product and window end; of equal sums the last row wins.
    pub(crate) table: BTreeMap<(String, i64), (u64, u64)>,
    /// Whether it was closed early, by side, offset and code.
    pub(crate) letters: BTreeMap<(Side, i64, &'static str), bool>,
}

pub(crate) fn impression(product: &str, at: i64) -> String {
    format!(r#"{{"event_type":"impression","product_id":"{product}","timestamp":{at}}}"#)
}

pub(crate) fn click(product: &str, at: i64) -> String {
    format!(r#"{{"event_type":"click","product_id":"{product}","timestamp":{at}}}"#)
}

impl Cluster {
    /// Appends events of one product, each with its own time as the broker's timestamp.
    pub(crate) fn impressions(&mut self, product: &str, times: &[i64]) {
        times.iter().for_each(|at| self.logs[Side::Impressions].append(*at, impression(product, *at)));
    }

    pub(crate) fn clicks(&mut self, product: &str, times: &[i64]) {
        times.iter().for_each(|at| self.logs[Side::Clicks].append(*at, click(product, *at)));
    }

    pub(crate) fn row(&self, product: &str, window_end: i64) -> Option<(u64, u64)> {
        self.table.get(&(product.to_owned(), window_end)).copied()
    }
}

/// One owner of both partitions.
pub(crate) struct Life {
    pub(crate) task: Task,
    pub(crate) starts: BySide<PartitionStart>,
    pub(crate) notices: Vec<RecoveryNotice>,
    pub(crate) outcomes: Vec<(Side, i64, Outcome)>,
    next: BySide<i64>,
    letters: Vec<(Side, i64, DeadLetterReason)>,
    sent: usize,
    clock: i64,
}

impl Life {
    /// Starts from the existing commits.
    pub(crate) fn start(cluster: &Cluster, rules: Rules) -> Result<Self, RecoveryError> {
        let mut notices = Vec::new();
        let mut starts = BySide([PartitionStart::at(0); 2]);
        for side in Side::BOTH {
            let commit = cluster.commits[side].as_ref();
            let commit = commit.map(|(offset, metadata)| Commit { offset: *offset, metadata });
            let bounds = LogBounds { start: cluster.logs[side].start, end: cluster.logs[side].end };
            let (start, notice) = recover(commit, bounds, FreshStart::Earliest, &rules)?;
            starts[side] = start;
            notices.extend(notice);
        }
        Ok(Self::at(starts, notices, rules))
    }

    fn at(starts: BySide<PartitionStart>, notices: Vec<RecoveryNotice>, rules: Rules) -> Self {
        Self {
            task: Task::restore(rules, 0, starts, 0),
            starts,
            notices,
            outcomes: Vec::new(),
            next: BySide(starts.0.map(|start| start.offset)),
            letters: Vec::new(),
            sent: 0,
            clock: 0,
        }
    }

    /// The same start, but this side has a different log.
    pub(crate) fn anew(&self, cluster: &Cluster, side: Side, rules: Rules) -> Self {
        let mut starts = self.starts;
        let bounds = LogBounds { start: cluster.logs[side].start, end: cluster.logs[side].end };
        let (start, notice) = made_anew(starts[side].low_offset, bounds);
        starts[side] = start;
        Self::at(starts, vec![notice], rules)
    }

    /// Reads the records of a side below an offset; at the end of the log, tells the task that it is the end.
    pub(crate) fn read(&mut self, cluster: &Cluster, side: Side, until: i64) {
        let log = &cluster.logs[side];
        let from = self.next[side];
        for (offset, record) in log.records.range(from..until.max(from)) {
            let mark = RecordMark { offset: *offset, timestamp: record.timestamp };
            let event = Event::parse(record.value.as_deref().map(str::as_bytes));
            let outcome = self.task.on_event(side, mark, event);
            if let Outcome::DeadLetter(reason) = &outcome {
                self.letters.push((side, *offset, reason.clone()));
            }
            self.outcomes.push((side, *offset, outcome));
        }
        self.next[side] = until.max(from);
        if self.next[side] >= log.end {
            self.task.on_partition_end(side, log.end);
        }
    }

    /// Reads all records of both.
    pub(crate) fn read_all(&mut self, cluster: &Cluster) {
        Side::BOTH.into_iter().for_each(|side| self.read(cluster, side, cluster.logs[side].end));
    }

    /// Advances time, and all due rows become durable. With enough time, and both logs at their end, all rows are due.
    pub(crate) fn show(&mut self, cluster: &mut Cluster, elapsed: i64) {
        self.clock += elapsed;
        let (task, table) = (&mut self.task, &mut cluster.table);
        let batch = task.fire(self.clock, usize::MAX, |row| {
            let have = table.entry((row.product_id.to_owned(), row.window.end)).or_default();
            let counts = (row.counts.impressions, row.counts.clicks);
            if counts.0 + counts.1 >= have.0 + have.1 {
                *have = counts;
            }
        });
        if let Some(batch) = batch {
            self.task.on_rows_acknowledged(batch.number);
        }
    }

    /// All dead letters become durable, unless the task is replaying.
    pub(crate) fn send_letters(&mut self, cluster: &mut Cluster) {
        if !self.task.is_replayed() {
            return;
        }
        for (side, offset, reason) in &self.letters[self.sent..] {
            let closed_early = matches!(reason, DeadLetterReason::TooLate(late) if late.closed_early);
            let known = cluster.letters.insert((*side, *offset, reason.code()), closed_early);
            assert!(known.is_none_or(|known| known == closed_early), "{side:?} {offset}: sent again, but another");
        }
        self.sent = self.letters.len();
        self.task.on_letters_acknowledged(self.sent as u64);
    }

    /// Commits, if currently allowed.
    pub(crate) fn commit(&mut self, cluster: &mut Cluster) -> bool {
        let Some(checkpoint) = self.task.checkpoint().filter(|checkpoint| self.task.may_commit(checkpoint)) else {
            return false;
        };
        cluster.commits = BySide(checkpoint.partitions.map(|commit| Some((commit.low_offset, commit.metadata()))));
        true
    }

    /// Reads, writes and commits everything.
    pub(crate) fn finish(&mut self, cluster: &mut Cluster) {
        self.read_all(cluster);
        self.show(cluster, 1_000_000);
        self.send_letters(cluster);
        assert!(self.commit(cluster), "all is acknowledged, but nothing may be committed");
        for side in Side::BOTH {
            assert_eq!(self.task.ledger(side).difference(), 0, "{side:?}: {:?}", self.task.ledger(side));
        }
    }
}
