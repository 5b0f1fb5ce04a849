# shellcheck shell=bash
# Superset in the stack without Docker: from PyPI into the project's Python environment, under the supervisor.

SUPERSET_REQUIREMENTS="$CHECKOUT/superset/requirements.txt"

# begin_superset: starts the download in the background; `--no-superset` stops a running one.
begin_superset() {
    if superset_is_wanted; then
        # The build has priority: results need it, dashboards come later.
        start_step "Superset installed" in_background install_python "$SUPERSET_REQUIREMENTS"
    else
        stop_service superset
        leave_superset_out "left out (--no-superset)"
    fi
}

# in_background COMMAND...: runs at low priority.
in_background() {
    renice -n 10 -p "$BASHPID" >/dev/null 2>&1 || true
    "$@"
}

# superset_is_installed: waits for it. setup.sh continues without it, because results do not need it.
superset_is_installed() {
    superset_is_wanted || return 1
    if end_step "Superset installed"; then
        rm -f "$(superset_off_file)"
        return 0
    fi
    leave_superset_out "could not be installed ($(step_log "Superset installed")); ./scripts/setup.sh retries"
    warn "Superset could not be installed: it needs PyPI and Python 3.11 or 3.12 (this is $(python3 -V)). Everything else continues without it.
Run ./scripts/setup.sh again to retry, or with --no-superset to omit it."
    return 1
}

# Imports metadata, users and dashboards over existing ones.
import_dashboards() { "$CHECKOUT/local/run.sh" superset-init; }

# start_superset: starts it with the current installation and settings, and waits until it responds.
start_superset() {
    local deadline
    stop_service superset
    remember_settings superset
    start_service superset
    deadline=$((SECONDS + 90))
    until http_ok "http://127.0.0.1:$SUPERSET_PORT/health"; do
        if ! service_is_up superset || [ "$SECONDS" -ge "$deadline" ]; then
            log_tail "$(console_log superset)"
            fail "Superset does not respond on 127.0.0.1:$SUPERSET_PORT; see its log $(console_log superset)"
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
