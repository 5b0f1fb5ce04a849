#!/usr/bin/env python3
"""Brings Superset up to date: its metadata, roles, two users, and `assets`, replacing existing ones.

Safe to run repeatedly, also while Superset is running. A single process, because importing Superset is half of the work.

Environment: that of superset_config.py, and
  CLICKHOUSE_URI             clickhousedb://ctr_reader@HOST:8123/DATABASE
  CLICKHOUSE_READER_PASSWORD any characters; empty for none
  SUPERSET_ADMIN_PASSWORD    for `admin`, who may change everything in Superset
  SUPERSET_VIEWER_PASSWORD   for `viewer`, who may view dashboards
No server is required. Exit code 1: standard error lists what is missing or invalid.
"""

import os
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import yaml

ASSETS = Path(__file__).resolve().parent / "assets"
VIEWER_ROLE = "CTR viewer"
OTHER_KEY = """SUPERSET_SECRET_KEY is not the one that Superset's metadata was made with, so what is stored there cannot be read. Two ways out:
  - put the old .env, or the old SUPERSET_SECRET_KEY, back;
  - remove the metadata (in containers the volume superset-home, otherwise .local/superset): dashboards and users are made again, what
    people saved in Superset is gone."""


def setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        sys.exit(f"{name} is not set: ./scripts/setup.sh writes it to .env")
    return value


def with_password(uri: str, password: str) -> str:
    """The address of the database with the user's password, URL-encoded."""
    if not password:
        return uri
    user, at, rest = uri.partition("@")
    if not at:
        sys.exit("CLICKHOUSE_URI names no user: clickhousedb://ctr_reader@HOST:8123/DATABASE")
    return f"{user}:{urllib.parse.quote(password, safe='')}@{rest}"


def prepare_metadata() -> None:
    """`superset db upgrade` and `superset init`."""
    from flask_migrate import upgrade
    from superset import appbuilder, security_manager

    upgrade()
    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()


def assets(folder: Path, uri: str) -> dict[str, str]:
    """The files by path, with the database's address, and its name in place of `default` in datasets and queries."""
    database = uri.rsplit("/", 1)[1].partition("?")[0]
    contents = {}
    for path in sorted(folder.rglob("*.yaml")):
        name, text = path.relative_to(folder).as_posix(), path.read_text()
        config: dict[str, Any] = yaml.safe_load(text)
        if name.startswith("databases/"):
            config["sqlalchemy_uri"] = uri
        elif name.startswith(("datasets/", "queries/")):
            config["schema"] = database
        contents[name] = yaml.safe_dump(config)
    return contents


def ensure_user(name: str, role: Any, password: str) -> Any:
    """Creates or resets a user with this role and password; manual changes are overwritten."""
    from superset import security_manager

    user = security_manager.find_user(name)
    if user is None:
        user = security_manager.add_user(name, "CTR", name, f"{name}@localhost.localdomain", role, password=password)
        if not user:
            sys.exit(f"Superset does not make the user {name}; its log says why")
    else:
        user.roles = [role]
        security_manager.update_user(user)
        security_manager.reset_password(user.id, password)
    return user


def viewer_role() -> Any:
    """Superset's own reader role, without SQL, plus permission to read our database."""
    from superset import db, security_manager
    from superset.models.core import Database

    role = security_manager.add_role(VIEWER_ROLE)
    role.permissions = list(security_manager.find_role("Gamma").permissions)
    for database in db.session.query(Database).all():
        security_manager.add_permission_role(role, security_manager.add_permission_view_menu("database_access", database.perm))
    db.session.commit()
    return role


def import_assets(contents: dict[str, str], owner: Any) -> None:
    from superset.commands.exceptions import CommandInvalidError
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    with override_user(owner):
        try:
            ImportAssetsCommand(contents).run()
        except CommandInvalidError as error:
            sys.exit(f"assets are not valid: {error.normalized_messages()}")


def main() -> None:
    admin_password, viewer_password = (setting(name) for name in ("SUPERSET_ADMIN_PASSWORD", "SUPERSET_VIEWER_PASSWORD"))
    uri = with_password(setting("CLICKHOUSE_URI"), os.environ.get("CLICKHOUSE_READER_PASSWORD", ""))
    from superset.app import create_app

    contents = assets(ASSETS, uri)
    with create_app().app_context():
        from superset import security_manager

        try:
            prepare_metadata()
            admin = ensure_user("admin", security_manager.find_role("Admin"), admin_password)
            import_assets(contents, admin)
            ensure_user("viewer", viewer_role(), viewer_password)
        except ValueError as error:
            # The first read of a stored password fails; which of these it is depends on what Superset has already loaded.
            if "decryption key" not in str(error):
                raise
            sys.exit(OTHER_KEY)
    print(f"{len(contents) - 1} assets imported, users admin and viewer exist")


if __name__ == "__main__":
    main()
