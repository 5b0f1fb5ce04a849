#!/usr/bin/env bash
# Stops the producers; the records they sent are kept.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/stop-producers.sh [--docker | --local]
"

begin "" "$@"
stop_producers
