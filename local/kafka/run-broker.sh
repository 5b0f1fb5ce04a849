#!/usr/bin/env bash
# Formats a KRaft node's folder if it is new, then starts that node's broker (exec: signals reach Java directly).
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: local/kafka/run-broker.sh NODE      NODE is 1, 2 or 3

Settings (environment):
  LOCAL_DIR                     jars in kafka/lib, data in kafka/data/kafkaNODE, log in logs/kafkaNODE.log
  KAFKA_LIB                     the jars, if elsewhere
  KAFKA_NODES                   nodes of the cluster: 3, or 1 for a single broker
  KAFKA1_PORT .. 3              port of each node for clients
  KAFKA_CONTROLLER1_PORT .. 3   port of each node for the others
  KAFKA_HEAP_MB                 Java heap of a node (384)
  KAFKA_JAVA_OPTS               further options for Java, such as -XX:TieredStopAtLevel=4 to optimize for long runs
  KAFKA_FURTHER_PROPERTIES      a file of broker properties that extend or override the defaults
  TOPIC_RETENTION_MS, TOPIC_RETENTION_BYTES   retention of topics that set none
USAGE
}

case "${1:-}" in
    -h | --help) usage && exit 0 ;;
    1 | 2 | 3) node="$1" ;;
    *) usage >&2 && exit 2 ;;
esac

here="$(cd "$(dirname "$0")" && pwd)"
: "${LOCAL_DIR:?run-broker.sh needs LOCAL_DIR}"
lib="${KAFKA_LIB:-$LOCAL_DIR/kafka/lib}"
data="$LOCAL_DIR/kafka/data/kafka$node"
nodes="${KAFKA_NODES:-3}"
# All nodes must have the same id. It only distinguishes the disks of different clusters, so a constant is sufficient.
cluster_id="Y3RyLXBpcGVsaW5lLWxvYw"

port_of() { eval "echo \"\${$1:?run-broker.sh needs $1}\""; }

quorum_voters() {
    local id voters=""
    for id in $(seq 1 "$nodes"); do voters="$voters,$id@127.0.0.1:$(port_of "KAFKA_CONTROLLER${id}_PORT")"; done
    echo "${voters#,}"
}

write_properties() {
    local replicas=$((nodes < 3 ? nodes : 3))
    sed -e "s|@NODE_ID@|$node|" -e "s|@QUORUM_VOTERS@|$(quorum_voters)|" \
        -e "s|@PORT@|$(port_of "KAFKA${node}_PORT")|" -e "s|@CONTROLLER_PORT@|$(port_of "KAFKA_CONTROLLER${node}_PORT")|" \
        -e "s|@DATA_DIR@|$data/log|" -e "s|@REPLICATION_FACTOR@|$replicas|" \
        -e "s|@MIN_INSYNC_REPLICAS@|$((replicas > 1 ? replicas - 1 : 1))|" \
        -e "s|@RETENTION_MS@|${TOPIC_RETENTION_MS:-21600000}|" -e "s|@RETENTION_BYTES@|${TOPIC_RETENTION_BYTES:-1073741824}|" \
        "$here/server.properties" >"$data/server.properties"
    # If a name occurs twice, Kafka uses the last line.
    [ -z "${KAFKA_FURTHER_PROPERTIES:-}" ] || cat "$KAFKA_FURTHER_PROPERTIES" >>"$data/server.properties"
}

mkdir -p "$data" "$LOCAL_DIR/logs"
write_properties
java=("${JAVA_HOME:+$JAVA_HOME/bin/}java" -cp "$lib/*" -Djava.awt.headless=true -Djava.net.preferIPv4Stack=true
    -Dlog4j.configuration="file:$here/log4j.properties" -Dkafka.log.file="$LOCAL_DIR/logs/kafka$node.log")

# meta.properties is the last file that formatting writes: an interrupted format is simply done again.
if [ ! -f "$data/log/meta.properties" ]; then
    rm -rf "$data/log"
    "${java[@]}" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format \
        --cluster-id "$cluster_id" --config "$data/server.properties"
fi

# shellcheck disable=SC2086  # a list of options
exec "${java[@]}" -Xms64m "-Xmx${KAFKA_HEAP_MB:-384}m" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -XX:TieredStopAtLevel=1 ${KAFKA_JAVA_OPTS:-} \
    kafka.Kafka "$data/server.properties"
