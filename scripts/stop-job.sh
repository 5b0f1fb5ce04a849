#!/usr/bin/env bash
# Stops the pipeline cleanly: what has fired is written, the offsets are committed.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/stop-job.sh [--leave] [--docker | --local]

  --leave             give up the place in the consumer group, so that others have its partitions at once; without it the
                      place is kept for a start within the session timeout (15 s)
"

begin "--leave" "$@"
if has_argument --leave; then stop_pipeline leave; else stop_pipeline; fi
