//! End offsets from the brokers, requested on a separate thread so that a worker never waits for them.
//!
//! The end of a log is its high watermark. Records of an open transaction precede it, although they cannot be read yet:
//! so these clients use `read_uncommitted`.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use ctr_domain::shell::{EndOffsetAnswer, EndOffsetQuestion};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::assignment::Topics;
use super::consumer::client_config;
use crate::config::KafkaConfig;
use crate::kafka_log;

/// Timeout of one request. A missing response proves nothing; the worker requests again.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client without a group, for queries: clones of the [`Arc`] may be used concurrently.
pub(crate) type QuestionClient = BaseConsumer<QuietContext>;

/// Which end of a log a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Of the log itself, its high watermark.
    Log,
    /// Of the readable part: before the first record of an open transaction.
    Stable,
}

/// Creates one.
///
/// # Errors
///
/// If librdkafka rejects the settings.
pub(crate) fn question_client(kafka: &KafkaConfig, ends: Ends) -> KafkaResult<Arc<QuestionClient>> {
    let mut config = client_config(kafka);
    config.set(
        "isolation.level",
        match ends {
            Ends::Log => "read_uncommitted",
            Ends::Stable => "read_committed",
        },
    );
    Ok(Arc::new(BaseConsumer::from_config_and_context(&config, QuietContext)?))
}

/// Errors of such a client are for debugging: the caller sees the error in the result.
pub(crate) struct QuietContext;

impl ClientContext for QuietContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka_log::forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "client for end offsets");
    }
}

impl ConsumerContext for QuietContext {}

/// A task's request, and where its result goes.
type Asked = (EndOffsetQuestion, Sender<EndOffsetAnswer>);

/// The workers' end: clone it to send requests. The thread ends when all clones are dropped.
#[derive(Debug, Clone)]
pub(crate) struct EndOffsets {
    questions: Sender<Asked>,
}

impl EndOffsets {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(crate) fn start(client: Arc<QuestionClient>, topics: Topics) -> std::io::Result<Self> {
        let (questions, asked) = unbounded();
        std::thread::Builder::new()
            .name("end-offsets".to_owned())
            .spawn(move || answer_all(&client, &topics, &asked))?;
        Ok(Self { questions })
    }

    /// Queues a request; the result arrives asynchronously.
    pub(crate) fn ask(&self, question: EndOffsetQuestion, reply: Sender<EndOffsetAnswer>) {
        // The thread lives as long as any sender does.
        let _ = self.questions.send((question, reply));
    }
}

/// All waiting requests are answered together, so that in an outage at most one per pair is pending.
fn answer_all(client: &QuestionClient, topics: &Topics, asked: &Receiver<Asked>) {
    while let Ok(first) = asked.recv() {
        let questions: Vec<Asked> = std::iter::once(first).chain(asked.try_iter()).collect();
        let ends = ends(client, topics, &questions);
        if let Err(error) = &ends {
            tracing::debug!(%error, "{} questions for end offsets not answered", questions.len());
        }
        for (question, reply) in questions {
            let topic = topics.name(question.request.side);
            let found = ends.as_ref().ok().and_then(|ends| ends.find_partition(topic, question.partition));
            let end_offset = found.filter(|found| found.error().is_ok()).and_then(|found| match found.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            });
            let _ = reply.send(EndOffsetAnswer { question, end_offset });
        }
    }
}

fn ends(client: &QuestionClient, topics: &Topics, questions: &[Asked]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (question, _) in questions {
        let topic = topics.name(question.request.side);
        if list.find_partition(topic, question.partition).is_none() {
            list.add_partition_offset(topic, question.partition, Offset::End)?;
        }
    }
    client.offsets_for_times(list, TIMEOUT)
}
