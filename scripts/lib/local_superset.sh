# shellcheck shell=bash
# Superset in the stack without Docker: from PyPI into the project's Python environment, under the supervisor.

SUPERSET_REQUIREMENTS="$CHECKOUT/superset/requirements.txt"

# begin_superset: starts fetching it beside the other steps; `--no-superset` stops one that runs.
begin_superset() {
    if superset_is_wanted; then
        # The build goes first: results need it, and dashboards come after them.
        start_step "Superset installed" in_background install_python "$SUPERSET_REQUIREMENTS"
    else
        stop_service superset
        leave_superset_out "left out (--no-superset)"
    fi
}

# in_background COMMAND...: with what the processor has left.
in_background() {
    renice -n 10 -p "$BASHPID" >/dev/null 2>&1 || true
    "$@"
}

# superset_is_installed: waits for it. The only thing that setup.sh goes on without: results do not need it.
superset_is_installed() {
    superset_is_wanted || return 1
    if end_step "Superset installed"; then
        rm -f "$(superset_off_file)"
        return 0
    fi
    leave_superset_out "could not be installed ($(step_log "Superset installed")); ./scripts/setup.sh tries again"
    warn "Superset could not be installed: it needs PyPI and Python 3.11 or 3.12 (this is $(python3 -V)). Everything else goes on without it.
Run ./scripts/setup.sh again to retry, or with --no-superset to leave it out."
    return 1
}

# Metadata, users and dashboards, over what is there.
import_dashboards() { "$CHECKOUT/local/run.sh" superset-init; }

# start_superset: with what is installed and set now. Waits until it answers.
start_superset() {
    local deadline
    stop_service superset
    remember_settings superset
    start_service superset
    deadline=$((SECONDS + 90))
    until http_ok "http://127.0.0.1:$SUPERSET_PORT/health"; do
        if ! service_is_up superset || [ "$SECONDS" -ge "$deadline" ]; then
            log_tail "$(console_log superset)"
            fail "Superset does not answer on 127.0.0.1:$SUPERSET_PORT; its log is $(console_log superset)"
        fi
        sleep 0.3
    done
}

superset_row() {
    local address="127.0.0.1:$SUPERSET_PORT"
    if superset_is_left_out; then
        superset_off_row
    elif http_ok "http://$address/health"; then
        status_row superset up "$address" "$(supervisor_line superset | cut -d ' ' -f 2-)"
    else
        status_row superset down "$address" "$(supervisor_line superset)"
    fi
}
