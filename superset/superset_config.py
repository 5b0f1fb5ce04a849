"""Settings of Superset, in a container or not. Differences come from the environment:

SUPERSET_SECRET_KEY    required; encrypts stored database passwords, so it must not change while the metadata exists
SUPERSET_HOME          folder of the metadata database (SQLite)
SUPERSET_METADATA_URI  a different metadata database (optional)

Superset and ClickHouse both need TZ=UTC: "now" in a time filter is this process's local time.
"""

import os
from pathlib import Path

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]

# --- metadata: dashboards, users, filter states. For one user on one machine SQLite is enough. ---
_home = Path(os.environ.get("SUPERSET_HOME") or Path.home() / ".superset")
SQLALCHEMY_DATABASE_URI = os.environ.get("SUPERSET_METADATA_URI") or f"sqlite:///{_home / 'superset.db'}?check_same_thread=false"
if SQLALCHEMY_DATABASE_URI.startswith("sqlite:"):
    # One writer at a time; the others wait instead of failing.
    SQLALCHEMY_ENGINE_OPTIONS = {"connect_args": {"timeout": 30}}
SQLALCHEMY_EXAMPLES_URI = SQLALCHEMY_DATABASE_URI

# --- live data: chart results are not cached ---
CACHE_CONFIG = DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
_day = 24 * 60 * 60
FILTER_STATE_CACHE_CONFIG = {
    "CACHE_TYPE": "SupersetMetastoreCache", "CACHE_KEY_PREFIX": "filters", "CACHE_DEFAULT_TIMEOUT": 90 * _day, "REFRESH_TIMEOUT_ON_RETRIEVAL": True,
}
EXPLORE_FORM_DATA_CACHE_CONFIG = {**FILTER_STATE_CACHE_CONFIG, "CACHE_KEY_PREFIX": "explore", "CACHE_DEFAULT_TIMEOUT": 7 * _day}
DASHBOARD_AUTO_REFRESH_MODE = "force"
DASHBOARD_AUTO_REFRESH_INTERVALS = [[0, "never"], [10, "10 seconds"], [30, "30 seconds"], [60, "1 minute"], [300, "5 minutes"]]
# No warning about a refresh interval as short as a window.
SUPERSET_DASHBOARD_PERIODICAL_REFRESH_LIMIT = 0

# --- time: windows are 10 s long, and "the last 30 minutes" end now, not at midnight ---
TIME_GRAIN_ADDONS = {"PT10S": "10 seconds"}
TIME_GRAIN_ADDON_EXPRESSIONS = {"clickhousedb": {"PT10S": "toDateTime(intDiv(toUInt32(toDateTime({col})), 10) * 10)"}}
DEFAULT_RELATIVE_END_TIME = "now"

# --- plain HTTP on the loopback, and a page without external requests ---
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "force_https": False,
    "session_cookie_secure": False,
    "content_security_policy_nonce_in": ["script-src"],
    "content_security_policy": {
        "default-src": ["'self'"],
        "base-uri": ["'self'"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "object-src": "'none'",
        "script-src": ["'self'", "'strict-dynamic'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "worker-src": ["'self'", "blob:"],
    },
}
SESSION_COOKIE_SAMESITE = "Lax"
WTF_CSRF_ENABLED = True
RATELIMIT_ENABLED = False
FEATURE_FLAGS = {"ALERT_REPORTS": False}

ROW_LIMIT = 5000
SQLLAB_TIMEOUT = 30
SUPERSET_WEBSERVER_TIMEOUT = 60


def FLASK_APP_MUTATOR(app):  # noqa: N802  Superset's name
    """Answers event logs of visitors who are not logged in without changing their session.

    The login page of Superset 6.1 sends one while the form is being submitted; the cookie of that response can replace the login's
    cookie, and the login page appears again.
    """
    from flask import request, session

    def is_log_of_a_stranger() -> bool:
        return request.path == "/superset/log/" and "_user_id" not in session

    @app.before_request
    def answer():
        return ("", 204) if is_log_of_a_stranger() else None

    @app.after_request
    def keep_session(response):
        if is_log_of_a_stranger():
            session.modified = False
        return response
