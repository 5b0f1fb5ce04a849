"""What /metrics says, and which alerts Prometheus would make of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from stack.process import CHECKOUT

MONITORING = CHECKOUT / "monitoring"
# As Prometheus adds them to everything it scrapes.
TARGET = {"job": "ctr-pipeline", "instance": "the-test"}

Series = tuple[str, tuple[tuple[str, str], ...]]


def promtool(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Prometheus' own tool, which ./scripts/test.sh installs with Debian's package `prometheus`."""
    if not shutil.which("promtool"):
        pytest.skip("no promtool on this machine: ./scripts/test.sh installs it, or names the command")
    return subprocess.run(["promtool", *arguments], cwd=MONITORING, input=text, capture_output=True, text=True, timeout=60)


def parse(text: str) -> dict[Series, float]:
    """Series with their values."""
    found: dict[Series, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
        pairs = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")))
        assert (name, pairs) not in found, f"twice: {line}"
        found[name, pairs] = float(value)
    return found


def value(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's series that have these labels."""
    wanted = set(labels.items())
    return sum(number for (found, pairs), number in parse(text).items() if found == name and wanted <= set(pairs))


def assert_firing(expected: set[str], before: str, now: str, folder: Path, minutes: int = 8) -> None:
    """The alerts that fire, by monitoring/alerts.yml and promtool, if things went on for some minutes as they did between two scrapes:
    counters grow as they grew, in one step of 15 s, and everything else stays as it is `now`."""
    first, steps = parse(before), minutes * 4
    series = [{"series": series_name("up", ()), "values": f"1x{steps}"}]
    for (name, labels), number in parse(now).items():
        begin = first.get((name, labels), number)
        counts = name.endswith(("_total", "_bucket", "_sum", "_count"))
        values = f"{begin:f}+{number - begin:f}x{steps}" if counts else f"{begin:f} {number:f}x{steps}"
        series.append({"series": series_name(name, labels), "values": values})
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected)]
    expressions = [{"expr": 'group by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{minutes - 1}m", "exp_samples": samples}]
    document = {"rule_files": [str(MONITORING / "alerts.yml")], "evaluation_interval": "15s",
                "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": expressions}]}
    path = folder / "scraped.test.yml"
    path.write_text(yaml.safe_dump(document))
    result = promtool("test", "rules", str(path))
    assert result.returncode == 0, result.stdout + result.stderr


def series_name(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    pairs = ", ".join(f'{label}="{text}"' for label, text in (*labels, *TARGET.items()))
    return f"{name}{{{pairs}}}"
