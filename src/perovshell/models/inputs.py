"""The columns of a prediction request, in one table, and how a cell of them is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from perovshell.data.tables import float_of, plain_number
from perovshell.data.usual import CORE_SIZE_RANGE, PERCENT_RANGE, TEMPERATURE_RANGE, UsualRange
from perovshell.data.vocabulary import WORDS, is_unknown
from perovshell.texts import excerpt


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
    except (TypeError, ArithmeticError):
        is_missing = True  # NA: whether it equals itself is NA too; Decimal("sNaN").
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
