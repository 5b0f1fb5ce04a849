"""The steps of setup.sh: a line with the time, failures seen, nothing left running."""

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

from scripts.shell import SCRIPTS, functions, stand_in
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


BAR = (r"   Compiling syn v3.0.10\n    Building [=====>                    ] 12/250: syn, libc\r\033[K   Compiling libc v0.2.1\n"
       r"    Building [=========>                ] 113/250: rdkafka-sys(build)\r")


def test_a_wait_says_how_far_cargo_is(tmp_path: Path) -> None:
    code = f"""build() {{ printf '{BAR}' >"$STEP_PROGRESS"; touch {tmp_path}/told; until [ -e {tmp_path}/asked ]; do sleep 0.05; done; }}
               start_step built build; start_step fetched true; until [ -e {tmp_path}/told ]; do sleep 0.05; done
               running_steps; touch {tmp_path}/asked; wait_step built; running_steps"""
    result = functions(code, {"LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 0, result.stdout
    lines = result.stdout.splitlines()
    assert lines[0].endswith("built (113 of 250)") or lines[0] == "built (113 of 250); fetched", lines
    assert re.fullmatch(r" +\d+\.\d s  built", lines[1]), lines
    assert lines[2] == "", "nothing runs any more"


def test_the_log_of_a_build_is_without_the_bar_and_its_code_is_cargos(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "cargo", f"printf '{BAR}' >&2; echo 'error: no such crate' >&2; exit 101")
    result = functions("run_step built build_binaries; echo not reached",
                       {"LOCAL_DIR": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    assert result.returncode == 101 and "not reached" not in result.stdout, result.stdout
    log = (tmp_path / "logs/setup/built.log").read_text()
    assert log.splitlines() == ["   Compiling syn v3.0.10", "   Compiling libc v0.2.1", "error: no such crate"]


def on_a_terminal(code: str, settings: dict[str, str]) -> str:
    """What shell code writes where its standard output is a terminal."""
    ours, its = pty.openpty()
    with subprocess.Popen(["bash", "-c", f"set -euo pipefail; {code}"], env=clean_environment({"TERM": "xterm", **settings}), stdout=its) as running:
        os.close(its)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:
            pass  # how Linux says that nobody writes any more
        assert running.wait(30) == 0
    os.close(ours)
    return shown.decode()


def test_a_terminal_has_one_line_that_moves_and_nothing_else_has_one(tmp_path: Path) -> None:
    shown = on_a_terminal(f"source {SCRIPTS}/lib/verb.sh; source {SCRIPTS}/lib/steps.sh; run_step slow sleep 0.7", {"LOCAL_DIR": str(tmp_path)})
    assert re.search(r"\r\x1b\[K +0 s  slow\r\x1b\[K", shown), repr(shown)
    assert re.search(r"\r\x1b\[K +\d\.\d s  slow\r\n$", shown), repr(shown)
    plain = functions("run_step slow sleep 0.7", {"LOCAL_DIR": str(tmp_path)})
    assert "\x1b" not in plain.stdout and plain.stdout.count("slow") == 1
