#!/usr/bin/env bash
# Runs a query on ClickHouse, with the options of clickhouse-client.
set -euo pipefail

usage() {
    cat <<'END'
Usage: scripts/clickhouse-client.sh [--database NAME] [--format FORMAT] --query "SELECT ..."
       scripts/clickhouse-client.sh [--database NAME] [--format FORMAT] < query.sql
       scripts/clickhouse-client.sh --query "INSERT INTO t FORMAT CSV" < rows.csv

  -q, --query SQL      a single statement; otherwise it is read from standard input
  -d, --database NAME  the default database (CLICKHOUSE_DB)
      --format FORMAT  the format if the statement has no FORMAT clause: PrettyCompact on a terminal, otherwise TabSeparated

Settings (environment or .env): CLICKHOUSE_HOST, CLICKHOUSE_PORT, CLICKHOUSE_DB, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD.
Exit codes: 0 success; 1 ClickHouse refused the statement (its message is on standard error); 2 wrong usage; 3 no response.
END
}

# need_value NAME ARGUMENTS-LEFT: fails if an option has no value.
need_value() {
    if [ "$2" -lt 2 ]; then
        echo "$1 requires a value" >&2
        usage >&2
        exit 2
    fi
}

query='' database='' format=''
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage && exit 0 ;;
        -q | --query) need_value "$1" $# && query="$2" && shift 2 ;;
        --query=*) query="${1#*=}" && shift ;;
        -d | --database) need_value "$1" $# && database="$2" && shift 2 ;;
        --database=*) database="${1#*=}" && shift ;;
        --format) need_value "$1" $# && format="$2" && shift 2 ;;
        --format=*) format="${1#*=}" && shift ;;
        *)
            echo "unknown argument: $1" >&2
            usage >&2
            exit 2
            ;;
    esac
done

# shellcheck source=scripts/lib/env.sh
source "$(dirname "$0")/lib/env.sh"
# shellcheck source=scripts/lib/clickhouse.sh
source "$(dirname "$0")/lib/clickhouse.sh"

if [ -z "$format" ]; then
    if [ -t 1 ]; then format=PrettyCompact; else format=TabSeparated; fi
fi
if [ -z "$query" ] && [ -t 0 ]; then
    echo "no statement: use --query, or standard input" >&2
    usage >&2
    exit 2
fi

parameters=("database=${database:-$CLICKHOUSE_DB}" "default_format=$format")
takes_data='^[[:space:]]*[Ii][Nn][Ss][Ee][Rr][Tt][[:space:]].*[[:space:]][Ff][Oo][Rr][Mm][Aa][Tt][[:space:]]+[A-Za-z]+[[:space:]]*$'
if [ -z "$query" ]; then
    clickhouse_request - "${parameters[@]}"
elif [[ "$query" =~ $takes_data ]] && [ ! -t 0 ]; then
    clickhouse_request - "query=$query" "${parameters[@]}"
else
    clickhouse_request - "${parameters[@]}" <<<"$query"
fi
