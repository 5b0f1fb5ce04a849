#!/usr/bin/env bash
# Stops the pipeline cleanly: fired windows are written, and the offsets are committed.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/stop-job.sh [--leave] [--docker | --local]

  --leave             leave the consumer group, so that other instances get the partitions at once; otherwise the membership
                      is kept for a restart within the session timeout (15 s)
"

begin "--leave" "$@"
if has_argument --leave; then stop_pipeline leave; else stop_pipeline; fi
