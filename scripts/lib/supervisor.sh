# shellcheck shell=bash
# The supervisor of the stack without Docker: started once, queried by the scripts, stopped with everything it runs.

RUN_DIR="$LOCAL_DIR/run"
SERVICES="kafka1 kafka2 kafka3 clickhouse ctr-pipeline impression-producer click-producer superset"

# A socket path is limited to about 100 characters. For a deep checkout the socket is in a folder elsewhere; its path is stored
# in LOCAL_DIR/run/socket, because another terminal may have another XDG_RUNTIME_DIR.
SOCKET_PATH_MAX=85

supervisor_socket() {
    local path folder
    if [ -r "$RUN_DIR/socket" ]; then cat "$RUN_DIR/socket" && return; fi
    folder="ctr-pipeline-$(id -u)-$(printf '%s' "$LOCAL_DIR" | cksum | cut -d ' ' -f 1)"
    for path in "$RUN_DIR" "${XDG_RUNTIME_DIR:-/tmp}/$folder" "/tmp/$folder"; do
        path="$path/supervisor.sock"
        [ "${#path}" -gt "$SOCKET_PATH_MAX" ] || break
    done
    echo "$path"
}

# Saves the settings of a service for local/run.sh: those of the stack, and every variable that the pipeline may read.
remember_settings() {
    local service name
    mkdir -p "$RUN_DIR"
    for service in "$@"; do
        (
            umask 077
            for name in $(compgen -e | grep -E '^((KAFKA|CLICKHOUSE|CTR_JOB|STATUS|LOGGING|SUPERSET)_|(JAVA_HOME|CARGO_TARGET_DIR)$)' || true) $STACK_SETTINGS; do
                [[ "${!name-}" == *$'\n'* || -z "${!name+set}" ]] || printf '%s=%s\n' "$name" "${!name}"
            done | sort -u >"$RUN_DIR/$service.settings.new"
            mv "$RUN_DIR/$service.settings.new" "$RUN_DIR/$service.settings"
        )
    done
}

supervisor_environment() {
    env -i PATH="$PATH" HOME="${HOME:-/}" LANG=C.UTF-8 TZ=UTC CHECKOUT="$CHECKOUT" LOCAL_DIR="$LOCAL_DIR" \
        SUPERVISOR_SOCKET="$(supervisor_socket)" "$@"
}

ctl() { supervisor_environment "$LOCAL_DIR/venv/bin/supervisorctl" -c "$CHECKOUT/local/supervisord.conf" "$@"; }

supervisor_runs() { [ -x "$LOCAL_DIR/venv/bin/supervisorctl" ] && ctl pid >/dev/null 2>&1; }

start_supervisor() {
    local socket
    mkdir -p "$RUN_DIR" "$LOCAL_DIR/logs"
    chmod 700 "$RUN_DIR"
    socket="$(supervisor_socket)"
    (umask 077 && mkdir -p "$(dirname "$socket")")
    [ -O "$(dirname "$socket")" ] || fail "$(dirname "$socket") belongs to another user: remove it, or set XDG_RUNTIME_DIR"
    echo "$socket" >"$RUN_DIR/socket"
    supervisor_environment "$LOCAL_DIR/venv/bin/supervisord" -c "$CHECKOUT/local/supervisord.conf"
}

# The name of a service in supervisorctl.
program() { case "$1" in kafka[123]) echo "kafka:$1" ;; *) echo "$1" ;; esac; }

# service_state SERVICE: RUNNING, STARTING, STOPPED, EXITED, FATAL, BACKOFF or, with no supervisor, DOWN.
service_state() {
    local state
    state="$(ctl status "$(program "$1")" 2>/dev/null | awk 'NR == 1 { print $2 }' || true)"
    case "$state" in RUNNING | STARTING | STOPPING | STOPPED | EXITED | FATAL | BACKOFF) echo "$state" ;; *) echo DOWN ;; esac
}

service_is_up() { case "$(service_state "$1")" in RUNNING | STARTING) return 0 ;; *) return 1 ;; esac; }

console_log() { case "$1" in kafka[123]) echo "$LOCAL_DIR/logs/$1.console.log" ;; *) echo "$LOCAL_DIR/logs/$1.log" ;; esac; }

start_service() {
    service_is_up "$1" || ctl start "$(program "$1")" >/dev/null || {
        log_tail "$(console_log "$1")"
        fail "$1 does not start; see its log $(console_log "$1")"
    }
}

stop_service() { ! service_is_up "$1" || ctl stop "$(program "$1")" >/dev/null; }

# The process in a service's pid file, if it is still the one that wrote it: process ids are reused, start times are not.
left_over() {
    local pid started
    [ -r "$RUN_DIR/$1.pid" ] || return 0
    read -r pid started <"$RUN_DIR/$1.pid"
    [ "$(ps -o lstart= -p "$pid" 2>/dev/null | xargs)" != "$(echo "$started" | xargs)" ] || echo "$pid"
}

# Ends processes that a killed supervisor left running: SIGTERM, then SIGKILL.
stop_left_overs() {
    local service pid deadline signal
    for signal in TERM KILL; do
        deadline=$((SECONDS + 30))
        for service in $SERVICES; do
            pid="$(left_over "$service")"
            [ -z "$pid" ] || kill "-$signal" "$pid" 2>/dev/null || true
        done
        while [ -n "$(for service in $SERVICES; do left_over "$service"; done)" ] && [ "$SECONDS" -lt "$deadline" ]; do
            sleep 0.2
        done
    done
    for service in $SERVICES; do rm -f "$RUN_DIR/$service.pid"; done
}

# Stops every service and the supervisor, and returns when they are gone.
stop_supervisor() {
    local pid="" deadline=$((SECONDS + 150))
    if supervisor_runs; then
        pid="$(ctl pid)"
        ctl shutdown >/dev/null
        while kill -0 "$pid" 2>/dev/null; do
            [ "$SECONDS" -lt "$deadline" ] || fail "the supervisor (process $pid) does not stop; see $LOCAL_DIR/logs/supervisord.log"
            sleep 0.2
        done
    fi
    stop_left_overs
    rm -f "$RUN_DIR/socket"
}
