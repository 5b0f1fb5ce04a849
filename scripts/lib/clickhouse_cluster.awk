# Converts a file of clickhouse/schema to its cluster statement. The file remains the only source of columns, keys and views.
#   -v part=local        the table itself, replicated within its shard, as NAME_local; or the view
#   -v part=distributed  the table of all shards, under the plain name; nothing for views
#   -v tables='A B'      all tables of the schema;  -v database=DB;  -v cluster=NAME;  -v on="ON CLUSTER 'NAME'" or empty
# A materialized view reads its shard's rows and writes to its shard's tables: both contain the product, so the shard is the same.

BEGIN {
    count = split(tables, names, " ")
    for (i = 1; i <= count; i++) is_table[names[i]] = 1
}

function qualified(name) { return "`" database "`." name }

# The name of the table or view that holds rows on this shard; tables have a local one.
function on_shard(name) { return qualified(name in is_table ? name "_local" : name) }

function on_cluster() { return on == "" ? "" : " " on }

function begin_statement(verb, name) {
    kind = verb
    subject = name
    statement = verb " " (part == "local" ? on_shard(name) : qualified(name)) on_cluster()
}

/^CREATE TABLE IF NOT EXISTS / { begin_statement("CREATE TABLE IF NOT EXISTS", $6); print_line(statement); next }
/^CREATE OR REPLACE VIEW / { begin_statement("CREATE OR REPLACE VIEW", $5); print_line(statement); next }
/^CREATE MATERIALIZED VIEW IF NOT EXISTS / {
    begin_statement("CREATE MATERIALIZED VIEW IF NOT EXISTS", $7)
    print_line(statement " TO " on_shard($9))
    next
}
/^ALTER TABLE / {
    begin_statement("ALTER TABLE", $3)
    sub(/^ALTER TABLE [^ ]+/, "")
    print_line(statement $0)
    next
}
/^ENGINE = [A-Za-z]*MergeTree/ {
    engine = $3
    arguments = ""
    if (match($0, /\(.*\)/)) {
        arguments = ", " substr($0, RSTART + 1, RLENGTH - 2)
        sub(/\(.*/, "", engine)
    }
    # The path contains database and table, not the table's {uuid}, which is equal on all replicas only with ON CLUSTER.
    print_line("ENGINE = Replicated" engine "('/clickhouse/tables/{shard}/" database "/" subject "', '{replica}'" arguments ")")
    has_engine = 1
    next
}
# A repeated block must not be dropped: its rows may have been deleted since (docs/cluster.md).
/^SETTINGS / { print_line($0 ", replicated_deduplication_window = 0"); has_settings = 1; next }
/^ +product_id / { has_product = 1 }
/^COMMENT / { comment = $0 }
{ print_line(read_from($0)) }

# Views read the tables of all shards; a materialized view reads the rows inserted on its own shard.
function read_from(line,    name) {
    if (!match(line, /(FROM|JOIN) ctr_[a-z_]+/)) return line
    name = substr(line, RSTART + 5, RLENGTH - 5)
    return substr(line, 1, RSTART + 4) (kind ~ /MATERIALIZED/ ? on_shard(name) : qualified(name)) substr(line, RSTART + RLENGTH)
}

function print_line(line) { lines = lines line "\n" }

END {
    is_made = kind == "CREATE TABLE IF NOT EXISTS"
    if (kind == "" || is_made && !(has_engine && has_settings)) {
        print "cannot be converted to a cluster statement: expected CREATE TABLE with ENGINE and SETTINGS lines," \
            " CREATE [MATERIALIZED] VIEW or ALTER TABLE" >"/dev/stderr"
        exit 1
    }
    if (part == "local" || kind == "ALTER TABLE") printf "%s", lines
    else if (is_made) {
        key = has_product ? "product_id" : "window_start, source_partition"
        print statement " AS " on_shard(subject)
        print "ENGINE = Distributed('" cluster "', '" database "', '" subject "_local', cityHash64(" key "))"
        print comment
    }
}
