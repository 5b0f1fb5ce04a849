# shellcheck shell=bash
# The steps of setup.sh: each prints a line with its duration; its output goes to a log that is shown if it fails.
# Steps may run concurrently. Steps that are still running when the script ends or is interrupted are stopped.
# While the script waits, a terminal shows one status line: the running steps, their duration and progress. Without a terminal
# the line is printed every half minute.

STEP_LABELS=() STEP_PIDS=() STEP_LOGS=()
# The file for a step's progress, which cargo writes.
STEP_PROGRESS=""

step_log() { echo "$LOCAL_DIR/logs/setup/$(echo "$1" | tr -c 'A-Za-z0-9\n' '-').log"; }

# run_step LABEL COMMAND...: runs it and waits.
run_step() {
    start_step "$@"
    wait_step "$1"
}

# start_step LABEL COMMAND...: runs it in the background, in its own process group so that it can be stopped as a whole.
start_step() {
    local label="$1" log
    shift
    log="$(step_log "$label")"
    mkdir -p "$(dirname "$log")"
    rm -f "$log.progress"
    set -m
    (
        set +m
        export STEP_PROGRESS="$log.progress"
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

# wait_step LABEL: prints its line with the duration; if it failed, prints its output and ends the script.
wait_step() {
    local code=0
    end_step "$1" || code=$?
    [ "$code" -eq 0 ] || fail "$1 failed; its full output is in $(step_log "$1")" "$code"
}

# end_step LABEL [LINES]: prints its line with the duration, or the last 30 LINES of its output if it failed (as `tail -n`, so +1 is all);
# returns the step's exit code. Nothing for one that has been waited for.
end_step() {
    local index code=0
    for index in "${!STEP_LABELS[@]}"; do
        if [ "${STEP_LABELS[$index]}" != "$1" ] || [ -z "${STEP_PIDS[$index]}" ]; then continue; fi
        say_while_running "${STEP_PIDS[$index]}" "$1"
        wait "${STEP_PIDS[$index]}" || code=$?
        STEP_PIDS[index]=""
        if [ "$code" -ne 0 ]; then
            say "  failed  $1" >&2
            log_tail "${STEP_LOGS[$index]}" "${2:-30}"
            return "$code"
        fi
        printf '  %7s s  %s\n' "$(cat "${STEP_LOGS[$index]}.seconds")" "$1"
        return
    done
}

# step_runs LABEL: whether it was started and is still running.
step_runs() {
    local index
    for index in "${!STEP_LABELS[@]}"; do
        [ "${STEP_LABELS[$index]}" = "$1" ] && [ -n "${STEP_PIDS[$index]}" ] && kill -0 "${STEP_PIDS[$index]}" 2>/dev/null && return 0
    done
    return 1
}

# say_while_running PID LABEL: prints the running steps until that process has ended.
say_while_running() {
    local started="$SECONDS" said="$SECONDS" line
    while kill -0 "$1" 2>/dev/null; do
        if [ -t 1 ]; then
            line="$(printf '  %7s s  %s' $((SECONDS - started)) "$(running_steps)")"
            printf '\r\033[K%s' "${line:0:$(($(terminal_width) - 1))}"
        elif [ $((SECONDS - said)) -ge 30 ]; then
            said="$SECONDS"
            say "      ...    still running after $((SECONDS - started)) s: $(running_steps)"
        fi
        sleep 0.2
    done
    [ ! -t 1 ] || printf '\r\033[K'
}

terminal_width() {
    local columns
    columns="$(tput cols 2>/dev/null || true)"
    echo "${columns:-80}"
}

# running_steps: all running steps with their progress.
running_steps() {
    local index text="" progress
    for index in "${!STEP_LABELS[@]}"; do
        if [ -z "${STEP_PIDS[$index]}" ] || ! kill -0 "${STEP_PIDS[$index]}" 2>/dev/null; then continue; fi
        progress="$(cargo_progress "${STEP_LOGS[$index]}.progress")"
        text="$text${text:+; }${STEP_LABELS[$index]}${progress:+ ($progress)}"
    done
    echo "$text"
}

# cargo_progress FILE: "12 of 250" from the newest of cargo's lines "Building [===>  ] 12/250: syn, libc"; nothing if there is none.
cargo_progress() {
    [ ! -f "$1" ] || tail -c 4000 "$1" | tr '\r' '\n' | sed -n 's|^ *Building \[.*\] \([0-9]*\)/\([0-9]*\).*|\1 of \2|p' | tail -n 1
}

# stop_steps: stops all running steps; for the script's exit trap.
stop_steps() {
    local pid
    for pid in ${STEP_PIDS[@]+"${STEP_PIDS[@]}"}; do
        [ -z "$pid" ] || kill -TERM -- "-$pid" 2>/dev/null || true
    done
}
