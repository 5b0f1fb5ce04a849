#!/usr/bin/env bash
# Waits until the brokers form a cluster, creates the topics, and applies the settings to existing ones; inside the Kafka
# image. Does the same as local/kafka/topics.py, with Kafka's own tools. Safe to run repeatedly.
set -euo pipefail

usage() {
    cat <<'END'
Usage: containers/kafka-init.sh

Settings: BOOTSTRAP_SERVERS, IMPRESSION_TOPIC, CLICK_TOPIC, DLQ_TOPIC, TOPIC_PARTITIONS, DLQ_PARTITIONS,
TOPIC_REPLICATION_FACTOR, TOPIC_MIN_INSYNC_REPLICAS, TOPIC_RETENTION_MS, TOPIC_RETENTION_BYTES, DLQ_RETENTION_MS,
WAIT_SECONDS (120), KAFKA_BIN (/opt/kafka/bin).
END
}

case "${1:-}" in
    '') ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
esac
: "${KAFKA_BIN:=/opt/kafka/bin}" "${WAIT_SECONDS:=120}"

topics() { "$KAFKA_BIN/kafka-topics.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" "$@"; }

# Counts the lines with an arrow, one for each broker that responds.
count_brokers() { "$KAFKA_BIN/kafka-broker-api-versions.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" 2>/dev/null | grep -c -- ' -> (' || true; }

wait_for_brokers() {
    local count deadline=$((SECONDS + WAIT_SECONDS))
    until count="$(count_brokers)" && [ "$count" -ge "$TOPIC_REPLICATION_FACTOR" ]; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "$count of $TOPIC_REPLICATION_FACTOR brokers respond at $BOOTSTRAP_SERVERS after $WAIT_SECONDS s; see their logs" >&2
            return 1
        fi
        sleep 1
    done
}

# topic_settings RETENTION_MS: name=value lines. Events from the future are detected with the broker's clock, not the
# producer's.
topic_settings() {
    printf '%s\n' "min.insync.replicas=$TOPIC_MIN_INSYNC_REPLICAS" "retention.ms=$1" "retention.bytes=$TOPIC_RETENTION_BYTES" \
        message.timestamp.type=LogAppendTime cleanup.policy=delete
}

# ensure_topic NAME PARTITIONS RETENTION_MS
ensure_topic() {
    local name="$1" wanted="$2" partitions settings
    partitions="$(awk -v name="$name" '$1 == "Topic:" && $2 == name { for (i = 3; i < NF; i++) if ($i == "PartitionCount:") print $(i + 1) }' <<<"$EXISTING")"
    settings="$(topic_settings "$3" | paste -sd ,)"
    if [ -z "$partitions" ]; then
        # shellcheck disable=SC2046  # a list of options without spaces
        topics --create --if-not-exists --topic "$name" --partitions "$wanted" \
            --replication-factor "$TOPIC_REPLICATION_FACTOR" $(topic_settings "$3" | sed 's/^/--config /') >/dev/null
        echo "$name: created, $wanted partitions, $settings"
        return
    fi
    if [ "$partitions" -gt "$wanted" ]; then
        echo "$name has $partitions partitions, but $wanted are configured: Kafka cannot remove partitions. Set $partitions in .env," \
            "or delete the topics with their data (./scripts/down.sh --volumes)." >&2
        return 1
    fi
    [ "$partitions" -eq "$wanted" ] || topics --alter --topic "$name" --partitions "$wanted"
    "$KAFKA_BIN/kafka-configs.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" --alter --entity-type topics --entity-name "$name" \
        --add-config "$settings" >/dev/null
    echo "$name: exists, set to $wanted partitions, $settings"
}

wait_for_brokers
EXISTING="$(topics --describe)"
ensure_topic "$IMPRESSION_TOPIC" "$TOPIC_PARTITIONS" "$TOPIC_RETENTION_MS"
ensure_topic "$CLICK_TOPIC" "$TOPIC_PARTITIONS" "$TOPIC_RETENTION_MS"
ensure_topic "$DLQ_TOPIC" "$DLQ_PARTITIONS" "$DLQ_RETENTION_MS"
