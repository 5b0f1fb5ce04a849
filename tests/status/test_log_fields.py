"""The fields of log lines have the words of the metrics: whoever sees one finds the other."""

import re
from collections.abc import Iterator
from pathlib import Path

from stack.process import CHECKOUT

SOURCES = CHECKOUT / "crates/ctr-pipeline/src"

LOG_WORDS = {
    "error", "notice", "unsaid", "facility",  # what was said, and how often it was not
    "attempt", "attempts_allowed", "retry_seconds", "signal",
    "group", "member", "partitions", "offset",  # of Kafka, as the glossary has them
    "file", "url", "key", "value", "origin",  # settings
}
"""What no metric has: it is no number, or it stands for one moment only."""


def metric_words() -> set[str]:
    """Names of metrics without `ctr_`, `process_` and `_total`, every run of words in them, their labels, and the values of `outcome`."""
    words = set()
    for name, labels, help_text in re.findall(r"^\| `(?:ctr|process)_(\w+)` \| \w+ \|(?: (.*?) \|)? (.*) \|$", (CHECKOUT / "docs/metrics.md").read_text(), re.MULTILINE):
        parts = name.removesuffix("_total").split("_")
        words |= {"_".join(parts[begin:end]) for begin in range(len(parts)) for end in range(begin + 1, len(parts) + 1)}
        words |= set(re.findall(r"`(\w+)`", labels))
        if name == "records_total":
            words |= set(re.findall(r"\w+", help_text.split(":")[1].split(".")[0]))
    return words


def logged_fields(source: Path) -> Iterator[str]:
    """The names of all fields in the source's log lines. Each stands before the text, and is a name of its own or has a value."""
    text = re.sub(r'env!\("\w+"\)|"librdkafka"', "", source.read_text())
    for line in re.findall(r'tracing::(?:trace|debug|info|warn|error)!\(([^"]*)"', text):
        # Arguments of calls hold commas too.
        line = re.sub(r"\([^()]*\)", "", line)
        for field in filter(None, map(str.strip, line.split(","))):
            if not field.startswith("target:"):
                yield field.split("=")[0].strip(" %?")


def test_every_field_is_a_word_of_the_metrics() -> None:
    fields = {field for source in SOURCES.rglob("*.rs") for field in logged_fields(source)}
    assert {"worker", "ledger_difference", "too_late", "records_lost", "error"} <= fields, "the sources are not read as they are written"
    assert sorted(fields - metric_words() - LOG_WORDS) == []
    assert sorted(LOG_WORDS - fields) == [], "no line has these"
