#!/usr/bin/env bash
# Runs a command of ctr-verify with the settings of the running job: reconcile, load, windows, simulate.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/ctr-verify.sh [--docker | --local] COMMAND [ARGUMENTS]

Verifies the results beside the job, with the job's settings, for example:

  ./scripts/ctr-verify.sh reconcile --wait 60
  ./scripts/ctr-verify.sh load --clients 16 --seconds 30
  ./scripts/ctr-verify.sh reconcile --help

The exit code is that of the command: 0 if everything matches, 1 if there are differences, 2 if something cannot be read.
"

begin_command "$@"
verify_command "${COMMAND[@]}"
