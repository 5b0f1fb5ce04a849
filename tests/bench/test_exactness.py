"""A reading that counted wrong must fail its benchmark."""

from collections.abc import Iterator

import pytest

from exactness import assert_windows
from stack import Truth

Windows = list[tuple[tuple[str, int], tuple[int, int]]]
RIGHT: Windows = [(("product1", 0), (2, 1)), (("product2", 0), (3, 0))]


class Table:
    """Stands for a database that has these windows."""

    def __init__(self, windows: Windows):
        self._windows = windows

    def each_window(self) -> Iterator[tuple[tuple[str, int], tuple[int, int]]]:
        return iter(self._windows)


def test_what_is_right_passes_in_any_order():
    assert_windows(Truth(dict(RIGHT)), Table(RIGHT[::-1]))


@pytest.mark.parametrize(("windows", "says"), [
    (RIGHT[:1], r"1 of 2 windows differ:\n  \('product2', 0\): must be \(3, 0\), is None"),
    ([RIGHT[0], (("product2", 0), (3, 1))], r"must be \(3, 0\), is \(3, 1\)"),
    ([*RIGHT, (("product3", 0), (1, 0))], r"\('product3', 0\): must be None, is \(1, 0\)"),
    ([RIGHT[0], RIGHT[0]], "2 of 2 windows differ"),
], ids=["one missing", "other counts", "one too many", "one twice"])
def test_what_is_wrong_is_named(windows: Windows, says: str):
    with pytest.raises(AssertionError, match=says):
        assert_windows(Truth(dict(RIGHT)), Table(windows))
