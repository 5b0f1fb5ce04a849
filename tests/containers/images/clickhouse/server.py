"""The engine server with the users of containers/clickhouse-users.xml: `ctr_admin` beside the writer and the readers."""

import os
import sys
from collections.abc import Mapping

from clickhouse_engine import __main__ as program
from clickhouse_engine import access

ADMIN = "ctr_admin"


class Users(access.Access):
    """Also lets in the administrator, who makes the schema."""

    def admit(self, parameters: Mapping[str, str], headers: Mapping[str, str], address: str) -> access.User:
        name, password = access._credentials(parameters, headers)
        if name == ADMIN and access._is(password, os.environ["CTR_ADMIN_PASSWORD"]):
            return access.User(name, read_only=False)
        return super().admit(parameters, headers, address)


if __name__ == "__main__":
    access.Access = Users
    os.environ["CLICKHOUSE_ENGINE_PASSWORD"] = os.environ["CTR_WRITER_PASSWORD"]
    os.environ["CLICKHOUSE_ENGINE_READER_PASSWORD"] = os.environ["CTR_READER_PASSWORD"]
    sys.argv += ["--path", "/var/lib/clickhouse/engine", "--host", "0.0.0.0", "--port", "8123"]
    code = program.main()
    sys.stdout.flush()
    os._exit(code)
