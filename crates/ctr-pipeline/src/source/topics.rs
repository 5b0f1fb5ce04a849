//! Brokers and topics of the cluster: facts for `check` and for startup.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::consumer::client_config;
use crate::config::KafkaConfig;
use crate::kafka_log;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for the reason of a failure. It usually arrives with the first connection; on a busy machine a
/// failing handshake may take seconds.
const EXPLANATION: Duration = Duration::from_secs(5);

/// How long to request, and to listen, at a time.
const TURN: Duration = Duration::from_millis(100);

/// The cluster's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterFacts {
    /// Brokers that are up.
    pub(crate) brokers: usize,
    /// The requested topics, in that order.
    pub(crate) topics: Vec<TopicFacts>,
}

/// One topic, existing or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicFacts {
    /// Its name.
    pub(crate) name: String,
    /// Its partitions; 0 if it does not exist.
    pub(crate) partitions: usize,
    /// Its `message.timestamp.type`, if readable.
    pub(crate) timestamp_type: Option<String>,
    /// Its `retention.ms`: the minimum retention of records; `None` if it is not readable, or unlimited.
    pub(crate) retention_ms: Option<i64>,
}

/// How long a newly created topic may take to be known to every broker.
const PROPAGATION: Duration = Duration::from_secs(3);

/// The cluster did not respond, or librdkafka rejects the settings.
#[derive(Debug, thiserror::Error)]
#[error("{source}{}", .broker.as_ref().map(|broker| format!("; {broker}")).unwrap_or_default())]
pub(crate) struct Unanswered {
    source: KafkaError,
    /// librdkafka's message about the first failed connection, for example which certificate or password was rejected.
    broker: Option<String>,
}

#[derive(Default)]
struct AdminContext {
    first_failure: OnceLock<String>,
}

impl ClientContext for AdminContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka_log::forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "client for topics");
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.first_failure.get_or_init(|| reason.to_owned());
        }
    }
}

impl ConsumerContext for AdminContext {}

/// Queries topics of the cluster. A missing one is queried again for a moment: brokers learn of a newly created topic
/// one after another, and any of them may have responded.
///
/// # Errors
///
/// If no broker responds in time, or librdkafka rejects the settings.
pub(crate) async fn examine(kafka: &KafkaConfig, topics: &[&str]) -> Result<ClusterFacts, Unanswered> {
    let admin = AdminClient::from_config_and_context(&client_config(kafka), AdminContext::default())
        .map_err(|source| Unanswered { source, broker: None })?;
    let deadline = Instant::now() + PROPAGATION;
    loop {
        let facts = match ask(&admin, topics).await {
            Ok(facts) => facts,
            Err(source) => {
                return Err(Unanswered { source, broker: tokio::task::block_in_place(|| connection_failure(kafka)) });
            }
        };
        if facts.topics.iter().all(|topic| topic.partitions > 0) || Instant::now() >= deadline {
            return Ok(facts);
        }
        tokio::time::sleep(PROPAGATION / 10).await;
    }
}

/// librdkafka's message about a failing connection. An admin client does not receive it, so this tries a consumer.
fn connection_failure(kafka: &KafkaConfig) -> Option<String> {
    let consumer = BaseConsumer::from_config_and_context(&client_config(kafka), AdminContext::default()).ok()?;
    let deadline = Instant::now() + EXPLANATION;
    while consumer.context().first_failure.get().is_none() && Instant::now() < deadline {
        // A request makes it connect; the outcome is an event.
        drop(consumer.fetch_metadata(None, TURN));
        drop(consumer.poll(TURN));
    }
    consumer.context().first_failure.get().cloned()
}

async fn ask(admin: &AdminClient<AdminContext>, topics: &[&str]) -> Result<ClusterFacts, KafkaError> {
    // All topics, because requesting one by name may create it.
    let metadata = tokio::task::block_in_place(|| admin.inner().fetch_metadata(None, TIMEOUT))?;
    let mut facts = ClusterFacts { brokers: metadata.brokers().len(), topics: Vec::new() };
    for name in topics {
        let listed =
            metadata.topics().iter().find(|topic| topic.name() == *name).map_or(0, |topic| topic.partitions().len());
        let (partitions, settings) = match settings(admin, name).await {
            // The broker that responded this time does not know the topic, or not yet.
            Err(RDKafkaErrorCode::UnknownTopicOrPartition) => (0, None),
            // Not readable, and never will be: an operator must decide.
            Err(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
                (listed, None)
            }
            // Not readable this time.
            Err(code) => return Err(KafkaError::AdminOp(code)),
            Ok(settings) => (listed, settings),
        };
        let setting = |name: &str| settings.as_ref()?.get(name)?.value.clone();
        let retention_ms = setting("retention.ms").and_then(|value| value.parse().ok()).filter(|ms| *ms >= 0);
        let timestamp_type = setting("message.timestamp.type");
        facts.topics.push(TopicFacts { name: (*name).to_owned(), partitions, timestamp_type, retention_ms });
    }
    Ok(facts)
}

/// The topic's configuration.
async fn settings(admin: &AdminClient<AdminContext>, topic: &str) -> Result<Option<ConfigResource>, RDKafkaErrorCode> {
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let answers = admin
        .describe_configs(&[ResourceSpecifier::Topic(topic)], &options)
        .await
        .map_err(|error| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))?;
    answers.into_iter().next().transpose()
}
