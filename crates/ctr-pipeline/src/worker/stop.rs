//! A clean stop: fired windows are written, written ones are committed, and the group membership is kept or ended.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::{IDLE_WAIT, Worker, WorkerError};
use crate::config::CheckpointCleanup;
use crate::crash_point::crash_point;
use crate::shutdown::StopKind;

/// How long leaving the group may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of the shutdown timeout after which work that is not durable is left to the next start.
const FOR_ALL: f64 = 0.7;

/// The part reserved for a last commit, of what became durable just in time. The rest is for closing.
const FOR_THE_COMMIT: f64 = 0.85;

impl Worker {
    /// Stops reading, sends fired windows, waits for them within the shutdown timeout, commits, and closes. Work that
    /// is not acknowledged in time is not committed either: the next start repeats it.
    pub(super) fn stop(mut self) -> Result<(), WorkerError> {
        crash_point!("in-shutdown");
        let begun = Instant::now();
        let patience = |part| begun + self.setup.job.shutdown_timeout.mul_f64(part);
        let (for_all, for_the_commit) = (patience(FOR_ALL), patience(FOR_THE_COMMIT));
        self.shell.on_stop(self.now());
        loop {
            let owed = self.shell.owed();
            let deadline = if owed.is_only_the_commit() { for_the_commit } else { for_all };
            if owed.is_nothing() || Instant::now() >= deadline {
                break;
            }
            self.round(false)?;
        }
        let owed = self.shell.owed();
        if !owed.is_nothing() {
            tracing::warn!(
                dead_letters = self.shell.letters_waiting(),
                sink_available = self.setup.rows.state().is_available(),
                "stopped before everything was acknowledged ({owed}); the next start continues from the last commit"
            );
        }
        // Kafka removes the commits of a group only when it has no members.
        let is_for_good = self.setup.job.checkpoint_cleanup == CheckpointCleanup::Delete;
        match self.setup.shutdown.kind() {
            Some(StopKind::Leave) => self.leave(),
            Some(StopKind::Keep) if is_for_good => self.leave(),
            _ => {}
        }
        self.retire();
        self.show_now();
        let ledger = self.totals().ledger();
        tracing::info!(
            worker = self.setup.number, duration_seconds = begun.elapsed().as_secs_f32(),
            consumed = ledger.consumed, counted = ledger.counted, duplicate = ledger.duplicates,
            too_late = ledger.too_late, rejected = ledger.rejected_total(), replayed = ledger.replayed,
            ledger_difference = %ledger.difference(), "worker stopped"
        );
        Ok(())
    }

    /// Releases all partitions, and keeps their ledger.
    fn retire(&mut self) {
        self.shell.on_revoked();
        self.queues.clear();
        drop(self.shell.take_commands());
    }

    /// Leaves the group. Closing alone does not, for a static member; unsubscribing does.
    fn leave(&mut self) {
        self.retire();
        self.consumer.context().close();
        self.consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        while Instant::now() < deadline && self.consumer.assignment().is_ok_and(|list| list.count() > 0) {
            // Only the response to the revocation matters any more.
            let _ = self.consumer.poll(IDLE_WAIT);
        }
        tracing::info!(worker = self.setup.number, "left the group");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // No new partitions while the consumer closes, which it does when the last queue is released too.
        self.consumer.context().close();
        if !std::thread::panicking() {
            self.retire();
            self.show_now();
        }
        self.queues.clear();
    }
}
