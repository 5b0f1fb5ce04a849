"""Start, stop, crash."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from .engine_process import EngineProcess

TABLE = "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS fsync_after_insert = 1"


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_data_outlives_a_stop(start_engine):
    engine = start_engine()
    engine.query(TABLE)
    engine.query("INSERT INTO t VALUES (1)")
    assert engine.stop() == 0
    engine.start()
    assert engine.query("SELECT a FROM t") == "1"


def test_a_stop_lets_running_queries_end_and_refuses_new_ones(start_engine):
    engine = start_engine()
    engine.query(TABLE)
    idle = engine.connect()
    idle.request("GET", "/ping")
    idle.getresponse().read()
    answers = []
    slow = "INSERT INTO t SELECT number + sleepEachRow(0.5) FROM numbers(6) SETTINGS max_block_size = 1, min_insert_block_size_rows = 0"
    client = threading.Thread(target=lambda: answers.append(engine.raw(slow)[0].status))
    client.start()
    wait_until(lambda: engine.query("SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'") != "0")
    engine.terminate()
    wait_until(lambda: "stopping" in engine.log())

    def refused():
        try:
            socket.create_connection(("127.0.0.1", engine.port), timeout=1).close()
        except OSError:
            return True
        return False

    wait_until(refused, seconds=2)
    assert engine.process.poll() is None, "the insert still runs"
    with pytest.raises((http.client.HTTPException, OSError)):
        idle.request("GET", "/ping")
        idle.getresponse()
    client.join()
    assert answers == [200]
    assert engine.wait() == 0
    engine.start()
    assert engine.query("SELECT count() FROM t") == "6"


def test_a_method_that_does_not_exist_does_not_delay_a_stop(start_engine):
    engine = start_engine()
    connection = engine.connect()
    connection.request("DELETE", "/?query=SELECT+1")
    assert connection.getresponse().status == 501
    assert engine.stop() == 0, "the request was still counted as running"


def test_a_stop_during_inserts_keeps_what_was_acknowledged_and_nothing_else_half(start_engine):
    engine = start_engine()
    engine.query(TABLE)
    acknowledged = insert_until_failure(engine, lambda: engine.terminate())
    assert engine.wait() == 0
    engine.start()
    check_batches(engine, acknowledged)


def test_no_thread_takes_the_signal_that_stops_it(start_engine):
    """One stop in thirty did nothing: a thread of the engine that came out of pthread_create took the SIGTERM."""
    engine = start_engine()
    engine.query(TABLE)
    engine.query("INSERT INTO t SELECT number FROM numbers_mt(1000000)")
    blocked = engine.blocked_signals()
    del blocked[engine.process.pid]  # the main thread, which waits for it
    assert len(blocked) > 5, "the engine has threads of its own"
    assert all({signal.SIGTERM, signal.SIGINT} <= signals for signals in blocked.values()), blocked
    assert engine.stop() == 0


def test_a_signal_that_comes_before_it_listens_stops_it_too(start_engine):
    engine = start_engine()
    engine.stop()
    engine.process = engine.spawn()
    # Asked of all threads: the main one is seen blocking it only until it waits for it, which may be between two looks.
    wait_until(lambda: any(signal.SIGTERM in signals for signals in engine.blocked_signals().values()))
    engine.terminate()
    assert engine.wait() == 0
    assert engine.log().count("stopped") == 2


def test_kill_9_keeps_what_was_acknowledged(start_engine):
    engine = start_engine()
    engine.query(TABLE)
    for first in (0, 100_000, 200_000):
        acknowledged = insert_until_failure(engine, lambda: engine.kill(), first)
        engine.start()
        check_batches(engine, acknowledged)


def insert_until_failure(engine, end, first=0, batch=100):
    """Inserts batches of 100 rows until `end`, called after half a second, makes one fail. The batches acknowledged."""
    acknowledged = []
    timer = threading.Timer(0.5, end)
    timer.start()
    number = first
    deadline = time.monotonic() + 30
    try:
        while True:
            assert time.monotonic() < deadline, "it still takes inserts, long after its end was asked for"
            rows = b"".join(b"%d\n" % (number * batch + row) for row in range(batch))
            engine.query("INSERT INTO t FORMAT TSV", rows)
            acknowledged.append(number)
            number += 1
    except (http.client.HTTPException, OSError):
        pass
    timer.join()
    assert acknowledged
    return acknowledged


def check_batches(engine, acknowledged, batch=100):
    rows = engine.rows(f"SELECT intDiv(a, {batch}) AS number, count() FROM t GROUP BY number")
    counts = {int(number): int(count) for number, count in rows}
    assert all(count == batch for count in counts.values()), "a batch is there in part"
    assert set(acknowledged) <= set(counts)


def test_a_stop_that_takes_too_long_says_so(start_engine):
    engine = start_engine("--stop-timeout", "0.5")
    client = threading.Thread(target=lambda: pytest.raises((http.client.HTTPException, OSError), engine.query, "SELECT sleep(3), sleep(3), sleep(3)"))
    client.start()
    wait_until(lambda: engine.query("SELECT count() FROM system.processes WHERE query LIKE '%sleep(3)%' AND query NOT LIKE '%processes%'") != "0")
    assert engine.stop() == 1
    assert "still running after 0.5 s" in engine.log()
    client.join()


def test_a_directory_belongs_to_one_process(start_engine, tmp_path):
    engine = start_engine()
    second = EngineProcess(engine.directory)
    second.log_file = tmp_path / "second.log"
    assert second.spawn().wait(60) == 4
    assert f"in use by process {engine.process.pid}" in second.log_file.read_text()
    assert engine.query("SELECT 1") == "1"
    engine.kill()
    assert second.start().query("SELECT 1") == "1"
    second.kill()


def test_a_port_that_is_taken_is_named(start_engine, tmp_path):
    engine = start_engine()
    second = EngineProcess(tmp_path / "other")
    second.port = engine.port
    assert second.spawn().wait(60) == 3
    assert f"port {engine.port} on 127.0.0.1 is in use" in second.log()


def test_it_listens_on_this_machine_only(engine):
    with open("/proc/net/tcp") as sockets:
        listening = [line.split()[1] for line in sockets if line.split()[3] == "0A"]
    assert f"0100007F:{engine.port:04X}" in listening
    assert f"00000000:{engine.port:04X}" not in listening


def run(*arguments):
    from .engine_process import _PACKAGE_PARENT
    return subprocess.run([sys.executable, "-m", "clickhouse_engine", *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(_PACKAGE_PARENT)})


def test_usage(tmp_path):
    helped = run("--help")
    assert helped.returncode == 0 and "CLICKHOUSE_ENGINE_PASSWORD" in helped.stdout and "Exit codes" in helped.stdout
    for arguments in ((), ("--path", "x", "--port", "70000"), ("--path", "a?b"), ("--path", "x", "--max-queries", "0")):
        assert run(*arguments).returncode == 2
    (tmp_path / "file").write_text("")
    failed = run("--path", str(tmp_path / "file"))
    assert failed.returncode == 1 and "cannot use" in failed.stderr


def test_memory_after_start_is_moderate(start_engine):
    """Most of it are pages of the engine's own file, which other processes share."""
    engine = start_engine()
    engine.query("SELECT 1")
    assert engine.memory_kb("RssAnon") < 150_000


def test_times_are_utc_whatever_the_host_says(start_engine, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Seoul")
    assert start_engine().query("SELECT timezone(), toDateTime(0)") == "UTC\t1970-01-01 00:00:00"


def test_the_launcher_starts_it_where_no_server_is_installed(tmp_path):
    """And a server where one is: with our configuration, on the same port, in a directory of its own."""
    launcher = str(Path(__file__).resolve().parents[1] / "launch.sh")
    fake = tmp_path / "clickhouse"
    fake.write_text('#!/bin/sh\necho "$@"\nenv | grep ^CLICKHOUSE_ | sort\n')
    fake.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "CLICKHOUSE_BINARY": str(fake), "CLICKHOUSE_ENGINE_PASSWORD": "x"}
    arguments = [launcher, "--path", str(tmp_path / "data"), "--port", "8124"]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert re.match(r"server --config-file=/.*/clickhouse/server.xml\n", done.stdout)
    for line in ("CLICKHOUSE_HTTP_PORT=8124", f"CLICKHOUSE_DATA_DIR={tmp_path}/data/server", "CLICKHOUSE_DEFAULT_PROFILE=reader",
                 "CLICKHOUSE_WRITER_PASSWORD_SHA256=2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"):
        assert line in done.stdout.splitlines()
    assert subprocess.run([*arguments, "--writer-user", "other"], capture_output=True, env=environment).returncode == 2
    environment.update(CLICKHOUSE_BINARY="", LOCAL_DIR="/nonexistent")
    refused = subprocess.run([launcher, "--path", "a?b"], capture_output=True, text=True, env=environment)
    assert refused.returncode == 2 and "python -m clickhouse_engine" in refused.stderr
