# shellcheck shell=bash
# With or without Docker: chosen once, printed in the first line, remembered for the other scripts.
# scripts/lib/docker.sh and scripts/lib/local.sh have functions of the same names; choose_mode sources the right one.

MODE="" MODE_REASON=""

COMPOSE_MINIMUM="2.20"

mode_file() { echo "$LOCAL_DIR/mode"; }

# version_at_least HAVE WANT: compares dotted numbers.
version_at_least() {
    awk -v have="$1" -v want="$2" 'BEGIN {
        n = split(want, w, "."); split(have, h, ".")
        for (i = 1; i <= n; i++) if (h[i] + 0 != w[i] + 0) exit !(h[i] + 0 > w[i] + 0)
    }'
}

# docker_fault: why Docker cannot be used here; nothing if it can.
docker_fault() {
    local version
    if ! command -v docker >/dev/null; then echo "docker is not installed" && return; fi
    if ! docker info >/dev/null 2>&1; then echo "no Docker engine responds (docker info)" && return; fi
    version="$(docker compose version --short 2>/dev/null || true)"
    version="${version#v}"
    if [ -z "$version" ]; then echo "docker has no compose plugin" && return; fi
    version_at_least "$version" "$COMPOSE_MINIMUM" || echo "Compose $version is older than $COMPOSE_MINIMUM"
}

# detect_mode WANTED: sets MODE and MODE_REASON from the flag, the remembered mode, or the machine.
detect_mode() {
    local fault remembered=""
    if [ -n "$1" ]; then MODE="$1" MODE_REASON="requested" && return; fi
    [ ! -r "$(mode_file)" ] || remembered="$(cat "$(mode_file)")"
    case "$remembered" in docker | local) MODE="$remembered" MODE_REASON="as last time" && return ;; esac
    fault="$(docker_fault)"
    if [ -n "$fault" ]; then
        MODE=local MODE_REASON="$fault"
    else
        MODE=docker MODE_REASON="a Docker engine is running"
    fi
}

remember_mode() {
    mkdir -p "$LOCAL_DIR"
    echo "$MODE" >"$(mode_file)"
}

# choose_mode WANTED: prints the mode and loads its functions.
choose_mode() {
    detect_mode "$1"
    say "mode: $MODE ($MODE_REASON)"
    if [ "$MODE" = docker ]; then
        # shellcheck source=docker.sh
        source "$CHECKOUT/scripts/lib/docker.sh"
    else
        # shellcheck source=local.sh
        source "$CHECKOUT/scripts/lib/local.sh"
    fi
}
