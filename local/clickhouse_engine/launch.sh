#!/usr/bin/env bash
# The ClickHouse of the stack without Docker: a real server if a `clickhouse` binary is on the PATH, otherwise the engine
# server of this folder. Both listen on the same address and know the same users.
set -euo pipefail

usage() {
    cat <<'END'
Usage: launch.sh --path DIR [--host ADDRESS] [--port PORT] [--writer-user NAME]

Passwords are read from CLICKHOUSE_ENGINE_PASSWORD (the writer's) and CLICKHOUSE_ENGINE_READER_PASSWORD (ctr_reader's). Data is in
DIR/server (real server) or DIR/data (engine server); their formats are not interchangeable. Set CLICKHOUSE_BINARY to the path of a server
to use it, or to an empty value to use the engine server.
END
}

# hash_of PASSWORD: its SHA-256; for an empty password, that of random bytes.
hash_of() { { if [ -n "$1" ]; then printf '%s' "$1"; else head -c 32 /dev/urandom; fi; } | sha256sum | cut -d ' ' -f 1; }

path='' host=127.0.0.1 port=8123 writer=ctr_writer
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage && exit 0 ;;
        --path | --host | --port | --writer-user)
            if [ $# -lt 2 ]; then usage >&2 && exit 2; fi
            case "$1" in
                --path) path="$2" ;;
                --host) host="$2" ;;
                --port) port="$2" ;;
                --writer-user) writer="$2" ;;
            esac
            shift 2
            ;;
        *) usage >&2 && exit 2 ;;
    esac
done
if [ -z "$path" ]; then usage >&2 && exit 2; fi

checkout="$(cd "$(dirname "$0")/../.." && pwd)"
binary="${CLICKHOUSE_BINARY-$(command -v clickhouse || true)}"
if [ -n "$binary" ]; then
    if [ "$writer" != ctr_writer ]; then
        echo "the writer of the ClickHouse server is ctr_writer (clickhouse/users.xml), not $writer: rename it there, or set CLICKHOUSE_USER" >&2
        exit 2
    fi
    mkdir -p "$path/server"
    # Read by clickhouse/server.xml and clickhouse/users.xml. Without its password a user cannot log in; without the
    # writer's, `default` keeps all rights, as with the engine server.
    export CLICKHOUSE_LISTEN_HOST="$host" CLICKHOUSE_HTTP_PORT="$port" CLICKHOUSE_DATA_DIR="$path/server"
    export CLICKHOUSE_USERS_FILE="$checkout/clickhouse/users.xml"
    if [ -n "${CLICKHOUSE_ENGINE_PASSWORD:-}" ]; then CLICKHOUSE_DEFAULT_PROFILE=reader; else CLICKHOUSE_DEFAULT_PROFILE=default; fi
    CLICKHOUSE_WRITER_PASSWORD_SHA256="$(hash_of "${CLICKHOUSE_ENGINE_PASSWORD:-}")"
    CLICKHOUSE_READER_PASSWORD_SHA256="$(hash_of "${CLICKHOUSE_ENGINE_READER_PASSWORD:-}")"
    export CLICKHOUSE_DEFAULT_PROFILE CLICKHOUSE_WRITER_PASSWORD_SHA256 CLICKHOUSE_READER_PASSWORD_SHA256
    exec "$binary" server --config-file="$checkout/clickhouse/server.xml"
fi

python="${LOCAL_DIR:-$checkout/.local}/venv/bin/python"
if [ ! -x "$python" ]; then python=python3; fi
PYTHONPATH="$checkout/local" exec "$python" -m clickhouse_engine --path "$path" --host "$host" --port "$port" --writer-user "$writer"
