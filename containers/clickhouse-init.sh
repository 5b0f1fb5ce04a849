#!/usr/bin/env bash
# Creates the tables and views of clickhouse/schema, inside the ClickHouse image. The same SQL in the same order as
# scripts/init-clickhouse.sh, which uses HTTP and needs curl. Safe to run repeatedly.
set -euo pipefail

usage() {
    cat <<'END'
Usage: containers/clickhouse-init.sh

Settings: CLICKHOUSE_USER, CLICKHOUSE_PASSWORD (read by clickhouse-client itself), CLICKHOUSE_DB (default),
RAW_TTL_DAYS (30) and HISTORY_TTL_DAYS (7; days that rows stay, 0: for ever), CLICKHOUSE_SERVER (clickhouse),
SQL_DIR (/sql).
END
}

case "${1:-}" in
    '') ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
esac
: "${CLICKHOUSE_SERVER:=clickhouse}" "${CLICKHOUSE_DB:=default}" "${SQL_DIR:=/sql}"
: "${RAW_TTL_DAYS:=30}" "${HISTORY_TTL_DAYS:=7}"

# apply FILE ARGUMENTS: applies one statement; on failure, prints ClickHouse's message, then the file.
apply() {
    local file="$1"
    shift
    if ! clickhouse-client --host "$CLICKHOUSE_SERVER" --queries-file "$SQL_DIR/$file" "$@"; then
        echo "ClickHouse refused clickhouse/$file" >&2
        return 1
    fi
}

# keep_rows TABLE DAYS
keep_rows() {
    local limited
    if [ "$2" -gt 0 ]; then
        apply retention/limit.sql --database "$CLICKHOUSE_DB" --param_table="$1" --param_days="$2"
        echo "rows of $1 stay $2 days"
        return
    fi
    limited="$(apply retention/is_limited.sql --database "$CLICKHOUSE_DB" --param_table="$1")"
    [ "$limited" != 1 ] || apply retention/for_ever.sql --database "$CLICKHOUSE_DB" --param_table="$1"
    echo "rows of $1 stay for ever"
}

apply database.sql --param_database="$CLICKHOUSE_DB"
for file in "$SQL_DIR"/schema/[0-9]*.sql; do
    apply "schema/$(basename "$file")" --database "$CLICKHOUSE_DB"
    echo "applied $(basename "$file")"
done
keep_rows ctr_results_raw "$RAW_TTL_DAYS"
keep_rows ctr_window_history "$HISTORY_TTL_DAYS"
echo "database $CLICKHOUSE_DB is ready"
