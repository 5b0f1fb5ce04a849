"""ctr-verify as it is released, with the settings of a test's pipeline."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from stack import Pipeline
from stack.pipeline import variable
from stack.process import BINARIES, CHECKOUT, clean_environment


@dataclass
class Answer:
    code: int
    text: str
    errors: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.text)


def verify(pipeline: Pipeline, *arguments: str, seconds: float = 120, **settings: str) -> Answer:
    """Runs `ctr-verify ARGUMENTS`. `settings` override the pipeline's, with _ for the dots and dashes of a key."""
    environment = {variable(key): value for key, value in {**pipeline.settings, **settings}.items()}
    done = subprocess.run([str(BINARIES / "ctr-verify"), *arguments], env=clean_environment(environment), cwd=CHECKOUT,
                          timeout=seconds, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return Answer(done.returncode, done.stdout, done.stderr)


def reconcile(pipeline: Pipeline, *arguments: str, **options: Any) -> Answer:
    """`ctr-verify reconcile --json ARGUMENTS`."""
    return verify(pipeline, "reconcile", "--json", *arguments, **options)
