"""docs/compatibility.md names only what is there, and leaves out nothing that the original's settings have."""

import re
from pathlib import Path

import pytest
import yaml

from compose.model import services
from stack import Database
from stack.process import CHECKOUT

PAGE = (CHECKOUT / "docs/compatibility.md").read_text()


def section(title: str) -> list[list[str]]:
    """The rows of a section's table, cell by cell."""
    text = PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 2, title
    return rows[2:]


def names(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_scripts_are_there() -> None:
    named = [name.split()[0] for row in section("Scripts") for name in names(row[1]) + names(row[2]) if name.startswith("scripts/")]
    assert {"scripts/setup.sh", "scripts/deploy-flink-job.sh", "scripts/stop-flink-job.sh", "scripts/down.sh"} <= set(named)
    for name in named:
        assert (CHECKOUT / name).stat().st_mode & 0o111, name


def test_ports_and_services_are_those_of_compose() -> None:
    rows = section("Ports and services")
    published = {str(port["published"]) for service in services().values() for port in service.get("ports", [])}
    ours = {port for row in rows for port in re.findall(r"\b\d{4,5}\b", row[0]) if not row[0].startswith("Kafka inside")}
    assert ours == published & ours and len(ours) >= 8
    (same,) = (row for row in rows if row[0].startswith("services `kafka1`"))
    assert set(names(same[0])) | {"ctr-pipeline"} <= set(services())
    settings = {name for row in rows for name in names(row[2]) if name.isupper()}
    defaults = (CHECKOUT / "scripts/lib/env.sh").read_text()
    assert all(f"{name}:=" in defaults for name in settings) and len(settings) >= 6


def test_tables_and_their_columns_are_there(database: Database) -> None:
    for row in section("Tables"):
        tables = [name for name in names(row[0] or row[1]) if name.startswith("ctr_")]
        for table in tables:
            found = [column["name"] for column in database.query(f"DESCRIBE TABLE {table}")]
            columns = [name for name in names(row[0]) if name != table]
            assert found[:len(columns)] == columns, table


def keys_of(tree: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in tree.items():
        found += keys_of(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return found


def test_every_setting_of_the_original_has_its_row() -> None:
    original = yaml.safe_load((CHECKOUT / "crates/ctr-pipeline/tests/fixtures/original-application.yml").read_text())
    named = {name for row in section("Settings") for name in names(row[0])}
    assert set(keys_of(original)) <= named
    ours = keys_of(yaml.safe_load((CHECKOUT / "config/application.yml").read_text()))
    for row in section("Settings"):
        if row[1] == "the same":
            assert set(names(row[0])) <= set(ours), row[0]


def test_settings_named_anywhere_exist() -> None:
    ours = set(keys_of(yaml.safe_load((CHECKOUT / "config/application.yml").read_text())))
    for title in ("Topics and records", "What is computed"):
        for row in section(title):
            for name in names(row[2]):
                key = name.split(":")[0]
                assert not key.startswith(("kafka.", "ctr.job.")) or key in ours, name


@pytest.mark.parametrize("row", section("Folders"), ids=lambda row: row[0])
def test_folders_are_there(row: list[str]) -> None:
    for name in names(row[1]):
        if "/" in name or (CHECKOUT / name).exists():
            assert (CHECKOUT / name).exists(), name
    assert any((CHECKOUT / name).exists() for name in names(row[1]))


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (Path(CHECKOUT / "docs") / target).exists(), target
