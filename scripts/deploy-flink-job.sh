#!/usr/bin/env bash
exec "$(dirname "$0")/deploy-job.sh" "$@" # the original's name for it
