"""The engine server as a node of a cluster: `python -m cluster.node` with the options of `clickhouse_engine`.

What a server has in its configuration (ZooKeeper, macros, the cluster) is added to the engine's own from CTR_NODE_CONFIGURATION.
"""

import os
import sys

from clickhouse_engine import __main__ as program
from clickhouse_engine import engine


def main() -> int:
    more = os.environ["CTR_NODE_CONFIGURATION"].replace("{", "{{").replace("}", "}}")
    engine.ROLES_CONFIGURATION = engine.ROLES_CONFIGURATION.replace("</clickhouse>", f"{more}</clickhouse>")
    return program.main()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
