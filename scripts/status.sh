#!/usr/bin/env bash
# Shows the state of every service; ends with 0 only if all is healthy.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/status.sh [--docker | --local]

A table of service, state, address and detail. Exit code 0: brokers answer, topics are there and in sync, ClickHouse answers,
the pipeline is ready, the producers run, the newest window is young. Exit code 1: one of these is not so.
"

begin "" "$@"
show_status
