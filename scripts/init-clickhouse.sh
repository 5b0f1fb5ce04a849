#!/usr/bin/env bash
# Makes the tables and views of clickhouse/schema. Safe to run any number of times.
set -euo pipefail

usage() {
    cat <<'END'
Usage: scripts/init-clickhouse.sh

Applies clickhouse/schema/*.sql over HTTP, in the order of their numbers, and prints a line for each file. It waits for
ClickHouse to answer. Run it again after an update, or to change how long rows stay.

Settings (environment or .env):
  CLICKHOUSE_HOST, CLICKHOUSE_PORT      where ClickHouse listens (127.0.0.1, 8123)
  CLICKHOUSE_DB                         database, made if it is missing (default)
  CLICKHOUSE_USER, CLICKHOUSE_PASSWORD  a user who may create tables
  RAW_TTL_DAYS                          days of event time that raw rows stay, 1 to 13000; 0: for ever (30)
  HISTORY_TTL_DAYS                      the same for the states of windows in ctr_window_history (7)
  CLICKHOUSE_WAIT_SECONDS               how long to wait for ClickHouse to answer (60)

Exit codes: 0 done; 1 ClickHouse refused a file, or did not answer; 2 usage or settings.
END
}

case "${1:-}" in
    '') ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
esac

# shellcheck source=scripts/lib/env.sh
source "$(dirname "$0")/lib/env.sh"
# shellcheck source=scripts/lib/clickhouse.sh
source "$(dirname "$0")/lib/clickhouse.sh"
: "${HISTORY_TTL_DAYS:=7}" "${CLICKHOUSE_WAIT_SECONDS:=60}"
# A TTL is a DateTime, which ends in 2106 (see clickhouse/retention/limit.sql): 35 years.
LONGEST_TTL_DAYS=13000

# Fails if setting $1 is not a number of days.
check_days() {
    local days="${!1}"
    if [[ ! "$days" =~ ^(0|[1-9][0-9]{0,4})$ ]] || ((days > LONGEST_TTL_DAYS)); then
        echo "$1 is '$days': give a number of days from 0 (for ever) to $LONGEST_TTL_DAYS" >&2
        return 2
    fi
}

wait_for_clickhouse() {
    local deadline=$((SECONDS + CLICKHOUSE_WAIT_SECONDS))
    until curl --silent --noproxy '*' --max-time 5 --output /dev/null --fail "$(clickhouse_url)/ping"; do
        if ((SECONDS >= deadline)); then
            echo "ClickHouse does not answer at $(clickhouse_url) after $CLICKHOUSE_WAIT_SECONDS s:" \
                "start it, or set CLICKHOUSE_HOST and CLICKHOUSE_PORT" >&2
            return 1
        fi
        sleep 0.2
    done
}

# apply FILE PARAMETER...: one statement; on failure the file is named and ClickHouse's own words follow.
apply() {
    local file="$CHECKOUT/clickhouse/$1" words
    shift
    if ! words="$(clickhouse_request "$file" "$@" 2>&1)"; then
        printf 'ClickHouse refused %s:\n%s\n' "${file#"$CHECKOUT/"}" "$words" >&2
        return 1
    fi
    [ -z "$words" ] || printf '%s\n' "$words"
}

# keep_rows TABLE DAYS: how long the rows of a table stay; 0 is for ever.
keep_rows() {
    local in_table=("database=$CLICKHOUSE_DB" "param_table=$1") limited
    if [ "$2" -gt 0 ]; then
        apply retention/limit.sql "${in_table[@]}" "param_days=$2"
        echo "rows of $1 stay $2 days"
        return
    fi
    limited="$(apply retention/is_limited.sql "${in_table[@]}")"
    if [ "$limited" = 1 ]; then apply retention/for_ever.sql "${in_table[@]}"; fi
    echo "rows of $1 stay for ever"
}

check_days RAW_TTL_DAYS || exit 2
check_days HISTORY_TTL_DAYS || exit 2
wait_for_clickhouse
apply database.sql "param_database=$CLICKHOUSE_DB"
for file in "$CHECKOUT"/clickhouse/schema/[0-9]*.sql; do
    apply "schema/$(basename "$file")" "database=$CLICKHOUSE_DB"
    echo "applied $(basename "$file")"
done
keep_rows ctr_results_raw "$RAW_TTL_DAYS"
keep_rows ctr_window_history "$HISTORY_TTL_DAYS"
echo "database $CLICKHOUSE_DB at $(clickhouse_url) is ready"
