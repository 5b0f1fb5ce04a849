#!/usr/bin/env bash
# Shows the log of a service.
set -euo pipefail

# shellcheck source=lib/verb.sh
source "$(dirname "$0")/lib/verb.sh"

# shellcheck disable=SC2034  # read by verb.sh
USAGE="usage: ./scripts/logs.sh SERVICE [-f] [--docker | --local]

  SERVICE             kafka1, kafka2, kafka3, clickhouse, ctr-pipeline, impression-producer, click-producer,
                      superset; in containers kafka-ui too
  -f, --follow        keep printing new lines
"

service="" follow=""
parse_arguments "*" "$@"
for argument in ${ARGUMENTS[@]+"${ARGUMENTS[@]}"}; do
    case "$argument" in
        -f | --follow) follow=follow ;;
        kafka[123] | clickhouse | ctr-pipeline | impression-producer | click-producer | kafka-ui | superset) service="$argument" ;;
        *) usage_error "unknown service: $argument" ;;
    esac
done
[ -n "$service" ] || usage_error "missing argument: SERVICE"
choose_mode "$MODE_WANTED"
show_logs "$service" $follow
