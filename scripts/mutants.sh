#!/usr/bin/env bash
# Breaks the counting and the shell in every small way that a machine can think of, and reports which breakage no test notices.
set -euo pipefail

# shellcheck source=lib/workshop.sh
source "$(dirname "$0")/lib/workshop.sh"
# shellcheck source=lib/steps.sh
source "$CHECKOUT/scripts/lib/steps.sh"

CARGO_MUTANTS_VERSION=27.1.0

USAGE="usage: ./scripts/mutants.sh [--shard K/N] [--file PATTERN]... [--jobs N]

  --shard K/N     only that part of the mutants, K from 0 to N-1 (all: several hours on two cores)
  --file PATTERN  only the mutants of these files of crates/ctr-domain, for example 'src/shell/*.rs'; can be repeated
  --jobs N        how many mutants are built and tested at a time (2)
  -h, --help      this text

cargo-mutants (installed into .local the first time) replaces operators, match arms and whole functions of ctr-domain, one at a time, and
runs the tests of ctr-domain and ctr-simulation with fewer cases (CTR_HISTORIES=300, PROPTEST_CASES=200) on each. scripts/lib/mutants.toml
lists what is left out and why. Results are in .local/mutants/mutants.out: missed.txt, caught.txt, timeout.txt, unviable.txt, and a diff and
a log of each mutant. Not part of test.sh. Exit code 0: all were caught; 1: failure; 2: some were missed, or wrong usage."

CHOSEN=() JOBS=2

parse_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help) say "$USAGE" && exit 0 ;;
            --shard)
                [[ "${2:-}" =~ ^[0-9]+/[1-9][0-9]*$ ]] || fail "--shard requires K/N
$USAGE" 2
                CHOSEN+=(--shard "$2")
                ;;
            --file)
                [ -n "${2:-}" ] || fail "--file requires a pattern
$USAGE" 2
                CHOSEN+=(--file "crates/ctr-domain/$2")
                ;;
            --jobs)
                [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--jobs requires a number
$USAGE" 2
                JOBS="$2"
                ;;
            *) fail "unknown argument: $1
$USAGE" 2 ;;
        esac
        shift 2
    done
}

# cargo install looks at the registry even if it has nothing to do.
install_cargo_mutants() {
    [ "$("$LOCAL_DIR/mutants/bin/cargo-mutants" mutants --version 2>/dev/null)" != "cargo-mutants $CARGO_MUTANTS_VERSION" ] || return 0
    cargo install cargo-mutants --version "$CARGO_MUTANTS_VERSION" --locked --root "$LOCAL_DIR/mutants" --target-dir "$LOCAL_DIR/mutants/target"
}

parse_options "$@"
cd "$CHECKOUT"
check_folders
mkdir -p "$LOCAL_DIR/logs/setup" "$LOCAL_DIR/mutants"
require_prerequisites "$(prerequisites_of_crates)"
trap stop_steps EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
choose_toolchain
run_step "cargo-mutants" install_cargo_mutants
# The profile of tests, but both crates with little optimization: they are compiled for every mutant.
CTR_HISTORIES="${CTR_HISTORIES:-300}" PROPTEST_CASES="${PROPTEST_CASES:-200}" \
    env -u CARGO_TARGET_DIR nice "$LOCAL_DIR/mutants/bin/cargo-mutants" mutants --config "$CHECKOUT/scripts/lib/mutants.toml" --package ctr-domain \
    --test-package ctr-domain,ctr-simulation --jobs "$JOBS" --output "$LOCAL_DIR/mutants" --colors never \
    -C=--config -C='profile.dev.package.ctr-domain.opt-level=1' -C=--config -C='profile.dev.package.ctr-simulation.opt-level=1' -C=--config -C='profile.dev.debug=false' \
    ${CHOSEN[@]+"${CHOSEN[@]}"}
