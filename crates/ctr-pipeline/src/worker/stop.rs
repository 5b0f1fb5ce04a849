//! A clean stop: what has fired is written, what is written is committed, and the place in the group is kept or given up.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::{IDLE_WAIT, Worker, WorkerError};
use crate::config::CheckpointCleanup;
use crate::crash_point::crash_point;
use crate::shutdown::StopKind;

/// How long leaving the group may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of the shutdown timeout after which what is not durable is left to the next start.
const FOR_ALL: f64 = 0.7;

/// The part that a last commit, of what became durable just in time, has. The rest is for closing.
const FOR_THE_COMMIT: f64 = 0.85;

impl Worker {
    /// Stops reading, sends what has fired, waits for it within the shutdown timeout, commits, and closes. Whatever is not
    /// acknowledged in time is not committed either: the next start takes it up.
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

    /// Gives up all partitions, and keeps their account.
    fn retire(&mut self) {
        self.shell.on_revoked();
        self.queues.clear();
        drop(self.shell.take_commands());
    }

    /// Gives up the place in the group. Closing alone does not, for a static member; unsubscribing does.
    fn leave(&mut self) {
        self.retire();
        self.consumer.context().close();
        self.consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        while Instant::now() < deadline && self.consumer.assignment().is_ok_and(|list| list.count() > 0) {
            // The answer to anything but the revocation is of no interest any more.
            let _ = self.consumer.poll(IDLE_WAIT);
        }
        tracing::info!(worker = self.setup.number, "left the group");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // No new partitions while the consumer closes, which it does when the last of the queues is gone too.
        self.consumer.context().close();
        if !std::thread::panicking() {
            self.retire();
            self.show_now();
        }
        self.queues.clear();
    }
}
