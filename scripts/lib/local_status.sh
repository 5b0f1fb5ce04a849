# shellcheck shell=bash
# Status of the stack without Docker: readiness over HTTP, and the table of status.sh.

# All addresses are local, so proxies are bypassed.
http_ok() { curl --silent --noproxy '*' --fail --max-time 3 --output /dev/null "$1"; }
http_text() { curl --silent --noproxy '*' --max-time 3 "$1" 2>/dev/null | tr '\n\t' '  ' | cut -c 1-160 || true; }

# Queries as a reader without credentials, like people and dashboards.
clickhouse_value() {
    curl --silent --noproxy '*' --fail --max-time 5 --get --data-urlencode "query=$1" "http://$CLICKHOUSE_HOST:$CLICKHOUSE_PORT/" 2>/dev/null || true
}

# Waits for a row of a window that ended recently: in a restarted stack, old rows prove nothing.
wait_for_new_row() {
    local deadline=$((SECONDS + 90)) rows
    local query="SELECT count() FROM $CLICKHOUSE_DB.ctr_latest_view WHERE window_end > now() - INTERVAL 30 SECOND"
    until rows="$(clickhouse_value "$query")" && [ "${rows:-0}" -gt 0 ] 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || fail "no new row in ctr_latest_view after 90 s; run ./scripts/status.sh for details"
        sleep 0.3
    done
}

STATUS_HEALTHY=yes

# status_row SERVICE STATE ADDRESS DETAIL: prints a line of the table; any state but `up` makes the stack unhealthy.
status_row() {
    printf '%-20s %-9s %-24s %s\n' "$1" "$2" "$3" "$4"
    [ "$2" = up ] || STATUS_HEALTHY=no
}

# The state of a service as shown in the table.
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
        status_row clickhouse down "$address" "no response to /ping ($(supervisor_line clickhouse))"
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

# pipeline_sample: "UPTIME IMPRESSIONS CLICKS LAG-RECORDS LAG-SECONDS" of the running pipeline; nothing if it does not respond.
pipeline_sample() {
    curl --silent --noproxy '*' --fail --max-time 3 "http://127.0.0.1:$PIPELINE_PORT/metrics" 2>/dev/null |
        awk -v impressions="ctr_records_consumed_total{topic=\"$IMPRESSION_TOPIC\"}" -v clicks="ctr_records_consumed_total{topic=\"$CLICK_TOPIC\"}" '
            $1 ~ /^ctr_uptime_seconds/ { uptime = $2 }
            $1 == impressions { seen = $2 }
            $1 == clicks { clicked = $2 }
            $1 ~ /^ctr_partition_lag_records/ { lag += $2 }
            $1 ~ /^ctr_partition_lag_seconds/ && $2 > seconds { seconds = $2 }
            END { if (uptime != "") printf "%s %d %d %d %.1f\n", uptime, seen, clicked, lag, seconds }' || true
}

# traffic_row SAMPLE: events per second since that sample of the pipeline, and the lag. No traffic is not a fault.
traffic_row() {
    local sample detail deadline=$((SECONDS + 3))
    sample="$(pipeline_sample)"
    # The counters are updated four times per second: a rate over less than a second is too imprecise.
    while [ -n "$1" ] && [ -n "$sample" ] && [ "$SECONDS" -lt "$deadline" ] && awk -v a="${1%% *}" -v b="${sample%% *}" 'BEGIN { exit !(b >= a && b - a < 1) }'; do
        sleep 0.2
        sample="$(pipeline_sample)"
    done
    if [ -z "$sample" ]; then
        printf '%-20s %-9s %-24s %s\n' traffic unknown "-" "the pipeline does not respond"
        return
    fi
    detail="$(awk -v before="$1" -v after="$sample" 'BEGIN {
        split(before, a, " "); split(after, b, " "); took = b[1] - a[1]
        if (before != "" && took > 0) printf "%.0f impressions/s, %.0f clicks/s, ", (b[2] - a[2]) / took, (b[3] - a[3]) / took
        printf "lag %d records", b[4]
        if (b[4] > 0) printf ", %.1f s", b[5]
    }')"
    printf '%-20s %-9s %-24s %s\n' traffic - "$IMPRESSION_TOPIC, $CLICK_TOPIC" "$detail"
}

# While producers run, the newest row is never older than the window, its out-of-orderness and a flush: 30 s allow for a slow machine.
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

# watch_status: repeats the table until Ctrl-C, in place on a terminal; otherwise with a timestamp above each.
watch_status() {
    local table
    trap 'exit 0' INT TERM
    while true; do
        STATUS_HEALTHY=yes
        table="$(show_status || true)"
        if [ -t 1 ]; then printf '\033[H\033[J%s\n' "$table"; else printf '%s\n%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$table"; fi
        sleep 2
    done
}

say_where_passwords_are() { say "passwords: in $ENV_FILE (CLICKHOUSE_..., SUPERSET_...)"; }

# show_status: prints the table; false if anything is not up.
show_status() {
    local sample
    sample="$(pipeline_sample)"
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
    traffic_row "$sample"
    data_row
    say_where_passwords_are
    [ "$STATUS_HEALTHY" = yes ]
}
