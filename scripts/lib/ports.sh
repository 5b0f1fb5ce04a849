# shellcheck shell=bash
# Whether a port is free, and if not, which process uses it.

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_holder PORT: "NAME (process ID)" of the listening process, nothing if unknown.
port_holder() {
    local pid=""
    if command -v ss >/dev/null; then
        pid="$(ss -ltnpH "sport = :$1" 2>/dev/null | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1)"
    fi
    if [ -z "$pid" ] && command -v lsof >/dev/null; then
        pid="$(lsof -nP -t -iTCP:"$1" -sTCP:LISTEN 2>/dev/null | head -n 1 || true)"
    fi
    [ -z "$pid" ] || echo "$(ps -o comm= -p "$pid" 2>/dev/null || echo "a process") (process $pid)"
}

valid_port() { [[ "$1" =~ ^[0-9]{1,5}$ ]] && [ "$1" -ge 1 ] && [ "$1" -le 65535 ]; }

PORTS_REMEDY="Stop the processes that use them (./scripts/down.sh stops an earlier run of this stack), or set other ports in .env."

# port_faults SETTING...: every setting must name a different, free port. Prints a line for each that does not.
port_faults() {
    local setting port holder seen=" "
    for setting in "$@"; do
        port="${!setting}"
        if ! valid_port "$port"; then
            say "  $setting=$port is not a port (1 to 65535)"
        elif [[ "$seen" == *" $port "* ]]; then
            say "  $setting=$port is also used by another service"
        elif port_is_taken "$port"; then
            holder="$(port_holder "$port")"
            say "  port $port ($setting) is taken by ${holder:-another process}"
        fi
        seen="$seen$port "
    done
}

# check_ports SETTING...: reports all faults at once.
check_ports() {
    local faults
    faults="$(port_faults "$@")"
    [ -z "$faults" ] || fail "ports that cannot be used:
$faults
$PORTS_REMEDY"
}
