#!/usr/bin/env bash
# Creates the tables and views of clickhouse/schema. Safe to run repeatedly.
set -euo pipefail

usage() {
    cat <<'END'
Usage: scripts/init-clickhouse.sh [--cluster NAME [--this-node] [--print]]

Waits for ClickHouse, then applies clickhouse/schema/*.sql over HTTP in numerical order and prints a line for each file.
Run it again after an update, or to change the retention.

  --cluster NAME   for a cluster (docs/cluster.md): creates replicated tables NAME_local on every node, Distributed tables
                   with the plain names over them, and views over those, ON CLUSTER, from the same files
  --this-node      without ON CLUSTER: run it once for each node instead
  --print          print the statements of --cluster to standard output; connects to no server

Settings (environment or .env):
  CLICKHOUSE_HOST, CLICKHOUSE_PORT      where ClickHouse listens (127.0.0.1, 8123)
  CLICKHOUSE_DB                         database, created if missing (default)
  CLICKHOUSE_USER, CLICKHOUSE_PASSWORD  a user who may create tables
  RAW_TTL_DAYS                          retention of raw rows in days of event time, 1 to 13000; 0: forever (30)
  HISTORY_TTL_DAYS                      the same for the window states in ctr_window_history (7)
  CLICKHOUSE_WAIT_SECONDS               how long to wait for ClickHouse (60)

Exit codes: 0 success; 1 ClickHouse refused a file, or did not respond; 2 wrong usage or settings.
END
}

CLUSTER="" THIS_NODE="" PRINT=""
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage && exit 0 ;;
        --cluster)
            [ -n "${2:-}" ] || { usage >&2 && exit 2; }
            CLUSTER="$2" && shift 2
            ;;
        --this-node) THIS_NODE=1 && shift ;;
        --print) PRINT=1 && shift ;;
        *) usage >&2 && exit 2 ;;
    esac
done
if [ -z "$CLUSTER" ] && [ -n "$THIS_NODE$PRINT" ]; then usage >&2 && exit 2; fi

# shellcheck source=scripts/lib/env.sh
source "$(dirname "$0")/lib/env.sh"
# shellcheck source=scripts/lib/clickhouse.sh
source "$(dirname "$0")/lib/clickhouse.sh"
# shellcheck source=scripts/lib/clickhouse_cluster.sh
source "$(dirname "$0")/lib/clickhouse_cluster.sh"
: "${HISTORY_TTL_DAYS:=7}" "${CLICKHOUSE_WAIT_SECONDS:=60}"
# A TTL is a DateTime, whose range ends in 2106 (see clickhouse/retention/limit.sql): 35 years.
LONGEST_TTL_DAYS=13000

# Fails if setting $1 is not a number of days.
check_days() {
    local days="${!1}"
    if [[ ! "$days" =~ ^(0|[1-9][0-9]{0,4})$ ]] || ((days > LONGEST_TTL_DAYS)); then
        echo "$1 is '$days': expected a number of days from 0 (forever) to $LONGEST_TTL_DAYS" >&2
        return 2
    fi
}

wait_for_clickhouse() {
    local deadline=$((SECONDS + CLICKHOUSE_WAIT_SECONDS))
    until curl --silent --noproxy '*' --max-time 5 --output /dev/null --fail "$(clickhouse_url)/ping"; do
        if ((SECONDS >= deadline)); then
            echo "ClickHouse does not respond at $(clickhouse_url) after $CLICKHOUSE_WAIT_SECONDS s:" \
                "start it, or set CLICKHOUSE_HOST and CLICKHOUSE_PORT" >&2
            return 1
        fi
        sleep 0.2
    done
}

# refused FILE MESSAGE: prints the file and ClickHouse's message.
refused() { printf 'ClickHouse refused %s:\n%s\n' "clickhouse/$1" "$2" >&2; }

# apply FILE PARAMETER...: applies one statement.
apply() {
    local file="$1" words
    shift
    if ! words="$(clickhouse_request "$CHECKOUT/clickhouse/$file" "$@" 2>&1)"; then
        refused "$file" "$words"
        return 1
    fi
    [ -z "$words" ] || printf '%s\n' "$words"
}

# apply_made FILE STATEMENT: applies a statement generated from the file. Each node of a cluster returns a row, which is not shown.
apply_made() {
    local words
    if ! words="$(printf '%s' "$2" | clickhouse_request - 2>&1)"; then
        refused "$1" "$words"
        return 1
    fi
}

# keep_rows TABLE DAYS: sets the retention of a table; 0 is forever.
keep_rows() {
    local table="$1${CLUSTER:+_local}" limited
    if [ "$2" -gt 0 ]; then
        set_retention limit.sql "$1" "$2"
        echo "rows of $table are kept for $2 days"
        return
    fi
    limited="$(apply retention/is_limited.sql "database=$CLICKHOUSE_DB" "param_table=$table")"
    if [ "$limited" = 1 ]; then set_retention for_ever.sql "$1" 0; fi
    echo "rows of $table are kept forever"
}

# set_retention FILE TABLE DAYS
set_retention() {
    if [ -n "$CLUSTER" ]; then
        apply_made "retention/$1" "$(cluster_retention_statement "$@")"
    elif [ "$1" = limit.sql ]; then
        apply "retention/$1" "database=$CLICKHOUSE_DB" "param_table=$2" "param_days=$3"
    else
        apply "retention/$1" "database=$CLICKHOUSE_DB" "param_table=$2"
    fi
}

init_server() {
    local file
    apply database.sql "param_database=$CLICKHOUSE_DB"
    for file in "$CHECKOUT"/clickhouse/schema/[0-9]*.sql; do
        apply "schema/$(basename "$file")" "database=$CLICKHOUSE_DB"
        echo "applied $(basename "$file")"
    done
}

init_cluster() {
    local file part statement
    check_cluster
    apply_made database.sql "$(cluster_database_statement)"
    for file in "$CHECKOUT"/clickhouse/schema/[0-9]*.sql; do
        for part in local distributed; do
            statement="$(cluster_statement "$file" "$part")"
            [ -z "$statement" ] || apply_made "schema/$(basename "$file")" "$statement"
        done
        echo "applied $(basename "$file")"
    done
}

check_days RAW_TTL_DAYS || exit 2
check_days HISTORY_TTL_DAYS || exit 2
if [ -n "$CLUSTER" ]; then
    check_cluster_names || exit 2
    ON_CLUSTER=""
    [ -n "$THIS_NODE" ] || ON_CLUSTER="ON CLUSTER '$CLUSTER'"
    if [ -n "$PRINT" ]; then print_cluster_schema && exit 0 || exit 1; fi
fi
wait_for_clickhouse
if [ -n "$CLUSTER" ]; then init_cluster; else init_server; fi
keep_rows ctr_results_raw "$RAW_TTL_DAYS"
keep_rows ctr_window_history "$HISTORY_TTL_DAYS"
if [ -n "$CLUSTER" ]; then say_missing_settings; fi
echo "database $CLICKHOUSE_DB at $(clickhouse_url) is ready"
