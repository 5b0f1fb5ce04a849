#!/usr/bin/env bash
# Replaces itself with one service of the stack without Docker (exec: signals reach the program directly).
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: local/run.sh SERVICE [ARGUMENTS]

  SERVICE   kafka1, kafka2, kafka3, clickhouse, ctr-pipeline, impression-producer, click-producer, superset
            ctr-pipeline-check runs `ctr-pipeline check` with the settings of ctr-pipeline, ctr-pipeline-command
            any of its commands; ctr-verify runs that program with the same settings
            superset-init updates the metadata, users and dashboards of Superset

The supervisor runs this script. The settings are those of the script that started the service (LOCAL_DIR/run/SERVICE.settings),
so that a restart after a crash uses the same ones; the supervisor's own environment has none.
USAGE
}

case "${1:-}" in -h | --help) usage && exit 0 ;; '') usage >&2 && exit 2 ;; esac
service="$1"
shift

here="$(cd "$(dirname "$0")" && pwd)"
: "${LOCAL_DIR:=$here/../.local}"
case "$service" in ctr-pipeline-* | ctr-verify) settings_of="ctr-pipeline" ;; *) settings_of="$service" ;; esac
settings="$LOCAL_DIR/run/$settings_of.settings"
if [ -r "$settings" ]; then
    while IFS= read -r line; do export "${line%%=*}=${line#*=}"; done <"$settings"
fi
# shellcheck source=../scripts/lib/env.sh
source "$here/../scripts/lib/env.sh"
cd "$CHECKOUT"

binaries="${CARGO_TARGET_DIR:-$CHECKOUT/target}/release"

# With these, down.sh finds processes left by a killed supervisor. The start time distinguishes a process from a later one with the same ID.
remember_process() {
    mkdir -p "$LOCAL_DIR/run"
    echo "$$ $(ps -o lstart= -p $$)" >"$LOCAL_DIR/run/$service.pid"
}

pipeline_settings() {
    export KAFKA_TOPICS_IMPRESSION="$IMPRESSION_TOPIC" KAFKA_TOPICS_CLICK="$CLICK_TOPIC" KAFKA_DLQ_TOPIC="$DLQ_TOPIC"
    export CLICKHOUSE_URL="http://$CLICKHOUSE_HOST:$CLICKHOUSE_PORT" CLICKHOUSE_DATABASE="${CLICKHOUSE_DATABASE:-$CLICKHOUSE_DB}"
    export CTR_JOB_PARALLELISM="$PARALLELISM" STATUS_PORT="${STATUS_PORT:-$PIPELINE_PORT}"
    export CTR_JOB_INSTANCE_ID="${CTR_JOB_INSTANCE_ID:-local}"
    export LOGGING_DIRECTORY="${LOGGING_DIRECTORY:-$LOCAL_DIR/logs/ctr-pipeline}"
}

superset_settings() {
    export PATH="$LOCAL_DIR/venv/bin:$PATH" TZ=UTC
    export SUPERSET_CONFIG_PATH="$CHECKOUT/superset/superset_config.py" SUPERSET_HOME="${SUPERSET_HOME:-$LOCAL_DIR/superset}"
    # provision.py inserts the password.
    export CLICKHOUSE_URI="clickhousedb://ctr_reader@$CLICKHOUSE_HOST:$CLICKHOUSE_PORT/$CLICKHOUSE_DB" CLICKHOUSE_READER_PASSWORD
    (umask 077 && mkdir -p "$SUPERSET_HOME")
}

case "$service" in
    kafka[123])
        remember_process
        exec local/kafka/run-broker.sh "${service#kafka}"
        ;;
    clickhouse)
        remember_process
        export CLICKHOUSE_ENGINE_PASSWORD="$CLICKHOUSE_PASSWORD" CLICKHOUSE_ENGINE_READER_PASSWORD="${CLICKHOUSE_READER_PASSWORD:-}"
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
    ctr-pipeline-command)
        pipeline_settings
        exec "$binaries/ctr-pipeline" "$@" --config config/application.yml
        ;;
    ctr-verify)
        pipeline_settings
        exec "$binaries/ctr-verify" "$@"
        ;;
    impression-producer)
        remember_process
        exec "$binaries/ctr-producer" impressions --rate "$IMPRESSION_RATE" "$@"
        ;;
    click-producer)
        remember_process
        exec "$binaries/ctr-producer" clicks --rate "$CLICK_RATE" "$@"
        ;;
    superset)
        remember_process
        superset_settings
        # One process: a second one takes 290 MB and was no faster. With a single user its control socket is not needed.
        exec gunicorn --bind "127.0.0.1:$SUPERSET_PORT" --workers 1 --worker-class gthread --threads 8 --timeout 60 \
            --graceful-timeout 5 --no-control-socket "superset.app:create_app()"
        ;;
    superset-init)
        superset_settings
        exec python superset/provision.py
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac
