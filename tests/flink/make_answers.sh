#!/usr/bin/env bash
# Asks Flink's own operators what they make of the recordings, and stores the answers beside them.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: tests/flink/make_answers.sh [FOLDER]

  FOLDER       where answers go, in agree/ and differ/ (default: tests/flink, beside the recordings)
  -h, --help   this text

Builds the program in src/ with Maven (Java 17 or newer; the jars of Flink 1.18.1 come from Maven Central, 74 MB) and
runs it on every recording. The answers are part of the project: no other test needs Java or Flink.
USAGE
}

here="$(cd "$(dirname "$0")" && pwd)"
built="$here/../../target/flink-answers"

case "${1:-}" in -h | --help) usage && exit 0 ;; esac
[ $# -le 1 ] || { usage >&2 && exit 2; }
into="${1:-$here}"

# Maven resets the colours of a terminal even where there is none: those codes are taken out.
nice mvn --quiet --batch-mode -f "$here/pom.xml" compile dependency:build-classpath \
    -Dmdep.outputFile="$built/classpath" | sed $'s/\x1b\\[[0-9;]*m//g'

java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
for folder in agree differ; do
    # Flink's copies of objects look into the collections of java.util, which Java 17 keeps closed.
    nice "$java" -XX:+UseSerialGC -Xmx256m --add-opens java.base/java.util=ALL-UNNAMED \
        -cp "$built/classes:$(cat "$built/classpath")" ctr.flink.FlinkAnswers "$here/$folder" "$into/$folder"
done
