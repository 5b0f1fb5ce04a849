"""What status.sh says of traffic and data, from a pipeline and a ClickHouse that this test plays."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.shell import SCRIPTS, functions
from stack import free_ports
from stack.process import clean_environment


class Stack(BaseHTTPRequestHandler):
    """Answers /metrics with 1000 impressions and 400 clicks a second, /ping, and any query with 4."""

    def do_GET(self) -> None:
        up = time.monotonic()
        metrics = (f"# HELP ctr_uptime_seconds\nctr_uptime_seconds {up}\n"
                   f'ctr_records_consumed_total{{topic="impressions"}} {up * 1000:.0f}\nctr_records_consumed_total{{topic="clicks"}} {up * 400:.0f}\n'
                   'ctr_partition_lag_records{topic="clicks",partition="0"} 5\nctr_partition_lag_records{topic="clicks",partition="1"} 7\n'
                   'ctr_partition_lag_seconds{topic="clicks",partition="0"} 1.5\n')
        self.send_response(200)
        self.end_headers()
        self.wfile.write({"/metrics": metrics, "/ping": "Ok.\n"}.get(self.path, "4\n").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[dict[str, str]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stack) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_port)
        yield {"LOCAL_DIR": str(tmp_path), "PIPELINE_PORT": port, "CLICKHOUSE_PORT": port}
        server.shutdown()


def test_rates_lag_and_age_are_said(settings: dict[str, str]) -> None:
    result = functions('sample="$(pipeline_sample)"; traffic_row "$sample"; data_row', settings)
    assert result.returncode == 0, result.stdout
    found = re.search(r"^traffic +- +impressions, clicks +(\d+) impressions/s, (\d+) clicks/s, lag 12 records, 1\.5 s$", result.stdout, re.MULTILINE)
    assert found, result.stdout
    assert 990 <= int(found[1]) <= 1010 and 395 <= int(found[2]) <= 405
    assert re.search(r"^data +up +default +newest window ended 4 s ago$", result.stdout, re.MULTILINE), result.stdout


def test_who_does_not_answer_is_named(settings: dict[str, str]) -> None:
    silent = str(free_ports(1)[0])
    result = functions('traffic_row ""; data_row; echo $STATUS_HEALTHY', {**settings, "PIPELINE_PORT": silent, "CLICKHOUSE_PORT": silent})
    assert "the pipeline does not respond" in result.stdout
    assert re.search(r"^data +unknown +default +ClickHouse does not answer\nno$", result.stdout, re.MULTILINE), result.stdout


def test_watching_goes_on_until_it_is_interrupted(settings: dict[str, str]) -> None:
    running = subprocess.Popen([str(SCRIPTS / "status.sh"), "--watch", "--local"], env=clean_environment(settings), stdout=subprocess.PIPE, text=True)
    assert running.stdout
    tables = 0
    for line in running.stdout:
        assert "\x1b" not in line
        tables += line.startswith("SERVICE")
        if tables == 2:
            break
    running.terminate()
    assert running.wait(20) == 0
    running.stdout.close()
