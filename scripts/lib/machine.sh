# shellcheck shell=bash
# shellcheck disable=SC2034  # names for the scripts that source this
# Whether this machine and this checkout can hold what is made here: paths, disk, memory, and a .env of other times. What is
# wrong is named before anything is built.

# What the first build takes of a processor, and what setup makes on the disk (docs/performance.md has how it was measured).
BUILD_CPU_SECONDS=400
ROOM_BUILD_MB=1500 ROOM_PYTHON_MB=700 ROOM_SUPERSET_MB=900 ROOM_DATA_MB=500
# What the stack needs of memory at least, with ordinary work left beside it.
MEMORY_STACK_MB=1400 MEMORY_SUPERSET_MB=400

# check_folders: paths that some part of the stack does not take. Make splits them at spaces, librdkafka's configure and supervisord's
# settings at others; `%` begins a substitution there and in a URL.
check_folders() {
    local name path
    for name in CHECKOUT LOCAL_DIR; do
        path="${!name}"
        [[ ! "$path" =~ [[:space:]%\"\'\\\$\`\;\:\|\&\<\>\*\?\#\(\)] ]] || fail "the path of $([ "$name" = CHECKOUT ] && echo "this checkout" || echo "LOCAL_DIR"), $path, has the character \"${BASH_REMATCH[0]}\": make, librdkafka's
configure or supervisord do not take it. Move it to a path of letters, digits and . _ - / without spaces$([ "$name" = CHECKOUT ] || echo " (LOCAL_DIR in $ENV_FILE)")." 2
    done
}

free_disk_mb() { df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }

# What programs can still have, swap included. Nothing where the system does not say it so.
free_memory_mb() { [ ! -r /proc/meminfo ] || awk '/^(MemAvailable|SwapFree):/ { sum += $2 } END { print int(sum / 1024) }' /proc/meminfo; }

# check_room: disk for what is not made yet, memory for what does not run yet.
check_room() {
    local disk="$ROOM_DATA_MB" memory="$MEMORY_STACK_MB" free
    [ -x "$BINARIES/ctr-pipeline" ] || disk=$((disk + ROOM_BUILD_MB))
    [ -x "$VENV/bin/supervisord" ] || disk=$((disk + ROOM_PYTHON_MB))
    if superset_is_wanted; then
        memory=$((memory + MEMORY_SUPERSET_MB))
        [ -x "$VENV/bin/superset" ] || disk=$((disk + ROOM_SUPERSET_MB))
    fi
    free="$(free_disk_mb "$LOCAL_DIR")"
    [ "${free:-$disk}" -ge "$disk" ] || fail "too little disk: setup needs $disk MB, $LOCAL_DIR has $free MB free. Make room, or name another
folder with LOCAL_DIR in $ENV_FILE; --no-superset needs $ROOM_SUPERSET_MB MB less, TOPIC_RETENTION_BYTES bounds what Kafka keeps later."
    if supervisor_runs; then return; fi
    free="$(free_memory_mb)"
    [ "${free:-$memory}" -ge "$memory" ] || fail "too little memory: the stack needs $memory MB, $free MB are available. Close something, or go without
dashboards (--no-superset: $MEMORY_SUPERSET_MB MB less)."
}

# What a .env may set besides STACK_SETTINGS: passwords, and what the pipeline and the programs that are started read themselves.
OTHER_SETTINGS=" CLICKHOUSE_ADMIN_PASSWORD CLICKHOUSE_READER_PASSWORD SUPERSET_SECRET_KEY SUPERSET_ADMIN_PASSWORD SUPERSET_VIEWER_PASSWORD
    SUPERSET_HOME SUPERSET_METADATA_URI CARGO_TARGET_DIR JAVA_HOME KAFKA_JAVA_OPTS KAFKA_JAVA_OPTIONS COMPOSE_PROJECT_NAME CTR_CONFIG
    CLICKHOUSE_BINARY TMPDIR XDG_RUNTIME_DIR HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy "

# warn_of_unknown_settings: names in .env that nothing reads, such as those of an earlier version or with a slip of the pen.
warn_of_unknown_settings() {
    local line name known unknown=""
    [ -r "$ENV_FILE" ] && [ ! -d "$ENV_FILE" ] || return 0
    # shellcheck disable=SC2016  # Markdown
    # Settings of the pipeline have their variables in docs/configuration.md, which is written from its table.
    known=" $(echo "$STACK_SETTINGS $OTHER_SETTINGS" | tr -s ' \n' ' ') $(sed -n 's/^| `[^`]*` | `\([A-Z0-9_]*\)` .*/\1/p' "$CHECKOUT/docs/configuration.md" | tr '\n' ' ')"
    while IFS= read -r line; do
        name="$(sed -n 's/^[[:space:]]*\(export \)*\([A-Za-z_][A-Za-z0-9_]*\)=.*/\2/p' <<<"$line")"
        [ -z "$name" ] || [[ "$known" == *" $name "* ]] || unknown="$unknown $name"
    done <"$ENV_FILE"
    [ -z "$unknown" ] || warn "$ENV_FILE sets what nothing here reads:$unknown. Is it from an earlier version, or misspelt? .env.example and docs/configuration.md have all names."
}
