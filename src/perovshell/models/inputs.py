"""The columns of a prediction request, in one table, and how a cell of them is read."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from perovshell.data.tables import float_of, plain_number
from perovshell.data.usual import CORE_SIZE_RANGE, PERCENT_RANGE, TEMPERATURE_RANGE, UsualRange
from perovshell.data.vocabulary import WORDS, is_unknown
from perovshell.errors import InputError
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


@dataclass(frozen=True)
class Input:
    """One column of a request.

    Attributes:
        name: Name of the column.
        kind: How a cell is read: by the formula reader (core, shell), as one of `words`, as a
            number, or as a treatment, of which only its presence counts.
        description: What it means.
        words: Allowed words of a word.
        default_coated: Word of an empty cell where there is a shell.
        default_bare: Word of an empty cell where there is none.
        low: Least allowed number.
        high: Largest allowed number.
        unit: Unit of a number.
        usual: Usual range of a number; a value beyond is answered with a note.
        spellings: Other names by which a column may mean it; they are refused with its name.
        subjects: Words that, alone or with filling words, name it where its own column is missing.
        required: Whether every table of requests needs the column.

    Raises:
        ValueError: A default is no allowed word, or the range is empty.
    """

    name: str
    kind: Literal["core", "shell", "word", "number", "treatment"]
    description: str
    words: tuple[str, ...] = ()
    default_coated: str = ""
    default_bare: str = ""
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    usual: UsualRange | None = None
    spellings: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    required: bool = False

    def __post_init__(self) -> None:
        """Refuse defaults and ranges that contradict the kind."""
        defaults = {self.default_coated, self.default_bare}
        if self.kind == "word" and not defaults <= {*self.words}:
            msg = f"input {self.name}: defaults {sorted(defaults)}, allowed: {self.allowed}"
            raise ValueError(msg)
        if not self.low < self.high:
            msg = f"input {self.name}: range from {self.low} to {self.high}"
            raise ValueError(msg)

    @property
    def allowed(self) -> str:
        """What a cell may hold."""
        if self.kind == "word":
            return f"one of {', '.join(self.words)}"
        if self.kind == "number":
            return f"{self.low:g} to {self.high:g} {self.unit}"
        return "a text"

    def refusal(self, text: str) -> str:
        """Return why a text is neither an allowed word nor an allowed number."""
        rule = (
            f"allowed: {', '.join(self.words)}"
            if self.kind == "word"
            else f"a number from {self.allowed}, or empty"
        )
        if self.kind == "number" and "," in text:
            rule += "; decimals follow a point"
        return f"{self.name} {excerpt(text)!r}: {rule}"


_TABLE: Final = (
    Input(
        "core",
        "core",
        "formula of the core: element symbols, abbreviations of ions such as FA, MA, PEA; "
        "decimals; brackets with amounts; a whole sample such as CsPbBr3@SiO2 where the shell is "
        "empty",
        required=True,
        subjects=("core",),
    ),
    Input(
        "shell",
        "shell",
        "layers from the inside out, joined by |: names, other names or neutral halide formulas; "
        "none is bare",
        required=True,
        subjects=("shell", "coating"),
    ),
    Input(
        "structure",
        "word",
        "how core and shell are put together",
        words=WORDS["structure"],
        default_coated="core/shell",
        default_bare="bare",
        subjects=("structure", "architecture"),
    ),
    Input(
        "encapsulation",
        "word",
        "whether one particle of shell material holds one core or many",
        words=WORDS["encapsulation"],
        default_coated="unknown",
        default_bare="none",
        subjects=("encapsulation",),
    ),
    Input(
        "medium",
        "word",
        "where the emission is measured",
        words=WORDS["medium"],
        default_coated="unknown",
        default_bare="unknown",
        subjects=("medium",),
    ),
    Input(
        "morphology",
        "word",
        "shape of the core",
        words=WORDS["morphology"],
        default_coated="nanocrystal",
        default_bare="nanocrystal",
        subjects=("morphology", "shape"),
    ),
    Input(
        "ligand",
        "treatment",
        "name of a special ligand or post-treatment; not oleic acid or oleylamine",
        subjects=("ligand", "ligands", "treatment", "passivation"),
    ),
    Input(
        "dopant",
        "treatment",
        "name of a dopant that is not part of the core's formula",
        subjects=("dopant", "dopants", "doping"),
    ),
    Input(
        "core_size_nm",
        "number",
        "size of the core: edge of a cube, diameter of a dot, width of a wire, thickness of a "
        "platelet",
        low=0.3,
        high=10_000.0,
        unit="nm",
        usual=CORE_SIZE_RANGE,
        subjects=("size", "diameter"),
    ),
    Input(
        "shell_thickness_nm",
        "number",
        "accepted but ignored (a note says so), as too few papers state it",
        low=0.1,
        high=100_000.0,
        unit="nm",
        subjects=("thickness",),
    ),
    Input(
        "bare_pl_peak_nm",
        "number",
        "measured PL peak of the same core without a shell",
        low=200.0,
        high=2000.0,
        unit="nm",
        spellings=("bare_pl", "bare_peak", "pl_peak_without_shell", "uncoated_pl_peak"),
    ),
    Input(
        "bare_plqy_percent",
        "number",
        "measured PLQY of the same core without a shell",
        low=0.0,
        high=100.0,
        unit="%",
        usual=PERCENT_RANGE,
        spellings=("plqy_without_shell", "uncoated_plqy"),
    ),
    Input(
        "temperature_c",
        "number",
        "temperature of the stability tests that are predicted",
        low=-273.15,
        high=2000.0,
        unit="deg C",
        usual=TEMPERATURE_RANGE,
        spellings=("t_c", "t_degc", "t_k"),
        subjects=("temperature", "temp"),
    ),
)

INPUTS: Final = {column.name: column for column in _TABLE}
"""Every column of a request by its name."""
INPUT_COLUMNS: Final = tuple(INPUTS)
REQUIRED: Final = tuple(name for name, column in INPUTS.items() if column.required)
INPUT_WORDS: Final = {
    name: column.words for name, column in INPUTS.items() if column.kind == "word"
}
"""Allowed words of each column with fixed words."""
INPUT_NUMBERS: Final = {
    name: (column.low, column.high) for name, column in INPUTS.items() if column.kind == "number"
}
"""Least and largest allowed value of each numeric column."""


# Cells -----------------------------------------------------------------------------------------


def cell_text(cell: Any) -> str:
    """Return the text of a cell without outer blanks; empty where it is unknown.

    Unknown is None and what is not equal to itself: NaN, and the NaT and NA of pandas.
    """
    if type(cell) is str:
        return cell.strip()
    if cell is None:
        return ""
    try:
        is_missing = bool(cell != cell)  # noqa: PLR0124
    except TypeError:
        is_missing = True  # NA: whether it equals itself is NA too.
    except ValueError:
        is_missing = False  # An array: its text is refused with a message that shows it.
    return "" if is_missing else _text(cell)


def _text(cell: Any) -> str:
    try:
        return str(cell).strip()
    except ValueError:
        # Python writes out no whole number of more than some thousand digits.
        return f"a whole number of {int(cell).bit_length():,} bits"


def cell_number(cell: Any) -> float:
    """Return the number of a cell: NaN where it is unknown, infinity where it is no number.

    Examples:
        >>> [cell_number(cell) for cell in (5, " 62.5 ", "n/a", None, "no")]
        [5.0, 62.5, nan, nan, inf]
    """
    if type(cell) is float:
        return cell
    if type(cell) is int:
        return float_of(cell)
    text = cell_text(cell)
    value = plain_number(text) if text else math.nan
    return math.inf if math.isnan(value) and not is_unknown(text) else value


# Names of columns ------------------------------------------------------------------------------


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
