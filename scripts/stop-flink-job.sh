#!/usr/bin/env bash
exec "$(dirname "$0")/stop-job.sh" "$@" # the original's name for it
