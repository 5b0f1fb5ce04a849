"""The Dockerfile without building it: hadolint, what it copies, and that compose runs it as it is made."""

import re
import subprocess

import pytest

from compose.model import CHECKOUT, TOOLS, services, variables

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
CARGO = (CHECKOUT / "Cargo.toml").read_text()
RUNTIME = DOCKERFILE[DOCKERFILE.rindex("\nFROM "):]


def cargo(name: str) -> str:
    """A value of the workspace's Cargo.toml."""
    found = re.search(rf"^{name} = (.+)$", CARGO, re.MULTILINE)
    assert found, name
    return found.group(1).strip('"')


@pytest.mark.parametrize("path", ["Dockerfile", "superset/Dockerfile"])
def test_hadolint_finds_nothing(path: str) -> None:
    result = subprocess.run([str(TOOLS / "hadolint"), "--failure-threshold", "style", str(CHECKOUT / path)], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr


def test_the_builder_is_new_enough_and_its_tag_is_the_one_of_compose() -> None:
    tag = re.search(r"^ARG RUST_TAG=(.+)$", DOCKERFILE, re.MULTILINE)
    assert tag and {tag.group(1)} == variables()["RUST_TAG"]
    assert [int(n) for n in tag.group(1).split("-")[0].split(".")] >= [int(n) for n in cargo("rust-version").split(".")]
    runtime = re.search(r"^ARG RUNTIME_TAG=(.+)$", DOCKERFILE, re.MULTILINE)
    assert runtime and {runtime.group(1)} == variables()["RUNTIME_TAG"]
    # rust:*-bookworm and debian12 are the same release: the C library of the one runs what the other links.
    assert tag.group(1).endswith("-bookworm") and "debian12" in RUNTIME


def test_the_context_holds_the_workspace_and_nothing_else() -> None:
    ignore = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignore[0] == "*" and all(line.startswith("!") for line in ignore[1:])
    kept = [line[1:] for line in ignore[1:]]
    members = re.findall(r'"([^"]+)"', cargo("members"))
    assert "crates/ctr-pipeline" in members
    for path in ("Cargo.toml", "Cargo.lock", "config/application.yml", *members):
        assert any(path == entry or path.startswith(f"{entry}/") for entry in kept), f"{path} is not in .dockerignore"
    for entry in kept:
        assert (CHECKOUT / entry).exists(), entry
    copied = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    for source in (path for line in copied for path in line.split()[:-1]):
        assert (CHECKOUT / source).exists(), source
        assert any(source == entry or source.startswith(f"{entry}/") for entry in kept), source


def test_every_builder_can_build_it_and_none_asks_a_registry_for_a_frontend() -> None:
    for path in ("Dockerfile", "superset/Dockerfile"):
        text = (CHECKOUT / path).read_text()
        assert not re.search(r"^#\s*(syntax|check)\s*=", text, re.MULTILINE), path
        # Of BuildKit alone: mounts of a step, here-documents, COPY --link, --parents and --chmod.
        assert not re.search(r"--mount|--link|--parents|--chmod|<<", text), path


def test_what_we_depend_on_is_compiled_in_a_layer_before_our_code() -> None:
    build = DOCKERFILE[DOCKERFILE.index(" AS build"):]
    manifests, code = build.index("COPY --from=manifests"), build.index("COPY crates")
    assert manifests < build.index("cargo build") < code < build.rindex("cargo build")
    bins = re.findall(r"cargo build ([^\\\n&]+)", build)
    assert len(bins) == 2 and len({line.strip() for line in bins}) == 1, "the same profile and programs, or the layer is of no use"


def test_superset_is_process_1() -> None:
    """A stop reaches it: a shell in front of it would sit the grace period out."""
    text = (CHECKOUT / "superset/Dockerfile").read_text()
    assert re.search(r'^CMD \["gunicorn"', text, re.MULTILINE) and services()["superset"].get("command") is None


def test_the_image_is_not_root_and_has_no_shell() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", RUNTIME, re.MULTILINE)
    assert user and user.group(1) != "0"
    assert f"--chown={user.group(1)}:{user.group(2)} " in RUNTIME
    assert "distroless" in RUNTIME and "\nRUN " not in RUNTIME
    for name in ("ctr-pipeline", "impression-producer", "click-producer"):
        assert "user" not in services()[name], "the image's own user"
        assert "CMD-SHELL" not in str(services()[name].get("healthcheck", ""))


def test_compose_runs_what_the_image_holds() -> None:
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", RUNTIME[RUNTIME.index("\nENV "):RUNTIME.index("\nUSER ")]))
    pipeline = services()["ctr-pipeline"]
    for name, value in environment.items():
        assert pipeline["environment"].get(name, value) == value, name
    log_folder = re.search(r"^COPY --from=build --chown=\S+ /out/logs (\S+)$", RUNTIME, re.MULTILINE)
    assert log_folder and log_folder.group(1) == pipeline["environment"]["LOGGING_DIRECTORY"]
    assert re.search(r'^ENTRYPOINT \["/usr/local/bin/ctr-pipeline"\]$', RUNTIME, re.MULTILINE)
    assert re.search(r"^COPY --from=build /out/bin/ /usr/local/bin/$", RUNTIME, re.MULTILINE)
    assert services()["click-producer"]["entrypoint"] == ["/usr/local/bin/ctr-producer"]
    assert str(pipeline["ports"][0]["target"]) == re.findall(r"^EXPOSE (\d+)$", RUNTIME, re.MULTILINE)[0]


def test_the_version_is_that_of_the_workspace_and_the_labels_are_those_of_oci() -> None:
    assert f"ARG VERSION={cargo('version')}\n" in RUNTIME
    labels = set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", RUNTIME))
    assert {"title", "description", "licenses", "version", "revision", "base.name"} <= labels
