"""Plots of measured samples: PL against composition and size, and the PLQY of each shell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Final

from perovshell.data.records import Sample
from perovshell.data.shells import NONE
from perovshell.data.summary import measured_text
from perovshell.evidence.drawing import GRID, INK, as_svg, text_at, tooltip
from perovshell.evidence.light import light_colour
from perovshell.evidence.table import EvidenceTable
from perovshell.texts import counted, excerpt

WIDTH: Final = 900
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 130, 44, 56
_MAP_HEIGHT: Final = 460
_LANE: Final = 34
"""Height of the lane of samples whose size is not known."""
_SIZES_NM: Final = (2.0, 50.0)
"""Ends of the axis of sizes; samples outside are at the end."""
_SIZE_TICKS: Final = (2, 3, 5, 7, 10, 15, 20, 30, 50)
_HALIDES: Final = {"Cl": 0.0, "Br": 1.0, "I": 2.0}
"""Place of each halide on the axis of composition, which runs as the gap falls."""
_LEGEND_NM: Final = (420, 460, 500, 540, 580, 620, 660, 700)
_SHELL_LEFT, _ROW = 240, 20
_LONGEST_NAME: Final = 24
_SAMPLE: Final = "#0b6e99"
_POINTED: Final = {">": 1, "<": -1}
"""Bounds that a triangle shows, by where it points."""
MOST_SHELLS: Final = 40
"""Shells of a plot: those in most papers."""


@dataclass(frozen=True)
class PeakMap:
    """Measured PL peaks by halide composition and core size, each in the colour of its light.

    Attributes:
        title: Its title.
        samples: Samples with a measured peak and a core of halides.
        papers: Paper of each sample.
    """

    title: str
    samples: tuple[Sample, ...]
    papers: tuple[str, ...]
    width: int = WIDTH
    height: int = _MAP_HEIGHT

    def svg(self) -> str:
        """Return the plot as a file."""
        return as_svg(self.title, self.width, self.height, self._elements())

    def _elements(self) -> Iterator[str]:
        yield text_at(8, 20, self.title, size=14, weight="bold")
        base = self.height - _BOTTOM
        for halide, place in _HALIDES.items():
            x = self._x(place)
            yield f'<path d="M{x:.1f} {_TOP}V{base}" stroke="{GRID}"/>'
            yield text_at(x, base + 18, f"{halide} alone", anchor="middle")
        for name in ("Cl and Br", "Br and I"):
            middle = 0.5 if name.startswith("Cl") else 1.5
            yield text_at(self._x(middle), base + 18, name, anchor="middle")
        yield text_at(self._x(1.0), base + 38, "halides of the core", anchor="middle")
        for size in _SIZE_TICKS:
            y = self._y(size)
            yield f'<path d="M{_LEFT} {y:.1f}H{self.width - _RIGHT}" stroke="{GRID}"/>'
            yield text_at(_LEFT - 8, y + 4, f"{size} nm", anchor="end")
        yield text_at(_LEFT - 8, _TOP + _LANE / 2 + 4, "size unknown", anchor="end", size=11)
        yield from self._points()
        yield from self._legend()

    def _points(self) -> Iterator[str]:
        for number_of, (sample, paper) in enumerate(zip(self.samples, self.papers, strict=True)):
            x = self._x(halide_place(sample) or 0.0)
            y = self._y(sample.core_size_nm)
            if math.isnan(sample.core_size_nm):
                # Side by side in the lane, so that they do not hide one another.
                y += (number_of % 5 - 2) * 5
            peak = measured_text(sample.pl_peak, "nm")
            text = f"{sample.core_text} / {sample.shell}{_size(sample)}: PL {peak} ({paper})"
            edge = INK if sample.is_bare else "white"
            colour = light_colour(sample.pl_peak_nm)
            yield (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}" '
                f'stroke="{edge}">{tooltip(text)}</circle>'
            )

    def _legend(self) -> Iterator[str]:
        x = self.width - _RIGHT + 24
        yield text_at(x, _TOP + 4, "PL peak", weight="bold")
        for row, peak in enumerate(_LEGEND_NM):
            y = _TOP + 24 + 22 * row
            yield f'<circle cx="{x + 6}" cy="{y}" r="6" fill="{light_colour(peak)}"/>'
            yield text_at(x + 20, y + 4, f"{peak} nm")
        y = _TOP + 24 + 22 * len(_LEGEND_NM) + 8
        yield f'<circle cx="{x + 6}" cy="{y}" r="5" fill="white" stroke="{INK}"/>'
        yield text_at(x + 20, y + 4, "bare core")

    def _x(self, place: float) -> float:
        return _LEFT + 20 + place / 2.0 * (self.width - _LEFT - _RIGHT - 40)

    def _y(self, size: float) -> float:
        if math.isnan(size):
            return _TOP + _LANE / 2
        low, high = _SIZES_NM
        share = math.log(min(max(size, low), high) / low) / math.log(high / low)
        base = self.height - _BOTTOM
        return base - 8 - share * (base - 16 - _TOP - _LANE)


@dataclass(frozen=True)
class YieldPlot:
    """Measured PLQY by shell: a point a sample, a mark at the median over papers.

    A value with a sign is a triangle that points to where it lies. A median that such values leave
    open is a line.

    Attributes:
        title: Its title.
        rows: Shells with their samples, best median first.
        papers: Paper of each sample, by its sample_id.
    """

    title: str
    rows: tuple[tuple[str, tuple[Sample, ...]], ...]
    papers: dict[str, str]
    width: int = WIDTH

    @property
    def height(self) -> int:
        """Height in pixels."""
        return _TOP + _BOTTOM + _ROW * len(self.rows)

    def svg(self) -> str:
        """Return the plot as a file."""
        return as_svg(self.title, self.width, self.height, self._elements())

    def _elements(self) -> Iterator[str]:
        yield text_at(8, 20, self.title, size=14, weight="bold")
        base = self.height - _BOTTOM
        for percent in range(0, 101, 20):
            x = self._x(percent)
            yield f'<path d="M{x:.1f} {_TOP - 6}V{base}" stroke="{GRID}"/>'
            yield text_at(x, base + 16, str(percent), anchor="middle")
        axis = f"PLQY in percent{self._legend}"
        yield text_at(self._x(50), base + 36, axis, anchor="middle")
        for row, (shell, samples) in enumerate(self.rows):
            yield from self._row(shell, samples, _TOP + _ROW * (row + 0.5))

    @property
    def _legend(self) -> str:
        is_bounded = any(one.plqy.bound in _POINTED for _, some in self.rows for one in some)
        text = "triangle: at least or at most; line: median that these leave open"
        return f" ({text})" if is_bounded else ""

    def _row(self, shell: str, samples: Sequence[Sample], y: float) -> Iterator[str]:
        papers = {self.papers[one.sample_id] for one in samples}
        name = excerpt(_name(shell), _LONGEST_NAME)
        yield text_at(8, y + 4, f"{name}, {counted(len(papers), 'paper')}")
        for one in samples:
            paper = self.papers[one.sample_id]
            text = f"{one.core_text} / {shell}: {measured_text(one.plqy, '%')} ({paper})"
            yield _mark(self._x(one.plqy_percent), y, one.plqy.bound, text)
        low, high = map(self._x, _median(samples, self.papers))
        yield f'<path d="M{low:.1f} {y - 8}v16" stroke="{INK}" stroke-width="2"/>'
        if high > low:
            yield f'<path d="M{low:.1f} {y}H{high:.1f}" stroke="{INK}" stroke-width="2"/>'

    def _x(self, percent: float) -> float:
        return _SHELL_LEFT + percent / 100.0 * (self.width - _SHELL_LEFT - 30)


def halide_place(sample: Sample) -> float | None:
    """Return where the core of a sample is from Cl (0) over Br (1) to I (2); None without any."""
    shares = {} if sample.core is None else sample.core.site_fractions("X")
    total = sum(shares.get(halide, 0.0) for halide in _HALIDES)
    if not total:
        return None
    return sum(place * shares.get(halide, 0.0) for halide, place in _HALIDES.items()) / total


def peak_map(table: EvidenceTable) -> PeakMap | None:
    """Return the measured peaks of a table; None where there is none."""
    chosen = [
        one
        for one in table.samples
        if one.role == "core" and one.pl_peak.is_given and halide_place(one) is not None
    ]
    if not chosen:
        return None
    papers = tuple(table.dataset.papers[one.paper_id].label for one in chosen)
    title = f"Measured PL peaks{_asked(table)}: {counted(len(chosen), 'sample')}"
    return PeakMap(title, tuple(chosen), papers)


def yield_plot(table: EvidenceTable) -> YieldPlot | None:
    """Return the measured PLQY of a table by shell, the best of what it is at least first.

    None where there is none.
    """
    chosen = [one for one in table.samples if one.role == "core" and one.plqy.is_given]
    if not chosen:
        return None
    papers = {one.sample_id: table.dataset.papers[one.paper_id].label for one in chosen}
    by_shell: dict[str, list[Sample]] = {}
    for one in chosen:
        by_shell.setdefault(one.shell, []).append(one)

    def count(shell: str) -> int:
        return len({papers[one.sample_id] for one in by_shell[shell]})

    shells = sorted(by_shell, key=lambda shell: (-count(shell), shell))[:MOST_SHELLS]
    medians = {shell: _median(by_shell[shell], papers) for shell in shells}
    shells.sort(key=lambda shell: (*(-end for end in medians[shell]), shell))
    more = len(by_shell) - len(shells)
    rest = f" (the {MOST_SHELLS} in most papers)" if more else ""
    title = f"Measured PLQY by shell{_asked(table)}{rest}"
    return YieldPlot(title, tuple((shell, tuple(by_shell[shell])) for shell in shells), papers)


def _median(samples: Sequence[Sample], papers: dict[str, str]) -> tuple[float, float]:
    """Return the least and the most that the median over papers of their mean PLQY can be."""
    by_paper: dict[str, list[tuple[float, float]]] = {}
    for one in samples:
        by_paper.setdefault(papers[one.sample_id], []).append(_ends(one))
    means = [tuple(map(mean, zip(*some, strict=True))) for some in by_paper.values()]
    low, high = (median(ends) for ends in zip(*means, strict=True))
    return low, high


def _ends(sample: Sample) -> tuple[float, float]:
    """Return the least and the most that the PLQY of a sample can be, in percent."""
    value = sample.plqy_percent
    return {">": (value, 100.0), "<": (0.0, value)}.get(sample.plqy.bound, (value, value))


def _mark(x: float, y: float, bound: str, text: str) -> str:
    """Return the mark of a sample: a point, or a triangle that points to where its value lies."""
    look = f'fill="{_SAMPLE}" fill-opacity="0.6"'
    sign = _POINTED.get(bound)
    if sign is None:
        shape, end = f'<circle cx="{x:.1f}" cy="{y}" r="4" {look}>', "</circle>"
    else:
        shape, end = f'<path d="M{x:.1f} {y - 5}v10l{8 * sign} -5z" {look}>', "</path>"
    return f"{shape}{tooltip(text)}{end}"


def _size(sample: Sample) -> str:
    """Return the core size of a sample as printed, or as its monolayers have it."""
    if sample.core_size.is_given:
        return f", {measured_text(sample.core_size, 'nm')}"
    return "" if math.isnan(sample.core_size_nm) else f", {sample.core_size_nm:g} nm"


def _asked(table: EvidenceTable) -> str:
    words = table.query.words
    return f" ({', '.join(words.values())})" if words else ""


def _name(shell: str) -> str:
    return "bare" if shell == NONE else shell
