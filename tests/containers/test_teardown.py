"""What is left when it is over."""

from containers.stack import ContainerStack


def test_down_leaves_the_data_and_setup_goes_on_with_it(stack: ContainerStack) -> None:
    rows = stack.rows()
    said = stack.must("down.sh", "--docker")
    assert "the data stays" in said
    left = stack.left()
    assert left and all(line.startswith(f"volume {stack.project}_") for line in left), left
    stack.setup()
    assert stack.rows() >= rows
    stack.reconcile()


def test_down_with_volumes_leaves_nothing(stack: ContainerStack) -> None:
    """Started by hand as well: then one-shots are containers that stay, with the volumes of their images."""
    done = stack.compose("up", "--detach", "clickhouse-init", "kafka-init")
    assert done.returncode == 0, done.stderr
    said = stack.must("down.sh", "--docker", "--volumes")
    assert "the volumes are removed" in said
    assert stack.left() == []
    assert stack.must("down.sh", "--docker", "--volumes"), "once more changes nothing"


def test_a_lost_env_beside_old_metadata_has_two_ways_out(session_stack: ContainerStack) -> None:
    session_stack.script("down.sh", "--docker", "--volumes")
    text = session_stack.env.read_text()
    volume = f"{session_stack.project}_superset-home"
    session_stack.engine("volume", "create", volume)
    try:
        session_stack.env.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("SUPERSET_SECRET_KEY")))
        done = session_stack.script("setup.sh", "--docker")
        assert done.returncode == 2 and "put the old .env back" in done.stdout and f"docker volume rm --force {volume}" in done.stdout, done.stdout
        assert [line for line in session_stack.left() if volume not in line] == [], "nothing was started"
    finally:
        session_stack.engine("volume", "rm", volume)
        session_stack.env.write_text(text)
