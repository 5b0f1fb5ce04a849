"""Nodes that share a ZooKeeper, and shards that can be read and written without what the library lacks.

The engine library makes replicated and distributed tables, and keeps them in ZooKeeper; but it has no port for other servers. So
parts do not travel, a replicated table stays read-only, and no other shard can be asked. Therefore two kinds of proof: the
statements themselves on real nodes (`Node`), and their meaning on `Shards`, where plain tables stand for replicated ones and Merge,
which reads tables of several databases as one, stands for Distributed.
"""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clickhouse_engine.tests.engine_process import EngineProcess
from schema.conftest import Database, fresh_database
from stack.process import CHECKOUT, started

from .zookeeper import ZooKeeper

CLUSTER = "ctr"
SHARDS = 2
_numbers = itertools.count(1)


class Node(EngineProcess):
    """An engine process with its place in the cluster."""

    def __init__(self, directory: Path, zookeeper: ZooKeeper, shard: str, replica: str):
        super().__init__(directory)
        shards = "".join(f"<shard><internal_replication>true</internal_replication><replica><host>127.0.0.{number}</host><port>1</port></replica></shard>"
                         for number in range(1, SHARDS + 1))
        self.configuration = (
            f"<zookeeper><node><host>127.0.0.1</host><port>{zookeeper.port}</port></node></zookeeper>"
            f"<macros><shard>{shard}</shard><replica>{replica}</replica></macros>"
            f"<remote_servers><{CLUSTER}>{shards}</{CLUSTER}></remote_servers>")

    def spawn(self) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}/tests:{CHECKOUT}/local", "CTR_NODE_CONFIGURATION": self.configuration}
        command = [sys.executable, "-m", "cluster.node", "--path", str(self.directory), "--port", str(self.port)]
        with open(self.log_file, "ab") as log:
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def init(self, database: str, *options: str) -> subprocess.CompletedProcess:
        options = options or ("--this-node",)
        return Database(self, database).run_script("init-clickhouse.sh", "--cluster", CLUSTER, *options, RAW_TTL_DAYS="0", HISTORY_TTL_DAYS="0")


def printed(database: str, *options: str, **settings: str) -> list[str]:
    """The statements of `init-clickhouse.sh --cluster ctr --print`."""
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": "/nonexistent", "CLICKHOUSE_DB": database, "RAW_TTL_DAYS": "0", "HISTORY_TTL_DAYS": "0", **settings}
    done = subprocess.run([CHECKOUT / "scripts/init-clickhouse.sh", "--cluster", CLUSTER, "--print", *options], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [statement.strip() for statement in done.stdout.split(";\n") if statement.strip()]


class Shards(Database):
    """A database for each shard, in one engine. `name` is the one that is asked, as any node of a cluster may be."""

    def __init__(self, engine: EngineProcess, *names: str, **settings: str):
        super().__init__(engine, names[0])
        self.names = names
        # The key by which Distributed shares out the rows of each table.
        self.keys: dict[str, str] = {}
        for name in names:
            for statement in printed(name, "--this-node", **settings):
                engine.query(self._stand_in(statement), database="system")
        engine.query("CREATE TABLE arrivals AS ctr_results_raw_local ENGINE = Null", database=self.name)
        for number, name in enumerate(names):
            # Distributed sends a row to the shard whose number is the key's remainder.
            engine.query(f"CREATE MATERIALIZED VIEW to_shard_{number} TO {name}.ctr_results_raw_local AS SELECT * FROM arrivals"
                         f" WHERE {self.keys['ctr_results_raw']} % {len(names)} = {number}", database=self.name)

    def _stand_in(self, statement: str) -> str:
        statement = re.sub(r"ENGINE = Replicated(\w+)\('[^']*', '\{replica\}'(?:, )?([^)]*)\)", r"ENGINE = \1(\2)", statement)
        distributed = re.search(r"Distributed\('ctr', '\w+', '(\w+)_local', (.*)\)\n", statement)
        if distributed:
            self.keys[distributed[1]] = distributed[2]
            statement = statement.replace(distributed[0], f"Merge(REGEXP('^({'|'.join(self.names)})$'), '^{distributed[1]}_local$')\n")
        return statement.replace(", replicated_deduplication_window = 0", "")

    def query(self, sql: str, data: bytes = b"", **parameters: str) -> str:
        of_a_table = re.match(r"(OPTIMIZE TABLE|SYSTEM STOP MERGES|TRUNCATE TABLE) (\w+)(.*)", sql)
        if of_a_table:
            for name in self.names:
                super().query(f"{of_a_table[1]} {name}.{of_a_table[2]}_local{of_a_table[3]}", **parameters)
            return ""
        return super().query(re.sub(r"^INSERT INTO ctr_results_raw\b", f"INSERT INTO {self.name}.arrivals", sql), data, **parameters)

    def drop(self) -> None:
        for name in self.names:
            self.engine.query(f"DROP DATABASE {name} SYNC", database="system")


@pytest.fixture(scope="session")
def zookeeper(tmp_path_factory):
    with started(ZooKeeper(tmp_path_factory.mktemp("zookeeper"))) as server:
        yield server


@pytest.fixture(scope="session")
def nodes(zookeeper, tmp_path_factory):
    """Two replicas of shard 1 and one of shard 2, a process each."""
    folder = tmp_path_factory.mktemp("nodes")
    places = [("1", "a"), ("1", "b"), ("2", "a")]
    running = [Node(folder / f"shard{shard}{replica}", zookeeper, shard, replica) for shard, replica in places]
    try:
        yield [node.start() for node in running]
    finally:
        for node in running:
            node.kill()


@pytest.fixture(scope="session")
def schema_engine(tmp_path_factory):
    process = EngineProcess(tmp_path_factory.mktemp("shards") / "data").start()
    yield process
    process.kill()


@pytest.fixture
def shards(schema_engine):
    number = next(_numbers)
    made = Shards(schema_engine, *(f"cluster_{number}_{shard}" for shard in range(SHARDS)))
    yield made
    made.drop()


@pytest.fixture
def single(schema_engine):
    """The same schema on one server."""
    with fresh_database(schema_engine, f"single_{next(_numbers)}") as made:
        yield made
