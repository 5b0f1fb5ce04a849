//! Reading: one batch of every partition that the shell allows to be read.

use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::event::Event;
use ctr_domain::shell::{SinkView, Step, Upset};
use ctr_domain::side::Side;

use super::{Worker, WorkerError};
use crate::crash_point::crash_point;
use crate::sink::dead_letter::Letter;
use crate::sink::dead_letter_record::{RecordOrigin, encode, message};
use crate::source::assignment::Topics;
use crate::source::batch::{Entry, Record};
use crate::source::partition_error;
use crate::status::snapshot::{RecentLetter, remember};
use crate::wall_clock::now_ms;

impl Worker {
    pub(super) fn tell_sink(&mut self) {
        let (has_room, is_available) = (self.setup.rows.has_room(), self.setup.rows.state().is_available());
        self.shell.on_sink(SinkView { is_available, has_room });
    }

    /// Reads one batch of every partition that may be read; true if any had records. A partition that must wait is
    /// simply not drained: its queue fills, and librdkafka stops fetching it.
    pub(super) fn drain(&mut self) -> Result<bool, WorkerError> {
        self.tell_sink();
        let mut any = false;
        for index in 0..self.queues.len() {
            for side in Side::BOTH {
                if self.shell.may_read(index, side).is_err() {
                    continue;
                }
                let (has_read, upset) = self.read(index, side);
                any |= has_read;
                if let Some(upset) = upset {
                    self.shell.on_upset(index, side, upset, self.now());
                    self.obey()?;
                    return Ok(true);
                }
            }
        }
        Ok(any)
    }

    /// Reads one batch of a side: whether there were records, and the condition after which reading cannot continue.
    fn read(&mut self, index: usize, side: Side) -> (bool, Option<Upset>) {
        let now = self.now();
        let batch = self.queues[index][side].read(&mut self.buffer);
        if batch.is_empty() {
            return (false, None);
        }
        let partition = self.shell.pairs()[index].partition();
        let Some(mut reading) = self.shell.read(index, side, now) else { return (false, None) };
        let (mut recent, mut upset) = (Vec::new(), None);
        for entry in batch.entries() {
            match entry {
                Entry::Record(record) => match reading.record(record.mark, Event::parse(record.payload)) {
                    Step::Counted | Step::Duplicate => {}
                    Step::Replayed => {
                        crash_point!("in-replay");
                    }
                    Step::Keep { task, number, reason } => {
                        let origin = origin(side, partition, &record, &self.setup.topics);
                        recent.push(recent_letter(&origin, &reason));
                        let key = record.key.map(<[u8]>::to_vec);
                        reading.keep(Box::new(Letter { task, number, key, payload: encode(&origin, &reason) }));
                    }
                    Step::Upset(why) => {
                        upset = Some(why);
                        break;
                    }
                },
                Entry::PartitionEnd(offset) => reading.end(offset),
                Entry::Error { code, message } => {
                    upset = Some(Upset::Error(partition_error::of(code, &message)));
                    break;
                }
            }
        }
        drop(batch);
        if upset.is_none() {
            crash_point!("after-read");
        }
        recent.into_iter().for_each(|letter| remember(&mut self.record.recent_letters, letter));
        (true, upset)
    }
}

fn origin<'a>(side: Side, partition: i32, record: &Record<'a>, topics: &'a Topics) -> RecordOrigin<'a> {
    RecordOrigin {
        source: match side {
            Side::Impressions => "Impression",
            Side::Clicks => "Click",
        },
        topic: topics.name(side),
        partition,
        mark: record.mark,
        key: record.key,
        payload: record.payload,
        headers: record.headers(),
    }
}

fn recent_letter(origin: &RecordOrigin<'_>, reason: &DeadLetterReason) -> RecentLetter {
    RecentLetter {
        read_at: now_ms(),
        topic: origin.topic.to_owned(),
        partition: origin.partition,
        offset: origin.mark.offset,
        code: reason.code(),
        message: message(reason).into_owned(),
    }
}
