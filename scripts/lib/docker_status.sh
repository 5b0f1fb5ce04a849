# shellcheck shell=bash
# Status of the stack in containers: which containers run and are healthy, and the table of status.sh.

# Table rows, readiness over HTTP, the age of the data and the wait for the first row are the same as without Docker.
# shellcheck source=local_status.sh
source "$CHECKOUT/scripts/lib/local_status.sh"

# containers: "SERVICE|STATE|STATUS" of each container of the stack, except one-shots and commands.
containers() {
    docker ps --all --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --filter "label=com.docker.compose.oneoff=False" \
        --format '{{.Label "com.docker.compose.service"}}|{{.State}}|{{.Status}}' | grep -v -- '-init|' || true
}

# service_is_up SERVICE: its container is running, healthy or not.
service_is_up() { grep "^$1|running|" <<<"$(containers)" >/dev/null; }

# `default` needs no password, but can log in only from inside the container.
clickhouse_value() { compose exec -T clickhouse clickhouse-client --query "$1" 2>/dev/null </dev/null || true; }

# container_state STATE STATUS: the state as shown in the table.
container_state() {
    case "$1|$2" in
        'running|'*'(unhealthy)'*) echo unhealthy ;;
        'running|'*'(health: starting)'*) echo starting ;;
        'running|'*) echo up ;;
        'restarting|'*) echo failed ;;
        *) echo down ;;
    esac
}

# container_row SERVICE ADDRESS [DETAIL]
container_row() {
    local line state status
    line="$(grep "^$1|" <<<"$CONTAINERS" || true)"
    IFS='|' read -r _ state status <<<"$line"
    status_row "$1" "$(container_state "${state:-}" "${status:-}")" "$2" "${3:-${status:-no container}}"
}

# show_status: prints the table; false if anything is not up.
show_status() {
    local sample
    require_docker
    sample="$(pipeline_sample)"
    CONTAINERS="$(containers)"
    printf '%-20s %-9s %-24s %s\n' SERVICE STATE ADDRESS DETAIL
    container_row kafka1 "127.0.0.1:$KAFKA1_PORT"
    container_row kafka2 "127.0.0.1:$KAFKA2_PORT"
    container_row kafka3 "127.0.0.1:$KAFKA3_PORT"
    container_row clickhouse "127.0.0.1:$CLICKHOUSE_PORT"
    container_row ctr-pipeline "127.0.0.1:$PIPELINE_PORT" "$(http_text "http://127.0.0.1:$PIPELINE_PORT/readyz")"
    container_row impression-producer "-"
    container_row click-producer "-"
    container_row kafka-ui "127.0.0.1:$KAFKA_UI_PORT"
    if superset_is_left_out; then superset_off_row; else container_row superset "127.0.0.1:$SUPERSET_PORT"; fi
    traffic_row "$sample"
    data_row
    say_where_passwords_are
    [ "$STATUS_HEALTHY" = yes ] || return 1
}
