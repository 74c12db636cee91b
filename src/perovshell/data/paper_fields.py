"""The fields of a paper file: which cells of the tables each key fills, in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Final

from perovshell.data.columns import PAPERS, SAMPLES, TESTS, Column
from perovshell.data.printed import ENERGIES, UNITS, read_printed
from perovshell.data.schema import Check, Reader, text
from perovshell.data.targets import TIME_TO_FAILURE
from perovshell.errors import InputError

SIDES: Final = ("coated", "bare")
NAMES: Final = {"name": "sample_id", "bare": "bare_sample_id"}
"""Keys of an identity without its paper, and the columns of the whole identities."""
_HINT: Final = (
    "; with a sign, a range or a deviation as it is printed: ~85, >90, 52-64, 81 \u00b1 3"
)
_DURATIONS: Final = "; or with a unit (s, min, h, d, weeks, months, years), such as 30 d"
_DOI_HEAD: Final = re.compile(r"(?:https?://)?(?:(?:dx\.)?doi\.org/|doi:\s*)", re.IGNORECASE)
DURATION_BOUND: Final = "duration_bound"
"""The sign before a duration, until it is joined with that of the percent."""
_WAVELENGTHS: Final = frozenset({"pl_peak_nm"})
"""Columns of a wavelength that may be printed as a photon energy."""
_hours = partial(read_printed, units=UNITS["h"])
_PART_NAMES: Final = {"bound": "a sign", "low": "a range", "high": "a range"}


def _plain_doi(written: str) -> dict[str, str]:
    """Return a DOI without the address that stands before it.

    Example:
        >>> _plain_doi("https://doi.org/10.1021/jacs.7b11003")
        {'value': '10.1021/jacs.7b11003'}
    """
    return {"value": _DOI_HEAD.sub("", written)}


def _whole(written: str) -> dict[str, str]:
    return {"value": written}


@dataclass(frozen=True)
class Field:
    """One key of a paper file that fills cells of a table.

    Attributes:
        key: The key.
        columns: The column of each part of its text: value, bound, low, high.
        split: Returns the parts of a text.
        hint: What is allowed beyond what the column says.
    """

    key: str
    columns: Mapping[str, Column]
    split: Callable[[str], Mapping[str, str]] = _whole
    hint: str = ""

    @classmethod
    def of(cls, column: Column, key: str = "") -> Field:
        """Return the field of one column; its key is the name of the column, if not given."""
        split = _whole
        if column.kind == "doi":
            split = _plain_doi
        elif column.kind == "number" and column.unit in UNITS:
            split = partial(read_printed, units=UNITS[column.unit])
        return cls(key or column.name, {"value": column}, split)

    @property
    def names(self) -> set[str]:
        """Names of the columns."""
        return {column.name for column in self.columns.values()}

    @property
    def reader(self) -> Reader[dict[str, str]]:
        """Declares the value; reads it as cells by column."""
        column = self.columns["value"]
        prose, allowed = column.kind == "text", column.allowed + self.hint
        nulls = frozenset(column.words)
        return text(allowed, prose=prose, nulls=nulls, omits=column.is_unknown).then(self.cells)

    def cells(self, written: str) -> dict[str, str]:
        """Return the cells that a text fills, by column.

        Raises:
            InputError: A cell breaks the rule of its column.
        """
        parts = self._kept(written, self.split(written))
        for part, cell in parts.items():
            rule = self.columns[part].fault(cell)
            if rule:
                raise InputError(rule + self.hint)
        return {self.columns[part].name: cell for part, cell in parts.items()}

    def _kept(self, written: str, parts: Mapping[str, str]) -> dict[str, str]:
        """Return the parts that have a column; a single number takes the middle of a range."""
        kept = {part: cell for part, cell in parts.items() if part in self.columns}
        lost = parts.keys() - kept.keys()
        is_single = self.columns.keys() == {"value"}
        is_middle = is_single and lost <= {"low", "high"}
        if not lost or is_middle or (lost == {"bound"} and parts["bound"] == "~"):
            return kept
        what = _PART_NAMES.get(min(lost), min(lost))
        msg = f"{written!r} has {what}, and {self.key} is one number"
        raise InputError(msg)

    def _read_again(self, written: str) -> Mapping[str, str]:
        try:
            return self._kept(written, self.split(written)) if written else {}
        except InputError:
            return {}

    def write(self, cells: dict[str, str], printed: str = "") -> str:
        """Take cells out of a row and return the text that is read as these; or an empty text.

        Args:
            cells: The cells by column; those of the field are taken out.
            printed: The text that they were read from, where it is known.
        """
        parts = {part: cells.get(column.name, "") for part, column in self.columns.items()}
        value = parts["value"]
        ends = f"{parts.get('low')}-{parts.get('high')}"
        texts = (printed, ends, f"{parts.get('bound', '')}{value}")
        for written in texts if value else ():
            read = self._read_again(written)
            if read and read.items() <= parts.items():
                for part in read:
                    del cells[self.columns[part].name]
                return written
        return cells.pop(self.columns["value"].name, "")


def clashes(fields: Iterable[Field]) -> Iterator[Check]:
    """Yield the rules that no two keys fill the same cell."""
    for first, second in combinations(fields, 2):
        if first.names & second.names:
            yield Check((second.key, first.key), partial(_clash, first.key))


def _clash(key: str, cells: Mapping[str, str] | None, others: Mapping[str, str] | None) -> str:
    both = (cells or {}).keys() & (others or {}).keys()
    return f"{min(both)} is given by {key} already; leave one of them out" if both else ""


def write_cells(
    fields: Iterable[Field], row: Mapping[str, str], printed: Mapping[str, str]
) -> dict[str, str]:
    """Return the texts by key that are read as the cells of a row.

    Args:
        fields: The fields.
        row: The cells by column.
        printed: What numbers were read from, by the column of their value.
    """
    cells = {column: cell for column, cell in row.items() if cell}
    texts = {
        field.key: field.write(cells, printed.get(field.columns["value"].name, ""))
        for field in fields
    }
    return {key: written for key, written in texts.items() if written}


def key_path(table: str, column: str) -> str:
    """Return the path of the key of a paper file that fills a column of a table.

    Example:
        >>> key_path("stability.csv", "coated_duration_h"), key_path("samples.csv", "sample_id")
        ('samples.stability.coated.duration', 'samples.name')
    """
    if table == PAPERS.file or not column:
        return column
    keys = {column: key for key, column in NAMES.items()}
    if table == SAMPLES.file or column == "sample_id":
        return f"samples.{keys.get(column, column)}"
    for side in SIDES:
        if column.startswith(f"{side}_"):
            key = column.removeprefix(f"{side}_").removesuffix("_h")
            return f"samples.stability.{side}.{key}"
    return f"samples.stability.{column}"


# The fields of each table --------------------------------------------------------------------


def paper_fields() -> tuple[Field, ...]:
    """Return the fields of a paper."""
    return tuple(map(Field.of, PAPERS.columns))


def sample_fields() -> tuple[Field, ...]:
    """Return the fields of a sample."""
    keys = {column: key for key, column in NAMES.items()}
    fields: list[Field] = []
    for column in SAMPLES.columns:
        if column.name in keys:
            fields.append(Field.of(column, keys[column.name]))
        if column.stem:
            parts = {part: SAMPLES[name] for part, name in column.companions.items()}
            fields.append(_number(column, parts))
        elif column.name != "paper_id":
            fields.append(Field.of(column))
    return tuple(fields)


def stability_fields() -> tuple[Field, ...]:
    """Return the fields of a stability test but for its sides."""
    names = (name for name in TESTS.names if name != "sample_id" and not name.startswith(SIDES))
    return tuple(Field.of(TESTS[name]) for name in names)


def side_fields(*, bound: str = DURATION_BOUND) -> tuple[Field, ...]:
    """Return the fields of one side of a stability test.

    Args:
        bound: The cell of the sign before a duration: `bound` itself is that of a time to failure.
    """
    columns = [column for column in TESTS.columns if column.name.startswith(SIDES[0])]
    names = [column.name.removeprefix(f"{SIDES[0]}_") for column in columns]
    side = {name: replace(column, name=name) for name, column in zip(names, columns, strict=True)}
    parts = {part: side[f"percent_{part}"] for part in ("low", "high")}
    sign = side["bound"]
    fields = {name: Field.of(column) for name, column in side.items()}
    fields["percent"] = _number(side["percent"], {**parts, "bound": sign})
    duration = {"value": side["duration_h"], "bound": replace(sign, name=bound)}
    return (Field("duration", duration, _hours, _DURATIONS), *fields.values())


def joined_side(cells: Mapping[str, str], measure: str) -> dict[str, str]:
    """Return the cells of a side with one sign, that of its duration taken into account.

    More than a percent was left at any time before the end: "80 % for more than 2 weeks" is at
    least 80 % after 2 weeks, "5 % in less than 1 h" at most 5 % after 1 h.

    Args:
        cells: Cells by the names of the columns without their side, and `DURATION_BOUND`.
        measure: The measure of the test.

    Raises:
        InputError: The signs of duration and percent say nothing together.

    Examples:
        >>> joined_side({"duration_h": "336", DURATION_BOUND: ">", "percent": "80"}, "remnant PL")
        {'duration_h': '336', 'percent': '80', 'bound': '>'}
    """
    joined = dict(cells)
    sign = joined.pop(DURATION_BOUND, "")
    bound = joined.get("bound", "")
    if sign and measure != TIME_TO_FAILURE and "percent" not in cells:
        msg = f"a duration with a sign and no percent; is the measure {TIME_TO_FAILURE!r}?"
        raise InputError(msg)
    if measure == TIME_TO_FAILURE:
        if sign and bound and sign != bound:
            msg = f"bound {bound!r} and duration {sign!r} are two signs; leave one of them out"
            raise InputError(msg)
        return {**joined, "bound": sign or bound} if sign or bound else joined
    if not sign or sign == "~":
        return joined
    if bound not in {"", "~", sign}:
        msg = (
            f"a duration {sign!r} with a percent {bound!r} says nothing of either; give one of "
            f"them without its sign"
        )
        raise InputError(msg)
    end = "percent_low" if sign == ">" else "percent_high"
    ends = {"percent_low", "percent_high"} & joined.keys()
    if ends:
        joined["percent"] = joined[end]
    return {name: cell for name, cell in joined.items() if name not in ends} | {"bound": sign}


def _number(column: Column, parts: Mapping[str, Column]) -> Field:
    energies = ENERGIES if column.name in _WAVELENGTHS else {}
    split = partial(read_printed, units={**UNITS.get(column.unit, {}), **energies})
    return Field(column.name, {"value": column, **parts}, split, _HINT)
