#!/usr/bin/env bash
# Builds the peers of the benchmark with Maven.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: bench/peers/build.sh

Builds the Flink jobs and the Kafka Streams application of this folder into target/peers with Maven (Java 17 or newer). The jars of
Flink and Kafka Streams come from Maven Central the first time, about 175 MB. ./scripts/bench.sh --peers runs it.
  -h, --help   this text
USAGE
}

case "${1:-}" in -h | --help) usage && exit 0 ;; esac
[ $# -eq 0 ] || { usage >&2 && exit 2; }

# In the reactor the classes of a module are enough: no jars are made. Maven resets the colours of a terminal even where there is none.
nice mvn --quiet --batch-mode -f "$(dirname "$0")/pom.xml" compile dependency:build-classpath | sed $'s/\x1b\[[0-9;]*m//g'
