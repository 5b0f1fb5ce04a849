"""The users of ClickHouse in containers. A server's log in cannot be tried here; the grants are, as roles of the engine."""

import subprocess
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

from compose.model import CHECKOUT, config, services

USERS = tree.parse(CHECKOUT / "containers/clickhouse-users.xml").getroot()
PROFILES = tree.parse(CHECKOUT / "clickhouse/users.d/ctr.xml").getroot()

# One process opens one engine. A role stands for each user, with the grant that compose gives the user.
SCRIPT = r"""
import sys
from pathlib import Path
from chdb import _chdb

folder, sql, grants = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
roles = "".join(f"<{name}><grants><query>{grant}</query></grants></{name}>" for name, grant in (g.split("=") for g in grants))
access = folder / "access.xml"
access.write_text(f'''<clickhouse><users_config>{access}</users_config><profiles><default/></profiles><quotas><default/></quotas>
    <roles><owner><grants><query>GRANT ALL ON *.*</query></grants></owner>{roles}</roles>
    <users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants><query>GRANT owner, {", ".join(g.split("=")[0] for g in grants)}</query></grants></default></users></clickhouse>''')
first = _chdb.connect(f"{folder / 'data'}?config-file={access}")

def attempt(role, statement):
    connection = _chdb.connect(str(folder / "data"))
    connection.query(f"SET ROLE {role}", "Null")
    if "DATABASE" not in statement:
        connection.query("USE ads", "Null")
    try:
        return connection.query(statement, "TSV").bytes().decode().strip() or "done"
    except RuntimeError as refused:
        return "refused" if "Code: 497" in str(refused) else str(refused)

print("admin makes the database", attempt("ctr_admin", (sql / "database.sql").read_text().replace("{database:Identifier}", "ads")))
admin = [attempt("ctr_admin", file.read_text()) for file in sorted((sql / "schema").glob("*.sql"))]
print("admin makes the schema", set(admin))
limit = (sql / "retention/limit.sql").read_text().replace("{table:Identifier}", "ctr_results_raw").replace("{days:UInt16}", "30")
print("admin sets how long rows stay", attempt("ctr_admin", limit))
print("admin elsewhere", attempt("ctr_admin", "CREATE DATABASE elsewhere"))
insert = "INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end) VALUES ('p', 1, 1, 1, now(), now() + 10)"
print("writer inserts", attempt("ctr_writer", insert))
print("writer reads", attempt("ctr_writer", "SELECT clicks FROM ctr_windows"))
for statement in ("DROP TABLE ctr_results_raw", "TRUNCATE TABLE ctr_results_raw", "ALTER TABLE ctr_results_raw DELETE WHERE 1", "CREATE TABLE t (a Int8) ENGINE = Log"):
    print("writer", statement.split()[0], attempt("ctr_writer", statement))
for table in ("ctr_results_raw", "ctr_windows", "ctr_latest_view", "ctr_ml_view", "ctr_window_history"):
    print("reader reads", table, attempt("ctr_reader", f"SELECT count() FROM {table}"))
print("reader inserts", attempt("ctr_reader", insert))
"""


def test_each_user_can_what_it_is_for_and_no_more(tmp_path: Path) -> None:
    # Not `default`, which is a database of another kind in the library.
    environment = config({"CLICKHOUSE_DB": "ads"})["services"]["clickhouse"]["environment"]
    grants = [f"{user}={environment[f'{user.upper()}_GRANT']}" for user in ("ctr_admin", "ctr_writer", "ctr_reader")]
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), str(CHECKOUT / "clickhouse"), *grants], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [
        "admin makes the database done", "admin makes the schema {'done'}", "admin sets how long rows stay done", "admin elsewhere refused", "writer inserts done", "writer reads 1",
        "writer DROP refused", "writer TRUNCATE refused", "writer ALTER refused", "writer CREATE refused",
        *(f"reader reads {table} 1" for table in ("ctr_results_raw", "ctr_windows", "ctr_latest_view", "ctr_ml_view", "ctr_window_history")),
        "reader inserts refused"], done.stderr


def test_every_password_and_grant_comes_from_compose() -> None:
    environment = services()["clickhouse"]["environment"]
    for user in ("ctr_admin", "ctr_writer", "ctr_reader"):
        password, grant = USERS.find(f"users/{user}/password"), USERS.find(f"users/{user}/grants/query")
        assert password is not None and password.text is None and environment[password.attrib["from_env"]]
        assert grant is not None and grant.text is None and environment[grant.attrib["from_env"]]
    assert len({environment[f"CTR_{user}_PASSWORD"] for user in ("ADMIN", "WRITER", "READER")}) == 3
    superset = services()["superset-init"]["environment"]
    assert superset["CLICKHOUSE_URI"] == "clickhousedb://ctr_reader@clickhouse:8123/default"
    assert superset["CLICKHOUSE_READER_PASSWORD"] == environment["CTR_READER_PASSWORD"]
    pipeline, init = services()["ctr-pipeline"]["environment"], services()["clickhouse-init"]["environment"]
    assert (pipeline["CLICKHOUSE_USER"], pipeline["CLICKHOUSE_PASSWORD"]) == ("ctr_writer", environment["CTR_WRITER_PASSWORD"])
    assert (init["CLICKHOUSE_USER"], init["CLICKHOUSE_PASSWORD"]) == ("ctr_admin", environment["CTR_ADMIN_PASSWORD"])


def test_default_reads_from_inside_the_container_alone() -> None:
    assert USERS.findtext("users/default/profile") == "reader"
    assert PROFILES.findtext("profiles/reader/readonly") == "2"
    networks = PROFILES.find("users/default/networks")
    assert networks is not None and networks.attrib == {"replace": "replace"}
    assert {ip.text for ip in networks} == {"127.0.0.1", "::1"}
    mounted = {mount["target"]: mount["source"] for mount in services()["clickhouse"]["volumes"]}
    assert mounted["/etc/clickhouse-server/users.d/ctr.xml"].endswith("clickhouse/users.d/ctr.xml")
    assert services()["clickhouse"]["environment"]["CLICKHOUSE_SKIP_USER_SETUP"] == "1"


def test_limits_of_readers_cannot_be_lifted_by_them() -> None:
    for name in ("max_execution_time", "max_memory_usage"):
        limit = PROFILES.findtext(f"profiles/reader/{name}")
        assert limit == PROFILES.findtext(f"profiles/reader/constraints/{name}/max")
        # 0 would be no limit.
        assert PROFILES.findtext(f"profiles/reader/constraints/{name}/min") == "1"
