# shellcheck shell=bash
# What the stack without Docker says about itself: readiness by HTTP, and the table of status.sh.

# What is asked is on this machine, whatever proxy the environment names.
http_ok() { curl --silent --noproxy '*' --fail --max-time 3 --output /dev/null "$1"; }
http_text() { curl --silent --noproxy '*' --max-time 3 "$1" 2>/dev/null | tr '\n\t' '  ' | cut -c 1-160 || true; }

# As a reader without credentials, which is what people and dashboards are.
clickhouse_value() {
    curl --silent --noproxy '*' --fail --max-time 5 --get --data-urlencode "query=$1" "http://$CLICKHOUSE_HOST:$CLICKHOUSE_PORT/" 2>/dev/null || true
}

# A row of a window that ended a moment ago: in a stack that starts again, old rows prove nothing.
wait_for_new_row() {
    local deadline=$((SECONDS + 90)) rows
    local query="SELECT count() FROM $CLICKHOUSE_DB.ctr_latest_view WHERE window_end > now() - INTERVAL 30 SECOND"
    until rows="$(clickhouse_value "$query")" && [ "${rows:-0}" -gt 0 ] 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || fail "no new row in ctr_latest_view after 90 s; ./scripts/status.sh says what is wrong"
        sleep 0.3
    done
}

STATUS_HEALTHY=yes

# status_row SERVICE STATE ADDRESS DETAIL: a line of the table; any state but `up` makes the whole unhealthy.
status_row() {
    printf '%-20s %-9s %-24s %s\n' "$1" "$2" "$3" "$4"
    [ "$2" = up ] || STATUS_HEALTHY=no
}

# The state of a service in the words of the table.
plain_state() {
    case "$1" in
        RUNNING) echo up ;;
        STARTING | STOPPING) echo "$1" | tr '[:upper:]' '[:lower:]' ;;
        FATAL | BACKOFF) echo failed ;;
        *) echo down ;;
    esac
}

# Two kinds of line from the supervisor: "name RUNNING pid 1, uptime 0:01:02" and "name FATAL what happened".
supervisor_line() { echo "$SUPERVISOR_STATUS" | awk -v name="$(program "$1")" '$1 == name { $1 = ""; print substr($0, 2) }'; }

service_row() {
    local line state
    line="$(supervisor_line "$1")"
    state="$(plain_state "${line%% *}")"
    status_row "$1" "$state" "$2" "${3:-$(echo "${line#* }" | xargs)}"
}

broker_rows() {
    local name state detail
    if [ ! -x "$LOCAL_DIR/venv/bin/python" ]; then return; fi
    while IFS='|' read -r name state detail; do
        case "$state" in up) ;; *) state="${state:-unknown}" ;; esac
        status_row "$name" "$state" "-" "$detail"
    done < <("$LOCAL_DIR/venv/bin/python" "$CHECKOUT/local/kafka/topics.py" status 2>/dev/null || true)
}

clickhouse_row() {
    local address="$CLICKHOUSE_HOST:$CLICKHOUSE_PORT"
    if http_ok "http://$address/ping"; then
        status_row clickhouse up "$address" "version $(clickhouse_value 'SELECT version()')"
    else
        status_row clickhouse down "$address" "does not answer /ping ($(supervisor_line clickhouse))"
    fi
}

pipeline_row() {
    local address="127.0.0.1:$PIPELINE_PORT" text
    text="$(http_text "http://$address/readyz")"
    if http_ok "http://$address/readyz"; then
        status_row ctr-pipeline up "$address" ready
    elif [ -n "$text" ]; then
        status_row ctr-pipeline not-ready "$address" "$text"
    else
        status_row ctr-pipeline down "$address" "$(supervisor_line ctr-pipeline)"
    fi
}

# Rows are never older than the window, its disorder and a flush while producers run: 30 s leave room for a slow machine.
data_row() {
    local age
    age="$(clickhouse_value "SELECT dateDiff('second', max(window_end), now()) FROM $CLICKHOUSE_DB.ctr_latest_view HAVING count() > 0")"
    if [ -z "$age" ] && [ "$(clickhouse_value 'SELECT 1')" != 1 ]; then
        status_row data unknown "$CLICKHOUSE_DB" "ClickHouse does not answer"
    elif [ -z "$age" ]; then
        status_row data empty "$CLICKHOUSE_DB" "no row in ctr_latest_view"
    elif [ "$age" -le 30 ]; then
        status_row data up "$CLICKHOUSE_DB" "newest window ended $age s ago"
    else
        status_row data stale "$CLICKHOUSE_DB" "newest window ended $age s ago"
    fi
}

say_where_passwords_are() { say "passwords: in $ENV_FILE (CLICKHOUSE_..., SUPERSET_...)"; }

# show_status: the table; false if anything in it is not up.
show_status() {
    SUPERVISOR_STATUS="$(ctl status 2>/dev/null || true)"
    printf '%-20s %-9s %-24s %s\n' SERVICE STATE ADDRESS DETAIL
    service_row kafka1 "127.0.0.1:$KAFKA1_PORT"
    service_row kafka2 "127.0.0.1:$KAFKA2_PORT"
    service_row kafka3 "127.0.0.1:$KAFKA3_PORT"
    broker_rows
    clickhouse_row
    pipeline_row
    service_row impression-producer "-"
    service_row click-producer "-"
    superset_row
    data_row
    say_where_passwords_are
    [ "$STATUS_HEALTHY" = yes ]
}
