//! Executes the shell's commands.

use ctr_domain::checkpoint::PartitionCheckpoint;
use ctr_domain::shell::{Command, CommitId, Fault};
use ctr_domain::side::Side;
use rdkafka::{Offset, TopicPartitionList};

use super::{Worker, WorkerError};
use crate::crash_point::crash_point;
use crate::source::assignment::{Topics, assign};
use crate::source::commit::PendingCommit;

impl Worker {
    /// Executes all commands of the shell that have not been executed yet.
    pub(super) fn obey(&mut self) -> Result<(), WorkerError> {
        loop {
            let commands = self.shell.take_commands();
            if commands.is_empty() {
                return Ok(());
            }
            for command in commands {
                self.obey_one(command)?;
            }
        }
    }

    fn obey_one(&mut self, command: Command) -> Result<(), WorkerError> {
        match command {
            Command::Unassign => self.queues.clear(),
            Command::AskFacts { id, partitions } => {
                let reply = self.facts.sender.clone();
                self.setup.facts.ask(id, partitions, reply).map_err(WorkerError::Thread)?;
            }
            Command::Assign(starts) => {
                self.queues = assign(&self.consumer, &self.setup.topics, &starts).map_err(WorkerError::Assign)?;
            }
            Command::Commit { id, partitions } => self.begin_commit(id, &partitions),
            Command::AskEndOffset(question) => self.setup.end_offsets.ask(question, self.ends.sender.clone()),
            Command::Tell(notice) => self.tell(notice),
            Command::GiveUp(fault) => {
                let (Fault::Recovery { side, partition, .. } | Fault::Partition { side, partition, .. }) = fault;
                let topic = self.setup.topics.name(side).to_owned();
                return Err(WorkerError::Fault { topic, partition, fault });
            }
        }
        Ok(())
    }

    fn begin_commit(&mut self, id: CommitId, partitions: &[(i32, [PartitionCheckpoint; 2])]) {
        crash_point!("before-commit");
        let list = commit_list(&self.setup.topics, partitions);
        // This abandons an earlier unanswered commit.
        self.commit = None;
        match PendingCommit::begin(&self.consumer, &list) {
            Ok(pending) => self.commit = Some((id, pending)),
            Err(error) => self.shell.on_commit_answer(id, Err(error.to_string()), self.now()),
        }
    }
}

fn commit_list(topics: &Topics, partitions: &[(i32, [PartitionCheckpoint; 2])]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len() * 2);
    for (number, checkpoints) in partitions {
        for (side, checkpoint) in Side::BOTH.into_iter().zip(checkpoints) {
            let mut element = list.add_partition(topics.name(side), *number);
            element.set_metadata(checkpoint.metadata());
            // An offset is never one of the special negative numbers.
            let _ = element.set_offset(Offset::Offset(checkpoint.low_offset));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use ctr_domain::side::BySide;
    use ctr_domain::window::WindowSize;

    use super::*;

    #[test]
    fn a_commit_says_the_low_offset_and_the_metadata_of_both_topics() {
        let topics = Topics(BySide(["impressions".to_owned(), "clicks".to_owned()]));
        let size = WindowSize::from_ms(10_000).unwrap();
        let checkpoints = [PartitionCheckpoint::begin_at(5, size), PartitionCheckpoint::begin_at(7, size)];
        let list = commit_list(&topics, &[(3, checkpoints)]);
        for (topic, checkpoint) in ["impressions", "clicks"].into_iter().zip(checkpoints) {
            let element = list.find_partition(topic, 3).unwrap();
            assert_eq!(element.offset(), Offset::Offset(checkpoint.low_offset));
            assert_eq!(element.metadata(), checkpoint.metadata());
        }
    }
}
