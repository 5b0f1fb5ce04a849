# shellcheck shell=bash
# The settings of all scripts: the environment first, then .env, then the defaults below. All are exported.
# Source it; it prints nothing and starts nothing.

CHECKOUT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export CHECKOUT

# Reads NAME=value lines like docker compose: nothing is executed, and variables that are already set are kept.
load_env_file() {
    local file="$1" line name value number=0
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        line="${line%$'\r'}"
        line="${line#"${line%%[![:space:]]*}"}"
        line="${line#export }"
        case "$line" in '' | \#*) continue ;; esac
        name="${line%%=*}"
        value="${line#*=}"
        if [[ "$line" != *=* || ! "$name" =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; then
            # The line itself may hold a secret: only its number is shown.
            echo "$file, line $number: not a NAME=value line. Correct it or put # before it." >&2
            exit 2
        fi
        case "$value" in
            \"*\") value="${value#\"}" value="${value%\"}" ;;
            \'*\') value="${value#\'}" value="${value%\'}" ;;
            *) value="${value%%[[:space:]]#*}" value="${value%"${value##*[![:space:]]}"}" ;;
        esac
        [ -n "${!name+set}" ] || export "$name=$value"
    done <"$file"
}

ENV_FILE="${ENV_FILE:-$CHECKOUT/.env}"
if [ -r "$ENV_FILE" ] && [ ! -d "$ENV_FILE" ]; then load_env_file "$ENV_FILE"; fi

# Where the stack without Docker keeps all its files.
: "${LOCAL_DIR:=$CHECKOUT/.local}"
case "$LOCAL_DIR" in /*) ;; *) LOCAL_DIR="$CHECKOUT/$LOCAL_DIR" ;; esac

# Kafka: the clients' ports, and those for traffic between brokers.
: "${KAFKA1_PORT:=19092}" "${KAFKA2_PORT:=19093}" "${KAFKA3_PORT:=19094}"
: "${KAFKA_CONTROLLER1_PORT:=19192}" "${KAFKA_CONTROLLER2_PORT:=19193}" "${KAFKA_CONTROLLER3_PORT:=19194}"
: "${KAFKA_BOOTSTRAP_SERVERS:=127.0.0.1:$KAFKA1_PORT,127.0.0.1:$KAFKA2_PORT,127.0.0.1:$KAFKA3_PORT}"
: "${KAFKA_HEAP_MB:=384}"

# Topics. Retention is per partition; whichever limit is reached first applies.
: "${IMPRESSION_TOPIC:=impressions}" "${CLICK_TOPIC:=clicks}" "${DLQ_TOPIC:=dlq-events}"
: "${TOPIC_PARTITIONS:=6}" "${DLQ_PARTITIONS:=3}"
: "${TOPIC_RETENTION_MS:=21600000}" "${TOPIC_RETENTION_BYTES:=1073741824}" "${DLQ_RETENTION_MS:=604800000}"
: "${TOPIC_REPLICATION_FACTOR:=3}" "${TOPIC_MIN_INSYNC_REPLICAS:=2}"

# ClickHouse. With a password (setup.sh generates one) the user is the pipeline's, otherwise the one without a password.
: "${CLICKHOUSE_HOST:=127.0.0.1}" "${CLICKHOUSE_PORT:=8123}" "${CLICKHOUSE_DB:=default}"
: "${CLICKHOUSE_PASSWORD:=}"
if [ -n "$CLICKHOUSE_PASSWORD" ]; then : "${CLICKHOUSE_USER:=ctr_writer}"; else : "${CLICKHOUSE_USER:=default}"; fi
: "${RAW_TTL_DAYS:=30}" "${HISTORY_TTL_DAYS:=7}"

# The pipeline and the producers (events per second of each stream).
: "${PIPELINE_PORT:=8081}" "${PARALLELISM:=2}"
: "${IMPRESSION_RATE:=1000}" "${CLICK_RATE:=400}" "${PRODUCER_LINGER:=1s}"

# The dashboards.
: "${SUPERSET_PORT:=8088}"

# In containers only: memory of the job, and of a command beside it, more ports, and the image tags (docker-compose.yml).
: "${PIPELINE_MEMORY:=256m}" "${COMMAND_MEMORY:=1g}"
: "${CLICKHOUSE_NATIVE_PORT:=9000}" "${KAFKA_UI_PORT:=8080}" "${PROMETHEUS_PORT:=9090}" "${GRAFANA_PORT:=3000}"
: "${KAFKA_TAG:=3.9.1}" "${CLICKHOUSE_TAG:=26.3}" "${KAFKA_UI_TAG:=v1.5.0}" "${CTR_TAG:=local}"
: "${RUST_TAG:=1.95-bookworm}" "${RUNTIME_TAG:=nonroot}" "${SUPERSET_TAG:=6.1.0}"
: "${PROMETHEUS_TAG:=v3.5.0}" "${GRAFANA_TAG:=12.1.1}"

# The settings with which the running stack was started; local/run.sh reads them back.
STACK_SETTINGS="LOCAL_DIR ENV_FILE
    KAFKA1_PORT KAFKA2_PORT KAFKA3_PORT KAFKA_CONTROLLER1_PORT KAFKA_CONTROLLER2_PORT KAFKA_CONTROLLER3_PORT
    KAFKA_BOOTSTRAP_SERVERS KAFKA_HEAP_MB
    IMPRESSION_TOPIC CLICK_TOPIC DLQ_TOPIC TOPIC_PARTITIONS DLQ_PARTITIONS TOPIC_RETENTION_MS TOPIC_RETENTION_BYTES
    DLQ_RETENTION_MS TOPIC_REPLICATION_FACTOR TOPIC_MIN_INSYNC_REPLICAS
    CLICKHOUSE_HOST CLICKHOUSE_PORT CLICKHOUSE_DB CLICKHOUSE_USER CLICKHOUSE_PASSWORD RAW_TTL_DAYS HISTORY_TTL_DAYS
    PIPELINE_PORT PARALLELISM IMPRESSION_RATE CLICK_RATE PRODUCER_LINGER SUPERSET_PORT
    PIPELINE_MEMORY COMMAND_MEMORY CLICKHOUSE_NATIVE_PORT KAFKA_UI_PORT PROMETHEUS_PORT GRAFANA_PORT
    KAFKA_TAG CLICKHOUSE_TAG KAFKA_UI_TAG CTR_TAG RUST_TAG RUNTIME_TAG SUPERSET_TAG PROMETHEUS_TAG GRAFANA_TAG"
# shellcheck disable=SC2086,SC2163  # a list of names
export $STACK_SETTINGS
