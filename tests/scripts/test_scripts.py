"""What every script has: a usage text, a refusal of what it does not know, plain output, settings that .env overrides."""

import os
import re
import stat
from pathlib import Path

import pytest

from scripts.shell import SCRIPTS, functions, run, script
from stack.process import CHECKOUT

ALL = sorted(path.name for path in SCRIPTS.glob("*.sh"))
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@pytest.mark.parametrize("name", ALL)
def test_help_teaches(name: str) -> None:
    result = script(name, "--help")
    assert result.returncode == 0
    assert "usage:" in result.stdout.lower()
    assert not CONTROL.search(result.stdout)


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_argument_is_a_usage_error(name: str, tmp_path: Path) -> None:
    result = script(name, "--no-such-option", settings={"LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 2, result.stdout
    assert "usage:" in result.stdout.lower()


@pytest.mark.parametrize("name", ALL)
def test_scripts_can_be_run(name: str) -> None:
    assert os.access(SCRIPTS / name, os.X_OK), f"chmod +x scripts/{name}"


def test_the_originals_names_are_one_line_forwards() -> None:
    for name in ("deploy-flink-job.sh", "stop-flink-job.sh"):
        lines = [line for line in (SCRIPTS / name).read_text().splitlines() if line and not line.startswith("#")]
        assert len(lines) == 1 and lines[0].startswith("exec ")


def test_status_of_nothing_is_a_table_without_control_characters(tmp_path: Path) -> None:
    result = script("status.sh", "--local", settings={"LOCAL_DIR": str(tmp_path), "CLICKHOUSE_PORT": "1", "PIPELINE_PORT": "1"})
    assert result.returncode == 1
    assert result.stdout.splitlines()[1].split() == ["SERVICE", "STATE", "ADDRESS", "DETAIL"]
    for service in ("kafka1", "kafka2", "kafka3", "clickhouse", "ctr-pipeline", "impression-producer", "click-producer"):
        assert re.search(rf"^{service} +down ", result.stdout, re.MULTILINE), result.stdout
    assert not CONTROL.search(result.stdout)


def test_logs_names_the_services_it_knows(tmp_path: Path) -> None:
    result = script("logs.sh", "flink", "--local", settings={"LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 2
    assert "impression-producer" in result.stdout


# --- settings ---

def env_value(tmp_path: Path, text: str, name: str, **settings: str) -> str:
    file = tmp_path / ".env"
    file.write_text(text)
    result = run(["bash", "-c", f'set -euo pipefail; source {SCRIPTS}/lib/env.sh; printf %s "${{{name}}}"'], {"ENV_FILE": str(file), **settings})
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.mark.parametrize(("line", "value"), [
    ("KAFKA1_PORT=1234", "1234"), ("export KAFKA1_PORT=1234", "1234"), ('KAFKA1_PORT="1234"', "1234"), ("KAFKA1_PORT='1234'", "1234"),
    ("KAFKA1_PORT=1234 # the first", "1234"), ("KAFKA1_PORT=1234\r", "1234"), ("#KAFKA1_PORT=1234", "19092"), ("KAFKA1_PORT=", "19092"),
    ("KAFKA1_PORT=$(touch /tmp/never)`id`", "$(touch /tmp/never)`id`"),
])
def test_env_file_is_read_like_compose_reads_it_and_never_executed(tmp_path: Path, line: str, value: str) -> None:
    assert env_value(tmp_path, f"{line}\n", "KAFKA1_PORT") == value


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    assert env_value(tmp_path, "KAFKA1_PORT=1\n", "KAFKA1_PORT", KAFKA1_PORT="2") == "2"
    assert env_value(tmp_path, "KAFKA1_PORT=1\n", "KAFKA_BOOTSTRAP_SERVERS") == "127.0.0.1:1,127.0.0.1:19093,127.0.0.1:19094"


def test_a_line_that_is_no_setting_is_named_by_its_number_only(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KAFKA1_PORT=1\nthe secret without a name\n")
    result = script("status.sh", settings={"ENV_FILE": str(tmp_path / ".env"), "LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 2
    assert "line 2" in result.stdout and "secret" not in result.stdout


def test_the_example_has_every_setting_with_its_default(tmp_path: Path) -> None:
    example = (CHECKOUT / ".env.example").read_text()
    settings = dict(re.findall(r"^#([A-Z0-9_]+)=(.*)$", example, re.MULTILINE))
    listed = re.search(r'STACK_SETTINGS="([^"]*)"', (SCRIPTS / "lib/env.sh").read_text())
    assert listed and set(listed.group(1).split()) - {"ENV_FILE"} == set(settings)
    assert env_value(tmp_path, "", "LOCAL_DIR") == str(CHECKOUT / settings.pop("LOCAL_DIR"))
    assert settings.pop("CLICKHOUSE_USER") == "ctr_writer"
    for name, default in settings.items():
        assert env_value(tmp_path, "", name) == default, name


def test_a_password_is_made_once_for_its_owner_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nKAFKA1_PORT=1\nCLICKHOUSE_PASSWORD=\nLAST=unended")
    settings = {"ENV_FILE": str(file), "LOCAL_DIR": str(tmp_path)}
    first = functions("ensure_secrets; echo $CLICKHOUSE_USER", settings)
    assert first.stdout == "ctr_writer\n"
    text = file.read_text()
    password = re.findall(r"^CLICKHOUSE_PASSWORD=([A-Za-z0-9]{32})$", text, re.MULTILINE)
    assert len(password) == 1 and text.count("CLICKHOUSE_PASSWORD") == 1
    assert text.startswith("# mine\nKAFKA1_PORT=1\n") and "LAST=unended\n" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    second = functions("ensure_secrets", settings)
    assert (second.stdout, file.read_text()) == ("", text)
