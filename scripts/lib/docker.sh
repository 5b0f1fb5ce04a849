# shellcheck shell=bash
# The verbs with Docker: the functions of local.sh by the same names, over docker compose.

no_compose_file() {
    fail "the stack in containers (docker-compose.yml) comes with a later change; use --local: the same stack without Docker" 2
}

check_machine() { no_compose_file; }
setup_stack() { no_compose_file; }
create_topics() { no_compose_file; }
deploy_pipeline() { no_compose_file; }
stop_pipeline() { no_compose_file; }
start_producers() { no_compose_file; }
stop_producers() { no_compose_file; }
show_status() { no_compose_file; }
show_logs() { no_compose_file; }
stop_stack() { no_compose_file; }
