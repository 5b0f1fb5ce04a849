#!/usr/bin/env bash
# The steps of a release that .github/workflows/release.yml runs, and that can be tried out locally.
set -euo pipefail

# shellcheck source=lib/env.sh
source "$(dirname "$0")/lib/env.sh"
# shellcheck source=lib/output.sh
source "$CHECKOUT/scripts/lib/output.sh"

USAGE="usage: ./scripts/release.sh check TAG
       ./scripts/release.sh notes TAG
       ./scripts/release.sh archive TAG IMAGE PLATFORM FOLDER

  check    that TAG (v1.2.3) is the version of Cargo.toml, Cargo.lock, the Dockerfile and the Helm chart, and that CHANGELOG.md
           has a section for it
  notes    print that section
  archive  write FOLDER/ctr-pipeline-TAG-linux-PLATFORM.tar.gz: the binaries of IMAGE, which Docker has, with the settings file,
           README, changelog and license
  -h, --help
           this text

Exit code 0: done; 1: a check or step failed; 2: wrong usage."

usage_error() { fail "$1
$USAGE" 2; }

# notes VERSION: the section of CHANGELOG.md, without its heading and the empty lines around it.
notes() {
    awk -v heading="## $1" '/^## / { inside = ($0 == heading || index($0, heading " ") == 1); next } inside' "$CHECKOUT/CHANGELOG.md" |
        sed -e '/./,$!d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# version_in FILE PATTERN: the first version that a line with this pattern names.
version_in() { sed -n "s/^$2\"\{0,1\}\([0-9][^\" ]*\)\"\{0,1\}.*/\1/p" "$CHECKOUT/$1" | head -n 1; }

check() {
    local version="$1" wrong="" file pattern found
    while IFS='|' read -r file pattern; do
        found="$(version_in "$file" "$pattern")"
        [ "$found" = "$version" ] || wrong="$wrong
  $file: ${found:-no version}"
    done <<'ROWS'
Cargo.toml|version = 
Dockerfile|ARG VERSION=
deploy/helm/ctr-pipeline/Chart.yaml|version: 
deploy/helm/ctr-pipeline/Chart.yaml|appVersion: 
ROWS
    grep -A 1 '^name = "ctr-pipeline"$' "$CHECKOUT/Cargo.lock" | grep -qx "version = \"$version\"" || wrong="$wrong
  Cargo.lock: another version of ctr-pipeline (run \`cargo check\`)"
    [ -n "$(notes "$version")" ] || wrong="$wrong
  CHANGELOG.md: no section \"## $version\""
    [ -z "$wrong" ] || fail "the tag v$version does not agree with:$wrong"
    say "v$version: versions and changelog agree"
}

# archive VERSION IMAGE PLATFORM FOLDER: the binaries are those of the image, so they run on its Debian release and newer ones.
archive() {
    local name="ctr-pipeline-v$1-linux-$3" staging container
    staging="$(mktemp -d)"
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$staging'" EXIT
    mkdir -p "$staging/$name" "$4"
    container="$(docker create "$2")"
    docker cp "$container:/usr/local/bin/." "$staging/$name/"
    docker rm "$container" >/dev/null
    for binary in ctr-pipeline ctr-producer ctr-verify; do
        [ -x "$staging/$name/$binary" ] || fail "$2 has no /usr/local/bin/$binary"
    done
    cp "$CHECKOUT/config/application.yml" "$CHECKOUT/README.md" "$CHECKOUT/CHANGELOG.md" "$CHECKOUT/LICENSE" "$staging/$name/"
    tar --create --gzip --owner=0 --group=0 --numeric-owner --sort=name --file "$4/$name.tar.gz" --directory "$staging" "$name"
    say "$4/$name.tar.gz"
}

case "${1:-}" in
    -h | --help) say "$USAGE" && exit 0 ;;
    check | notes) [ $# -eq 2 ] || usage_error "$1 requires a tag" ;;
    archive) [ $# -eq 5 ] || usage_error "archive requires a tag, an image, a platform and a folder" ;;
    *) usage_error "unknown argument: ${1:-none}" ;;
esac
[[ "$2" =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || usage_error "$2 is not a version tag (v1.2.3)"
"$1" "${2#v}" "${@:3}"
