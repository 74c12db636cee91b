"""What is kept between answers is bounded, whatever is asked."""

import gc
import pickle
import tracemalloc
import weakref
from itertools import count, islice

import pytest

from perovshell.model import Model
from perovshell.remembered import MOST, Remembered


def test_a_copy_begins_empty() -> None:
    lengths: Remembered[str, int] = Remembered(most=3)
    assert [lengths.made(text, len) for text in ("a", "bc", "a")] == [1, 2, 1]
    copy = pickle.loads(pickle.dumps(lengths))
    assert not copy
    assert [copy.made(text, len) for text in ("a", "bc", "def", "ghij")] == [1, 2, 3, 4]
    assert dict(copy) == {"ghij": 4}


def test_a_value_that_cannot_be_made_is_not_kept() -> None:
    inverses: Remembered[int, float] = Remembered()
    with pytest.raises(ZeroDivisionError):
        inverses.made(0, lambda number: 1 / number)
    assert not inverses


def test_values_do_not_keep_their_owner(model: Model) -> None:
    own = Model.from_folder(model.folder)
    own.predict([{"core": "CsPbBr3", "shell": "SiO2"}])
    parts = [weakref.ref(own.predictor.stability), weakref.ref(own.predictor.literature)]
    gc.disable()
    try:
        del own
        assert [part() for part in parts] == [None, None]
    finally:
        gc.enable()


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
