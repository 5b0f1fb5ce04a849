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

# The pipeline with places where a test ends it (crates/ctr-pipeline/src/crash_point.rs), beside what `cargo test` built.
build_crashing_pipeline() {
    cargo build --manifest-path "$CHECKOUT/Cargo.toml" --locked --quiet -p ctr-pipeline --features crash-points
}

build_binaries() { cargo build --manifest-path "$CHECKOUT/Cargo.toml" --release --locked --quiet --bins; }
