#!/usr/bin/env bash
# Shows the state of every service; ends with 0 only if all is healthy.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/status.sh [--watch] [--docker | --local]

A table of service, state, address and detail, with the rates of the traffic, the lag of the pipeline and the age of the newest
row. Exit code 0: brokers answer, topics are there and in sync, ClickHouse answers,
the pipeline is ready, the producers run, the newest window is young. Exit code 1: one of these is not so.

  --watch             shows it again every few seconds, until Ctrl-C
"

begin "--watch" "$@"
if has_argument --watch; then watch_status; else show_status; fi
