# shellcheck shell=bash
# The schema for a ClickHouse cluster, generated from the files for a single server. Needs CHECKOUT, CLICKHOUSE_DB and CLUSTER;
# ON_CLUSTER is the clause of every statement, or empty if each node is initialized separately.

# Fails if the names cannot be used unquoted in a statement.
check_cluster_names() {
    if [[ ! "$CLUSTER" =~ ^[A-Za-z0-9_.{}-]+$ ]]; then
        echo "--cluster '$CLUSTER': expected a name from system.clusters: letters, digits, _ . - and macros in { }" >&2
        return 2
    fi
    if [[ ! "$CLICKHOUSE_DB" =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; then
        echo "CLICKHOUSE_DB is '$CLICKHOUSE_DB': on a cluster, use letters, digits and _, not beginning with a digit" >&2
        return 2
    fi
}

# The names of the tables, which get a local and a distributed form.
schema_tables() { sed -n 's/^CREATE TABLE IF NOT EXISTS \([a-z_]*\).*/\1/p' "$CHECKOUT"/clickhouse/schema/[0-9]*.sql; }

# cluster_statement FILE PART: prints the statement of a schema file; PART is local or distributed; prints nothing if it has none.
cluster_statement() {
    local words
    if ! words="$(awk -v part="$2" -v tables="$(schema_tables | tr '\n' ' ')" -v database="$CLICKHOUSE_DB" -v cluster="$CLUSTER" \
        -v on="$ON_CLUSTER" -f "$CHECKOUT/scripts/lib/clickhouse_cluster.awk" "$1" 2>&1)"; then
        echo "${1#"$CHECKOUT/"}: $words" >&2
        return 1
    fi
    printf '%s' "$words"
}

cluster_database_statement() { echo "CREATE DATABASE IF NOT EXISTS \`$CLICKHOUSE_DB\`${ON_CLUSTER:+ $ON_CLUSTER}"; }

# cluster_retention_statement FILE TABLE DAYS: prints a file of clickhouse/retention for the local tables of all shards.
cluster_retention_statement() {
    sed -e "s|ALTER TABLE {table:Identifier}|ALTER TABLE \`$CLICKHOUSE_DB\`.$2_local $ON_CLUSTER|" -e "s|{days:UInt16}|$3|" "$CHECKOUT/clickhouse/retention/$1"
}

# print_cluster_schema: prints all statements, for review or to run them another way.
print_cluster_schema() {
    local file part statement table_days
    printf '%s;\n' "$(cluster_database_statement)"
    for file in "$CHECKOUT"/clickhouse/schema/[0-9]*.sql; do
        for part in local distributed; do
            statement="$(cluster_statement "$file" "$part")" || return 1
            [ -z "$statement" ] || printf '\n%s;\n' "$statement"
        done
    done
    for table_days in "ctr_results_raw $RAW_TTL_DAYS" "ctr_window_history $HISTORY_TTL_DAYS"; do
        # shellcheck disable=SC2086  # a table and its days
        [ "${table_days#* }" = 0 ] || printf '\n%s;\n' "$(cluster_retention_statement limit.sql $table_days)"
    done
}

# Fails, with the remedy, if the server does not know the cluster or its own position in it.
check_cluster() {
    local found
    found="$(printf '%s' "SELECT (SELECT count() FROM system.clusters WHERE cluster = (SELECT if(match('$CLUSTER', '^[{].*[}]\$')," \
        " (SELECT any(substitution) FROM system.macros WHERE macro = trim(BOTH '{}' FROM '$CLUSTER')), '$CLUSTER')))," \
        " (SELECT uniqExact(macro) FROM system.macros WHERE macro IN ('shard', 'replica'))" | clickhouse_request -)" || return 1
    if [ "${found%%$'\t'*}" = 0 ]; then
        echo "$(clickhouse_url) has no cluster '$CLUSTER': check system.clusters, and remote_servers in its configuration" >&2
        return 1
    fi
    if [ "${found##*$'\t'}" != 2 ]; then
        echo "$(clickhouse_url) does not know its position in the cluster: define the macros shard and replica on each node" >&2
        return 1
    fi
}

# Reports which settings required for acknowledgements the current user lacks: the pipeline's user must have them.
say_missing_settings() {
    local missing
    missing="$(printf '%s' "SELECT arrayStringConcat(groupArray(name || ' = ' || value), ', ') FROM system.settings" \
        " WHERE name = 'distributed_foreground_insert' AND value != '1' OR name = 'insert_quorum' AND value IN ('0', '1')" | clickhouse_request -)" || return 1
    [ -z "$missing" ] || echo "user $CLICKHOUSE_USER has $missing: the pipeline's user must have 1 and auto," \
        "otherwise acknowledged rows may be lost with a node (clickhouse/cluster/users.d, docs/cluster.md)"
}
