# shellcheck shell=bash
# Requirements of the stack in containers on the engine and the machine: checked before anything changes, all faults reported at
# once. The build has no further requirements: the Dockerfile works with BuildKit and with the older builder.

# ClickHouse's image does not start on an older engine (its seccomp profile lacks a system call of newer C libraries).
ENGINE_MINIMUM="20.10.10"
# Memory used by all services together; the limits in docker-compose.yml are higher.
MEMORY_MINIMUM_MIB=2560
SUPERSET_MEMORY_MIB=512
# The first run downloads and builds images; later runs need space for a few hours of events.
DISK_FIRST_MIB=10240
DISK_MINIMUM_MIB=2048

engine_value() { docker info --format "{{.$1}}" 2>/dev/null || true; }

engine_fault() {
    local version
    version="$(engine_value ServerVersion)"
    [[ "$version" =~ ^[0-9] ]] || return 0
    version_at_least "${version%%[-+]*}" "$ENGINE_MINIMUM" || echo "Docker engine $version is older than $ENGINE_MINIMUM, which ClickHouse's image requires"
}

memory_fault() {
    local bytes wanted="$MEMORY_MINIMUM_MIB"
    bytes="$(engine_value MemTotal)"
    [[ "$bytes" =~ ^[0-9]+$ ]] || return 0
    ! superset_is_wanted || wanted=$((wanted + SUPERSET_MEMORY_MIB))
    [ $((bytes / 1048576)) -ge "$wanted" ] || echo "containers have $((bytes / 1048576)) MiB of memory, $wanted MiB are required: increase the engine's memory \
(Docker Desktop: Settings, Resources)$(! superset_is_wanted || echo ", or omit Superset (--no-superset, $SUPERSET_MEMORY_MIB MiB less)")"
}

# If the engine runs in a virtual machine, its disk is not visible here.
disk_fault() {
    local folder free wanted="$DISK_FIRST_MIB"
    folder="$(engine_value DockerRootDir)"
    [ -d "${folder:-/nowhere}" ] || return 0
    [ -z "$(docker images --quiet "ctr-pipeline:$CTR_TAG")" ] || wanted="$DISK_MINIMUM_MIB"
    free="$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')"
    [ "${free:-$wanted}" -ge "$wanted" ] || echo "$folder has $free MiB of free space, $wanted MiB are required: docker system prune removes unused data"
}

# The users inside the containers are not the owner of the checkout. What Python compiled for a stack without Docker is not theirs to read.
files_fault() {
    local unreadable
    unreadable="$(find "$CHECKOUT/clickhouse" "$CHECKOUT/containers" "$CHECKOUT/superset" -name __pycache__ -prune -o -type f ! -perm -004 -print)"
    [ -z "$unreadable" ] || echo "containers cannot read these files; run chmod -R o+rX clickhouse containers superset:
$unreadable"
}

# Superset's metadata is encrypted with a key of .env: a new key cannot decrypt old metadata.
secret_fault() {
    local volume="${COMPOSE_PROJECT_NAME}_superset-home"
    superset_is_wanted || return 0
    [ -z "${SUPERSET_SECRET_KEY:-}" ] || return 0
    [ -n "$(docker volume ls --quiet --filter "name=^$volume\$")" ] || return 0
    echo "$ENV_FILE has no SUPERSET_SECRET_KEY, but the volume $volume was created with one: put the old .env back, or remove the volume
    (docker volume rm --force $volume; dashboards and users are recreated, everything that people saved in Superset is lost)"
}

settings_fault() {
    case "$CLICKHOUSE_USER" in default | ctr_writer) return ;; esac
    echo "CLICKHOUSE_USER is $CLICKHOUSE_USER, but the writer in containers is ctr_writer (containers/clickhouse-users.xml): remove it from .env"
}

curl_fault() { command -v curl >/dev/null || echo "curl is not installed: it is required to check whether the pipeline is ready"; }

# Ports of running containers are in use by those containers.
wanted_ports() {
    local service
    for service in $SERVICES; do
        service_is_up "$service" || service_ports "$service"
    done
}

# check_machine: checks everything that could make setup fail later, before it changes anything.
check_machine() {
    local ask faults="" fault ports
    require_docker
    for ask in engine_fault memory_fault disk_fault curl_fault files_fault settings_fault secret_fault; do
        fault="$("$ask")"
        [ -z "$fault" ] || faults="$faults  - $fault"$'\n'
    done
    # shellcheck disable=SC2046  # a list of settings
    ports="$(port_faults $(wanted_ports))"
    [ -z "$ports" ] || faults="$faults  - ports that cannot be used:"$'\n'"$ports"$'\n'"    $PORTS_REMEDY"$'\n'
    [ -z "$faults" ] || fail "the stack cannot start here:
${faults%$'\n'}" 2
}
