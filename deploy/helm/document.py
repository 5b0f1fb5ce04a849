"""Writes the chart's README.md from the comments in values.yaml: python3 deploy/helm/document.py. A test holds the two equal."""

import re
from collections.abc import Iterator
from pathlib import Path

CHART = Path(__file__).resolve().parent / "ctr-pipeline"
HEAD = """# The chart `ctr-pipeline`

<!-- Generated from values.yaml by deploy/helm/document.py: change the comments there. -->

```sh
helm install ctr deploy/helm/ctr-pipeline -f my-values.yaml         # examples/ has five sets of values
```

A StatefulSet: the pod's name is the instance id, so a pod that restarts gets its partitions back at once. Readiness is `/readyz`
(partitions assigned, replay finished, ClickHouse acknowledging rows), liveness `/healthz`. Invalid values are refused with their names. Upgrade, scaling and
restore: [operations](../../../docs/operations.md#in-a-cluster). Sizing: [scale](../../../docs/scale.md). ClickHouse as a cluster:
[cluster](../../../docs/cluster.md).

`files/` contains links into the repository: one source for the alerts, the SQL and the scripts. `helm package` includes their contents.

| value | default | what it is |
|---|---|---|
"""


def rows(text: str) -> Iterator[str]:
    """A row for each value: its path, its default, and the comment right above it. A map's comment gets its own row."""
    path: list[str] = []
    comment: list[str] = []
    # The comment at the top describes the file.
    lines = text.split("\n\n", 1)[1].splitlines()
    for number, line in enumerate(lines):
        found = re.match(r"( *)([A-Za-z0-9./]+):(?: (.*))?$", line)
        if line.strip().startswith("#"):
            comment.append(line.strip().lstrip("# "))
        elif found:
            depth = len(found[1]) // 2
            path = [*path[:depth], found[2]]
            following = lines[number + 1].strip() if number + 1 < len(lines) else ""
            if comment:
                default = f"`{found[3]}`" if found[3] is not None else ""
                yield f"| `{'.'.join(path)}` | {default} | {' '.join(comment)} |"
            elif found[3] is not None and depth == 0:
                raise ValueError(f"values.yaml: {'.'.join(path)} has no comment (before {following!r})")
            comment = []
        else:
            comment = []


def readme() -> str:
    return HEAD + "\n".join(rows((CHART / "values.yaml").read_text())) + "\n"


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme())
