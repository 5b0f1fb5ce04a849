#!/usr/bin/env bash
# Runs a command of ctr-pipeline with the settings of the running job: recount, dlq, check, probe.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/ctr-pipeline.sh [--docker | --local] COMMAND [ARGUMENTS]

Runs a command of ctr-pipeline beside the job, with the job's settings, for example:

  ./scripts/ctr-pipeline.sh dlq stats
  ./scripts/ctr-pipeline.sh recount --from 2026-11-22T20:00:00Z --to 2026-11-22T21:00:00Z
  ./scripts/ctr-pipeline.sh dlq redrive --help

The exit code is that of the command.
"

begin_command "$@"
pipeline_command "${COMMAND[@]}"
