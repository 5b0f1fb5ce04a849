//! `externalized-checkpoint-cleanup: DELETE_ON_CANCELLATION`: a clean stop removes the group's commits.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;

use super::consumer::client_config;
use crate::config::KafkaConfig;

/// Timeout of the coordinator's response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Deletes the group with its commits. Kafka refuses while other instances are members: the last one to stop does it.
pub(crate) async fn delete_commits(kafka: &KafkaConfig) {
    let group = kafka.group_id.as_str();
    let result = async {
        let admin: AdminClient<DefaultClientContext> = AdminClient::from_config(&client_config(kafka))?;
        admin.delete_groups(&[group], &AdminOptions::new().request_timeout(Some(TIMEOUT))).await
    };
    match result.await {
        Ok(answers) => match answers.into_iter().next() {
            Some(Err((_, code))) => {
                tracing::warn!(group, error = %code, "commits kept: the group has other members, or is not known")
            }
            _ => tracing::info!(
                group,
                "commits removed (DELETE_ON_CANCELLATION); the next start begins again from the beginning"
            ),
        },
        Err(error) => tracing::warn!(group, %error, "commits could not be removed"),
    }
}
