"""Forest plots of half-lives and gains: a line for each test, a diamond for each pooled value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from perovshell.data.records import StabilityTest
from perovshell.evidence.drawing import GRID, INK, as_svg, text_at
from perovshell.evidence.pooling import Pooled, pool
from perovshell.evidence.table import QUANTITIES, EvidenceTable, PooledRow, values
from perovshell.texts import counted, excerpt, number
from perovshell.unknown import EqualUnknowns

_TOP, _BOTTOM = 44, 40
_POOLED: Final = "#0b6e99"
_UNITS: Final = {"half-life": " h", "gain": ""}
_AXES: Final = {"half-life": "half-life in hours", "gain": "stability gain"}
_ROOM: Final = 0.2
"""Decades that are left free on each side."""
_CLOSE: Final = 0.02
"""Decades below which an interval is drawn as a point."""
_LETTER: Final = 6.8
"""Usual width of a letter."""
MOST_LINES: Final = 30
"""Lines of a plot of chosen combinations."""


@dataclass(frozen=True)
class Layout:
    """Sizes of a plot in pixels.

    Attributes:
        width: Width of all.
        left: Width left of the axis.
        right: Width right of the axis.
        line: Height of a line.
        ticks: Most ticks of the axis.
        is_stacked: Whether texts are above the intervals, not beside them.
    """

    width: int
    left: int
    right: int
    line: int
    ticks: int
    is_stacked: bool = False


WIDE: Final = Layout(900, 360, 150, 20, 9)
NARROW: Final = Layout(360, 12, 28, 34, 5, is_stacked=True)
"""For the screen of a phone."""


@dataclass(frozen=True, eq=False)
class Line(EqualUnknowns):
    """One line of a plot.

    Attributes:
        label: What it shows.
        low: Lower end; 0 is open.
        high: Upper end; inf is open.
        median: Median of a pooled value, NaN of others.
        is_pooled: Whether it is a pooled value.
    """

    label: str
    low: float
    high: float
    median: float = math.nan
    is_pooled: bool = False

    @property
    def ends(self) -> list[float]:
        """The positive finite numbers of it."""
        return [x for x in (self.low, self.high, self.median) if 0.0 < x < math.inf]

    def text(self, unit: str) -> str:
        """Return its values with their unit."""
        low, high = (number(float(f"{end:.2g}")) for end in (self.low, self.high))
        if math.isinf(self.high):
            return f"> {low}{unit}"
        return f"< {high}{unit}" if self.low == 0.0 else f"{low} to {high}{unit}"


@dataclass(frozen=True)
class ForestPlot:
    """A forest plot of one quantity under one stressor.

    Attributes:
        title: Its title.
        quantity: One of `table.QUANTITIES`.
        lines: Its lines, from the top.
        layout: Its sizes.
    """

    title: str
    quantity: str
    lines: tuple[Line, ...] = field(default_factory=tuple)
    layout: Layout = WIDE

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.layout.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return _TOP + _BOTTOM + self.layout.line * len(self.lines)

    def svg(self) -> str:
        """Return the plot as a file."""
        return as_svg(self.title, self.width, self.height, self._elements())

    def _elements(self) -> Iterator[str]:
        layout = self.layout
        yield text_at(8, 20, self.title, size=14, weight="bold")
        first, last = self._range
        base = _TOP + layout.line * len(self.lines)
        for power in _ticks(first, last, layout.ticks):
            x = self._x(10.0**power)
            yield f'<path d="M{x:.1f} {_TOP - 6}V{base}" stroke="{GRID}"/>'
            yield text_at(x, base + 16, number(10.0**power), anchor="middle")
        middle = (layout.left + layout.width - layout.right) / 2
        yield text_at(middle, base + 33, _AXES[self.quantity], anchor="middle")
        for row, line in enumerate(self.lines):
            yield from self._line(line, _TOP + layout.line * (row + 0.5))

    def _line(self, line: Line, middle: float) -> Iterator[str]:
        weight = "bold" if line.is_pooled else "normal"
        lift = 8 if self.layout.is_stacked else 0
        base = middle + 4 - lift
        text = line.text(_UNITS[self.quantity])
        label = self._fitting(line.label, text) if lift else line.label
        yield text_at(8 if line.is_pooled else 20, base, label, weight=weight)
        yield text_at(self.layout.width - 8, base, text, anchor="end", weight=weight)
        y = middle + lift
        yield from self._pooled(line, y) if line.is_pooled else self._test(line, y)

    def _fitting(self, label: str, text: str) -> str:
        """Return as much of a label as there is room for before a text."""
        return excerpt(label, int((self.layout.width - 28) / _LETTER) - len(text) - 3)

    def _pooled(self, line: Line, y: float) -> Iterator[str]:
        if math.isnan(line.median) and math.isfinite(line.high):
            high = self._x(line.high)
            yield from self._arrow(high, y, -1, _POOLED)
            yield f'<path d="M{high:.1f} {y - 6}v12" stroke="{_POOLED}" stroke-width="2"/>'
            return
        low = self._x(line.low)
        if math.isinf(line.high):
            yield from self._arrow(low, y, 1, _POOLED)
            yield f'<path d="M{low:.1f} {y - 6}v12" stroke="{_POOLED}" stroke-width="2"/>'
            return
        middle, high = self._x(line.median), self._x(line.high)
        yield (
            f'<path d="M{low:.1f} {y}L{middle:.1f} {y - 6}L{high:.1f} {y}L{middle:.1f} {y + 6}Z" '
            f'fill="{_POOLED}"/>'
        )

    def _test(self, line: Line, y: float) -> Iterator[str]:
        if math.isinf(line.high):
            x = self._x(line.low)
            yield from self._arrow(x, y, 1, INK)
            yield f'<path d="M{x:.1f} {y - 4}v8" stroke="{INK}"/>'
        elif line.low == 0.0:
            x = self._x(line.high)
            yield from self._arrow(x, y, -1, INK)
            yield f'<path d="M{x:.1f} {y - 4}v8" stroke="{INK}"/>'
        elif math.log10(line.high / line.low) < _CLOSE:
            x = self._x(math.sqrt(line.low * line.high))
            yield f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{INK}"/>'
        else:
            low, high = self._x(line.low), self._x(line.high)
            middle = (low + high) / 2
            yield f'<path d="M{low:.1f} {y}H{high:.1f}" stroke="{INK}" stroke-width="2"/>'
            yield f'<circle cx="{middle:.1f}" cy="{y}" r="3" fill="{INK}"/>'

    def _arrow(self, x: float, y: float, sign: int, colour: str) -> Iterator[str]:
        """Yield a line with an arrow to the right (1) or to the left (-1)."""
        end = self.layout.width - self.layout.right if sign > 0 else self.layout.left
        yield f'<path d="M{x:.1f} {y}H{end - 6 * sign}" stroke="{colour}" stroke-width="1.5"/>'
        tip = f"M{end} {y}l{-8 * sign} -4v8z"
        yield f'<path d="{tip}" fill="{colour}"/>'

    @property
    def _range(self) -> tuple[float, float]:
        ends = [math.log10(end) for line in self.lines for end in line.ends] or [0.0]
        return min(ends) - _ROOM, max(ends) + _ROOM

    def _x(self, value: float) -> float:
        first, last = self._range
        share = (math.log10(value) - first) / (last - first)
        layout = self.layout
        return layout.left + share * (layout.width - layout.left - layout.right)


def forest_plots(table: EvidenceTable) -> list[ForestPlot]:
    """Return the forest plots of a table: half-lives and gains under each stressor."""
    panels = dict.fromkeys((row.quantity, row.stressor) for row in table.pooled)
    return [_plot(table, quantity, stressor) for quantity, stressor in panels]


def combination_plots(
    table: EvidenceTable, names: Sequence[str], stressors: Sequence[str]
) -> list[ForestPlot]:
    """Return the forest plots of chosen combinations, each with its tests, under stressors.

    The spreads between papers are learned from all tests of the table that count. A plot has at
    most `MOST_LINES` lines: those of the first combinations. The last of them has the tests for
    which there is room, and says of how many.

    Args:
        table: The evidence.
        names: Combinations as `core / shell`, in their order.
        stressors: The stressors.

    Raises:
        FitError: A fit did not converge.
    """
    panels = [(quantity, stressor) for stressor in stressors for quantity in QUANTITIES]
    plots = [_combination_plot(table, names, *panel) for panel in panels]
    return [plot for plot in plots if plot.lines]


def _combination_plot(
    table: EvidenceTable, names: Sequence[str], quantity: str, stressor: str
) -> ForestPlot:
    measured = values([t for t in table.all_tests if t.stressor == stressor], quantity)
    groups = {one.name: one for one in pool([value for _, value in measured], "combination")}
    lines: list[Line] = []
    for name in (name for name in names if name in groups):
        tests = [
            Line(_paper_text(table, test), value.low, value.high)
            for test, value in measured
            if value.name("combination") == name
        ]
        room = MOST_LINES - len(lines) - 1
        if room < 1:
            break
        pooled, rest = _pooled_line(groups[name]), len(tests) - room
        if rest > 0:
            pooled = replace(pooled, label=f"{pooled.label}, {room} of {len(tests)} tests shown")
        lines += [pooled, *tests[:room]]
    return ForestPlot(f"{_AXES[quantity].capitalize()} under {stressor}", quantity, tuple(lines))


def _plot(table: EvidenceTable, quantity: str, stressor: str) -> ForestPlot:
    rows = [row for row in table.pooled if (row.quantity, row.stressor) == (quantity, stressor)]
    asked = ", ".join(text for name, text in table.query.words.items() if name != "stressor")
    title = f"{_AXES[quantity].capitalize()} under {stressor}{f': {asked}' if asked else ''}"
    return ForestPlot(title, quantity, tuple(_lines(table, rows, quantity, stressor)))


def _lines(
    table: EvidenceTable, rows: Sequence[PooledRow], quantity: str, stressor: str
) -> Iterator[Line]:
    """Yield each shell, on the core that is asked for, with its tests, then the classes."""
    tests = [test for test in table.tests if test.stressor == stressor]
    measured = values(tests, quantity)
    level = "combination" if table.query.core else "shell"
    for pooled in _of_level(rows, level):
        yield _pooled_line(pooled)
        for test, value in measured:
            if value.name(level) == pooled.name:
                label = f"{value.core}, {_paper_text(table, test)}"
                yield Line(label, value.low, value.high)
    for pooled in _of_level(rows, "class"):
        yield _pooled_line(pooled, "class ")


def _paper_text(table: EvidenceTable, test: StabilityTest) -> str:
    paper = table.dataset.papers[test.sample.paper_id]
    return paper.label + (f" ({paper.year})" if paper.year else "")


def _of_level(rows: Sequence[PooledRow], level: str) -> list[Pooled]:
    return [row.pooled for row in rows if row.pooled.level == level]


def _pooled_line(pooled: Pooled, prefix: str = "") -> Line:
    label = f"{prefix}{pooled.name}, {counted(pooled.papers, 'paper')}"
    median = math.nan if pooled.median is None else pooled.median
    high = math.inf if pooled.at_most is None else pooled.at_most
    low = 0.0 if pooled.median is None and pooled.at_most is not None else pooled.at_least
    return Line(label, low, high, median, is_pooled=True)


def _ticks(first: float, last: float, most: int) -> list[int]:
    """Return the decades within a range, some left out where there are many."""
    decades = list(range(math.ceil(first), math.floor(last) + 1))
    step = max(math.ceil(len(decades) / most), 1)
    return decades[::step]
