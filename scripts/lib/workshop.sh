# shellcheck shell=bash
# What scripts need that build and measure rather than run the stack: test.sh, bench.sh, chaos.sh.

# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
# shellcheck source=output.sh
source "$CHECKOUT/scripts/lib/output.sh"
# shellcheck source=mode.sh
source "$CHECKOUT/scripts/lib/mode.sh"
# shellcheck source=prerequisites.sh
source "$CHECKOUT/scripts/lib/prerequisites.sh"
# shellcheck source=build.sh
source "$CHECKOUT/scripts/lib/build.sh"

# Tests and measurements get none of the settings of the person who runs them, and no .env.
without_settings() {
    local name unset=()
    for name in $STACK_SETTINGS; do
        case "$name" in LOCAL_DIR | ENV_FILE) ;; *) unset+=(-u "$name") ;; esac
    done
    env "${unset[@]}" ENV_FILE=/dev/null "$@"
}

# Brokers, engine, Python environment and binaries, without the checks of test.sh.
prepare_workshop() {
    cd "$CHECKOUT" || return
    mkdir -p "$LOCAL_DIR/logs/setup"
    require_prerequisites "$PREREQUISITES_BUILD"
    install_python "$CHECKOUT/local/requirements.txt" "$CHECKOUT/tests/requirements.txt"
    install_kafka
    build_binaries
}
