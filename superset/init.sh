#!/usr/bin/env bash
# Brings Superset's metadata, roles, users and assets up to date. May run any number of times.
set -euo pipefail

case "${1:-}" in
    '') ;;
    -h | --help) echo "Usage: superset/init.sh    (settings: superset/provision.py)" && exit 0 ;;
    *) echo "Usage: superset/init.sh" >&2 && exit 2 ;;
esac
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
superset db upgrade
superset init
python "$here/provision.py"
