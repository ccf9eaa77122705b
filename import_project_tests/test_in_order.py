"""Work in threads whose results come in the order of the work."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from import_project.in_order import in_order


class Piece:
    """Something large, of which nobody should keep more than is worked on."""

    def __init__(self, number: int) -> None:
        self.number = number


@pytest.mark.parametrize("many", [0, 1, 2, 3, 20])
def test_results_come_in_order(many: int) -> None:
    assert list(in_order(lambda n: n * n, range(many))) == [n * n for n in range(many)]


def test_pieces_are_let_go_once_their_results_were_given() -> None:
    pieces = list[weakref.ref[Piece]]()

    def given() -> Iterator[Piece]:
        for number in range(40):
            piece = Piece(number)
            pieces.append(weakref.ref(piece))
            yield piece

    for done, number in enumerate(in_order(lambda piece: piece.number, given())):
        gc.collect()
        kept = [ref().number for ref in pieces if ref() is not None]  # type: ignore[union-attr]
        assert number == done
        assert all(one >= number for one in kept), f"{kept} are kept when {number} was given"


def test_error_comes_where_its_result_would_stand() -> None:
    results = in_order(lambda n: 1 // (3 - n), range(10))
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
