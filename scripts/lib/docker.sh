# shellcheck shell=bash
# The verbs with Docker: functions with the same names as in local.sh, using docker compose.

# shellcheck source=ports.sh
source "$CHECKOUT/scripts/lib/ports.sh"
# shellcheck source=secrets.sh
source "$CHECKOUT/scripts/lib/secrets.sh"
# shellcheck source=superset.sh
source "$CHECKOUT/scripts/lib/superset.sh"
# shellcheck source=docker_status.sh
source "$CHECKOUT/scripts/lib/docker_status.sh"
# shellcheck source=docker_machine.sh
source "$CHECKOUT/scripts/lib/docker_machine.sh"

: "${COMPOSE_PROJECT_NAME:=ctr-pipeline}"
export COMPOSE_PROJECT_NAME
SERVICES="kafka1 kafka2 kafka3 clickhouse ctr-pipeline impression-producer click-producer kafka-ui superset"
# Required by docker-compose.yml; setup.sh generates them once.
SECRETS="CLICKHOUSE_PASSWORD CLICKHOUSE_ADMIN_PASSWORD CLICKHOUSE_READER_PASSWORD
    SUPERSET_SECRET_KEY SUPERSET_ADMIN_PASSWORD SUPERSET_VIEWER_PASSWORD"
# How long a group of services may take to become healthy, not counting image downloads.
HEALTHY_SECONDS=300

# compose ARGUMENTS: like a manual docker compose in the checkout, with docker-compose.override.yml or COMPOSE_FILE if present. .env is
# ENV_FILE: the settings of the scripts and those of docker-compose.yml come from one file.
compose() {
    local env_file="$ENV_FILE"
    [ -f "$env_file" ] || env_file=/dev/null
    case "$env_file" in /*) ;; *) env_file="$PWD/$env_file" ;; esac
    (cd "$CHECKOUT" && docker compose --env-file "$env_file" "$@")
}

# compose_build SERVICE...: builds with the commit as a label of our image.
compose_build() {
    CTR_REVISION="$(git -C "$CHECKOUT" describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || echo unknown)" compose build "$@"
}

# Runs a one-shot, or a command of a service's image, in a separate container that is removed afterwards.
compose_run() { compose run --rm --no-deps -T "$@"; }

compose_up() { compose up --detach --no-deps --wait --wait-timeout "$HEALTHY_SECONDS" "$@"; }

service_ports() {
    case "$1" in
        kafka[123]) echo "KAFKA${1#kafka}_PORT" ;;
        clickhouse) echo "CLICKHOUSE_PORT CLICKHOUSE_NATIVE_PORT" ;;
        ctr-pipeline) echo "PIPELINE_PORT" ;;
        kafka-ui) echo "KAFKA_UI_PORT" ;;
        superset) ! superset_is_wanted || echo "SUPERSET_PORT" ;;
    esac
}

require_docker() {
    local fault
    fault="$(docker_fault)"
    [ -z "$fault" ] || fail "$fault. Start Docker (Compose $COMPOSE_MINIMUM or newer), or use --local: the same stack without it." 2
}

require_stack() {
    require_docker
    [ -n "$(containers)" ] || fail "the stack is not running; start it with ./scripts/setup.sh --docker"
}

ensure_secrets() {
    local name
    for name in $SECRETS; do ensure_secret "$name"; done
    export CLICKHOUSE_USER=ctr_writer
}

start_infrastructure() { compose_up kafka1 kafka2 kafka3 clickhouse; }

create_topics() {
    require_stack
    compose_run kafka-init
}

apply_schema() { compose_run clickhouse-init; }

setup_stack() {
    local superset=""
    check_machine
    remember_mode
    ensure_secrets
    if begin_superset; then superset=superset; fi
    start_step "images built" compose_build ctr-pipeline ${superset:+superset}
    run_step "brokers and ClickHouse healthy" start_infrastructure
    start_step "topics created" create_topics
    start_step "schema applied" apply_schema
    wait_step "topics created"
    wait_step "schema applied"
    wait_step "images built"
    [ -z "$superset" ] || start_step "dashboards imported" compose_run superset-init
    run_step "pipeline deployed" start_pipeline
    run_step "producers started" start_producers
    [ -z "$superset" ] || wait_step "dashboards imported"
    run_step "${superset:+Superset and }Kafka UI healthy" compose_up ${superset:+superset} kafka-ui
    run_step "first new row in ctr_latest_view" wait_for_new_row
    say "
  Kafka UI      http://127.0.0.1:$KAFKA_UI_PORT"
}

# begin_superset: if it is not wanted, returns false and stops a running one.
begin_superset() {
    if superset_is_wanted; then rm -f "$(superset_off_file)" && return 0; fi
    leave_superset_out "left out (--no-superset)"
    ! service_is_up superset || compose stop superset >&2
    return 1
}

# deploy_pipeline: builds, checks, then starts it, or restarts it if the image or a setting has changed.
deploy_pipeline() {
    require_stack
    compose_build ctr-pipeline
    start_pipeline
}

# start_pipeline: starts the current build. If the check fails, the running job is not touched.
start_pipeline() {
    compose_run ctr-pipeline check
    if ! compose_up ctr-pipeline; then
        compose logs --no-log-prefix --tail 15 ctr-pipeline >&2 || true
        fail "ctr-pipeline is not ready: $(http_text "http://127.0.0.1:$PIPELINE_PORT/readyz")"
    fi
    say "ctr-pipeline is ready: http://127.0.0.1:$PIPELINE_PORT/readyz"
}

# stop_pipeline [leave]: a clean stop keeps the membership in the consumer group; `leave` ends it (SIGQUIT).
stop_pipeline() {
    local deadline=$((SECONDS + 40))
    require_stack
    if [ "${1:-}" = leave ] && service_is_up ctr-pipeline; then
        compose kill --signal SIGQUIT ctr-pipeline
        # A second signal would end the process immediately, so `stop` must wait.
        while service_is_up ctr-pipeline && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.2; done
    fi
    compose stop ctr-pipeline
    say "ctr-pipeline is stopped${1:+ and has left the consumer group}"
}

# pipeline_command COMMAND...: runs a command beside the job, with its settings. `probe` must run in the job's container.
pipeline_command() {
    require_stack
    case " $* " in
        " probe "*)
            service_is_up ctr-pipeline || fail "ctr-pipeline is not running"
            compose exec -T ctr-pipeline ctr-pipeline "$@"
            ;;
        *" --mend"*) mending_command "$@" ;;
        *) run_command ctr-pipeline "$@" ;;
    esac
}

# run_command OPTIONS... ctr-pipeline COMMAND...: a container of its own beside the job. What counts a log again holds the rows of a
# pair of partitions, so its memory limit is not the job's.
run_command() { PIPELINE_MEMORY="$COMMAND_MEMORY" compose_run "$@"; }

# mending_command COMMAND...: runs a command that calls other programs (`dlq redrive --mend 'sed ...'`). The image has no shell; the
# build stage of the Dockerfile is a Debian with the same binaries.
mending_command() {
    local tag="$CTR_TAG-mend" log="$LOCAL_DIR/logs/setup/image-with-a-shell.log"
    mkdir -p "$LOCAL_DIR/logs/setup"
    docker build --target build --build-arg "RUST_TAG=$RUST_TAG" --tag "ctr-pipeline:$tag" "$CHECKOUT" >"$log" 2>&1 \
        || fail "cannot build the image with a shell: $(tail -n 5 "$log")"
    CTR_TAG="$tag" run_command --user 65532:65532 --workdir /src --entrypoint /out/bin/ctr-pipeline ctr-pipeline "$@"
}

# verify_command COMMAND...: the same for ctr-verify.
verify_command() {
    require_stack
    run_command --entrypoint ctr-verify ctr-pipeline "$@"
}

start_producers() {
    require_stack
    compose_up impression-producer click-producer
    say "producers are running: $IMPRESSION_RATE impressions/s and $CLICK_RATE clicks/s"
}

stop_producers() {
    require_stack
    compose stop impression-producer click-producer
    say "producers are stopped"
}

# show_logs SERVICE [follow]
show_logs() {
    require_stack
    if [ "${2:-}" = follow ]; then
        compose logs --no-log-prefix --tail 100 --follow "$1"
    else
        compose logs --no-log-prefix --tail 200 "$1"
    fi
}

# left_over [volumes]: lists what remains of the stack in the engine, one line each.
left_over() {
    local mine="label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
    docker ps --all --filter "$mine" --format 'container {{.Names}}'
    docker network ls --filter "$mine" --format 'network {{.Name}}'
    [ "${1:-}" != volumes ] || docker volume ls --filter "$mine" --format 'volume {{.Name}}'
}

# stop_stack [volumes]: stops everything, of every profile; `volumes` also removes the data.
stop_stack() {
    local name left
    require_docker
    # Nothing is started, so a missing password is not an error.
    for name in $SECRETS; do [ -n "${!name:-}" ] || export "$name=none"; done
    compose --profile '*' --profile monitoring down --remove-orphans ${1:+--volumes}
    left="$(left_over "${1:-}")"
    [ -z "$left" ] || fail "stopped, but the engine still has:
$left"
    if [ "${1:-}" = volumes ]; then
        say "stopped; the volumes are removed"
    else
        say "stopped; the data stays in the volumes (./scripts/down.sh --volumes removes it)"
    fi
    rm -f "$(mode_file)" "$(superset_off_file)"
}
