//! Snapshots: each worker shows how it is a few times a second; whoever asks reads the last one and disturbs nobody.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctr_domain::ledger::Ledger;

/// After how long without a sign a worker counts as stuck.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a partition is not read although it is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// ClickHouse does not answer.
    SinkUnavailable,
    /// Too many rows wait for ClickHouse.
    SinkFull,
    /// Dead letters cannot be written.
    DeadLetters,
    /// It is more than `max-drift` ahead of its twin.
    Drift,
}

impl WaitReason {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::SinkUnavailable => "ClickHouse does not answer",
            Self::SinkFull => "rows wait for ClickHouse",
            Self::DeadLetters => "dead letters cannot be written",
            Self::Drift => "far ahead of the other topic",
        }
    }
}

/// One partition of one topic.
#[derive(Debug, Clone)]
pub struct PartitionStatus {
    /// The topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// The next offset to read.
    pub position: i64,
    /// The committed offset of this life.
    pub low_offset: Option<i64>,
    /// How far its event time has come, epoch ms.
    pub watermark: Option<i64>,
    /// Whether everything there was has been read.
    pub at_end: bool,
    /// Whether it no longer holds back the watermark of its pair.
    pub idle: bool,
    /// Why it is not read.
    pub waits_for: Option<WaitReason>,
    /// Windows its pair holds.
    pub open_windows: usize,
}

/// One worker.
#[derive(Debug, Clone)]
pub struct WorkerStatus {
    /// Whether the group has given it an assignment, be it empty.
    pub joined: bool,
    /// Pairs that have not passed their positions yet.
    pub replaying: usize,
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// What became of all records it has read since it began, whatever partitions they came from.
    pub ledger: Ledger,
    /// Dead letters not handed to the producer yet.
    pub letters_waiting: usize,
    /// Dead letters acknowledged.
    pub letters_written: u64,
    /// Whether dead letters cannot be written.
    pub letters_failing: bool,
    /// Commits acknowledged.
    pub checkpoints_completed: u64,
    /// Commits that failed or were not answered.
    pub checkpoints_failed: u64,
    /// When the last commit was acknowledged.
    pub last_checkpoint: Option<Instant>,
    /// How long it took.
    pub last_checkpoint_duration: Option<Duration>,
    /// Starts that were not plain continuations.
    pub recoveries: u64,
    /// Records that retention removed before their counts were known to be in the tables: at most so many are missing there.
    pub records_lost: u64,
    /// When this was shown.
    pub seen: Instant,
}

/// Where all workers of a process show themselves.
#[derive(Debug)]
pub struct WorkerBoard {
    workers: Vec<Mutex<Option<WorkerStatus>>>,
}

impl WorkerBoard {
    /// Room for `workers`.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { workers: (0..workers).map(|_| Mutex::new(None)).collect() }
    }

    /// Shows a worker.
    pub fn show(&self, worker: usize, status: WorkerStatus) {
        if let Some(slot) = self.workers.get(worker) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        }
    }

    /// Takes a worker off the board: it has ended.
    pub fn clear(&self, worker: usize) {
        if let Some(slot) = self.workers.get(worker) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// All workers as they last showed themselves; `None` for one that has not, or has ended.
    #[must_use]
    pub fn read(&self) -> Vec<Option<WorkerStatus>> {
        self.workers.iter().map(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// What keeps the process from being ready: nothing, if every worker has its partitions and has passed their positions.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        for (number, status) in self.read().iter().enumerate() {
            match status {
                None => obstacles.push(format!("worker {number} is starting")),
                Some(status) if !status.joined => {
                    obstacles.push(format!("worker {number} waits for its partitions"));
                }
                Some(status) if status.replaying > 0 => {
                    obstacles.push(format!("worker {number} replays {} pairs of partitions", status.replaying));
                }
                Some(status) if status.letters_failing => {
                    obstacles.push(format!("worker {number} cannot write dead letters"));
                }
                Some(_) => {}
            }
        }
        obstacles
    }

    /// Workers that gave no sign for a minute although they have begun.
    #[must_use]
    pub fn stuck(&self) -> Vec<usize> {
        let stuck = |status: &Option<WorkerStatus>| {
            status.as_ref().is_some_and(|status| status.seen.elapsed() > HEARTBEAT_TIMEOUT)
        };
        self.read().iter().enumerate().filter(|(_, status)| stuck(status)).map(|(number, _)| number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> WorkerStatus {
        WorkerStatus {
            joined: true,
            replaying: 0,
            partitions: Vec::new(),
            ledger: Ledger::default(),
            letters_waiting: 0,
            letters_written: 0,
            letters_failing: false,
            checkpoints_completed: 0,
            checkpoints_failed: 0,
            last_checkpoint: None,
            last_checkpoint_duration: None,
            recoveries: 0,
            records_lost: 0,
            seen: Instant::now(),
        }
    }

    #[test]
    fn every_obstacle_is_named() {
        let board = WorkerBoard::new(4);
        board.show(0, status());
        board.show(1, WorkerStatus { joined: false, ..status() });
        board.show(2, WorkerStatus { replaying: 3, ..status() });
        assert_eq!(
            board.obstacles(),
            ["worker 1 waits for its partitions", "worker 2 replays 3 pairs of partitions", "worker 3 is starting"]
        );
    }

    #[test]
    fn nothing_stands_in_the_way_of_workers_at_work() {
        let board = WorkerBoard::new(1);
        board.show(0, status());
        assert!(board.obstacles().is_empty());
        assert!(board.stuck().is_empty());
        board.clear(0);
        assert_eq!(board.obstacles(), ["worker 0 is starting"]);
    }
}
