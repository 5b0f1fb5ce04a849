# shellcheck shell=bash
# Output of scripts: plain lines without colors and control characters, so that a log file reads like a terminal.

say() { printf '%s\n' "$*"; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# fail MESSAGE [EXIT-CODE]: prints the error and ends the script.
fail() {
    printf 'error: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Seconds since a start returned by `now`, with one decimal if the shell supports it.
now() { echo "${EPOCHREALTIME:-$SECONDS}" | tr , .; }
seconds_since() { awk -v start="$1" -v end="$(now)" 'BEGIN { printf "%.1f", end - start }'; }

# The end of a log file, indented, for an error message.
log_tail() { [ ! -f "$1" ] || tail -n "${2:-15}" "$1" | sed 's/^/    /' >&2; }
