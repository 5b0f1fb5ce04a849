"""What each image is made of, and how it gets its name.

An image is made once for what it is made of: its tag of the tests is a hash of that, so a later run finds it in the engine.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from stack.process import CHECKOUT, LOCAL_DIR

HERE = Path(__file__).parent
BINARIES = ("ctr-pipeline", "ctr-producer", "ctr-verify")
Docker = Callable[..., str]


@dataclass(frozen=True)
class Recipe:
    """An image of a folder here with a Dockerfile, and of what is put beside it."""

    name: str
    """The name and tag that docker-compose.yml and the Dockerfile ask for."""
    folder: str
    beside: Callable[[], dict[str, Path]]
    """Files and folders by the names that the Dockerfile copies."""
    packages: tuple[str, ...] = ()
    """Packages of PyPI with their versions, installed into `packages`."""
    network: str = "none"
    """What the build may reach; `host` for one that asks apt."""


def release_binaries() -> dict[str, Path]:
    release = CHECKOUT / "target/release"
    return {f"binaries/{name}": release / name for name in BINARIES}


def toolchain() -> dict[str, Path]:
    """The machine's own compiler without its documents, and the crates that Cargo.lock names."""
    root = Path(run(["rustc", "--print", "sysroot"]).strip())
    vendor = LOCAL_DIR / "containers/vendor"
    run(["cargo", "vendor", "--locked", "--quiet", "--versioned-dirs", "--manifest-path", str(CHECKOUT / "Cargo.toml"), str(vendor)])
    return {"toolchain/bin": root / "bin", "toolchain/lib": root / "lib", "vendor": vendor}


def debian_program(name: str) -> dict[str, Path]:
    """The program of a package of this machine's Debian, which is not installed for it."""
    folder = LOCAL_DIR / "containers" / name
    if not folder.exists():
        if not shutil.which("apt-get"):
            pytest.skip(f"{name} for its image is a package of Debian, and there is no apt here")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        run(["bash", "-c", 'cd "$1" && { apt-get download -q "$2" || { apt-get update -q && apt-get download -q "$2"; }; } && '
             'dpkg-deb --extract ./*.deb . && rm ./*.deb', "unpack", str(unfinished), name])
        unfinished.rename(folder)
    return {name: folder / "usr/bin" / name}


def requirement(name: str) -> str:
    lines = (CHECKOUT / "local/requirements.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


RECIPES = (
    Recipe("rust:1.95-bookworm", "builder", release_binaries),
    Recipe("gcr.io/distroless/cc-debian12:nonroot", "runtime", dict),
    Recipe("apache/kafka:3.9.1", "kafka", lambda: {"libs": LOCAL_DIR / "kafka/lib"}),
    Recipe("clickhouse/clickhouse-server:26.3", "clickhouse", lambda: {"clickhouse_engine": CHECKOUT / "local/clickhouse_engine"},
           packages=(requirement("chdb-core"),)),
    Recipe("kafbat/kafka-ui:v1.5.0", "kafka-ui", dict),
)


def requirements(path: str) -> tuple[str, ...]:
    """Without their conditions, which this Python would judge: those there are hold for the base's, 3.11.2."""
    lines = (line.partition(";")[0].strip() for line in (CHECKOUT / path).read_text().splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


# Takes minutes, so only the tests that need it ask for it.
SUPERSET = Recipe("apache/superset:6.1.0", "superset", dict, packages=("uv", *requirements("superset/requirements.txt")))
MONITORING = (Recipe("prom/prometheus:v3.5.0", "prometheus", lambda: debian_program("prometheus")),
              Recipe("grafana/grafana:12.1.1", "grafana", lambda: {"stand-in.py": HERE / "kafka-ui/stand-in.py"}))
# A builder that compiles, where the one above hands out what is compiled already.
RUST = Recipe("rust:compiling", "rust", toolchain, network="host")


def files_of(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return [file for file in found if "__pycache__" not in file.parts]


def hash_of(*paths: Path, and_also: str = "") -> str:
    """Of the contents and the names below each path."""
    digest = hashlib.sha256(and_also.encode())
    for path in paths:
        for file in files_of(path):
            digest.update(f"{file.relative_to(path.parent)}\0{file.stat().st_mode & 0o111}\0".encode())
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]


def has_image(docker: Docker, tag: str) -> bool:
    return docker("images", "--quiet", tag) != ""


def make_base(docker: Docker, cache: Path) -> str:
    """The tag of the Debian that all are made of. Its archive is kept, since fetching it takes minutes."""
    key = hash_of(HERE / "debian.sh")
    tag, archive = f"ctr-test/base:{key}", cache / f"base-{key}.tar"
    if has_image(docker, tag):
        return tag
    if not archive.exists():
        root, unfinished = cache / f"base-{key}.folder", archive.with_suffix(".unfinished")
        shutil.rmtree(root, ignore_errors=True)
        run([str(HERE / "debian.sh"), str(root)])
        run(["tar", "-C", str(root), "-cf", str(unfinished), "."])
        shutil.rmtree(root)
        unfinished.rename(archive)
    docker("import", str(archive), tag)
    return tag


def run(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}"
    return done.stdout


def install(packages: tuple[str, ...], target: Path) -> None:
    """Packages of PyPI for the Python of the base, 3.11: those that this Python has are taken from it, since fetching all takes minutes."""
    same = sys.version_info[:2] == (3, 11)
    missing = [package for package in packages if not (same and take_installed(package, target))]
    if not missing:
        return
    # Another Python has to do with what is there as a wheel.
    other = [] if same else ["--only-binary=:all:", "--python-version=3.11"]
    run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *other, f"--target={target}", *missing])


def take_installed(package: str, target: Path) -> bool:
    """False if this Python has it not, or another version."""
    name, _, version = package.partition("==")
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    # Programs are outside of the folder of the packages, and begin with the path of this Python.
    files = {file for file in found.files or () if ".." not in file.parts}
    if found.version != version or not files:
        return False
    for file in files:
        if (source := Path(str(file.locate()))).is_file():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(source, target / file)
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """Thirty thousand files: another name each where the disk is the same, since they are only read."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def make(docker: Docker, recipe: Recipe, base: str, work: Path) -> None:
    """The image, under its public name; nothing but the name if it is there already."""
    beside = recipe.beside()
    key = hash_of(HERE / recipe.folder, *beside.values(), and_also=f"{base} {recipe.packages}")
    tag = f"ctr-test/{recipe.folder}:{key}"
    if not has_image(docker, tag):
        context = work / recipe.folder
        shutil.copytree(HERE / recipe.folder, context)
        for name, source in beside.items():
            target = context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
        install(recipe.packages, context / "packages")
        # No Dockerfile here needs a builder other than the engine's own.
        docker("build", "--network", recipe.network, "--build-arg", f"BASE={base}", "--tag", tag, str(context))
        shutil.rmtree(context)
    docker("tag", tag, recipe.name)
    forget_older(docker, recipe.folder, key)


def forget_older(docker: Docker, folder: str, key: str) -> None:
    """Images of earlier contents: the binaries' has another with every change of our code."""
    tags = docker("images", f"ctr-test/{folder}", "--format", "{{.Tag}}").split()
    for old in (tag for tag in tags if tag != key):
        docker("rmi", "--force", f"ctr-test/{folder}:{old}")


def make_all(docker: Docker, cache: Path, work: Path) -> None:
    base = make_base(docker, cache)
    for recipe in RECIPES:
        make(docker, recipe, base, work)
