"""The Dockerfile's own compilation, which takes minutes: everywhere else a builder stands in that hands out binaries."""

import re
from pathlib import Path

import pytest

from containers.engine import CACHE, DockerEngine, say
from containers.images import recipes
from containers.stack import copy_checkout, seconds_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(5400)]

OURS = {"ctr-domain", "ctr-pipeline", "ctr-producer", "ctr-simulation", "ctr-verify"}


def compiled(said: str) -> set[str]:
    # The engine's older builder colors what came through standard error, in pieces that end anywhere, also within a name.
    return set(re.findall(r"Compiling (\S+) v", re.sub(r"\x1b\[\d*m", "", said)))


def test_the_image_compiles_and_after_a_change_our_code_alone(engine_of_docker: DockerEngine, docker_folder: Path) -> None:
    tag = "1.95-bookworm"
    network = ["--network", "default"]
    if engine_of_docker.images == "packages":
        recipes.make(engine_of_docker, recipes.RUST, recipes.make_base(engine_of_docker, CACHE), docker_folder / "images")
        tag, network = "compiling", ["--network", "none"]
    checkout = docker_folder / "compiled"
    copy_checkout(checkout)
    said: list[str] = []

    def build(*more: str) -> None:
        said.append(engine_of_docker("build", *network, *more, "--build-arg", f"RUST_TAG={tag}", "--tag", "ctr-pipeline:compiled", str(checkout),
                                     seconds=3600))

    first = seconds_of(lambda: build("--no-cache"))
    source = checkout / "crates/ctr-domain/src/lib.rs"
    source.write_text(source.read_text() + "// changed\n")
    second = seconds_of(build)
    say(f"the image: {first:.0f} s the first time, {second:.0f} s after a change of our code")
    assert {"rdkafka-sys", "tokio"} | OURS - {"ctr-simulation"} <= compiled(said[0])
    assert compiled(said[1]) <= OURS and "ctr-domain" in compiled(said[1]), "what we depend on is not compiled again"
    assert "ctr-pipeline 0.1.0" in engine_of_docker("run", "--rm", "--network", "none", "ctr-pipeline:compiled", "--version")
