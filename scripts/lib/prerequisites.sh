# shellcheck shell=bash
# shellcheck disable=SC2034  # names for the scripts that source this
# Prerequisites of the machine: everything missing is found at once, installed with apt if run as root, and otherwise listed
# with the command that installs it. One row per prerequisite: NAME|CHECK|DEBIAN PACKAGES|MACOS|PURPOSE.

RUST_MINIMUM="$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$CHECKOUT/Cargo.toml")"

PREREQUISITES_BUILD="C and C++ compiler|has_compiler|gcc g++ libc6-dev|xcode-select --install|librdkafka
make|command -v make|make|xcode-select --install|librdkafka
OpenSSL with headers|has_openssl|libssl-dev pkg-config|brew install openssl@3 pkg-config|TLS to Kafka and ClickHouse
curl|command -v curl|curl ca-certificates|brew install curl|readiness, schema, queries
ps|command -v ps|procps|it is part of macOS: check PATH|finding the stack's processes
cargo $RUST_MINIMUM or newer|has_cargo|cargo|brew install rust|the pipeline
Python 3.10 or newer with venv|has_python|python3 python3-venv|brew install python@3.12|ClickHouse engine, supervisor
Java 17 or newer|has_java|openjdk-17-jre-headless|brew install openjdk@17|Kafka
Maven|command -v mvn|maven|brew install maven|Kafka's jars"
PREREQUISITES_TEST="shellcheck|command -v shellcheck|shellcheck|brew install shellcheck|linting the scripts"
# Chromium needs fonts to render text.
PREREQUISITES_PAGES="Chromium|has_chromium|chromium fonts-liberation|brew install --cask chromium|the tests of pages and dashboards"

PREREQUISITES_ALERTS="promtool|command -v promtool|prometheus|brew install prometheus|the tests of alert rules"
# Optional for setup: without it, setup reports that a port is taken, but not by which process.
PREREQUISITES_PORTS="ss or lsof|has_port_lister|iproute2|brew install lsof|the test of taken ports"

has_compiler() { { command -v cc && command -v c++; } || { command -v gcc && command -v g++; }; }

# The names that tests/stack/browser.py looks for.
has_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

has_port_lister() { command -v ss || command -v lsof; }

# pkg-config does not find Homebrew's OpenSSL; cargo does.
has_openssl() { pkg-config --exists openssl || brew --prefix --installed openssl@3; }

# choose_toolchain: with rustup, selects the toolchain of rust-toolchain.toml from any folder, and installs it if it may. Without it,
# cargo refuses to run in this checkout; then the default toolchain is used, which has_cargo checks.
choose_toolchain() {
    local channel
    command -v rustup >/dev/null && [ -z "${RUSTUP_TOOLCHAIN:-}" ] || return 0
    channel="$(rust_channel)"
    if ! rustup toolchain list 2>/dev/null | grep -q "^$channel\(-\|$\)"; then
        say "installing Rust $channel (rust-toolchain.toml) with rustup"
        if [ "${RUSTUP_AUTO_INSTALL:-1}" = 0 ] || ! rustup toolchain install --profile minimal --component clippy,rustfmt "$channel"; then
            channel="$(rustup default 2>/dev/null | cut -d ' ' -f 1)"
            warn "Rust $(rust_channel) cannot be installed; using $channel, whose lints may differ"
        fi
    fi
    [ -z "$channel" ] || export RUSTUP_TOOLCHAIN="$channel"
}

rust_channel() { sed -n 's/^channel *= *"\(.*\)"/\1/p' "$CHECKOUT/rust-toolchain.toml"; }

has_cargo() { version_at_least "$(cargo --version 2>/dev/null | awk '{ print $2 }')" "$RUST_MINIMUM"; }

has_java() {
    local version
    # 17.0.15, 21, 1.8.0_402: the first number decides; 1 means a Java that is too old.
    version="$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)"
    [ "${version:-0}" -ge 17 ]
}

has_python() {
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'
}

# missing_prerequisites ROWS: those rows whose check fails.
missing_prerequisites() {
    local row check
    while IFS= read -r row; do
        check="$(echo "$row" | cut -d '|' -f 2)"
        eval "$check" >/dev/null 2>&1 || echo "$row"
    done <<<"$1"
}

can_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

# The Java package of this Debian or Ubuntu, which may no longer have 17.
java_package() {
    local package
    for package in openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless; do
        if apt-cache show "$package" >/dev/null 2>&1; then echo "$package" && return; fi
    done
}

debian_packages() {
    local packages
    packages="$(echo "$1" | cut -d '|' -f 3 | tr '\n' ' ')"
    echo "${packages//openjdk-17-jre-headless/$(java_package)}"
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    # Only promtool is needed. Debian would start the server, which listens on every address.
    [[ "$1" != *promtool* || ! -d /run/systemd/system ]] || systemctl mask prometheus.service
    apt-get update -q
    # shellcheck disable=SC2046  # a list of packages
    apt-get install -q -y --no-install-recommends $(debian_packages "$1")
}

# name_missing ROWS: prints one line each, with the command.
name_missing() {
    local name check debian macos purpose
    while IFS='|' read -r name check debian macos purpose; do
        if [ "$(uname)" = Darwin ]; then
            say "  $name ($purpose): $macos"
        elif [[ "$check" == has_cargo ]]; then
            say "  $name ($purpose): rustup toolchain install $(rust_channel), with rustup from https://rustup.rs (distributions often have an older cargo)"
        else
            say "  $name ($purpose): sudo apt-get install $debian"
        fi
    done <<<"$1"
}

# prerequisites_of_crates: what compiling and testing the crates needs: neither brokers nor their jars.
prerequisites_of_crates() { grep -v '^Java\|^Maven' <<<"$PREREQUISITES_BUILD"; }

# require_prerequisites ROWS: returns if nothing is missing, otherwise ends the script with the list.
require_prerequisites() {
    local missing
    [[ "$1" != *has_cargo* ]] || choose_toolchain
    missing="$(missing_prerequisites "$1")"
    [ -n "$missing" ] || return 0
    if can_install; then
        say "missing on this machine, installing with apt:"
        name_missing "$missing"
        apt_install "$missing" >"$LOCAL_DIR/logs/setup/apt.log" 2>&1 || true
        hash -r
        missing="$(missing_prerequisites "$1")"
        [ -n "$missing" ] || return 0
    fi
    fail "missing on this machine:
$(name_missing "$missing")
Install them and run this again."
}
