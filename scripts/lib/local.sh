# shellcheck shell=bash
# The verbs without Docker. docker.sh has functions of the same names.

# shellcheck source=ports.sh
source "$CHECKOUT/scripts/lib/ports.sh"
# shellcheck source=secrets.sh
source "$CHECKOUT/scripts/lib/secrets.sh"
# shellcheck source=prerequisites.sh
source "$CHECKOUT/scripts/lib/prerequisites.sh"
# shellcheck source=machine.sh
source "$CHECKOUT/scripts/lib/machine.sh"
# shellcheck source=build.sh
source "$CHECKOUT/scripts/lib/build.sh"
# shellcheck source=supervisor.sh
source "$CHECKOUT/scripts/lib/supervisor.sh"
# shellcheck source=local_status.sh
source "$CHECKOUT/scripts/lib/local_status.sh"
# shellcheck source=superset.sh
source "$CHECKOUT/scripts/lib/superset.sh"
# shellcheck source=local_superset.sh
source "$CHECKOUT/scripts/lib/local_superset.sh"

# Generated once by setup.sh; Superset's too, even without Superset.
SECRETS="CLICKHOUSE_PASSWORD CLICKHOUSE_READER_PASSWORD SUPERSET_SECRET_KEY SUPERSET_ADMIN_PASSWORD SUPERSET_VIEWER_PASSWORD"

service_ports() {
    case "$1" in
        kafka[123]) echo "KAFKA${1#kafka}_PORT KAFKA_CONTROLLER${1#kafka}_PORT" ;;
        clickhouse) echo "CLICKHOUSE_PORT" ;;
        ctr-pipeline) echo "PIPELINE_PORT" ;;
        superset) ! superset_is_wanted || echo "SUPERSET_PORT" ;;
    esac
}

require_stack() { supervisor_runs || fail "the stack is not running; start it with ./scripts/setup.sh --local"; }

# check_machine: checks everything that could make setup fail later, before it changes anything.
check_machine() {
    local service ports=""
    check_folders
    warn_of_unknown_settings
    mkdir -p "$LOCAL_DIR/logs/setup"
    require_prerequisites "$PREREQUISITES_BUILD"
    require_same_secret_key
    check_room
    if supervisor_runs; then
        require_same_settings
    else
        stop_left_overs
    fi
    # Ports of running services of this stack are in use by those services.
    for service in $SERVICES; do
        if ! supervisor_runs || ! service_is_up "$service"; then ports="$ports $(service_ports "$service")"; fi
    done
    # shellcheck disable=SC2086  # a list of settings
    check_ports $ports
}

# A running stack keeps the settings it was started with: changing ports requires a stop first.
require_same_settings() {
    local name was changed="" names="KAFKA1_PORT KAFKA2_PORT KAFKA3_PORT CLICKHOUSE_HOST CLICKHOUSE_PORT"
    names="$names CLICKHOUSE_USER CLICKHOUSE_PASSWORD CLICKHOUSE_READER_PASSWORD"
    [ -r "$RUN_DIR/clickhouse.settings" ] || return 0
    for name in $names; do
        was="$(sed -n "s/^$name=//p" "$RUN_DIR/clickhouse.settings")"
        [ "$was" = "${!name}" ] || changed="$changed $name"
    done
    [ -z "$changed" ] || fail "settings that changed since the stack was started:$changed. Run ./scripts/down.sh, then setup.sh again."
}

# Superset's data is encrypted with the key it was created with. (Its settings file exists once it has been started.)
require_same_secret_key() {
    local was file="$RUN_DIR/superset.settings"
    if ! superset_is_wanted || [ ! -r "$file" ] || [ ! -d "$LOCAL_DIR/superset" ]; then return 0; fi
    was="$(sed -n 's/^SUPERSET_SECRET_KEY=//p' "$file")"
    [ -z "$was" ] || [ "$was" = "${SUPERSET_SECRET_KEY:-}" ] || fail "SUPERSET_SECRET_KEY is not the key with which Superset's data in $LOCAL_DIR/superset was created.
Restore the old $ENV_FILE (the key is also in $file), or remove $LOCAL_DIR/superset and $file:
the dashboards are recreated, and everything that people saved there is lost. Or omit Superset: --no-superset."
}

ensure_secrets() {
    local name
    for name in $SECRETS; do ensure_secret "$name"; done
    # Without a password the user was `default`; from now on it is the writer.
    if [ "$CLICKHOUSE_USER" = default ]; then export CLICKHOUSE_USER=ctr_writer; fi
}

start_infrastructure() {
    local service
    remember_settings kafka1 kafka2 kafka3 clickhouse
    supervisor_runs || start_supervisor
    for service in kafka1 kafka2 kafka3 clickhouse; do start_service "$service"; done
}

create_topics() {
    install_python "$CHECKOUT/local/requirements.txt"
    "$VENV/bin/python" "$CHECKOUT/local/kafka/topics.py" create
}

apply_schema() {
    local code=0
    "$CHECKOUT/scripts/init-clickhouse.sh" || code=$?
    [ "$code" -eq 0 ] || log_tail "$(console_log clickhouse)"
    return "$code"
}

# say_what_will_come: prints what remains to be built and the estimated time.
say_what_will_come() {
    local minutes cores
    cores="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"
    if [ -x "$BINARIES/ctr-pipeline" ] && [ -x "$VENV/bin/supervisord" ]; then
        say "building changes, then starting brokers, ClickHouse, pipeline, producers$(! superset_is_wanted || echo ', dashboards'): about a minute"
        return
    fi
    minutes=$(((BUILD_CPU_SECONDS / cores + 59) / 60 + 1))
    say "first run: cargo builds the binaries, about $minutes min on $cores idle cores; meanwhile, Kafka's jars and ClickHouse's engine are downloaded from
their registries$(! superset_is_wanted || echo ', and Superset (850 MB)'). Then brokers, ClickHouse, pipeline and producers start; the first row appears 20 s later.
Ctrl-C is safe at any time: run it again to continue."
}

setup_stack() {
    check_machine
    remember_mode
    ensure_secrets
    say_what_will_come
    run_step "sources of the dependencies there" fetch_crates
    start_step "binaries built (cargo build --release)" build_job
    start_step "Kafka's jars fetched" install_kafka
    start_step "Python environment made" install_python "$CHECKOUT/local/requirements.txt"
    wait_step "Kafka's jars fetched"
    wait_step "Python environment made"
    begin_superset
    run_step "brokers and ClickHouse started" start_infrastructure
    start_step "topics created" create_topics
    start_step "schema applied" apply_schema
    wait_step "topics created"
    wait_step "schema applied"
    wait_step "binaries built (cargo build --release)"
    run_step "pipeline deployed" start_pipeline
    run_step "producers started" start_producers
    # Rows do not wait for Superset's download.
    start_step "first new row in ctr_latest_view" wait_for_new_row
    ! step_runs "Superset installed" || wait_step "first new row in ctr_latest_view"
    if superset_is_installed; then
        start_step "dashboards imported" import_dashboards
        wait_step "first new row in ctr_latest_view"
        wait_step "dashboards imported"
        run_step "Superset started" start_superset
    else
        wait_step "first new row in ctr_latest_view"
    fi
}

# deploy_pipeline: builds, checks, starts or restarts it, and waits until it is ready.
deploy_pipeline() {
    require_stack
    build_job
    start_pipeline
}

# start_pipeline: starts the current build. If the check fails, the running job is not touched.
start_pipeline() {
    remember_settings ctr-pipeline
    "$CHECKOUT/local/run.sh" ctr-pipeline-check
    stop_service ctr-pipeline
    start_service ctr-pipeline
    wait_for_ready 60
    say "ctr-pipeline is ready: http://127.0.0.1:$PIPELINE_PORT/readyz"
}

# wait_for_ready SECONDS: waits until partitions are assigned, the replay is finished and ClickHouse acknowledges rows.
wait_for_ready() {
    local deadline=$((SECONDS + $1))
    until http_ok "http://127.0.0.1:$PIPELINE_PORT/readyz"; do
        if ! service_is_up ctr-pipeline; then
            log_tail "$(console_log ctr-pipeline)"
            fail "ctr-pipeline exited; see its log $(console_log ctr-pipeline)"
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            log_tail "$(console_log ctr-pipeline)"
            fail "ctr-pipeline is not ready after $1 s: $(http_text "http://127.0.0.1:$PIPELINE_PORT/readyz"); see its log $(console_log ctr-pipeline)"
        fi
        sleep 0.2
    done
}

# stop_pipeline [leave]: a clean stop keeps the membership in the consumer group; `leave` ends it (SIGQUIT).
stop_pipeline() {
    local deadline=$((SECONDS + 40))
    require_stack
    if [ "${1:-}" = leave ] && service_is_up ctr-pipeline; then
        ctl signal QUIT ctr-pipeline >/dev/null
        while service_is_up ctr-pipeline && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.2; done
    fi
    stop_service ctr-pipeline
    say "ctr-pipeline is stopped${1:+ and has left the consumer group}"
}

# pipeline_command COMMAND...: runs a command beside the job, with its settings.
pipeline_command() {
    require_stack
    "$CHECKOUT/local/run.sh" ctr-pipeline-command "$@"
}

# verify_command COMMAND...: the same for ctr-verify.
verify_command() {
    require_stack
    # setup.sh does not build it: the job runs without it.
    [ -x "$BINARIES/ctr-verify" ] || say "building ctr-verify, once: a minute or two" >&2
    build_verifier >&2
    "$CHECKOUT/local/run.sh" ctr-verify "$@"
}

start_producers() {
    require_stack
    [ -x "$BINARIES/ctr-producer" ] || build_job
    stop_service impression-producer
    stop_service click-producer
    remember_settings impression-producer click-producer
    start_service impression-producer
    start_service click-producer
    say "producers are running: $IMPRESSION_RATE impressions/s and $CLICK_RATE clicks/s"
}

stop_producers() {
    require_stack
    stop_service impression-producer
    stop_service click-producer
    say "producers are stopped"
}

# show_logs SERVICE [follow]
show_logs() {
    local file
    file="$(service_log "$1")"
    [ -f "$file" ] || fail "$1 has no log yet ($file)"
    if [ "${2:-}" = follow ]; then exec tail -n 100 -F "$file"; else tail -n 200 "$file"; fi
}

service_log() { case "$1" in kafka[123]) echo "$LOCAL_DIR/logs/$1.log" ;; *) console_log "$1" ;; esac; }

# stop_stack [volumes]: stops everything, including processes left by a killed supervisor; `volumes` also removes the data.
stop_stack() {
    stop_supervisor
    rm -f "$(mode_file)" "$(superset_off_file)"
    if [ "${1:-}" = volumes ]; then
        rm -rf "$LOCAL_DIR/kafka/data" "$LOCAL_DIR/clickhouse" "$LOCAL_DIR/superset" "$LOCAL_DIR/logs" "$RUN_DIR"
        say "stopped; the data and logs in $LOCAL_DIR are removed"
    else
        say "stopped; the data stays in $LOCAL_DIR (./scripts/down.sh --volumes removes it)"
    fi
}
