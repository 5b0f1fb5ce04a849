//! The board of worker statuses. Workers publish their status; readers get the last one without blocking the workers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::snapshot::{WorkerStatus, WorkerTotals};

/// A worker without a heartbeat for this long counts as stuck.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(60);

/// The statuses of all workers of a process.
#[derive(Debug)]
pub struct WorkerBoard {
    places: Vec<Mutex<WorkerPlace>>,
}

/// The entry of one worker.
#[derive(Debug, Clone, Default)]
pub struct WorkerPlace {
    /// Its last status; `None` if it has not started, or has ended.
    pub status: Option<WorkerStatus>,
    /// Totals of its earlier runs.
    pub past: WorkerTotals,
    /// How often it was restarted.
    pub restarts: u64,
    /// Why it last failed, and when.
    pub last_failure: Option<(Instant, String)>,
}

impl WorkerPlace {
    /// Totals of all runs of the worker.
    #[must_use]
    pub fn totals(&self) -> WorkerTotals {
        let mut totals = self.past.clone();
        if let Some(status) = &self.status {
            totals.add(&status.totals);
        }
        totals
    }
}

impl WorkerBoard {
    /// A board for `workers`.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { places: (0..workers).map(|_| Mutex::default()).collect() }
    }

    /// Publishes the status of a worker.
    pub fn show(&self, worker: usize, status: WorkerStatus) {
        if let Some(mut place) = self.place(worker) {
            place.status = Some(status);
        }
    }

    /// Removes the status of a worker that has ended. Its totals are kept.
    pub fn clear(&self, worker: usize) {
        if let Some(mut place) = self.place(worker)
            && let Some(status) = place.status.take()
        {
            place.past.add(&status.totals);
        }
    }

    /// Records that a worker has failed and is restarted.
    pub fn restarted(&self, worker: usize, reason: String) {
        if let Some(mut place) = self.place(worker) {
            place.restarts += 1;
        }
        self.failed(worker, reason);
    }

    /// Records why a worker has left the group, where that counts as no restart.
    pub fn failed(&self, worker: usize, reason: String) {
        if let Some(mut place) = self.place(worker) {
            place.last_failure = Some((Instant::now(), reason));
        }
    }

    fn place(&self, worker: usize) -> Option<MutexGuard<'_, WorkerPlace>> {
        self.places.get(worker).map(|place| place.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All workers as they are now.
    #[must_use]
    pub fn read(&self) -> Vec<WorkerPlace> {
        self.places.iter().map(|place| place.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

/// Why workers are not ready: empty if each has its partitions and has passed their positions.
#[must_use]
pub fn obstacles(places: &[WorkerPlace]) -> Vec<String> {
    let obstacle = |(number, place): (usize, &WorkerPlace)| match &place.status {
        None => Some(format!("worker {number} is starting")),
        Some(status) if !status.joined => Some(format!("worker {number} is waiting for its partitions")),
        Some(status) if status.replaying > 0 => {
            Some(format!("worker {number} is replaying {} pairs of partitions", status.replaying))
        }
        Some(status) if status.letters.failing => Some(format!("worker {number} cannot write dead letters")),
        Some(_) => None,
    };
    places.iter().enumerate().filter_map(obstacle).collect()
}

/// Workers that have started, and have had no heartbeat for a minute.
#[must_use]
pub fn stuck(places: &[WorkerPlace]) -> Vec<usize> {
    let is_stuck =
        |place: &WorkerPlace| place.status.as_ref().is_some_and(|status| status.seen.elapsed() > HEARTBEAT_TIMEOUT);
    places.iter().enumerate().filter(|(_, place)| is_stuck(place)).map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::status::snapshot::{CheckpointStatus, LetterStatus};

    fn status() -> WorkerStatus {
        WorkerStatus {
            joined: true,
            replaying: 0,
            partitions: Vec::new(),
            totals: WorkerTotals::default(),
            letters: LetterStatus::default(),
            checkpoints: CheckpointStatus { recent: VecDeque::new(), current_at: Instant::now(), waits_for: None },
            seen: Instant::now(),
        }
    }

    #[test]
    fn every_obstacle_is_named() {
        let board = WorkerBoard::new(5);
        board.show(0, status());
        board.show(1, WorkerStatus { joined: false, ..status() });
        board.show(2, WorkerStatus { replaying: 3, ..status() });
        board.show(4, WorkerStatus { letters: LetterStatus { failing: true, ..LetterStatus::default() }, ..status() });
        assert_eq!(
            obstacles(&board.read()),
            [
                "worker 1 is waiting for its partitions",
                "worker 2 is replaying 3 pairs of partitions",
                "worker 3 is starting",
                "worker 4 cannot write dead letters"
            ]
        );
    }

    #[test]
    fn nothing_stands_in_the_way_of_workers_at_work() {
        let board = WorkerBoard::new(1);
        board.show(0, status());
        assert!(obstacles(&board.read()).is_empty());
        assert!(stuck(&board.read()).is_empty());
        board.clear(0);
        assert_eq!(obstacles(&board.read()), ["worker 0 is starting"]);
    }

    #[test]
    fn what_a_worker_did_outlives_it() {
        let board = WorkerBoard::new(1);
        let mut totals = WorkerTotals { letters_written: 2, ..WorkerTotals::default() };
        totals.ledgers.0[0].consumed = 5;
        board.show(0, WorkerStatus { totals: totals.clone(), ..status() });
        board.clear(0);
        board.clear(0);
        board.restarted(0, "broken".to_owned());
        board.show(0, WorkerStatus { totals, ..status() });
        let place = &board.read()[0];
        assert_eq!((place.totals().letters_written, place.totals().ledger().consumed), (4, 10));
        assert_eq!((place.restarts, place.last_failure.as_ref().unwrap().1.as_str()), (1, "broken"));
    }
}
