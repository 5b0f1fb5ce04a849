//! Sends rows and dead letters, and handles their receipts.

use std::time::Instant;

use super::{Worker, WorkerError};
use crate::sink::Receipt;
use crate::sink::dead_letter::Refused;
use crate::sink::row_binary;
use crate::sink::writer::RowChunk;

impl Worker {
    /// Hands due rows to the sink, while it has room.
    pub(super) fn fire(&mut self) -> Result<(), WorkerError> {
        let begun = Instant::now();
        let mut any = false;
        loop {
            self.tell_sink();
            let (now, mut bytes) = (self.now(), Vec::new());
            let Some(fired) = self.shell.fire(now, |row| row_binary::encode(&row, &mut bytes)) else { break };
            any = true;
            let chunk = RowChunk {
                task: fired.task,
                batch: fired.batch,
                rows: fired.rows,
                bytes,
                shown_first: fired.shown_first,
                handed_over: Instant::now(),
                reply: self.receipts.sender.clone(),
            };
            if !self.setup.rows.send(chunk) {
                return Err(WorkerError::SinkStopped);
            }
        }
        if any {
            self.record.firing_durations.observe(begun.elapsed());
        }
        Ok(())
    }

    /// Hands dead letters to their producer, as many as it accepts.
    pub(super) fn send_letters(&mut self) {
        while let Some(letter) = self.shell.next_letter(self.now()) {
            match self.setup.dead_letters.send(letter, &self.receipts.sender) {
                Ok(()) => {}
                Err(Refused::Full(letter)) => return self.shell.on_letter_not_taken(letter),
                Err(Refused::Failed(letter, reason)) => {
                    return self.shell.on_letter_refused(letter, &reason, self.now());
                }
            }
        }
    }

    /// Handles what the sinks have acknowledged or returned.
    pub(super) fn take_receipts(&mut self) {
        self.setup.dead_letters.serve();
        let now = self.now();
        for receipt in self.receipts.receiver.try_iter() {
            match receipt {
                Receipt::Rows { task, batch } => self.shell.on_rows_acknowledged(task, batch),
                Receipt::Letter { task, number } => {
                    self.record.letters_written += 1;
                    self.shell.on_letter_acknowledged(task, number);
                }
                Receipt::Undelivered { letter, reason } => self.shell.on_letter_refused(letter, &reason, now),
            }
        }
    }
}
