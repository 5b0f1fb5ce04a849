# shellcheck shell=bash
# One request to ClickHouse over HTTP. Needs the settings of env.sh.

# URL-encodes $1.
url_encode() {
    local LC_ALL=C text="$1" encoded="" character i
    for ((i = 0; i < ${#text}; i++)); do
        character="${text:i:1}"
        case "$character" in
            [a-zA-Z0-9._~-]) encoded+="$character" ;;
            *) printf -v character '%%%02X' "'$character" && encoded+="%${character: -2}" ;;
        esac
    done
    printf '%s' "$encoded"
}

# The quoted value of an option in a curl configuration.
curl_quote() {
    local value="${1//\\/\\\\}"
    printf '"%s"' "${value//\"/\\\"}"
}

clickhouse_url() {
    local host="$CLICKHOUSE_HOST"
    case "$host" in *:*) host="[$host]" ;; esac
    printf 'http://%s:%s' "$host" "$CLICKHOUSE_PORT"
}

# clickhouse_request FILE NAME=VALUE...: posts FILE (- is standard input) with URL parameters; the result goes to standard
# output. On failure: 1 and the server's message on standard error, or 3 if there was no response, or the response was not from
# ClickHouse, which must return the query id. curl reads user and password from a pipe, so that the process list does not show
# them.
clickhouse_request() {
    local file="$1" url parameter answer status query_id
    query_id="ctr-scripts-$$-$RANDOM$RANDOM"
    url="$(clickhouse_url)/?wait_end_of_query=1&query_id=$query_id"
    shift
    for parameter in "$@"; do url+="&${parameter%%=*}=$(url_encode "${parameter#*=}")"; done
    answer="$(mktemp)"
    # shellcheck disable=SC2064  # the name at this time
    trap "rm -f '$answer' '$answer.headers'" RETURN
    if ! status="$(curl --silent --show-error --noproxy '*' --output "$answer" --dump-header "$answer.headers" --write-out '%{http_code}' \
        --config <(clickhouse_credentials) --header 'Expect:' --data-binary "@$file" "$url")"; then
        echo "no response from $(clickhouse_url) (CLICKHOUSE_HOST, CLICKHOUSE_PORT)" >&2
        return 3
    fi
    if [ "$status" != 200 ]; then
        cat "$answer" >&2
        return 1
    fi
    if ! grep -qi "^x-clickhouse-query-id: $query_id" "$answer.headers"; then
        echo "the response from $(clickhouse_url) is not from ClickHouse (CLICKHOUSE_HOST, CLICKHOUSE_PORT)" >&2
        return 3
    fi
    cat "$answer"
}

clickhouse_credentials() {
    printf 'header = %s\n' "$(curl_quote "X-ClickHouse-User: $CLICKHOUSE_USER")"
    if [ -n "$CLICKHOUSE_PASSWORD" ]; then
        printf 'header = %s\n' "$(curl_quote "X-ClickHouse-Key: $CLICKHOUSE_PASSWORD")"
    fi
}
