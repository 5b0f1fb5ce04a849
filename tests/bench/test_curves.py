"""What the scaling benchmark is asked, and the logs that follow from it. Nothing is measured here."""

import pytest

from curves import LOOK, WHOLE, Task, options, tasks_of


def test_a_look_has_all_curves_and_the_whole_ends_where_the_issue_does():
    assert options([], None).curves == LOOK
    whole = options(["--whole"], None).curves
    assert whole == WHOLE
    assert [values[-1] for values in whole.values()] == [100_000_000, 1_000_000, 48, 4, 4, 0.5]


def test_one_curve_may_have_values_of_its_own():
    assert options(["--curves", "late share", "--values", "0,0.25"], None).curves == {"late share": (0, 0.25)}


@pytest.mark.parametrize(("arguments", "says"), [
    (["--curves", "events,planets"], "there is no planets"), (["--values", "1,2"], "name it with --curves"),
    (["--curves", "threads", "--values", "0.5"], "0.5 cannot be for threads"), (["--curves", "late share", "--values", "2"], "2 cannot be"),
])
def test_a_mistake_is_explained(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        options(arguments, None)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("products", [5, 1_000, 100_000, 1_000_000])
def test_each_product_has_events_in_every_window_however_many_there_are(products: int):
    shape = Task("products", products).shape
    assert shape.products == products
    assert shape.events >= 3 * products * shape.span_seconds / 10


def test_only_what_grows_differs_from_the_usual_log():
    usual = Task("threads", 1).shape
    assert (Task("threads", 3).threads, Task("instances", 3).threads) == (3, 2)
    assert (Task("threads", 3).instances, Task("instances", 3).instances) == (1, 3)
    shapes = {task.shape for task in tasks_of(WHOLE)}
    assert Task("instances", 4).shape == Task("late share", 0).shape == Task("partitions", 6).shape == usual
    assert len(shapes) == 1 + 3 + 4 + 5 + 5, "every point but threads, instances, 6 partitions and no late events has a log of its own"
