//! Checks whether everything the job needs is available. Run by `ctr-pipeline check`, and by every start before it
//! reads anything.

use std::fmt;

use crate::config::{ClickHouseConfig, KafkaConfig};
use crate::sink::clickhouse::{ClickHouse, ClickHouseError, Column, RESULTS_TABLE};
use crate::sink::results_table::{self, APPLY_SCHEMA, Mismatch};
use crate::source::consumer::refused_properties;
use crate::source::topics::{self, ClusterFacts, TopicFacts};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The subject: `topic impressions`.
    pub subject: String,
    /// The outcome.
    pub verdict: Verdict,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Correct.
    Good(String),
    /// Wrong: the problem and its remedy.
    Wrong(String, String),
    /// No response; it may respond later.
    Unreachable(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Good(detail) => write!(f, "ok       {}: {detail}", self.subject),
            Verdict::Wrong(what, remedy) => write!(f, "wrong    {}: {what}; {remedy}", self.subject),
            Verdict::Unreachable(why) => write!(f, "no answer {}: {why}", self.subject),
        }
    }
}

impl Finding {
    fn good(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Good(detail.into()) }
    }

    fn wrong(subject: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Wrong(what.into(), remedy.into()) }
    }

    fn unreachable(subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Unreachable(why.into()) }
    }

    /// Whether it is wrong.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        matches!(self.verdict, Verdict::Wrong(..))
    }

    /// Whether it did not respond.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self.verdict, Verdict::Unreachable(_))
    }
}

/// Checks brokers and topics.
pub async fn kafka(config: &KafkaConfig) -> Vec<Finding> {
    kafka_facts(config).await.0
}

/// Checks brokers and topics. Also returns the facts, if there are any.
pub(crate) async fn kafka_facts(config: &KafkaConfig) -> (Vec<Finding>, Option<ClusterFacts>) {
    let names = [config.topics.impression.as_str(), config.topics.click.as_str(), config.dlq_topic.as_str()];
    if let Some(problem) = refused_properties(config) {
        let remedy = "change `kafka.properties` (KAFKA_PROPERTIES)";
        return (vec![Finding::wrong("kafka.properties", problem, remedy)], None);
    }
    match topics::examine(config, &names).await {
        Ok(facts) => (judge_cluster(&facts, config), Some(facts)),
        Err(error) => {
            let why = format!(
                "{} ({error}); is Kafka running? `kafka.bootstrap-servers` (KAFKA_BOOTSTRAP_SERVERS) names it",
                config.bootstrap_servers
            );
            (vec![Finding::unreachable("brokers", why)], None)
        }
    }
}

/// The rules for topics.
fn judge_cluster(facts: &ClusterFacts, config: &KafkaConfig) -> Vec<Finding> {
    let mut findings = vec![Finding::good("brokers", format!("{} at {}", facts.brokers, config.bootstrap_servers))];
    for topic in &facts.topics {
        findings.push(judge_topic(topic, config));
    }
    let partitions =
        |name: &str| facts.topics.iter().find(|topic| topic.name == name).map_or(0, |topic| topic.partitions);
    let (impressions, clicks) = (partitions(&config.topics.impression), partitions(&config.topics.click));
    if impressions > 0 && clicks > 0 && impressions != clicks {
        // Not an error of these settings, and possibly temporary: the existing pairs are read.
        let waiting = impressions.min(clicks)..impressions.max(clicks);
        findings.push(Finding::good(
            "partitions",
            format!(
                "`{}` has {impressions}, `{}` has {clicks}: {} to {} wait until both topics have them",
                config.topics.impression,
                config.topics.click,
                waiting.start,
                waiting.end - 1
            ),
        ));
    }
    findings
}

fn judge_topic(topic: &TopicFacts, config: &KafkaConfig) -> Finding {
    let subject = format!("topic {}", topic.name);
    if topic.partitions == 0 {
        // It may be created, or recreated: a job waits for it.
        return Finding::unreachable(subject, "does not exist; create it: ./scripts/create-topics.sh");
    }
    let partitions = format!("{} partitions", topic.partitions);
    if topic.name == config.dlq_topic {
        return Finding::good(subject, partitions);
    }
    match topic.timestamp_type.as_deref() {
        Some("CreateTime") if !config.trust_producer_timestamps => Finding::wrong(
            subject,
            "message.timestamp.type is CreateTime, so a producer's clock could make the events of others too late",
            "set LogAppendTime (./scripts/create-topics.sh does), or set `kafka.trust-producer-timestamps` if you trust the clocks",
        ),
        Some(kind) => Finding::good(subject, format!("{partitions}, {kind}")),
        None if config.trust_producer_timestamps => {
            Finding::good(subject, format!("{partitions}, timestamp type not visible"))
        }
        None => Finding::wrong(
            subject,
            "its message.timestamp.type may not be seen, and whether the clock that judges events is the broker's hangs on it",
            "grant DescribeConfigs on the topic, or set `kafka.trust-producer-timestamps` if you trust the producers' clocks",
        ),
    }
}

/// Checks the server, the results table, and the privilege to write to it.
pub async fn clickhouse(config: &ClickHouseConfig, server: &ClickHouse) -> Vec<Finding> {
    let version = match server.version().await {
        Ok(version) => version,
        Err(error) => return vec![Finding::unreachable("clickhouse", why_not(config, &error))],
    };
    let mut findings = vec![Finding::good("clickhouse", format!("{version} at {}", config.url))];
    let table = match server.columns(RESULTS_TABLE).await {
        Ok(columns) => judge_table(&columns, &config.database),
        Err(error) => Finding::unreachable(format!("table {RESULTS_TABLE}"), error.to_string()),
    };
    let fits = !table.is_wrong() && !table.is_unreachable();
    findings.push(table);
    if fits && let Err(error) = server.try_insert().await {
        findings.push(Finding::unreachable(format!("rows into {RESULTS_TABLE}"), error.to_string()));
    }
    match server.tables().await {
        Ok(tables) => findings.extend(judge_views(&tables)),
        Err(error) => findings.push(Finding::unreachable("views", error.to_string())),
    }
    findings
}

/// Why it cannot be queried. An error that names its own setting is not extended.
fn why_not(config: &ClickHouseConfig, error: &ClickHouseError) -> String {
    let url = &config.url;
    match error {
        ClickHouseError::Unreachable(_) => format!("{url} ({error}); `clickhouse.url` (CLICKHOUSE_URL) names it"),
        _ => format!("{url}: {error}"),
    }
}

fn judge_table(columns: &[Column], database: &str) -> Finding {
    let subject = format!("table {}", results_table::full_name(database));
    match results_table::mismatch(columns) {
        Some(Mismatch { what, remedy }) => Finding::wrong(subject, what, remedy),
        None => Finding::good(subject, format!("{} columns", columns.len())),
    }
}

fn judge_views(tables: &[String]) -> Vec<Finding> {
    ["ctr_ml_view", "ctr_latest_view", "ctr_windows"]
        .into_iter()
        .map(|view| {
            if tables.iter().any(|table| table == view) {
                Finding::good(format!("view {view}"), "there")
            } else {
                Finding::wrong(format!("view {view}"), "does not exist, or may not be seen by this user", APPLY_SCHEMA)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Config;

    fn config() -> Config {
        Config::from_yaml("", &BTreeMap::from([("CTR_JOB_INSTANCE_ID".to_owned(), "t".to_owned())])).unwrap()
    }

    fn topic(name: &str, partitions: usize, timestamp_type: &str) -> TopicFacts {
        TopicFacts {
            name: name.to_owned(),
            partitions,
            timestamp_type: Some(timestamp_type.to_owned()),
            retention_ms: None,
        }
    }

    fn wrong(facts: Vec<TopicFacts>) -> Vec<String> {
        let facts = ClusterFacts { brokers: 3, topics: facts };
        judge_cluster(&facts, &config().kafka).iter().filter(|f| f.is_wrong()).map(ToString::to_string).collect()
    }

    #[test]
    fn a_cluster_as_the_scripts_make_it_is_good() {
        let topics = vec![
            topic("impressions", 6, "LogAppendTime"),
            topic("clicks", 6, "LogAppendTime"),
            topic("dlq-events", 3, "CreateTime"),
        ];
        assert!(wrong(topics).is_empty());
    }

    #[test]
    fn every_fault_is_named_with_its_remedy() {
        let found = wrong(vec![
            topic("impressions", 6, "CreateTime"),
            topic("clicks", 4, "LogAppendTime"),
            topic("dlq-events", 0, ""),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("impressions") && found[0].contains("LogAppendTime"), "{found:?}");
    }

    #[test]
    fn topics_that_are_missing_or_unequal_are_waited_for_and_named_with_their_numbers() {
        let topics = vec![
            topic("impressions", 6, "LogAppendTime"),
            topic("clicks", 4, "LogAppendTime"),
            topic("dlq-events", 0, ""),
        ];
        assert!(wrong(topics.clone()).is_empty(), "nobody must change this process' settings");
        let findings = judge_cluster(&ClusterFacts { brokers: 3, topics }, &config().kafka);
        let missing: Vec<String> =
            findings.iter().filter(|finding| finding.is_unreachable()).map(ToString::to_string).collect();
        assert!(missing.len() == 1 && missing[0].contains("create-topics.sh"), "{missing:?}");
        let unequal = findings.last().unwrap().to_string();
        assert!(unequal.contains("has 6") && unequal.contains("has 4: 4 to 5 wait"), "{unequal}");
    }

    #[test]
    fn a_timestamp_type_that_may_not_be_seen_is_not_taken_for_good() {
        let unseen = || TopicFacts { timestamp_type: None, ..topic("impressions", 6, "") };
        let topics = || vec![unseen(), topic("clicks", 6, "LogAppendTime"), topic("dlq-events", 3, "")];
        let found = wrong(topics());
        assert!(
            found.len() == 1 && found[0].contains("DescribeConfigs") && found[0].contains("impressions"),
            "{found:?}"
        );
        let mut trusting = config();
        trusting.kafka.trust_producer_timestamps = true;
        let facts = ClusterFacts { brokers: 3, topics: topics() };
        assert!(judge_cluster(&facts, &trusting.kafka).iter().all(|finding| !finding.is_wrong()));
    }

    #[test]
    fn views_that_are_missing_are_named() {
        let found = judge_views(&["ctr_ml_view".to_owned(), "ctr_windows".to_owned()]);
        assert_eq!(found.iter().filter(|finding| finding.is_wrong()).count(), 1);
    }
}
