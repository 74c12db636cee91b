"""Names of columns that nearly are inputs, or are about one: refused, with what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from perovshell.errors import InputError
from perovshell.models.inputs import INPUT_COLUMNS, INPUTS, REQUIRED, Input
from perovshell.texts import excerpt

_UNITS: Final = {
    **dict.fromkeys(("percent", "percentage", "pct"), "%"),
    **dict.fromkeys(("c", "celsius", "degc"), "deg C"),
    **dict.fromkeys(("a", "angstrom", "angstroms", "\u00e5"), "angstrom"),
    **dict.fromkeys(("k", "kelvin"), "K"),
    "nm": "nm",
    "um": "um",
    "ev": "eV",
    "f": "deg F",
}
"""Units that may follow the name of a number instead of its own, as they are written."""
_FILLING: Final = frozenset(
    {"average", "avg", "class", "formula", "kind", "material", "mean", "name", "nanocrystal", "nc"}
    | {"of", "particle", "qd", "surface", "the", "type"}
)
"""Words that add nothing to the subject of a column."""
_PANDAS_COPY: Final = re.compile(r"\.\d+$")
"""How pandas marks the second column of a name."""
_LONGEST: Final = 100
"""Characters of a name that are compared."""
_TYPING_ERROR: Final = 0.92
"""Similarity of two names, from 0 to 1, from which one counts as a typing error of the other."""


def refuse_near_names(names: Iterable[object]) -> None:
    """Refuse columns that are no input but nearly have the name of one.

    They would be ignored silently. Other columns are none of this function's concern.

    Args:
        names: Names of the columns of a table of requests.

    Raises:
        InputError: Names differ from an input's by case, blanks, order, unit or a typing error;
            all are named.

    Examples:
        >>> refuse_near_names(["core", "shell", "sample_id", "my notes"])
        >>> refuse_near_names(["core", "shell", "Core size"])
        Traceback (most recent call last):
        perovshell.errors.InputError: column 'Core size': not an input; rename it to 'core_size_nm'
    """
    texts = [name for name in names if isinstance(name, str)]
    first = {column: column for column in texts if column in INPUTS}
    near = {
        name: near_input(name) or _input_of_subject(name, first)
        for name in sorted(texts)
        if name not in INPUTS
    }
    near = {name: column for name, column in near.items() if column}
    renamed, doubled = [], []
    for name, column in near.items():
        if column in first:
            doubled.append(f"{_shown(first[column])} and {_shown(name)} both mean {column!r}")
        else:
            renamed.append(_remedy("it" if len(near) == 1 else _shown(name), name, column))
            first[column] = name
    if near:
        kind, what = ("column", "an input") if len(near) == 1 else ("columns", "inputs")
        remedies = [", ".join(renamed)] if renamed else []
        remedies += [f"{', '.join(doubled)}: keep one"] if doubled else []
        msg = f"{kind} {', '.join(map(_shown, near))}: not {what}; {'; '.join(remedies)}"
        raise InputError(msg)


def name_refusal(name: str) -> str:
    """Return why a name is not that of an input, and what to do.

    Examples:
        >>> name_refusal("size_A")
        "not an input; convert it from angstrom to nm and rename it to 'core_size_nm'"
    """
    column = near_input(name) or _input_of_subject(name, REQUIRED)
    if column:
        return f"not an input; {_remedy('it', name, column)}"
    return f"not an input; allowed: {', '.join(INPUT_COLUMNS)}"


def _input_of_subject(name: str, present: Iterable[str]) -> str:
    """Return the missing input that a name is about, as `particle size (nm)` is about a core's."""
    words = set(re.findall(r"[^\W\d_]+", name[:_LONGEST].casefold()))
    for column in INPUTS.values():
        rest = words - _FILLING - _UNITS.keys() - {*column.words}
        if column.name not in present and rest and rest <= {*column.subjects}:
            return column.name
    return ""


def _remedy(shown: str, name: str, column: str) -> str:
    """Return how a column is mended; numbers in another unit are converted first."""
    units = [_UNITS[word] for word in re.findall(r"[^\W_]+", name.casefold()) if word in _UNITS]
    unit = INPUTS[column].unit
    if not unit or not units or units[-1] == unit:
        return f"rename {shown} to {column!r}"
    return f"convert {shown} from {units[-1]} to {unit} and rename it to {column!r}"


def _shown(name: str) -> str:
    return repr(excerpt(name))


@lru_cache(maxsize=1024)
def near_input(name: str) -> str:
    """Return the input whose name a name nearly is; empty where there is none.

    Examples:
        >>> [near_input(name) for name in ("Medium", "plqy bare (%)", "bare_peak_ev", "size")]
        ['medium', 'bare_plqy_percent', 'bare_pl_peak_nm', '']
    """
    words = re.findall(r"[^\W_]+", _PANDAS_COPY.sub("", name[:_LONGEST]).casefold())
    letters = "".join(words)
    for spelling, column in _SPELLINGS.items():
        endings = "|".join(_UNITS) if INPUTS[column].unit else "s"
        if re.fullmatch(f"{spelling}({endings})?", letters):
            return column
    in_any_order = _sorted(words)
    if in_any_order in _WORDS:
        return _WORDS[in_any_order]
    if re.search(r"\d", letters):
        return ""  # `ligand_2` is a column of its own, not a typing error.
    close = difflib.get_close_matches(letters, _SPELLINGS, n=1, cutoff=_TYPING_ERROR)
    return _SPELLINGS[close[0]] if close else ""


def _sorted(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a name in order, without its unit."""
    return tuple(sorted(word for word in words if word not in _UNITS))


def _spellings(column: Input) -> Iterator[list[str]]:
    """Yield the words of each name that means an input: with its unit and without."""
    words = column.name.split("_")
    yield from (words, words[:-1]) if column.unit else (words,)
    yield from (spelling.split("_") for spelling in column.spellings)


_SPELLINGS: Final = {
    "".join(words): name for name, column in INPUTS.items() for words in _spellings(column)
}
"""Letters of each name of an input, and the input."""
_WORDS: Final = {
    _sorted(words): name
    for name, column in INPUTS.items()
    for words in _spellings(column)
    if len(_sorted(words)) > 1
}
"""Words of each name of several words, and the input."""
