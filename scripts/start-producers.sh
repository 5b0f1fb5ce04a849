#!/usr/bin/env bash
# Starts the producers, or restarts them with other rates.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/start-producers.sh [--docker | --local]

The rates are IMPRESSION_RATE ($IMPRESSION_RATE) and CLICK_RATE ($CLICK_RATE) events per second.
"

begin "" "$@"
start_producers
