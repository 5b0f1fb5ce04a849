# shellcheck shell=bash
# Passwords: made once, kept in .env for its owner alone, never shown.

random_password() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom 2>/dev/null | head -c 32 || true; }

# ensure_secret NAME: a variable that is not set anywhere gets a value in .env, and in this script.
ensure_secret() {
    local value
    [ -z "${!1:-}" ] || return 0
    value="$(random_password)"
    [ "${#value}" -eq 32 ] || fail "no random bytes from /dev/urandom for $1"
    (umask 077 && touch "$ENV_FILE")
    chmod 600 "$ENV_FILE"
    # A file whose last line is not ended must not swallow the new one.
    [ -z "$(tail -c 1 "$ENV_FILE")" ] || echo >>"$ENV_FILE"
    # An empty assignment is what .env.example has: it is replaced, everything else stays.
    if grep -q "^$1=\$" "$ENV_FILE"; then
        sed -i.bak "/^$1=\$/d" "$ENV_FILE" && rm -f "$ENV_FILE.bak"
    fi
    printf '%s=%s\n' "$1" "$value" >>"$ENV_FILE"
    export "$1=$value"
}
