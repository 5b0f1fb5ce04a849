# shellcheck shell=bash
# The steps of setup.sh: each prints a line with its time; what it prints itself goes to a log that is shown if it fails.
# A step may run beside others. Whatever is still running when the script ends or is interrupted is stopped with it.

STEP_LABELS=() STEP_PIDS=() STEP_LOGS=()

step_log() { echo "$LOCAL_DIR/logs/setup/$(echo "$1" | tr -c 'A-Za-z0-9\n' '-').log"; }

# run_step LABEL COMMAND...: runs it and waits.
run_step() {
    start_step "$@"
    wait_step "$1"
}

# start_step LABEL COMMAND...: runs it beside the script, in a process group of its own so that it can be stopped whole.
start_step() {
    local label="$1" log
    shift
    log="$(step_log "$label")"
    mkdir -p "$(dirname "$log")"
    set -m
    (
        set +m
        started="$(now)"
        # Not `|| code=$?`: the shell would then ignore failures inside of the step.
        set +e
        (set -e; "$@") >"$log" 2>&1 </dev/null
        code=$?
        seconds_since "$started" >"$log.seconds"
        exit "$code"
    ) &
    set +m
    STEP_LABELS+=("$label") STEP_PIDS+=("$!") STEP_LOGS+=("$log")
}

# wait_step LABEL: its line with the time, or what it said and the end of the script.
wait_step() {
    local code=0
    end_step "$1" || code=$?
    [ "$code" -eq 0 ] || fail "$1 failed; all it said is in $(step_log "$1")" "$code"
}

# end_step LABEL: its line with the time, or what it said; the step's exit code.
end_step() {
    local index code=0
    for index in "${!STEP_LABELS[@]}"; do
        [ "${STEP_LABELS[$index]}" = "$1" ] || continue
        say_while_running "${STEP_PIDS[$index]}" "$1"
        wait "${STEP_PIDS[$index]}" || code=$?
        STEP_PIDS[index]=""
        if [ "$code" -ne 0 ]; then
            say "  failed  $1" >&2
            log_tail "${STEP_LOGS[$index]}" 30
            return "$code"
        fi
        printf '  %7s s  %s\n' "$(cat "${STEP_LOGS[$index]}.seconds")" "$1"
        return
    done
}

# say_while_running PID LABEL: a sign of life every half minute, so that a long step is not taken for a stuck one.
say_while_running() {
    local waited=0
    while kill -0 "$1" 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        [ $((waited % 150)) -ne 0 ] || say "      ...    still at it after $((waited / 5)) s: $2"
    done
}

# stop_steps: for the trap of the script that has steps.
stop_steps() {
    local pid
    for pid in ${STEP_PIDS[@]+"${STEP_PIDS[@]}"}; do
        [ -z "$pid" ] || kill -TERM -- "-$pid" 2>/dev/null || true
    done
}
