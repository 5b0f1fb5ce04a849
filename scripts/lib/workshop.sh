# shellcheck shell=bash
# Common code of the scripts that build and measure rather than run the stack: test.sh, bench.sh, chaos.sh.

# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
# shellcheck source=output.sh
source "$CHECKOUT/scripts/lib/output.sh"
# shellcheck source=mode.sh
source "$CHECKOUT/scripts/lib/mode.sh"
# shellcheck source=prerequisites.sh
source "$CHECKOUT/scripts/lib/prerequisites.sh"
# shellcheck source=machine.sh
source "$CHECKOUT/scripts/lib/machine.sh"
# shellcheck source=build.sh
source "$CHECKOUT/scripts/lib/build.sh"

# Runs a command without the user's settings and without .env, for tests and measurements.
without_settings() {
    local name unset=()
    for name in $STACK_SETTINGS; do
        case "$name" in LOCAL_DIR | ENV_FILE) ;; *) unset+=(-u "$name") ;; esac
    done
    env "${unset[@]}" ENV_FILE=/dev/null "$@"
}

# check_options VALUED FLAGS ARGUMENTS...: checks the arguments before anything is built; the started program parses them.
# VALUED and FLAGS are the options with and without a value, surrounded by spaces. USAGE is the script's.
check_options() {
    local valued="$1" flags="$2"
    shift 2
    while [ $# -gt 0 ]; do
        case "$1" in -h | --help) say "$USAGE" && exit 0 ;; esac
        if [[ "$valued" == *" $1 "* ]]; then
            [ $# -ge 2 ] || fail "$1 requires a value
$USAGE" 2
            shift
        elif [[ "$flags" != *" $1 "* ]]; then
            fail "unknown argument: $1
$USAGE" 2
        fi
        shift
    done
}

# Prepares brokers, engine, Python environment and binaries, without the checks of test.sh.
prepare_workshop() {
    cd "$CHECKOUT" || return
    check_folders
    mkdir -p "$LOCAL_DIR/logs/setup"
    require_prerequisites "$PREREQUISITES_BUILD"
    install_python "$CHECKOUT/local/requirements.txt" "$CHECKOUT/tests/requirements.txt"
    install_kafka
    build_binaries
}
