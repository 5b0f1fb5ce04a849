# shellcheck shell=bash
# shellcheck disable=SC2034  # names for the scripts that source this
# Builds everything that must exist before the stack can run: Python environment, Kafka's jars, the binaries. No-op if up to date.

VENV="$LOCAL_DIR/venv"
TARGET="${CARGO_TARGET_DIR:-$CHECKOUT/target}"
BINARIES="$TARGET/release"

# install_python REQUIREMENTS...: creates the environment and installs these files.
install_python() {
    local wanted stamp file no_deps
    if [ ! -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -c '' 2>/dev/null; then
        rm -rf "$VENV"
        python3 -m venv "$VENV"
    fi
    for file in "$@"; do
        stamp="$VENV/.installed-$(echo "${file#"$CHECKOUT/"}" | tr / -)"
        wanted="$(cat "$file")"
        [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ] || continue
        # The files of the services list all required packages. The other dependencies of chdb-core (pandas, pyarrow) are for its
        # Python objects, which the engine server does not use: this saves 150 MB and a minute.
        no_deps="--no-deps"
        [ "$file" != "$CHECKOUT/tests/requirements.txt" ] || no_deps=""
        # shellcheck disable=SC2086  # an option or nothing
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check $no_deps -r "$file"
        echo "$wanted" >"$stamp"
    done
}

install_kafka() { "$CHECKOUT/local/kafka/fetch.sh" "$LOCAL_DIR/kafka/lib"; }

# cargo_check COMMAND OPTIONS...: lints, tests or documentation, with the dependencies of the release build (tests.toml). Final files go to their own
# folder, so that the release binaries stay; with a cargo before 1.91, which does not know the variable, all files do.
cargo_check() {
    local command="$1"
    shift
    CARGO_BUILD_BUILD_DIR="$TARGET" without_settings cargo --config "$CHECKOUT/scripts/lib/tests.toml" "$command" --release --target-dir "$TARGET/tests" \
        --manifest-path "$CHECKOUT/Cargo.toml" --workspace --locked --quiet "$@"
}

# With crash points, which do nothing unless a test arms them: the tests that kill at these points (crates/ctr-pipeline/src/crash_point.rs)
# use the same binary, tests/release/ctr-pipeline. Other packages or features would rebuild most dependencies.
cargo_test() { cargo_check test --features ctr-pipeline/crash-points "$@"; }
cargo_lint() { cargo_check clippy --all-targets -- -D warnings; }
# Private items too: their links are followed by whoever reads the source.
cargo_document() { RUSTDOCFLAGS="-D warnings" cargo_check doc --no-deps --document-private-items; }

# fetch_crates: downloads the sources of all dependencies, so that a missing network is reported before anything is built.
fetch_crates() {
    cargo fetch --manifest-path "$CHECKOUT/Cargo.toml" --locked --offline --quiet 2>/dev/null ||
        CARGO_HTTP_TIMEOUT="${CARGO_HTTP_TIMEOUT:-10}" cargo fetch --manifest-path "$CHECKOUT/Cargo.toml" --locked ||
        fail "the sources of the dependencies cannot be downloaded. Check the network; behind a proxy, set https_proxy; to use a crate
mirror, configure it in cargo (source replacement). Downloads are cached."
}

build_binaries() { cargo_build --release --bins; }

# What the stack runs: without the verifier and its own client of ClickHouse, which take a fifth of the whole.
build_job() { cargo_build --release --bin ctr-pipeline --bin ctr-producer; }
build_verifier() { cargo_build --release --bin ctr-verify; }

# cargo_build OPTIONS...: on a terminal cargo shows its own progress; a step of setup.sh reads it from STEP_PROGRESS.
cargo_build() {
    local code=0 quiet=""
    choose_toolchain
    [ -t 2 ] || quiet="--quiet"
    if [ -z "${STEP_PROGRESS:-}" ]; then
        cargo build --manifest-path "$CHECKOUT/Cargo.toml" --locked ${quiet:+"$quiet"} "$@"
        return
    fi
    CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100 CARGO_TERM_COLOR=never \
        cargo build --manifest-path "$CHECKOUT/Cargo.toml" --locked "$@" 2>"$STEP_PROGRESS" || code=$?
    # The log without the progress bar.
    tr '\r' '\n' <"$STEP_PROGRESS" | sed -e "s/$(printf '\033')\[K//g" -e '/^ *Building \[/d' -e '/^$/d' >&2
    return "$code"
}
