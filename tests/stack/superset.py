"""A real Superset with the project's dashboards, started like in the stack without Docker."""

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from stack.engine import READER_PASSWORD, Database, direct
from stack.process import CHECKOUT, LOCAL_DIR, Process, clean_environment, free_ports, wait_until

ADMIN_PASSWORD, VIEWER_PASSWORD = "admin-of-the-tests", "viewer-of-the-tests"
RUN = str(CHECKOUT / "local/run.sh")


class Superset:
    """Superset on one database, with its metadata in a folder."""

    def __init__(self, folder: Path, database: Database):
        self.folder, self.port = folder, free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "venv").symlink_to(LOCAL_DIR / "venv")
        self._environment = clean_environment({
            "LOCAL_DIR": str(folder), "SUPERSET_PORT": str(self.port), "SUPERSET_SECRET_KEY": "a-key-of-the-tests-that-is-long-enough",
            "SUPERSET_ADMIN_PASSWORD": ADMIN_PASSWORD, "SUPERSET_VIEWER_PASSWORD": VIEWER_PASSWORD,
            "CLICKHOUSE_PORT": str(database.engine.port), "CLICKHOUSE_DB": database.name, "CLICKHOUSE_READER_PASSWORD": READER_PASSWORD,
        })
        self.process = Process("superset", [RUN, "superset"], self._environment, folder / "superset.log")

    def try_to_provision(self, **settings: str) -> subprocess.CompletedProcess[str]:
        """Like superset-init, with other settings."""
        return subprocess.run([RUN, "superset-init"], env={**self._environment, **settings}, cwd=CHECKOUT, stdin=subprocess.DEVNULL, timeout=240,
                              capture_output=True, text=True)

    def provision(self) -> str:
        """Provisions metadata, users and assets; returns the last output."""
        done = self.try_to_provision()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    def start(self) -> None:
        self.process.start()

        def answers() -> bool:
            assert self.process.runs(), f"Superset ended:\n{self.process.tail()}"
            try:
                with direct.open(f"{self.url}/health", timeout=2) as response:
                    return response.status == 200
            except OSError:
                return False

        wait_until(answers, 120, "Superset answers /health", every=0.2)

    def kill(self) -> None:
        self.process.kill()

    def login(self, user: str, password: str) -> "Api":
        token = Api(self.url, "").post("/api/v1/security/login", {"username": user, "password": password, "provider": "db"})["access_token"]
        return Api(self.url, token)

    def admin(self) -> "Api":
        return self.login("admin", ADMIN_PASSWORD)

    def viewer(self) -> "Api":
        return self.login("viewer", VIEWER_PASSWORD)


class Refused(Exception):
    """An unsuccessful response: `status` and its text."""

    def __init__(self, status: int, text: str):
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """Superset's REST interface for one user."""

    def __init__(self, url: str, token: str):
        self._url, self._headers = url, {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self.request("POST", path, body)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a response. Raises Refused unless it was successful."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, headers=self._headers, method=method)
        try:
            with self._opener.open(request, timeout=120) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace")[:500]) from None

    def change(self, method: str, path: str, body: Any = None) -> Any:
        """Requests that change something need the CSRF token and its cookie."""
        self._headers["X-CSRFToken"] = self.get("/api/v1/security/csrf_token/")["result"]
        return self.request(method, path, body)
