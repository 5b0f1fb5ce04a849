#!/usr/bin/env bash
# A Debian of the release that the Dockerfile names, as a folder: what every image here is made of. Needs root and debootstrap;
# packages come from where this machine's apt gets its own (APT_FOLDER, /etc/apt).
set -euo pipefail

usage() { echo "usage: debian.sh FOLDER      makes FOLDER, which must not be there yet"; }

case "${1:-}" in -h | --help) usage && exit 0 ;; '') usage >&2 && exit 2 ;; esac
release=bookworm
# One base for all: Kafka's Java, ClickHouse's Python, what health checks call, and what the Dockerfile's steps on binaries need.
packages=ca-certificates,curl,wget,netcat-openbsd,binutils,libssl3,libstdc++6,openjdk-17-jre-headless,python3,python3-venv

apt="${APT_FOLDER:-/etc/apt}"
shopt -s nullglob # a Debian has sources.list or files of either kind, hardly ever all
sources=("$apt"/sources.list.d/*.sources "$apt"/sources.list.d/*.list)
[ ! -f "$apt/sources.list" ] || sources=("$apt/sources.list" "${sources[@]}")
mirror="$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([a-z]*:[^ ]*\) .*/\2/p' /dev/null "${sources[@]}" | sed -n 1p)"
if [ -z "$mirror" ]; then echo "no mirror in $apt: is this a Debian?" >&2 && exit 1; fi
debootstrap --variant=minbase --include="$packages" "$release" "$1" "$mirror"
# Nothing reads these in a test, and they are a third of the whole.
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale} "$1"/var/log/bootstrap.log
