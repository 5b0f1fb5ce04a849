"""The steps of setup.sh: a line with the time, failures seen, nothing left running."""

import re
import signal
import subprocess
from pathlib import Path

from scripts.shell import SCRIPTS, functions
from stack import wait_until
from stack.process import clean_environment


def test_each_step_has_its_time_and_hides_what_it_says(tmp_path: Path) -> None:
    result = functions("start_step second sleep 0.3; run_step first echo noise; wait_step second", {"LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert re.fullmatch(r" +\d+\.\d s  first", lines[0]) and re.fullmatch(r" +0\.[3-9] s  second", lines[1]), lines
    assert (tmp_path / "logs/setup/first.log").read_text() == "noise\n"


def test_steps_that_ended_do_not_disturb_later_ones(tmp_path: Path) -> None:
    code = "start_step a sleep 0.1; start_step b true; start_step c true; wait_step b; wait_step c; run_step d true; wait_step a; run_step e true"
    result = functions(code, {"LOCAL_DIR": str(tmp_path)})
    assert [line.split()[-1] for line in result.stdout.splitlines()] == ["b", "c", "d", "a", "e"]


def test_a_failure_inside_of_a_step_ends_the_script_with_its_words_and_code(tmp_path: Path) -> None:
    result = functions("breaks() { echo what went wrong; (exit 7); echo not reached; }; run_step 'a step' breaks; echo not reached",
                       {"LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 7
    assert "what went wrong" in result.stdout and "a step failed" in result.stdout and "not reached" not in result.stdout


def test_an_interrupted_script_takes_its_steps_with_it(tmp_path: Path) -> None:
    code = f"""set -euo pipefail; source {SCRIPTS}/lib/verb.sh; source {SCRIPTS}/lib/steps.sh; trap stop_steps EXIT; trap 'exit 130' INT
               long_step() {{ sleep 300 & echo $! >{tmp_path}/child; wait; }}
               start_step long long_step; wait_step long"""
    # A shell that is begun with SIGINT ignored, as in the background of another one, cannot trap it.
    running = subprocess.Popen(["bash", "-c", code], env=clean_environment({"LOCAL_DIR": str(tmp_path)}),
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    child = int(wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text(), 10, "the step runs"))
    running.send_signal(signal.SIGINT)
    assert running.wait(10) == 130

    def gone() -> bool:
        try:
            return Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"
        except OSError:
            return True

    wait_until(gone, 10, f"the child {child} of the step is gone")
