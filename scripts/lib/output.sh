# shellcheck shell=bash
# What scripts say: plain lines, no colours and no control characters, so that a log file reads like a terminal.

say() { printf '%s\n' "$*"; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# fail MESSAGE [EXIT-CODE]: says what is wrong and ends the script.
fail() {
    printf 'error: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Seconds since a start that `now` gave, with one decimal where the shell can tell.
now() { echo "${EPOCHREALTIME:-$SECONDS}" | tr , .; }
seconds_since() { awk -v start="$1" -v end="$(now)" 'BEGIN { printf "%.1f", end - start }'; }

# The end of a log file, indented, for an error message.
log_tail() { [ ! -f "$1" ] || tail -n "${2:-15}" "$1" | sed 's/^/    /' >&2; }
