#!/usr/bin/env bash
# Runs Kafka's command line tools against the running stack.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: local/kafka/tool.sh TOOL [ARGUMENTS]

  TOOL   a class of org.apache.kafka.tools; the brokers are added as --bootstrap-server. Examples:
           local/kafka/tool.sh TopicCommand --describe --topic impressions
           local/kafka/tool.sh consumer.group.ConsumerGroupCommand --describe --group ctr-calculator-group
           local/kafka/tool.sh GetOffsetShell --topic clicks
USAGE
}

case "${1:-}" in -h | --help) usage && exit 0 ;; '') usage >&2 && exit 2 ;; esac
# shellcheck source=../../scripts/lib/env.sh
source "$(dirname "$0")/../../scripts/lib/env.sh"
tool="$1"
shift
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx256m -cp "$LOCAL_DIR/kafka/lib/*" \
    -Dlog4j.configuration="file:$CHECKOUT/local/kafka/log4j-tools.properties" \
    "org.apache.kafka.tools.$tool" --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" "$@"
