# shellcheck shell=bash
# Passwords: generated once, kept in .env (readable only by its owner), never displayed.

random_password() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom 2>/dev/null | head -c 32 || true; }

# ensure_secret NAME: if the variable is not set anywhere, generates a value and sets it in .env and in this script.
ensure_secret() {
    local value
    [ -z "${!1:-}" ] || return 0
    value="$(random_password)"
    [ "${#value}" -eq 32 ] || fail "no random bytes from /dev/urandom for $1"
    (umask 077 && touch "$ENV_FILE")
    chmod 600 "$ENV_FILE"
    # If the last line has no line break, the new one must not be appended to it.
    [ -z "$(tail -c 1 "$ENV_FILE")" ] || echo >>"$ENV_FILE"
    # An empty assignment, as in .env.example, is replaced; everything else is kept.
    if grep -q "^$1=\$" "$ENV_FILE"; then
        sed -i.bak "/^$1=\$/d" "$ENV_FILE" && rm -f "$ENV_FILE.bak"
    fi
    printf '%s=%s\n' "$1" "$value" >>"$ENV_FILE"
    export "$1=$value"
}
