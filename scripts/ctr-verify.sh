#!/usr/bin/env bash
# Runs a command of ctr-verify with the settings that the running pipeline has: reconcile, load, windows, simulate.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/ctr-verify.sh [--docker | --local] COMMAND [ARGUMENTS]

Checks the results beside the job, with the job's settings, for instance:

  ./scripts/ctr-verify.sh reconcile --wait 60
  ./scripts/ctr-verify.sh load --clients 16 --seconds 30
  ./scripts/ctr-verify.sh reconcile --help

Its exit code is the command's: 0 if all agrees, 1 at a difference, 2 if something cannot be read.
"

begin_command "$@"
verify_command "${COMMAND[@]}"
