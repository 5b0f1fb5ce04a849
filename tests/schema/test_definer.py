"""Views lend the rights of who made them: a reader needs rights on the views alone."""

import subprocess
import sys

from .conftest import CHECKOUT

# A process of its own: one process opens one engine. The role `viewer` has what users of dashboards should need.
SCRIPT = r"""
import sys
from pathlib import Path
from chdb import _chdb

folder, schema = Path(sys.argv[1]), Path(sys.argv[2])
views = ("ctr_windows", "ctr_latest_view", "ctr_ml_view", "ctr_by_minute", "ctr_by_hour", "ctr_by_day", "ctr_top_movers", "ctr_orphan_clicks",
         "ctr_window_revisions", "by_invoker")
grants = "".join(f"<query>GRANT SELECT ON default.{view}</query>" for view in views)
access = folder / "access.xml"
access.write_text(f'''<clickhouse><users_config>{access}</users_config><profiles><default/></profiles><quotas><default/></quotas>
    <roles><owner><grants><query>GRANT ALL ON *.*</query></grants></owner><viewer><grants>{grants}</grants></viewer></roles>
    <users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants><query>GRANT owner, viewer</query></grants></default></users></clickhouse>''')
owner = _chdb.connect(f"{folder / 'data'}?config-file={access}")
for file in sorted(schema.glob("*.sql")):
    owner.query(file.read_text(), "Null")
owner.query("CREATE VIEW by_invoker SQL SECURITY INVOKER AS SELECT * FROM ctr_results_raw", "Null")
owner.query("INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end) VALUES ('p', 1, 1, 1, 1000, 1010)", "Null")
viewer = _chdb.connect(str(folder / "data"))
viewer.query("SET ROLE viewer", "Null")
for table in (*views, "ctr_results_raw", "ctr_latest"):
    try:
        print(table, viewer.query(f"SELECT count() FROM {table}", "TSV").bytes().decode().strip())
    except RuntimeError as refused:
        print(table, "refused" if "Code: 497" in str(refused) else refused)
"""


def test_a_viewer_needs_rights_on_the_views_alone(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), str(CHECKOUT / "clickhouse/schema")], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [
        "ctr_windows 1", "ctr_latest_view 1", "ctr_ml_view 1", "ctr_by_minute 1", "ctr_by_hour 1", "ctr_by_day 1", "ctr_top_movers 0",
        "ctr_orphan_clicks 0", "ctr_window_revisions 1", "by_invoker refused", "ctr_results_raw refused", "ctr_latest refused"], done.stderr
