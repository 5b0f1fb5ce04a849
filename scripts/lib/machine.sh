# shellcheck shell=bash
# shellcheck disable=SC2034  # names for the scripts that source this
# Checks of the machine and the checkout before anything is built: paths, disk, memory, and outdated settings in .env.

# CPU time of the first build, and disk space used by setup (measured as described in docs/performance.md).
BUILD_CPU_SECONDS=600
ROOM_BUILD_MB=1500 ROOM_PYTHON_MB=700 ROOM_SUPERSET_MB=900 ROOM_DATA_MB=500
# Minimum memory of the stack, beside ordinary work on the machine.
MEMORY_STACK_MB=1400 MEMORY_SUPERSET_MB=400

# check_folders: refuses paths that part of the stack does not support. make splits them at spaces, librdkafka's configure and
# supervisord's settings at other characters; `%` begins a substitution there and in a URL.
check_folders() {
    local name path
    for name in CHECKOUT LOCAL_DIR; do
        path="${!name}"
        [[ ! "$path" =~ [[:space:]%\"\'\\\$\`\;\:\|\&\<\>\*\?\#\(\)] ]] || fail "the path of $([ "$name" = CHECKOUT ] && echo "this checkout" || echo "LOCAL_DIR"), $path, contains the character \"${BASH_REMATCH[0]}\", which make, librdkafka's
configure or supervisord do not support. Move it to a path of letters, digits and . _ - / without spaces$([ "$name" = CHECKOUT ] || echo " (LOCAL_DIR in $ENV_FILE)")." 2
    done
}

free_disk_mb() { df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }

# Available memory including swap; nothing without /proc/meminfo.
free_memory_mb() { [ ! -r /proc/meminfo ] || awk '/^(MemAvailable|SwapFree):/ { sum += $2 } END { print int(sum / 1024) }' /proc/meminfo; }

# check_room: checks disk for what is not built yet, and memory for what is not running yet.
check_room() {
    local disk="$ROOM_DATA_MB" memory="$MEMORY_STACK_MB" free
    [ -x "$BINARIES/ctr-pipeline" ] || disk=$((disk + ROOM_BUILD_MB))
    [ -x "$VENV/bin/supervisord" ] || disk=$((disk + ROOM_PYTHON_MB))
    if superset_is_wanted; then
        memory=$((memory + MEMORY_SUPERSET_MB))
        [ -x "$VENV/bin/superset" ] || disk=$((disk + ROOM_SUPERSET_MB))
    fi
    free="$(free_disk_mb "$LOCAL_DIR")"
    [ "${free:-$disk}" -ge "$disk" ] || fail "too little disk: setup needs $disk MB, $LOCAL_DIR has $free MB free. Free some space, or set another
folder as LOCAL_DIR in $ENV_FILE; --no-superset needs $ROOM_SUPERSET_MB MB less, TOPIC_RETENTION_BYTES limits Kafka's data later."
    if supervisor_runs; then return; fi
    free="$(free_memory_mb)"
    [ "${free:-$memory}" -ge "$memory" ] || fail "too little memory: the stack needs $memory MB, $free MB are available. Close other programs, or omit
the dashboards (--no-superset: $MEMORY_SUPERSET_MB MB less)."
}

# Names allowed in .env besides STACK_SETTINGS: passwords, and variables that the started programs read themselves.
OTHER_SETTINGS=" CLICKHOUSE_ADMIN_PASSWORD CLICKHOUSE_READER_PASSWORD SUPERSET_SECRET_KEY SUPERSET_ADMIN_PASSWORD SUPERSET_VIEWER_PASSWORD
    SUPERSET_HOME SUPERSET_METADATA_URI CARGO_TARGET_DIR JAVA_HOME KAFKA_JAVA_OPTS KAFKA_JAVA_OPTIONS COMPOSE_PROJECT_NAME CTR_CONFIG
    CLICKHOUSE_BINARY TMPDIR XDG_RUNTIME_DIR HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy "

# warn_of_unknown_settings: warns of names in .env that nothing reads, such as those of an earlier version or with a typo.
warn_of_unknown_settings() {
    local line name known unknown=""
    [ -r "$ENV_FILE" ] && [ ! -d "$ENV_FILE" ] || return 0
    # shellcheck disable=SC2016  # Markdown
    # docs/configuration.md, which is generated, lists the variables of the pipeline's settings.
    known=" $(echo "$STACK_SETTINGS $OTHER_SETTINGS" | tr -s ' \n' ' ') $(sed -n 's/^| `[^`]*` | `\([A-Z0-9_]*\)` .*/\1/p' "$CHECKOUT/docs/configuration.md" | tr '\n' ' ')"
    while IFS= read -r line; do
        name="$(sed -n 's/^[[:space:]]*\(export \)*\([A-Za-z_][A-Za-z0-9_]*\)=.*/\2/p' <<<"$line")"
        [ -z "$name" ] || [[ "$known" == *" $name "* ]] || unknown="$unknown $name"
    done <"$ENV_FILE"
    [ -z "$unknown" ] || warn "$ENV_FILE contains unknown settings:$unknown. Are they from an earlier version, or misspelled? .env.example and docs/configuration.md list all names."
}
