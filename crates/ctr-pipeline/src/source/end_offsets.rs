//! The broker's word on where a log ends: asked on a thread of its own, so that a worker never waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use ctr_domain::task::{EndOffsetRequest, Side};
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};

use super::consumer::client_config;
use crate::config::KafkaConfig;
use crate::kafka_log;
use crate::sink::TaskId;

/// How long one answer may take. No answer is no proof; the worker asks again.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A task's question, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Question {
    /// The task that asks.
    pub(crate) task: TaskId,
    /// The partition of both topics.
    pub(crate) partition: i32,
    /// What is asked.
    pub(crate) request: EndOffsetRequest,
    /// Where the answer goes.
    pub(crate) reply: Sender<Answer>,
}

/// An answer; `None` where the broker could not be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// The task that asked.
    pub(crate) task: TaskId,
    /// What was asked.
    pub(crate) request: EndOffsetRequest,
    /// The offset the next record of that side will get.
    pub(crate) end_offset: Option<i64>,
}

/// A client without a group, for questions: clones of the [`Arc`] may ask at the same time.
pub(crate) type QuestionClient = BaseConsumer<QuietContext>;

/// Connects one.
///
/// # Errors
/// Where librdkafka refuses the settings.
pub(crate) fn question_client(kafka: &KafkaConfig) -> KafkaResult<Arc<QuestionClient>> {
    Ok(Arc::new(BaseConsumer::from_config_and_context(&client_config(kafka), QuietContext)?))
}

/// Errors of such a client are for debugging: those who ask are told by the answer.
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

/// The workers' end: clone it, send questions. The thread ends when all are gone.
#[derive(Debug, Clone)]
pub(crate) struct EndOffsets {
    questions: Sender<Question>,
}

impl EndOffsets {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(crate) fn start(client: Arc<QuestionClient>, kafka: &KafkaConfig) -> std::io::Result<Self> {
        let topics = HashMap::from([
            (Side::Impressions, kafka.topics.impression.clone()),
            (Side::Clicks, kafka.topics.click.clone()),
        ]);
        let (questions, asked) = unbounded();
        std::thread::Builder::new().name("end-offsets".to_owned()).spawn(move || answer(&client, &topics, &asked))?;
        Ok(Self { questions })
    }

    /// Asks. The answer comes when it comes.
    pub(crate) fn ask(&self, question: Question) {
        // The thread lives as long as any sender does.
        let _ = self.questions.send(question);
    }
}

fn answer(client: &QuestionClient, topics: &HashMap<Side, String>, asked: &Receiver<Question>) {
    for question in asked {
        let topic = topics.get(&question.request.side).map_or("", String::as_str);
        let end = client.fetch_watermarks(topic, question.partition, TIMEOUT);
        if let Err(error) = &end {
            tracing::debug!(%error, topic, partition = question.partition, "end offset not answered");
        }
        let end_offset = end.ok().map(|(_, end)| end);
        let _ = question.reply.send(Answer { task: question.task, request: question.request, end_offset });
    }
}
