"""One engine and one stack in containers for the whole run: bringing it up takes a minute."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.engine import CACHE, DockerEngine, NoEngine, engine_for_tests, speak_through
from containers.images import recipes
from containers.stack import ContainerStack


@pytest.fixture(scope="session")
def docker_folder() -> Iterator[Path]:
    """Short, since a socket is in it."""
    with tempfile.TemporaryDirectory(prefix="ctr-docker-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def engine_of_docker(docker_folder: Path, request: pytest.FixtureRequest) -> Iterator[DockerEngine]:
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def show(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(text, file=sys.stderr, flush=True)

    speak_through(show)
    try:
        with engine_for_tests(docker_folder) as engine:
            # Before a stack takes its part of the processor.
            if engine.images == "packages" and {item.path.stem for item in request.session.items} & {"test_superset", "test_monitoring"}:
                for recipe in (recipes.SUPERSET, *recipes.MONITORING):
                    recipes.make(engine, recipe, recipes.make_base(engine, CACHE), docker_folder / "images")
            yield engine
    except NoEngine as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def session_stack(engine_of_docker: DockerEngine, docker_folder: Path) -> Iterator[ContainerStack]:
    stack = ContainerStack(engine_of_docker, docker_folder)
    yield stack
    stack.end()


@pytest.fixture
def stack(session_stack: ContainerStack) -> ContainerStack:
    """Up, with events flowing and rows of them."""
    session_stack.ensure_up()
    return session_stack


@pytest.fixture
def stack_with_superset(stack: ContainerStack) -> ContainerStack:
    """Superset as well, whose image is a gigabyte."""
    if not stack.is_running("superset"):
        said = stack.must("setup.sh", "--docker")
        assert "Superset and Kafka UI healthy" in said and "dashboards imported" in said, said
    return stack


# A stack that comes up first and is taken down last: each file may be run alone, but so it is brought up once.
ORDER = ("test_engine", "test_setup", "test_scripts", "test_rights", "test_load", "test_faults", "test_superset", "test_monitoring", "test_teardown",
         "test_upgrade", "test_image_build")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    for item in mine:
        # The first one makes images, and each may be the one that brings the stack up.
        item.add_marker(pytest.mark.timeout(2400))
    ordered = iter(sorted(mine, key=lambda item: ORDER.index(item.path.stem) if item.path.stem in ORDER else -1))
    items[:] = [next(ordered) if here in item.path.parents else item for item in items]
