# shellcheck shell=bash
# Superset, with which a stack may do without: whether it is wanted, and what people are told about it. In both modes.

superset_is_wanted() { ! has_argument --no-superset; }

# Why there is none, for status.sh: a line, in a file that is there only then.
superset_off_file() { echo "$LOCAL_DIR/superset.off"; }

leave_superset_out() { echo "$1" >"$(superset_off_file)"; }

superset_is_left_out() { [ -r "$(superset_off_file)" ]; }

# A row that does not make the whole unhealthy.
superset_off_row() { printf '%-20s %-9s %-24s %s\n' superset off - "$(cat "$(superset_off_file)")"; }

say_where_dashboards_are() {
    if superset_is_left_out; then
        say "  dashboards    none: $(cat "$(superset_off_file)")"
    else
        say "  dashboards    http://127.0.0.1:$SUPERSET_PORT/superset/dashboard/ctr-live/
                (user viewer or admin; passwords: SUPERSET_VIEWER_PASSWORD and SUPERSET_ADMIN_PASSWORD in $ENV_FILE)"
    fi
}
