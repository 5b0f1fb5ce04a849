# shellcheck shell=bash
# What the stack in containers needs of the engine and the machine: asked before anything is changed, and all that is missing is
# said at once. The build asks for nothing more: the Dockerfile is one for BuildKit and for the older builder alike.

# ClickHouse's image does not start on an older one (its seccomp profile does not know a call of a newer C library).
ENGINE_MINIMUM="20.10.10"
# In use by all at once; the limits of docker-compose.yml are higher.
MEMORY_MINIMUM_MIB=2560
SUPERSET_MEMORY_MIB=512
# Images fetched and built for the first time; afterwards what a few hours of events take.
DISK_FIRST_MIB=10240
DISK_MINIMUM_MIB=2048

engine_value() { docker info --format "{{.$1}}" 2>/dev/null || true; }

engine_fault() {
    local version
    version="$(engine_value ServerVersion)"
    [[ "$version" =~ ^[0-9] ]] || return 0
    version_at_least "${version%%[-+]*}" "$ENGINE_MINIMUM" || echo "Docker engine $version is older than $ENGINE_MINIMUM, with which ClickHouse's image does not start"
}

memory_fault() {
    local bytes wanted="$MEMORY_MINIMUM_MIB"
    bytes="$(engine_value MemTotal)"
    [[ "$bytes" =~ ^[0-9]+$ ]] || return 0
    ! superset_is_wanted || wanted=$((wanted + SUPERSET_MEMORY_MIB))
    [ $((bytes / 1048576)) -ge "$wanted" ] || echo "containers have $((bytes / 1048576)) MiB of memory, $wanted are needed: give the engine more \
(Docker Desktop: Settings, Resources)$(! superset_is_wanted || echo ", or leave Superset out (--no-superset, $SUPERSET_MEMORY_MIB MiB less)")"
}

# Where the engine is a virtual machine, its disk is not one of ours to look at.
disk_fault() {
    local folder free wanted="$DISK_FIRST_MIB"
    folder="$(engine_value DockerRootDir)"
    [ -d "${folder:-/nowhere}" ] || return 0
    [ -z "$(docker images --quiet "ctr-pipeline:$CTR_TAG")" ] || wanted="$DISK_MINIMUM_MIB"
    free="$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')"
    [ "${free:-$wanted}" -ge "$wanted" ] || echo "$folder has $free MiB of room, $wanted are needed: docker system prune removes what no container uses"
}

# The users inside the containers are not the owner of the checkout.
files_fault() {
    local unreadable
    unreadable="$(find "$CHECKOUT/clickhouse" "$CHECKOUT/containers" "$CHECKOUT/superset" -type f ! -perm -004)"
    [ -z "$unreadable" ] || echo "containers cannot read these files; run chmod -R o+rX clickhouse containers superset:
$unreadable"
}

# Superset's metadata is encrypted with a key of .env: a new key beside old metadata is of no use.
secret_fault() {
    local volume="${COMPOSE_PROJECT_NAME}_superset-home"
    superset_is_wanted || return 0
    [ -z "${SUPERSET_SECRET_KEY:-}" ] || return 0
    [ -n "$(docker volume ls --quiet --filter "name=^$volume\$")" ] || return 0
    echo "$ENV_FILE has no SUPERSET_SECRET_KEY, and the volume $volume was made with one: put the old .env back, or remove the volume
    (docker volume rm --force $volume; dashboards and users are made again, what people saved in Superset is gone)"
}

settings_fault() {
    case "$CLICKHOUSE_USER" in default | ctr_writer) return ;; esac
    echo "CLICKHOUSE_USER is $CLICKHOUSE_USER, but the writer in containers is ctr_writer (containers/clickhouse-users.xml): take it out of .env"
}

curl_fault() { command -v curl >/dev/null || echo "curl is not installed: it is what asks the pipeline whether it is ready"; }

# Ports of containers that run are taken by themselves.
wanted_ports() {
    local service
    for service in $SERVICES; do
        service_is_up "$service" || service_ports "$service"
    done
}

# check_machine: everything that could make setup fail later, before it changes anything.
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
