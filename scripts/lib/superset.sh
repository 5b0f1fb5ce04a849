# shellcheck shell=bash
# Superset is optional: whether it is wanted, and the messages about it, in both modes.

superset_is_wanted() { ! has_argument --no-superset; }

# The file with the reason why there is no Superset, for status.sh; it exists only in that case.
superset_off_file() { echo "$LOCAL_DIR/superset.off"; }

leave_superset_out() { echo "$1" >"$(superset_off_file)"; }

superset_is_left_out() { [ -r "$(superset_off_file)" ]; }

# A row that does not make the stack unhealthy.
superset_off_row() { printf '%-20s %-9s %-24s %s\n' superset off - "$(cat "$(superset_off_file)")"; }

say_where_dashboards_are() {
    if superset_is_left_out; then
        say "  dashboards    none: $(cat "$(superset_off_file)")"
    else
        say "  dashboards    http://127.0.0.1:$SUPERSET_PORT/superset/dashboard/ctr-live/
                (user viewer or admin; passwords: SUPERSET_VIEWER_PASSWORD and SUPERSET_ADMIN_PASSWORD in $ENV_FILE)"
    fi
}
