#!/usr/bin/env bash
# Stops everything that setup.sh started, also after a setup that was interrupted.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/down.sh [--volumes] [--docker | --local]

  --volumes           remove the data too: topics, tables, logs
"

begin "--volumes" "$@"
if has_argument --volumes; then stop_stack volumes; else stop_stack; fi
