"""A Docker engine for the tests: the one that answers, or one of Debian's packages with a folder and a socket of its own.

CONTAINER_IMAGES says where images come from: `packages` (tests/containers/images, the default with an engine that was started
here) or `registry` (the default with an engine that was there).
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from containers.images import recipes
from stack.process import wait_until

CACHE = Path(os.environ.get("CONTAINER_CACHE") or Path.home() / ".cache/ctr-pipeline-containers")
COMPOSE = Path(sys.executable).parent / "docker-compose"
PACKAGES = ["docker.io", "iptables", "debootstrap"]


class NoEngine(Exception):
    """Why containers cannot be run here."""


@dataclass(frozen=True)
class DockerEngine:
    """An engine that answers, and what a program needs in its environment to reach it."""

    environment: dict[str, str]
    images: str
    """`packages` or `registry`."""

    def __call__(self, *arguments: str, seconds: float = 600) -> str:
        """`docker ARGUMENTS`; what it printed. Fails with its words if it does."""
        done = self.run(*arguments, seconds=seconds)
        assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def run(self, *arguments: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["docker", *arguments], env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=seconds)


def answers(environment: dict[str, str]) -> bool:
    if not shutil.which("docker"):
        return False
    done = subprocess.run(["docker", "info"], env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    return done.returncode == 0


def install() -> None:
    """Engine, packet filter and debootstrap by apt, where root may."""
    missing = [name for name in ("dockerd", "iptables", "debootstrap") if not shutil.which(name)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoEngine(f"no Docker engine answers, and {', '.join(missing)} cannot be installed (root and apt)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if Path("/run/systemd/system").is_dir():
        # The tests want a program, not a service of the machine.
        subprocess.run(["systemctl", "mask", "docker.service", "docker.socket"], capture_output=True, check=True)
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        if done.returncode != 0:
            raise NoEngine(f"{' '.join(command)} failed: {done.stdout[-500:]}")


def own_folder() -> tuple[Path, TextIO]:
    """A folder of images that no other run uses at this moment, and the file that says so until it is closed."""
    for number in range(1, 5):
        folder = CACHE / f"engine-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return folder, lock
    raise NoEngine(f"four runs use {CACHE} at this moment")


def clear_after_a_kill(data: Path) -> None:
    """Ends the containers and takes down the mounts below an engine's folder, which outlive an engine that was killed and keep the next
    one from removing them. Nobody else uses the folder: its lock is ours."""
    ours = [entry.name for entry in (data / "containers").glob("*")]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # A container's processes have its id in their control group, the one that waits for them in its arguments.
            belongs_to = (process / "cgroup").read_text() + (process / "cmdline").read_text()
            if any(container in belongs_to for container in ours):
                os.kill(int(process.name), signal.SIGKILL)
    mounts = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if f"{mount}/".startswith(f"{data}/")]):
        done = subprocess.run(["umount", "--lazy", mount], capture_output=True, text=True)
        if done.returncode != 0:
            raise NoEngine(f"a run that was killed left {mount} mounted: {done.stderr.strip()}")


def compose_plugin(folder: Path) -> Path:
    """A client configuration whose only plugin is the Compose of tests/requirements.txt."""
    plugins = folder / "client/cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    link = plugins / "docker-compose"
    link.unlink(missing_ok=True)
    link.symlink_to(COMPOSE)
    return folder / "client"


def end_with_the_tests() -> None:
    """In the child: SIGTERM, on which the engine stops its containers, when the test run ends in whatever way."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


@contextmanager
def started_engine(work: Path) -> Iterator[DockerEngine]:
    """`dockerd` with its own folder and socket. It leaves the machine's packet filter alone, so builds have no network."""
    install()
    folder, lock = own_folder()
    clear_after_a_kill(folder / "data")
    # A socket's path may have 107 characters.
    socket = work / "docker.sock"
    environment = {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(compose_plugin(work)), "DOCKER_BUILDKIT": "0"}
    log_path = work / "dockerd.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(work / "exec"), "--pidfile", str(work / "dockerd.pid"),
             "--host", f"unix://{socket}", "--iptables=false", "--bridge=none"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=end_with_the_tests)
    try:
        try:
            wait_until(lambda: process.poll() is not None or answers(environment), 60, "dockerd answers", every=0.3)
        except AssertionError as late:
            raise NoEngine(f"dockerd does not answer after 60 s: {log_path.read_text()[-500:]}") from late
        if process.poll() is not None:
            raise NoEngine(f"dockerd does not run here: {log_path.read_text()[-500:]}")
        engine = DockerEngine(environment, os.environ.get("CONTAINER_IMAGES", "packages"))
        remove_everything(engine)
        yield engine
        remove_everything(engine)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        clear_after_a_kill(folder / "data")
        lock.close()


def remove_everything(engine: DockerEngine) -> None:
    """Containers, volumes and networks that a run left, which nobody else uses: the engine is the tests' own."""
    if containers := engine("ps", "--all", "--quiet").split():
        engine("rm", "--force", "--volumes", *containers)
    if volumes := engine("volume", "ls", "--quiet").split():
        engine("volume", "rm", "--force", *volumes)
    engine("network", "prune", "--force")
    engine("image", "prune", "--force")


@contextmanager
def engine_for_tests(work: Path) -> Iterator[DockerEngine]:
    """The engine with the images that docker-compose.yml names. Raises NoEngine where there can be none."""
    if answers({}):
        configuration = {} if has_compose({}) else {"DOCKER_CONFIG": str(compose_plugin(work))}
        engine = DockerEngine(configuration, os.environ.get("CONTAINER_IMAGES", "registry"))
        prepare(engine, work)
        yield engine
        return
    with started_engine(work) as engine:
        prepare(engine, work)
        yield engine


def has_compose(environment: dict[str, str]) -> bool:
    done = subprocess.run(["docker", "compose", "version"], env={**os.environ, **environment}, capture_output=True, timeout=30)
    return done.returncode == 0


def prepare(engine: DockerEngine, work: Path) -> None:
    say(f"containers: engine {engine('version', '--format', '{{.Server.Version}}')}, images from "
        + ("packages (tests/containers/images; CONTAINER_IMAGES=registry for the real ones)" if engine.images == "packages"
           else "their registries (CONTAINER_IMAGES=packages for those of tests/containers/images)"))
    if engine.images == "packages":
        recipes.make_all(engine, CACHE, work / "images")


_terminals: list[Callable[[str], object]] = []


def speak_through(terminal: Callable[[str], object]) -> None:
    """Where `say` writes to: both outputs of a program that pytest captures are pytest's."""
    _terminals[:] = [terminal]


def say(line: str) -> None:
    """To whoever runs the tests, whatever pytest captures."""
    for terminal in _terminals:
        terminal(f"\n{line}")
