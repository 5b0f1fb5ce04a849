#!/usr/bin/env bash
# Downloads Kafka's jars to a folder, in the versions of pom.xml, and verifies every file against jars.sha256.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: local/kafka/fetch.sh [DIRECTORY]      jars into DIRECTORY (default .local/kafka/lib); nothing to do if they are there
       local/kafka/fetch.sh update-lock      rewrite jars.sha256 after a change of pom.xml
USAGE
}

here="$(cd "$(dirname "$0")" && pwd)"
lock="$here/jars.sha256"

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# Whether the folder has exactly the files of the lock: none missing, none changed, none added.
matches_lock() {
    [ -d "$1" ] && (cd "$1" && sha256 ./*.jar 2>/dev/null | sed 's|\./||' | cmp -s - "$lock")
}

# Maven emits color codes even without a terminal: they are removed.
copy_jars() {
    mvn --quiet --batch-mode -f "$here/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$1" | sed $'s/\x1b\\[[0-9;]*m//g'
}

main() {
    local target fresh
    case "${1:-}" in -h | --help) usage && exit 0 ;; esac
    target="${1:-${LOCAL_DIR:-$here/../../.local}/kafka/lib}"
    if [ "$target" != update-lock ] && matches_lock "$target"; then exit 0; fi

    # Into a new folder first: an interrupted download is never taken for a complete one.
    fresh="$(mktemp -d "${TMPDIR:-/tmp}/kafka-jars.XXXXXX")"
    trap 'rm -rf "$fresh"' EXIT
    copy_jars "$fresh"
    if [ "$target" = update-lock ]; then
        (cd "$fresh" && sha256 ./*.jar | sed 's|\./||') >"$lock"
        exit 0
    fi
    if ! matches_lock "$fresh"; then
        echo "The jars downloaded by Maven do not match $lock:" >&2
        (cd "$fresh" && sha256 ./*.jar | sed 's|\./||') | diff "$lock" - >&2 || true
        echo "If pom.xml was changed on purpose: local/kafka/fetch.sh update-lock. Otherwise do not use them." >&2
        exit 1
    fi
    mkdir -p "$(dirname "$target")"
    rm -rf "$target"
    mv "$fresh" "$target"
    chmod 755 "$target"
    trap - EXIT
}

main "$@"
