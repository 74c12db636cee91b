"""What is kept between answers is bounded, whatever is asked."""

import gc
import pickle
import tracemalloc
from itertools import count, islice

from perovshell.model import Model
from perovshell.remembered import MOST, Remembered


def test_a_copy_begins_empty() -> None:
    lengths = Remembered(len, most=3)
    assert [lengths[text] for text in ("a", "bc", "a")] == [1, 2, 1]
    copy = pickle.loads(pickle.dumps(lengths))
    assert not copy
    assert [copy[text] for text in ("a", "bc", "def", "ghij")] == [1, 2, 3, 4]
    assert dict(copy) == {"ghij": 4}


def test_a_value_that_cannot_be_made_is_not_kept() -> None:
    inverses = Remembered(lambda number: 1 / number)
    try:
        inverses[0]
    except ZeroDivisionError:
        assert not inverses
    else:
        raise AssertionError


def test_memory_does_not_grow_with_the_shells_that_were_asked_for(model: Model) -> None:
    shells = (f"CsPbBr{3 - number / 1e4:g}Cl{number / 1e4:g}" for number in count(1))

    def ask(number: int) -> int:
        rows = [{"core": "CsPbBr3", "shell": shell} for shell in islice(shells, number)]
        assert not any(answer["error"] for answer in model.predict(rows))
        del rows
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        ask(MOST)
        full, later = ask(MOST), ask(MOST)
    finally:
        tracemalloc.stop()
    assert later < 1.02 * full
