#!/usr/bin/env bash
# Shows the state of every service; exits with 0 only if everything is healthy.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/status.sh [--watch] [--docker | --local]

Prints a table of service, state, address and detail, with the traffic rates, the lag of the pipeline and the age of the newest
row. Exit code 0: brokers and ClickHouse respond, the topics exist and are in sync, the pipeline is ready, the producers are
running, and the newest window is recent. Exit code 1: at least one check failed.

  --watch             repeat every few seconds until Ctrl-C
"

begin "--watch" "$@"
if has_argument --watch; then watch_status; else show_status; fi
