//! The board: where workers show themselves. Whoever asks reads what was shown last and disturbs nobody.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::snapshot::{WorkerStatus, WorkerTotals};

/// After how long without a sign a worker counts as stuck.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(60);

/// Where all workers of a process show themselves.
#[derive(Debug)]
pub struct WorkerBoard {
    places: Vec<Mutex<Place>>,
}

/// What the board knows of one worker.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// As it last showed itself; `None` for one that has not, or has ended.
    pub status: Option<WorkerStatus>,
    /// What its lives that have ended did.
    pub past: WorkerTotals,
    /// How often it was started again.
    pub restarts: u64,
    /// Why it last failed, and when.
    pub last_failure: Option<(Instant, String)>,
}

impl Place {
    /// What the worker has done in all its lives.
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
    /// Room for `workers`.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { places: (0..workers).map(|_| Mutex::default()).collect() }
    }

    /// Shows a worker.
    pub fn show(&self, worker: usize, status: WorkerStatus) {
        if let Some(mut place) = self.place(worker) {
            place.status = Some(status);
        }
    }

    /// Takes a worker off the board: it has ended. What it did is kept.
    pub fn clear(&self, worker: usize) {
        if let Some(mut place) = self.place(worker)
            && let Some(status) = place.status.take()
        {
            place.past.add(&status.totals);
        }
    }

    /// Notes that a worker has failed and is started again.
    pub fn restarted(&self, worker: usize, reason: String) {
        if let Some(mut place) = self.place(worker) {
            place.restarts += 1;
            place.last_failure = Some((Instant::now(), reason));
        }
    }

    fn place(&self, worker: usize) -> Option<MutexGuard<'_, Place>> {
        self.places.get(worker).map(|place| place.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All workers as they are now.
    #[must_use]
    pub fn read(&self) -> Vec<Place> {
        self.places.iter().map(|place| place.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

/// What keeps workers from being ready: nothing, if each has its partitions and has passed their positions.
#[must_use]
pub fn obstacles(places: &[Place]) -> Vec<String> {
    let obstacle = |(number, place): (usize, &Place)| match &place.status {
        None => Some(format!("worker {number} is starting")),
        Some(status) if !status.joined => Some(format!("worker {number} waits for its partitions")),
        Some(status) if status.replaying > 0 => {
            Some(format!("worker {number} replays {} pairs of partitions", status.replaying))
        }
        Some(status) if status.letters.failing => Some(format!("worker {number} cannot write dead letters")),
        Some(_) => None,
    };
    places.iter().enumerate().filter_map(obstacle).collect()
}

/// Workers that gave no sign for a minute although they have begun.
#[must_use]
pub fn stuck(places: &[Place]) -> Vec<usize> {
    let is_stuck =
        |place: &Place| place.status.as_ref().is_some_and(|status| status.seen.elapsed() > HEARTBEAT_TIMEOUT);
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
                "worker 1 waits for its partitions",
                "worker 2 replays 3 pairs of partitions",
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
