#!/usr/bin/env bash
# Creates the topics, and updates the configuration of existing ones.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/create-topics.sh [--docker | --local]

Creates $IMPRESSION_TOPIC and $CLICK_TOPIC ($TOPIC_PARTITIONS partitions each) and $DLQ_TOPIC ($DLQ_PARTITIONS) with replication
$TOPIC_REPLICATION_FACTOR, at least $TOPIC_MIN_INSYNC_REPLICAS in sync, retention, and message.timestamp.type=LogAppendTime; existing topics get the
same configuration. Safe to run repeatedly.
"

begin "" "$@"
create_topics
