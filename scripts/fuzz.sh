#!/usr/bin/env bash
# Feeds mutated input to everything that reads what others have written, and reports what crashes or contradicts itself.
set -euo pipefail

# shellcheck source=lib/workshop.sh
source "$(dirname "$0")/lib/workshop.sh"
# shellcheck source=lib/steps.sh
source "$CHECKOUT/scripts/lib/steps.sh"

FUZZ="$CHECKOUT/fuzz"
# The Rust targets, as fuzz/Cargo.toml lists them, and the one in Python.
TARGETS="$(sed -n '/^\[\[bin\]\]/,$ s/^name = "\(.*\)"/\1/p' "$FUZZ/Cargo.toml" | tr '\n' ' ')engine_request"

USAGE="usage: ./scripts/fuzz.sh [TARGET]... [--seconds N]

  event              the value of a record: both parsers agree, and accept nothing beyond the bounds
  commit_metadata    the metadata of a commit, and a task that begins there
  dead_letter        a record of the dead letter topic
  headers            the headers of a record, and the one that a copy has
  settings           application.yml, environment variables, kafka.properties
  clickhouse_answer  a response on ClickHouse's port
  engine_request     a request to the engine server of the local stack (Python)

  --seconds N  duration for each target (60)
  -h, --help   this text

Runs the targets (all by default) one after another. Each starts with its files in fuzz/corpus/ and with what earlier runs found in
.local/fuzz/corpus/, and prints the number of inputs executed, the covered code edges and features (edges by how often they are
taken), and the new inputs. The first run compiles the pipeline once more, with instrumentation, which takes minutes. Linux only.

An input that fails is kept in .local/fuzz/findings/, with the commands that run it again and keep it as a test.
CONTRIBUTING.md explains how to add a target. Exit code 0: nothing was found; 1: a finding, or a failure; 2: wrong usage."

SECONDS_EACH=60
CHOSEN=()
FOUND=()

parse_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help) say "$USAGE" && exit 0 ;;
            --seconds)
                [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--seconds requires a number
$USAGE" 2
                SECONDS_EACH="$2"
                shift
                ;;
            *)
                [[ " $TARGETS " == *" $1 "* ]] || fail "unknown argument: $1
$USAGE" 2
                CHOSEN+=("$1")
                ;;
        esac
        shift
    done
    # shellcheck disable=SC2206  # a list of names
    [ ${#CHOSEN[@]} -gt 0 ] || CHOSEN=($TARGETS)
}

host_triple() { rustc -vV | sed -n 's/^host: //p'; }

# No sanitizer: the targets reach no unsafe code of ours, so it would find nothing and halve the speed. Without one, cargo-fuzz passes no
# unstable option, so the pinned stable compiler builds them, like everything else.
build_targets() {
    "$VENV/bin/cargo-fuzz" fuzz build --fuzz-dir "$FUZZ" --sanitizer none --target-dir "$LOCAL_DIR/fuzz/target"
}

prepare() {
    cd "$CHECKOUT" || return
    check_folders
    mkdir -p "$LOCAL_DIR/logs/setup" "$LOCAL_DIR/logs/fuzz"
    require_prerequisites "$(prerequisites_of_crates)"
    run_step "fuzzers" install_python "$FUZZ/requirements.txt"
    [ "${CHOSEN[*]}" = engine_request ] || run_step "fuzz targets" build_targets
}

# command_of TARGET: the command that takes libFuzzer's options, one word per line.
command_of() {
    if [ "$1" = engine_request ]; then
        printf '%s\n' "$VENV/bin/python" "$FUZZ/engine_request.py"
    else
        echo "$LOCAL_DIR/fuzz/target/$(host_triple)/release/$1"
    fi
}

# Where the corpus of a target is checked without libFuzzer.
regression_of() {
    if [ "$1" = engine_request ]; then echo "$VENV/bin/python fuzz/engine_request.py --corpus"; else echo "cargo test -p ctr-pipeline --test fuzz_corpus"; fi
}

# last PATTERN FILE: the number behind the last occurrence of a word in libFuzzer's output.
last() { sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1; }

run_target() {
    local target="$1" log="$LOCAL_DIR/logs/fuzz/$1.log" corpus="$LOCAL_DIR/fuzz/corpus/$1" findings="$LOCAL_DIR/fuzz/findings/$1" code=0 command
    mkdir -p "$corpus" "$findings"
    mapfile -t command < <(command_of "$target")
    without_settings "${command[@]}" -max_total_time="$SECONDS_EACH" -timeout=10 -print_final_stats=1 -dict="$FUZZ/dictionaries/$target.dict" \
        -artifact_prefix="$findings/" "$corpus" "$FUZZ/corpus/$target" >"$log" 2>&1 || code=$?
    printf '%-18s %11s executions  %6s edges  %6s features  %5s new inputs  %5s s\n' "$target" "$(last stat::number_of_executed_units: "$log")" \
        "$(last cov: "$log")" "$(last ft: "$log")" "$(last stat::new_units_added: "$log")" "$SECONDS_EACH"
    [ "$code" -eq 0 ] || report "$target" "$log" "${command[*]}"
}

# report TARGET LOG COMMAND: what was found, how to see it again, and how to keep it.
report() {
    local file
    FOUND+=("$1")
    file="$(sed -n 's/.*Test unit written to //p' "$2" | tail -n 1)"
    say "FOUND by $1; the end of $2:" >&2
    log_tail "$2" 40
    [ -n "$file" ] || return 0
    say "run it again:     $3 $file
make it smaller:  $3 -minimize_crash=1 -max_total_time=60 -artifact_prefix=$(dirname "$file")/ $file
keep it:          cp $file fuzz/corpus/$1/WHAT_IT_IS, then $(regression_of "$1")"
}

parse_options "$@"
[ "$(uname)" = Linux ] || fail "the fuzzers are built for Linux: run this on Linux"
trap stop_steps EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
prepare
for target in "${CHOSEN[@]}"; do run_target "$target"; done
[ ${#FOUND[@]} -eq 0 ] || fail "found something: ${FOUND[*]}"
