# shellcheck shell=bash
# Common start of every script of the stack: settings, -h, --docker, --local. The script sets USAGE and calls
# `begin "$@"`; the remaining arguments are in ARGUMENTS.

# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
# shellcheck source=output.sh
source "$CHECKOUT/scripts/lib/output.sh"
# shellcheck source=mode.sh
source "$CHECKOUT/scripts/lib/mode.sh"

ARGUMENTS=()
MODE_USAGE="  --docker, --local   with or without Docker [default: as last time, or Docker if an engine with Compose $COMPOSE_MINIMUM is available]
  -h, --help          this text
Settings are read from the environment, then from .env (see .env.example)."

usage_error() {
    printf 'error: %s\n%s\n%s\n' "$1" "$USAGE" "$MODE_USAGE" >&2
    exit 2
}

# parse_arguments ALLOWED ARGUMENTS...: ALLOWED is a pattern of further options, or `*` for anything.
parse_arguments() {
    local allowed="$1" wanted=""
    shift
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help) printf '%s\n%s\n' "$USAGE" "$MODE_USAGE" && exit 0 ;;
            --docker | --local)
                [ -z "$wanted" ] || [ "$wanted" = "${1#--}" ] || usage_error "--docker and --local are mutually exclusive"
                wanted="${1#--}"
                ;;
            *)
                # shellcheck disable=SC2254  # a pattern
                case "$1" in $allowed) ARGUMENTS+=("$1") ;; *) usage_error "unknown argument: $1" ;; esac
                ;;
        esac
        shift
    done
    MODE_WANTED="$wanted"
}

# begin ALLOWED ARGUMENTS...: arguments, mode, the mode's verbs.
begin() {
    parse_arguments "$@"
    choose_mode "$MODE_WANTED"
}

# begin_command ARGUMENTS...: for scripts that pass on a command, stored in COMMAND. After a command, --help belongs to that
# command. Other programs may read its output, so the mode is printed on standard error.
begin_command() {
    local own=() argument
    COMMAND=()
    for argument in "$@"; do
        case "$argument" in
            --docker | --local) own+=("$argument") ;;
            -*) if [ "${#COMMAND[@]}" -eq 0 ]; then own+=("$argument"); else COMMAND+=("$argument"); fi ;;
            *) COMMAND+=("$argument") ;;
        esac
    done
    parse_arguments "" ${own[@]+"${own[@]}"}
    choose_mode "$MODE_WANTED" >&2
    [ "${#COMMAND[@]}" -gt 0 ] || usage_error "no command"
}

has_argument() {
    local argument
    for argument in ${ARGUMENTS[@]+"${ARGUMENTS[@]}"}; do
        [ "$argument" != "$1" ] || return 0
    done
    return 1
}
