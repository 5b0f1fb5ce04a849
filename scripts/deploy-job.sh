#!/usr/bin/env bash
# Builds, checks and starts the pipeline, or restarts it with the new build.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/deploy-job.sh [--docker | --local]

Builds the pipeline, checks settings, topics and tables, starts or restarts the job, and waits until it is ready.
"

begin "" "$@"
deploy_pipeline
