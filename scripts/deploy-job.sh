#!/usr/bin/env bash
# Builds, checks and starts the pipeline, or starts it again with what is new.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/deploy-job.sh [--docker | --local]

Builds the pipeline, has it check its settings, topics and tables, starts it (or stops and starts it) and waits until it is ready.
"

begin "" "$@"
deploy_pipeline
