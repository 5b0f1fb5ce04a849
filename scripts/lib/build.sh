# shellcheck shell=bash
# shellcheck disable=SC2034  # names for the scripts that source this
# What is made before anything can run: Python environment, Kafka's jars, the binaries. Each does nothing if it is up to date.

VENV="$LOCAL_DIR/venv"
BINARIES="${CARGO_TARGET_DIR:-$CHECKOUT/target}/release"

# install_python REQUIREMENTS...: the environment with exactly these files installed into it.
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
        # Files of what runs name all that is needed. What chdb-core asks for besides (pandas, pyarrow) is for its
        # Python objects, which the engine server does not use: 150 MB and a minute that nobody needs.
        no_deps="--no-deps"
        [ "$file" != "$CHECKOUT/tests/requirements.txt" ] || no_deps=""
        # shellcheck disable=SC2086  # an option or nothing
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check $no_deps -r "$file"
        echo "$wanted" >"$stamp"
    done
}

install_kafka() { "$CHECKOUT/local/kafka/fetch.sh" "$LOCAL_DIR/kafka/lib"; }

# The pipeline with places where a test ends it (crates/ctr-pipeline/src/crash_point.rs). The command is that of test.sh's unit
# tests: with another choice of packages or features cargo would build most dependencies once more.
build_crashing_pipeline() {
    cargo test --manifest-path "$CHECKOUT/Cargo.toml" --workspace --features ctr-pipeline/crash-points --locked --quiet --no-run
}

# fetch_crates: the sources of all dependencies, so that a machine without a network is told so before anything is built.
fetch_crates() {
    cargo fetch --manifest-path "$CHECKOUT/Cargo.toml" --locked --offline --quiet 2>/dev/null ||
        CARGO_HTTP_TIMEOUT="${CARGO_HTTP_TIMEOUT:-10}" cargo fetch --manifest-path "$CHECKOUT/Cargo.toml" --locked ||
        fail "the sources of the dependencies cannot be fetched. Is there a network? Behind a proxy set https_proxy; behind a mirror of
crates, cargo's own configuration names it (source replacement). What is fetched once is not fetched again."
}

build_binaries() {
    choose_toolchain
    cargo_build --release --bins
}

# What the stack runs: without the verifier and its own client of ClickHouse, which take a fifth of the whole.
build_job() { cargo_build --release --bin ctr-pipeline --bin ctr-producer; }

# cargo_build OPTIONS...: on a terminal cargo itself shows how far it is; a step of setup.sh reads it off STEP_PROGRESS.
cargo_build() {
    local code=0 quiet=""
    [ -t 2 ] || quiet="--quiet"
    if [ -z "${STEP_PROGRESS:-}" ]; then
        cargo build --manifest-path "$CHECKOUT/Cargo.toml" --locked ${quiet:+"$quiet"} "$@"
        return
    fi
    CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100 CARGO_TERM_COLOR=never \
        cargo build --manifest-path "$CHECKOUT/Cargo.toml" --locked "$@" 2>"$STEP_PROGRESS" || code=$?
    # What stays is the log without the bar.
    tr '\r' '\n' <"$STEP_PROGRESS" | sed -e "s/$(printf '\033')\[K//g" -e '/^ *Building \[/d' -e '/^$/d' >&2
    return "$code"
}
