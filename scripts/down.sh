#!/usr/bin/env bash
# Stops everything that setup.sh started, even after an interrupted setup.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/down.sh [--volumes] [--docker | --local]

  --volumes           also remove the data: topics, tables, logs
"

begin "--volumes" "$@"
if has_argument --volumes; then stop_stack volumes; else stop_stack; fi
