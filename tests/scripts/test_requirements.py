"""What runs is installed without looking for dependencies, so its files must name all of them: for each Python, not for ours."""

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from stack.process import CHECKOUT

LOCAL, SUPERSET = CHECKOUT / "local/requirements.txt", CHECKOUT / "superset/requirements.txt"
# 3.11.2 is Debian 12's: redis asks for async-timeout before 3.11.3, and the dashboards
# of a bare Debian 12 could not be imported for the want of it.
SUPPORTED = [*((LOCAL, python) for python in ("3.10.0", "3.11.2", "3.11.3", "3.12.0", "3.13.0")),
             *((SUPERSET, python) for python in ("3.11.0", "3.11.2", "3.11.3", "3.12.0"))]
# scripts/lib/build.sh says why.
LEFT_OUT = {("chdb-core", "pandas"), ("chdb-core", "pyarrow")}


def named(file: Path) -> dict[str, Requirement]:
    lines = (line for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {canonicalize_name(wanted.name): wanted for wanted in map(Requirement, lines)}


def applies(wanted: Requirement, environment: dict[str, str], extras: set[str]) -> bool:
    return wanted.marker is None or any(wanted.marker.evaluate({**environment, "extra": extra}) for extra in extras or {""})


def gaps(file: Path, python: str) -> Iterator[str]:
    here = default_environment()
    there = {**here, "python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    wanted = named(file)
    installed = {name for name, package in wanted.items() if applies(package, there, set())} | {"pip", "setuptools"}
    for name, package in wanted.items():
        if not applies(package, here, set()):
            continue  # for another Python than ours, so its metadata is not here to be read
        metadata = distribution(name)
        if python not in SpecifierSet(metadata.metadata.get("Requires-Python") or ""):
            yield f"{name} is not for this Python"
        for further in map(Requirement, metadata.requires or ()):
            needed = canonicalize_name(further.name)
            if applies(further, there, package.extras) and needed not in installed and (name, needed) not in LEFT_OUT:
                yield f"{name} needs {further}"


@pytest.mark.parametrize(("file", "python"), SUPPORTED, ids=lambda value: str(value.relative_to(CHECKOUT)) if isinstance(value, Path) else value)
def test_a_file_names_all_that_its_packages_need(file: Path, python: str) -> None:
    assert not list(gaps(file, python))
