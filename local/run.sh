#!/usr/bin/env bash
# Becomes one service of the stack without Docker (exec: signals reach the program directly).
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: local/run.sh SERVICE [ARGUMENTS]

  SERVICE   kafka1, kafka2, kafka3, clickhouse, ctr-pipeline, impression-producer, click-producer
            ctr-pipeline-check runs `ctr-pipeline check` with the settings that ctr-pipeline has

The supervisor runs it. The settings are those of the script that started the service (LOCAL_DIR/run/SERVICE.settings),
so that a restart after a crash has the same ones; the supervisor's own environment has none.
USAGE
}

case "${1:-}" in -h | --help) usage && exit 0 ;; '') usage >&2 && exit 2 ;; esac
service="$1"
shift

here="$(cd "$(dirname "$0")" && pwd)"
: "${LOCAL_DIR:=$here/../.local}"
settings="$LOCAL_DIR/run/${service%-check}.settings"
if [ -r "$settings" ]; then
    while IFS= read -r line; do export "${line%%=*}=${line#*=}"; done <"$settings"
fi
# shellcheck source=../scripts/lib/env.sh
source "$here/../scripts/lib/env.sh"
cd "$CHECKOUT"

binaries="${CARGO_TARGET_DIR:-$CHECKOUT/target}/release"

# down.sh finds what a killed supervisor left behind by these. The start time tells a process from a later one with its id.
remember_process() {
    mkdir -p "$LOCAL_DIR/run"
    echo "$$ $(ps -o lstart= -p $$)" >"$LOCAL_DIR/run/$service.pid"
}

pipeline_settings() {
    export KAFKA_TOPICS_IMPRESSION="$IMPRESSION_TOPIC" KAFKA_TOPICS_CLICK="$CLICK_TOPIC" KAFKA_DLQ_TOPIC="$DLQ_TOPIC"
    export CLICKHOUSE_URL="http://$CLICKHOUSE_HOST:$CLICKHOUSE_PORT" CLICKHOUSE_DATABASE="$CLICKHOUSE_DB"
    export CTR_JOB_PARALLELISM="$PARALLELISM" STATUS_PORT="$PIPELINE_PORT"
    export CTR_JOB_INSTANCE_ID="${CTR_JOB_INSTANCE_ID:-local}"
    export LOGGING_DIRECTORY="${LOGGING_DIRECTORY:-$LOCAL_DIR/logs/ctr-pipeline}"
}

case "$service" in
    kafka[123])
        remember_process
        exec local/kafka/run-broker.sh "${service#kafka}"
        ;;
    clickhouse)
        remember_process
        export CLICKHOUSE_ENGINE_PASSWORD="$CLICKHOUSE_PASSWORD"
        export PATH="$LOCAL_DIR/venv/bin:$PATH"
        exec local/clickhouse_engine/launch.sh --path "$LOCAL_DIR/clickhouse" --host "$CLICKHOUSE_HOST" \
            --port "$CLICKHOUSE_PORT" --writer-user "$CLICKHOUSE_USER"
        ;;
    ctr-pipeline)
        remember_process
        pipeline_settings
        exec "$binaries/ctr-pipeline" run --config config/application.yml "$@"
        ;;
    ctr-pipeline-check)
        pipeline_settings
        exec "$binaries/ctr-pipeline" check --config config/application.yml "$@"
        ;;
    impression-producer)
        remember_process
        exec "$binaries/ctr-producer" impressions --rate "$IMPRESSION_RATE" "$@"
        ;;
    click-producer)
        remember_process
        exec "$binaries/ctr-producer" clicks --rate "$CLICK_RATE" "$@"
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac
