#!/usr/bin/env bash
# Kills, stops, disconnects and moves everything while events flow, and compares every window at the end.
set -euo pipefail

# shellcheck source=lib/workshop.sh
source "$(dirname "$0")/lib/workshop.sh"

USAGE="usage: ./scripts/chaos.sh [--minutes N] [--seed S] [--rate N] [--folder FOLDER]

  --minutes N      duration of the traffic (3)
  --seed S         determines which faults occur, when and for how long (random, and printed); the same seed injects the same
                   faults in the same order, but the exact timing depends on the machine
  --rate N         impressions per second, plus clicks (2000)
  --folder FOLDER  folder for the brokers' data and all logs (a temporary folder that is removed)
  -h, --help       this text

Starts three brokers, an engine, two pipeline instances and a producer that records the expected counts, on free ports.
Then injects, one after another: kill -9 of an instance, of both, of a broker, of the engine; SIGSTOP and SIGCONT of each;
instances that leave and rejoin; inserts that are slow, refused, written but answered with 500, interrupted, or written with
the response lost. At the end every product, window and dead letter is compared with what was sent, and new rows must have come
at least every minute.
Exit code 0: no difference; 1: a difference, a longer pause, or a process exited unexpectedly; 2: wrong usage."

check_options " --minutes --seed --rate --folder " "" "$@"
prepare_workshop
export PYTHONPATH="$CHECKOUT/tests"
without_settings "$VENV/bin/python" -m chaos "$@"
