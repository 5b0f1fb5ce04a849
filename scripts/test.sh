#!/usr/bin/env bash
# Runs every check and test of the project.
set -euo pipefail

# shellcheck source=lib/workshop.sh
source "$(dirname "$0")/lib/workshop.sh"
# shellcheck source=lib/steps.sh
source "$CHECKOUT/scripts/lib/steps.sh"

USAGE="usage: ./scripts/test.sh [--unit | --containers | --long]

  --unit       formatting, lints, documentation, unit and property tests only: no brokers, no ClickHouse engine
  --containers the stack in containers only (tests/containers), on a running Docker engine or one that it starts
  --long       also tests that take hours (marked \`long\`; a million histories of the model instead of 10,000), and fuzzing, a
               minute for each target (./scripts/fuzz.sh)
  -h, --help   this text

Installs prerequisites like setup.sh. Integration tests start their own brokers and engine on free ports in a temporary
folder, so a running stack is not affected; two processes run them (TEST_PROCESSES=1: one). Exit code 0: everything passed.
Skipped tests are listed at the end; with CI=true a skip is a failure."

EXTENT="all"
FAILED=() FAILED_TESTS=() SKIPPED=() PASSED=()

parse_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help) say "$USAGE" && exit 0 ;;
            --unit) EXTENT="unit" ;;
            --containers) EXTENT="containers" ;;
            --long) EXTENT="long" ;;
            *) fail "unknown argument: $1
$USAGE" 2 ;;
        esac
        shift
    done
}

# stage NAME COMMAND...: runs it and shows its output; a failure does not stop the other stages.
stage() {
    local name="$1" started code=0
    shift
    say "== $name"
    started="$(now)"
    # In a subshell so that `set -e` applies inside it; not in a condition, where it would not apply.
    set +e
    (set -e; "$@")
    code=$?
    set -e
    say "== $name: $([ "$code" -eq 0 ] && echo passed || echo FAILED) in $(seconds_since "$started") s"
    if [ "$code" -eq 0 ]; then PASSED+=("$name"); else FAILED+=("$name"); fi
}

skip() { SKIPPED+=("$1: $2"); }

# join_stage NAME: waits for a step that start_step started in the background, and counts it as a stage.
join_stage() {
    local code=0
    say "== $1 (started in the background)"
    end_step "$1" +1 || code=$?
    if [ "$code" -eq 0 ]; then PASSED+=("$1"); else FAILED+=("$1"); fi
}

# have_or_skip NAME ROWS: prerequisites of only some checks. False, and those checks are skipped, if missing and not installable.
have_or_skip() {
    if [ -n "$(missing_prerequisites "$2")" ] && ! can_install; then
        skip "$1" "not installed: $(name_missing "$2")"
        return 1
    fi
    require_prerequisites "$2"
}

shell_files() { git -C "$CHECKOUT" ls-files --cached --others --exclude-standard '*.sh' .ci/run | sed "s|^|$CHECKOUT/|"; }

check_shell() {
    # shellcheck disable=SC2046  # paths of the project have no spaces
    shellcheck $(shell_files)
}

test_rust() {
    # The property tests read the number of histories from these.
    if [ "$EXTENT" = long ]; then export CTR_HISTORIES="${CTR_HISTORIES:-1000000}" PROPTEST_CASES="${PROPTEST_CASES:-100000}"; fi
    cargo_test --no-fail-fast
}

prepare_python() {
    install_python "$CHECKOUT/local/requirements.txt" "$CHECKOUT/tests/requirements.txt" "$CHECKOUT/superset/requirements.txt"
}

# The test folders that exist: pytest rejects a missing one.
pytest_folders() {
    local folder
    for folder in tests local/clickhouse_engine/tests; do [ ! -d "$folder" ] || echo "$folder"; done
}

# run_pytest NAME ARGUMENTS...: writes its results to logs/test/pytest-NAME.xml, for the summary.
run_pytest() {
    local name="$1" marks="not long"
    shift
    [ "$EXTENT" != long ] || marks=""
    without_settings "$VENV/bin/python" -m pytest -m "$marks" -rfEs --tb=short --durations=20 -p no:cacheprovider \
        --junit-xml="$LOCAL_DIR/logs/test/pytest-$name.xml" "$@"
}

# Two processes take file after file, each with brokers and an engine of its own, and wait a third of their time. More would break
# deadlines. TEST_PROCESSES=1: one after the other, for a machine with one core or 4 GB.
test_stack() {
    # shellcheck disable=SC2046  # a list of words
    run_pytest stack --numprocesses "${TEST_PROCESSES:-2}" --dist loadfile --ignore=tests/containers $(pytest_folders)
}

# The tests of kills, stops, load, Superset and every verb in containers take too long for the default run: --containers and --long
# run them too, --long also those that compile.
CONTAINER_TESTS_IN_SHORT="tests/containers/test_debian.py tests/containers/test_engine.py tests/containers/test_setup.py tests/containers/test_rights.py"

test_containers() {
    if [ "$EXTENT" = all ]; then
        # shellcheck disable=SC2086  # a list of files
        run_pytest containers $CONTAINER_TESTS_IN_SHORT
    else
        run_pytest containers tests/containers
    fi
}

# pytest_results KIND...: a line for each test that was skipped (KIND is skipped) or failed (failure, error), with the first
# line of the reason.
pytest_results() {
    python3 - "$LOCAL_DIR/logs/test" "$@" <<'PYTHON'
import pathlib, sys, xml.etree.ElementTree as tree
for file in sorted(pathlib.Path(sys.argv[1]).glob("pytest-*.xml")):
    for case in tree.parse(file).iter("testcase"):
        for result in (found for kind in sys.argv[2:] for found in case.iter(kind)):
            print(f"{case.get('classname')}.{case.get('name')}: {(result.get('message') or '').partition(chr(10))[0][:300]}")
PYTHON
}

# Lists skipped and failed pytest tests in the summary, for readers who look only at the end.
collect_pytest_results() {
    local line
    while IFS= read -r line; do SKIPPED+=("$line"); done < <(pytest_results skipped)
    while IFS= read -r line; do FAILED_TESTS+=("$line"); done < <(pytest_results failure error)
}

# The binaries in the containers are built on the machine: one compilation for all.
container_stages() {
    rm -f "$LOCAL_DIR"/logs/test/pytest-*.xml
    have_or_skip "Chromium" "$PREREQUISITES_PAGES" || true
    stage "Python environment" prepare_python
    stage "Kafka's jars" install_kafka
    stage "release build" build_binaries
    stage "the stack in containers (pytest)" test_containers
    collect_pytest_results
}

integration_stages() {
    rm -f "$LOCAL_DIR"/logs/test/pytest-*.xml
    # Without these, the tests that need them skip themselves.
    have_or_skip "Chromium" "$PREREQUISITES_PAGES" || true
    have_or_skip "promtool" "$PREREQUISITES_ALERTS" || true
    have_or_skip "ss or lsof" "$PREREQUISITES_PORTS" || true
    join_stage "Python environment"
    join_stage "Kafka's jars"
    stage "integration tests (pytest)" test_stack
    [ "$EXTENT" != all ] || say "only with --containers, not in the next stage: kills, stops, verbs, load, Superset, monitoring and removal (the other files of tests/containers)"
    stage "the stack in containers (pytest)" test_containers
    collect_pytest_results
    stage "chaos, three minutes" without_settings "$CHECKOUT/scripts/chaos.sh" --minutes 3 --seed "${CTR_SEED:-1}"
    # The default run has the corpora as ordinary tests: tests/fuzz_corpus.rs of ctr-pipeline, test_fuzz_corpus.py of the engine server.
    [ "$EXTENT" != long ] || stage "fuzzing, a minute for each target" without_settings "$CHECKOUT/scripts/fuzz.sh" --seconds 60
}

summary() {
    local line
    say ""
    say "== summary: ${#PASSED[@]} stages passed, ${#FAILED[@]} failed, ${#SKIPPED[@]} skipped, $(seconds_since "$STARTED") s"
    for line in ${SKIPPED[@]+"${SKIPPED[@]}"}; do say "skipped: $line"; done
    for line in ${FAILED[@]+"${FAILED[@]}"}; do say "FAILED: $line"; done
    for line in ${FAILED_TESTS[@]+"${FAILED_TESTS[@]}"}; do say "FAILED: $line"; done
    if [ "${CI:-}" = true ] && [ "${#SKIPPED[@]}" -gt 0 ]; then
        say "FAILED: with CI=true nothing may be skipped"
        exit 1
    fi
    [ "${#FAILED[@]}" -eq 0 ] || exit 1
}

parse_options "$@"
STARTED="$(now)"
trap stop_steps EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$CHECKOUT"
check_folders
mkdir -p "$LOCAL_DIR/logs/setup" "$LOCAL_DIR/logs/test"
require_prerequisites "$PREREQUISITES_BUILD"
if [ "$EXTENT" = containers ]; then
    container_stages
    summary
    exit
fi
if [ "$EXTENT" != unit ]; then
    # These wait for the network, the checks for the CPU.
    start_step "Python environment" prepare_python
    start_step "Kafka's jars" install_kafka
fi
# First, because the tests use its dependencies.
[ "$EXTENT" = unit ] || stage "release build" build_binaries
# Compiled before the lints, which wait for cargo's lock, and run beside them: some tests wait rather than compute.
start_step "unit and property tests (cargo test)" test_rust
if have_or_skip "shellcheck" "$PREREQUISITES_TEST"; then stage "shell scripts (shellcheck)" check_shell; fi
stage "formatting (cargo fmt)" cargo fmt --all --check
stage "lints (cargo clippy)" cargo_lint
stage "documentation (cargo doc)" cargo_document
join_stage "unit and property tests (cargo test)"
if [ "$EXTENT" = unit ]; then
    say "skipped (--unit): integration tests"
else
    integration_stages
fi
summary
