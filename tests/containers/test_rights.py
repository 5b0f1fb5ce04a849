"""What the engine lets each container do, and who owns what it writes."""

import io
import os
import re
import shutil
import subprocess
import tarfile
import uuid

import pytest

from containers.stack import STAYING, ContainerStack

BINARIES = {"usr/local/bin/ctr-pipeline", "usr/local/bin/ctr-producer", "usr/local/bin/ctr-verify"}
OURS = ("ctr-pipeline", "impression-producer", "click-producer")


@pytest.mark.parametrize("service", STAYING)
def test_no_capabilities_no_new_privileges_not_root(stack: ContainerStack, service: str) -> None:
    found = stack.inspect(service)
    host = found["HostConfig"]
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0 and host["RestartPolicy"]["Name"] == "unless-stopped"
    status = dict(line.split(":", 1) for line in open(f"/proc/{found['State']['Pid']}/status").read().splitlines() if ":" in line)
    assert {status[name].strip() for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"].strip() == "1"
    assert "0" not in status["Uid"].split() and "0" not in status["Gid"].split(), "nobody is root"


@pytest.mark.parametrize("service", OURS)
def test_our_own_containers_cannot_write_to_their_image(stack: ContainerStack, service: str) -> None:
    found = stack.inspect(service)
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    root = next(line.split() for line in open(f"/proc/{found['State']['Pid']}/mountinfo") if line.split()[4] == "/")
    assert "ro" in root[5].split(",")


def test_everything_is_published_on_the_loopback_alone(stack: ContainerStack) -> None:
    published = {(name, port): [b["HostIp"] for b in bindings] for name in STAYING
                 for port, bindings in stack.inspect(name)["NetworkSettings"]["Ports"].items() if bindings}
    assert len(published) == 7
    assert {address for addresses in published.values() for address in addresses} == {"127.0.0.1"}


@pytest.mark.parametrize(("service", "target", "user"), [("ctr-pipeline", "/var/log/ctr-pipeline", 65532), ("clickhouse", "/var/lib/clickhouse", 101),
                                                         ("kafka1", "/var/lib/kafka/data", 1000)])
def test_volumes_belong_to_who_writes_them(stack: ContainerStack, service: str, target: str, user: int) -> None:
    source = next(mount["Source"] for mount in stack.inspect(service)["Mounts"] if mount["Destination"] == target)
    if not os.access(source, os.R_OK):
        pytest.skip("the engine's folder is not readable by this user")
    owners = {os.stat(os.path.join(folder, name)).st_uid for folder, _, names in os.walk(source) for name in names}
    assert os.stat(source).st_uid == user and owners == {user}


def files_of(stack: ContainerStack, image: str) -> dict[str, int]:
    """Files of an image by their size."""
    made = stack.engine("create", image, "nothing")
    try:
        archive = subprocess.run(["docker", "export", made], env={**os.environ, **stack.engine.environment}, capture_output=True, check=True).stdout
    finally:
        stack.engine("rm", made)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {entry.name: entry.size for entry in files if not entry.isdir()}


def test_the_image_holds_three_binaries_and_says_what_it_is(stack: ContainerStack) -> None:
    base, ours = files_of(stack, "gcr.io/distroless/cc-debian12:nonroot"), files_of(stack, "ctr-pipeline:local")
    assert set(ours) - set(base) == BINARIES | {"opt/ctr-pipeline/config/application.yml"}
    labels = stack.engine("inspect", "--format", '{{index .Config.Labels "org.opencontainers.image.version"}} '
                          '{{index .Config.Labels "org.opencontainers.image.revision"}}', "ctr-pipeline:local").split()
    assert labels[0] == "0.1.0" and len(labels) == 2
    size = int(stack.engine("inspect", "--format", "{{.Size}}", "ctr-pipeline:local"))
    print(f"image: {size / 1e6:.1f} MB, binaries {[ours[name] for name in sorted(BINARIES)]}")
    assert size < 100_000_000


def test_one_shots_and_the_rest_show_no_bad_health(stack: ContainerStack) -> None:
    stack.wait_for_health("ctr-pipeline", "healthy")
    shown = stack.engine("ps", "--all", "--filter", f"label=com.docker.compose.project={stack.project}", "--format", "{{.Names}} {{.Status}}")
    assert "unhealthy" not in shown, shown


def client_with_buildkit(stack: ContainerStack) -> str:
    """A client that can ask for BuildKit: one with buildx, or one that still has it built in, as Debian's."""
    for client in ("docker", "/usr/bin/docker"):
        if shutil.which(client):
            done = subprocess.run([client, "buildx", "version"], env={**os.environ, **stack.engine.environment}, capture_output=True)
            version = subprocess.run([client, "--version"], capture_output=True, text=True).stdout
            if done.returncode == 0 or re.search(r"version (19|20)\.", version):
                return client
    pytest.skip("no client here asks for BuildKit: docker has no buildx")


@pytest.mark.parametrize("builder", ["older", "BuildKit"])
def test_a_change_of_our_code_leaves_the_layer_of_what_we_depend_on(stack: ContainerStack, builder: str) -> None:
    client = client_with_buildkit(stack) if builder == "BuildKit" else "docker"
    command = [client, "build", "--network", "none", "--target", "build", "--build-arg", "RUST_TAG=1.95-bookworm"]
    environment = {**os.environ, **stack.engine.environment, "DOCKER_BUILDKIT": "1" if builder == "BuildKit" else "0", "BUILDKIT_PROGRESS": "plain"}

    def build() -> str:
        done = subprocess.run([*command, str(stack.checkout)], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=1200)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    build()
    source = stack.checkout / "crates/ctr-domain/src/lib.rs"
    text = source.read_text()
    # Another change each time: BuildKit may still have what it built of the same change in an earlier run.
    source.write_text(f"{text}// changed: {uuid.uuid4()}\n")
    try:
        said = build()
    finally:
        source.write_text(text)
    # The two say it in different words.
    if builder == "older":
        kept = re.search(r"^Step \d+/\d+ : RUN cargo build.*\n ---> Using cache$", said, re.MULTILINE)
        ours = re.search(r"^Step \d+/\d+ : RUN find crates -name '\*\.rs' -exec touch.*\n ---> Running", said, re.MULTILINE)
    else:
        step = re.search(r"^(#\d+) \[build \d+/\d+\] RUN cargo build", said, re.MULTILINE)
        kept = step and f"{step.group(1)} CACHED" in said
        step = re.search(r"^(#\d+) \[build \d+/\d+\] RUN find crates", said, re.MULTILINE)
        ours = step and f"{step.group(1)} CACHED" not in said
    assert kept and ours, said[-3000:]
