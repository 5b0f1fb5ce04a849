#!/usr/bin/env bash
# Kills, stops, cuts and moves everything while events flow, and compares every window in the end.
set -euo pipefail

# shellcheck source=lib/workshop.sh
source "$(dirname "$0")/lib/workshop.sh"

USAGE="usage: ./scripts/chaos.sh [--minutes N] [--seed S] [--rate N] [--folder FOLDER]

  --minutes N      how long events flow (3)
  --seed S         decides which faults, when and for how long (random, and printed); the same seed does the same things in the
                   same order, though the moment they meet is the machine's
  --rate N         impressions per second; clicks come on top (2000)
  --folder FOLDER  keep brokers' data and all logs there (a temporary folder that is removed)
  -h, --help       this text

Starts three brokers, an engine, two pipeline instances and a producer that writes down what must be counted, on free ports.
Then, one after another: kill -9 of an instance, of both, of a broker, of the engine; SIGSTOP and SIGCONT of each; instances
that leave and come back; inserts that are answered slowly, refused, taken but answered 500, cut in the middle, or taken with
the answer lost. In the end every product, window and dead letter is compared with what was sent.
Exit code 0: no difference; 1: a difference, or something ended by itself; 2: wrong usage."

check_options " --minutes --seed --rate --folder " "" "$@"
prepare_workshop
export PYTHONPATH="$CHECKOUT/tests"
without_settings "$VENV/bin/python" -m chaos "$@"
