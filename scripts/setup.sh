#!/usr/bin/env bash
# Starts the whole stack: Kafka, ClickHouse, the pipeline, the producers, Superset. Safe to run again at any time.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"
# shellcheck source=lib/steps.sh
source "$CHECKOUT/scripts/lib/steps.sh"

USAGE="usage: ./scripts/setup.sh [--no-superset] [--docker | --local]

Checks the prerequisites (installs them with apt if run as root), builds, starts Kafka and ClickHouse, creates the
topics and the schema, deploys the pipeline, starts the producers, waits for the first row, and starts Superset with the
dashboards. Updates a stack that is already running. Stop it with ./scripts/down.sh.

  --no-superset       without dashboards: 850 MB less to download, 400 MB less memory
"

say_what_to_do_next() {
    local db="$CLICKHOUSE_DB" client="./scripts/clickhouse-client.sh --query" minutes
    minutes="SELECT product_id, window_minute, avgMerge(avg_ctr) AS avg_ctr FROM $db.ctr_ml_view"
    minutes="$minutes WHERE window_minute >= now64(3) - INTERVAL 10 MINUTE"
    minutes="$minutes GROUP BY product_id, window_minute ORDER BY product_id, window_minute LIMIT 20"
    say "
The stack is running.
  Kafka         $KAFKA_BOOTSTRAP_SERVERS
  ClickHouse    http://$CLICKHOUSE_HOST:$CLICKHOUSE_PORT
$(say_where_dashboards_are)
  status page   http://127.0.0.1:$PIPELINE_PORT/
  all services  ./scripts/status.sh --watch
  logs          ./scripts/logs.sh ctr-pipeline
  stop          ./scripts/down.sh

Three queries to try:
  $client \"SELECT count() FROM $db.ctr_results_raw\"
  $client \"SELECT * FROM $db.ctr_latest_view ORDER BY window_end DESC LIMIT 10\"
  $client \"$minutes\""
}

say_how_to_stop() {
    local code=$?
    stop_steps
    [ "$code" -eq 0 ] || say "setup did not finish. The services it started keep running; ./scripts/down.sh stops them." >&2
}

begin "--no-superset" "$@"
trap say_how_to_stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
started="$(now)"
setup_stack
say "done in $(seconds_since "$started") s"
say_what_to_do_next
