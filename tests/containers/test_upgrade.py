"""From the commit before to this one, as its user does it: `git pull`, then ./scripts/setup.sh --docker on the volumes that are there."""

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.engine import CACHE, DockerEngine, say
from containers.images import recipes
from containers.stack import ContainerStack, copy_checkout
from stack.process import CHECKOUT, LOCAL_DIR, TARGET, clean_environment

# Compiles the commit before.
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

# What runs in containers, and what makes it so.
PARTS = ("crates", "Cargo.lock", "Dockerfile", "docker-compose.yml", "containers", "clickhouse", "config")


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(CHECKOUT), *arguments], capture_output=True, check=True).stdout


def commit_before() -> str:
    """UPGRADE_FROM, or the commit before the newest one that changed what runs in containers."""
    if named := os.environ.get("UPGRADE_FROM"):
        return git("rev-parse", named).decode().strip()
    newest = git("log", "-1", "--format=%H", "--first-parent", "HEAD", "--", *PARTS).decode().strip()
    if not newest or not git("rev-list", "--parents", "-1", newest).split()[1:]:
        pytest.skip("the history ends here (a shallow clone?): there is no commit before")
    return git("rev-parse", f"{newest}^").decode().strip()


def files_at(commit: str, target: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", commit))) as files:
        files.extractall(target, filter="fully_trusted")
    # Git dates them back to their commit, and cargo would take what it compiled of newer sources since for theirs.
    for source in target.rglob("*.rs"):
        source.touch()


def binaries_of(commit: str, source: Path) -> Path:
    """The folder of the three programs of these sources, compiled once for a commit. What they depend on is compiled already, in this checkout."""
    folder = LOCAL_DIR / "containers" / f"binaries-{commit}"
    if folder.exists():
        return folder
    target = folder.with_name(f"target-{commit}")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(TARGET / "release", target / "release", symlinks=True)
    # test.sh chooses the toolchain where the pinned one is not installed.
    chosen = {name: os.environ[name] for name in ("RUSTUP_TOOLCHAIN",) if name in os.environ}
    environment = {**clean_environment(chosen), "CARGO_TARGET_DIR": str(target)}
    done = subprocess.run(["cargo", "build", "--release", "--locked", "--bins"], cwd=source, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=2400)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Compiling ctr-pipeline" in done.stdout, "these are binaries of other sources"
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name in recipes.BINARIES:
        shutil.copy2(target / "release" / name, unfinished / name)
    unfinished.rename(folder)
    shutil.rmtree(target)
    return folder


def hand_out(engine: DockerEngine, folder: Path, binaries: Path) -> None:
    """The builder image with these binaries. Nothing to do with real images, which compile what they are given."""
    if engine.images == "packages":
        beside = {f"binaries/{name}": binaries / name for name in recipes.BINARIES}
        recipes.make(engine, recipes.Recipe("rust:1.95-bookworm", "builder", lambda: beside), recipes.make_base(engine, CACHE), folder / "images")


@pytest.fixture
def stack_before(engine_of_docker: DockerEngine, docker_folder: Path) -> Iterator[ContainerStack]:
    """The commit before, up, in a folder and with volumes of its own."""
    commit = commit_before()
    say(f"upgrade from {git('log', '-1', '--format=%h %s', commit).decode().strip()}")
    source = docker_folder / "before"
    files_at(commit, source)
    folder = docker_folder / "upgraded"
    stack = ContainerStack(engine_of_docker, folder, "ctr-upgraded")
    settings = stack.env.read_text()
    shutil.rmtree(stack.checkout)
    shutil.copytree(source, stack.checkout, symlinks=True)
    stack.env.write_text(settings)
    hand_out(engine_of_docker, docker_folder, binaries_of(commit, source))
    yield stack
    stack.end()
    hand_out(engine_of_docker, docker_folder, TARGET / "release")


def pull(stack: ContainerStack) -> None:
    """This checkout's files in place of those that are there; .env stays."""
    kept = stack.env.read_text()
    for entry in stack.checkout.iterdir():
        if entry.name not in (".env", ".local"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    copy_checkout(stack.checkout)
    stack.env.write_text(kept)


def windows(stack: ContainerStack, end: str) -> dict[str, tuple[int, int]]:
    """Product and window -> impressions and clicks, of the windows that ended by then."""
    found = stack.query(f"SELECT product_id, window_start, impressions, clicks FROM default.ctr_windows WHERE window_end <= '{end}'")
    rows = (line.split("\t") for line in found.splitlines())
    return {f"{product} {start}": (int(impressions), int(clicks)) for product, start, impressions, clicks in rows}


def test_an_upgrade_on_the_volumes_of_the_commit_before_loses_nothing(stack_before: ContainerStack, docker_folder: Path) -> None:
    stack = stack_before
    assert "The stack is running." in stack.setup()
    stack.wait_for_more_rows()
    stack.reconcile()
    image, volumes = stack.inspect("ctr-pipeline")["Image"], {line for line in stack.left() if line.startswith("volume")}
    end = stack.query("SELECT max(window_end) FROM default.ctr_results_raw")
    before = windows(stack, end)

    pull(stack)
    hand_out(stack.engine, docker_folder, TARGET / "release")
    assert "The stack is running." in stack.setup()
    stack.wait_for_more_rows()
    assert stack.inspect("ctr-pipeline")["Image"] == stack.engine("inspect", "--format", "{{.Id}}", "ctr-pipeline:local")
    say(f"the image is {'another' if stack.inspect('ctr-pipeline')['Image'] != image else 'the same'} after the upgrade; {len(before)} windows were there")
    assert {line for line in stack.left() if line.startswith("volume")} >= volumes, "the volumes are those of before"
    after = windows(stack, end)
    # A late event may have been added since; nothing may have gone.
    assert before and all(key in after and after[key] >= counts for key, counts in before.items())
    # The comparison is of the whole log, with what the commit before has counted of it.
    stack.reconcile()
