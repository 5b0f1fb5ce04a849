# shellcheck shell=bash
# Is a port free, and if not, who has it.

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_holder PORT: "NAME (process ID)" of who listens there, nothing if it cannot be told.
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

# check_ports SETTING...: every setting must name a different, free port. All that is wrong is said at once.
check_ports() {
    local setting port holder seen=" " faults=""
    for setting in "$@"; do
        port="${!setting}"
        if ! valid_port "$port"; then
            faults="$faults  $setting=$port is not a port (1 to 65535)"$'\n'
        elif [[ "$seen" == *" $port "* ]]; then
            faults="$faults  $setting=$port is given to another service too"$'\n'
        elif port_is_taken "$port"; then
            holder="$(port_holder "$port")"
            faults="$faults  port $port ($setting) is taken by ${holder:-another process}"$'\n'
        fi
        seen="$seen$port "
    done
    [ -z "$faults" ] || fail "ports that cannot be used:
${faults}Stop what holds them (what an earlier run of this stack left: ./scripts/down.sh), or set other ports in .env."
}
