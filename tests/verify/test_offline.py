"""The commands of ctr-verify that need no brokers: `windows` and `simulate`."""

import subprocess

from stack.process import BINARIES, CHECKOUT, clean_environment

GOLDEN = "crates/ctr-domain/tests/golden/lateness.jsonl"


def verify(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BINARIES / "ctr-verify"), *arguments], env=clean_environment(), cwd=CHECKOUT, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_windows_explains_every_event():
    done = verify("windows", "--file", GOLDEN, "--product", "shoe", "--window", "2023-11-14 22:13:25")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "shoe, window [2023-11-14T22:13:20Z, 2023-11-14T22:13:30Z)"
    assert [line.split()[3] for line in lines[1:-1]] == ["counted", "counted", "counted", "late", "too", "counted"]
    assert lines[-1] == "result: 3 impressions, 2 clicks"
    missing = verify("windows", "--file", "nowhere.jsonl", "--product", "p", "--window", "0")
    assert missing.returncode == 2 and "cannot read" in missing.stderr and "nowhere.jsonl" in missing.stderr


def test_simulate_holds_and_catches():
    done = verify("simulate", "--histories", "200")
    assert done.returncode == 0 and done.stdout.count(": table, dead letters and ledger match the log") == 6, done.stdout + done.stderr
    caught = verify("simulate", "--mutation", "high-offset")
    assert caught.returncode == 0 and caught.stdout.startswith("high-offset: caught by history "), caught.stdout
    missed = verify("simulate", "--mutation", "later-future", "--histories", "1", "--seed", "0")
    assert missed.returncode == 1 and "NOT caught by 1 histories" in missed.stdout, missed.stdout
    unknown = verify("simulate", "--mutation", "nonsense")
    assert unknown.returncode == 2 and "high-offset" in unknown.stderr
