"""docs/embedding.md names calls that ctr-domain has, public, and misses none that a task's host must make."""

import re

import pytest

from stack.process import CHECKOUT

PAGE = (CHECKOUT / "docs/embedding.md").read_text()
DOMAIN = CHECKOUT / "crates/ctr-domain/src"
CALLS = sorted(set(re.findall(r"`(\w+)::(\w+)`", PAGE)))


def source_of(owner: str) -> str:
    """A module's file, or all that is written about a type."""
    if owner.islower():
        return (DOMAIN / f"{owner}.rs").read_text()
    blocks = rf"^(?:impl(?:<[^{{]*?>)? |pub enum ){owner}\b.*?^\}}"
    return "\n".join(block for path in DOMAIN.rglob("*.rs") for block in re.findall(blocks, path.read_text(), re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(("owner", "name"), CALLS, ids=lambda value: value)
def test_a_call_is_there(owner: str, name: str) -> None:
    assert re.search(rf"^\s*(?:pub (?:const )?fn {name}\b|{name}[,(] ?)", source_of(owner), re.MULTILINE), f"{owner}::{name}"


def test_every_input_of_a_task_is_an_obligation() -> None:
    inputs = set(re.findall(r"pub (?:const )?fn (on_\w+|restore|fire|end_offset_request|checkpoint|may_commit)\b", source_of("Task")))
    assert len(inputs) >= 10
    assert {name for owner, name in CALLS if owner == "Task"} >= inputs
