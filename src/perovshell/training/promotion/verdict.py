"""Results of the promotion check: changes of the data, comparisons, conditions, verdict."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from perovshell.files import jsonable
from perovshell.targets.declared import TARGETS
from perovshell.texts import counted
from perovshell.training.promotion.drift import Drift
from perovshell.training.validation.figures import Triple
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores

SURPRISE: Final = 0.025
"""Probability of scores as large as those of the new papers, below which they are refused."""
CHANCE: Final = 0.0025
"""Probability with which any other condition may hold back a clean addition."""
INTERVAL: Final = 1 - 2 * CHANCE
"""Level of the paired bootstrap intervals over papers."""
FEWEST_PAPERS: Final = 10
"""A comparison of fewer papers decides nothing: their bootstrap is too narrow."""
ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Changes:
    """What a dataset has, and a model's did not have: paper_ids in rising order."""

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    gone: tuple[str, ...]

    @classmethod
    def between(
        cls,
        known: Mapping[str, str],
        now: Mapping[str, str],
        older: Mapping[str, Collection[str]] | None = None,
    ) -> Changes:
        """Compare the digests of papers.

        Args:
            known: Digest of each paper before.
            now: Digest of each paper now.
            older: For a paper the names of what it supersedes: a study known under another name is
                no new one.
        """
        renamed = {name for name, names in (older or {}).items() if known.keys() & set(names)}
        changed = {name for name in now.keys() & known.keys() if now[name] != known[name]}
        added = now.keys() - known.keys()
        return cls(
            added=tuple(sorted(added - renamed)),
            replaced=tuple(sorted(changed | (added & renamed))),
            gone=tuple(sorted(known.keys() - now.keys())),
        )

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.added or self.replaced or self.gone)

    def __str__(self) -> str:
        """Count and name them."""
        parts = [
            f"{counted(len(papers), 'paper')} {word} ({_names(papers)})"
            for word, papers in asdict(self).items()
            if papers
        ]
        return "; ".join(parts) or "no paper changed"


def _names(papers: tuple[str, ...], shown: int = 5) -> str:
    rest = len(papers) - shown
    return ", ".join(papers[:shown]) + (f" and {rest} more" if rest > 0 else "")


@dataclass(frozen=True)
class Footprint:
    """What a model costs: milliseconds a prediction, and the megabytes of its folder."""

    milliseconds: float
    megabytes: float


@dataclass(frozen=True)
class Prospect:
    """How a target of the new papers was predicted before training on them.

    Attributes:
        papers: Number of new papers (a collection counts as one).
        champion: Mean loss of the champion, which never saw them.
        challenger: Mean loss of the challenger, each paper left out in turn.
        better_by: What the challenger is better by, with its interval.
        coverage: Share of them that the champion's 90 % intervals covered.
        surprise: Probability of scores this large where new papers come from where the others did;
            NaN where none is in the champion's domain, and for stability.
        least_surprise: The least that this probability can be, by the numbers of papers.
    """

    papers: int
    champion: float
    challenger: float
    better_by: Triple
    coverage: float
    surprise: float
    least_surprise: float

    @property
    def can_surprise(self) -> bool:
        """Whether there are enough papers for their scores to hold a challenger back."""
        return self.least_surprise < SURPRISE


@dataclass(frozen=True)
class Comparison:
    """A target of a champion and a challenger on the papers in both training sets.

    Losses are MAE in nm or points, or minus the mean log likelihood, over papers.

    Attributes:
        target: Name of the target.
        papers: Number of papers compared (a collection counts as one).
        champion: Mean loss of the champion.
        challenger: Mean loss of the challenger.
        better_by: What the challenger is better by, with its interval.
        margin: What it may be worse by.
        coverage: Coverage of the intervals of both.
        coverage_change: What they gained, with its interval.
        width: Mean width of the intervals of both.
        width_change: Share by which they grew, with its interval.
        new: The same on the new papers, or None where there are none.
    """

    target: str
    papers: int
    champion: float
    challenger: float
    better_by: Triple
    margin: float
    coverage: tuple[float, float]
    coverage_change: Triple
    width: tuple[float, float]
    width_change: Triple
    new: Prospect | None

    @property
    def is_decided(self) -> bool:
        """Whether enough papers are compared."""
        return self.papers >= FEWEST_PAPERS

    @property
    def is_better(self) -> bool:
        """Whether the challenger is significantly better, on known or on new papers."""
        new_too = self.new is not None and self.new.papers >= FEWEST_PAPERS
        return (self.is_decided and self.better_by[1] > ROUNDING) or (
            new_too and self.new is not None and self.new.better_by[1] > ROUNDING
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether it is worse beyond the margin, though not significantly."""
        return self.is_decided and self.better_by[0] < -self.margin

    def line(self) -> str:
        """Return the comparison as one line."""
        unit = f" {TARGETS[self.target].error_unit}" if TARGETS[self.target].error_unit else ""
        what = "MAE" if TARGETS[self.target].error_unit else "minus log likelihood"
        value, low, high = self.better_by
        covered, width = "coverage", f"width in{unit}"
        if not unit:
            covered, width = "lower bound certainly covers", "its log distance"
        return (
            f"{TARGETS[self.target].title} ({self.papers} papers): {what} {self.champion:.3g} -> "
            f"{self.challenger:.3g}{unit}, better by {value:.2g} [{low:.2g}, {high:.2g}], margin "
            f"{self.margin:.2g}; {covered} {self.coverage[0]:.3f} -> {self.coverage[1]:.3f}; "
            f"{width} {self.width[0]:.3g} -> {self.width[1]:.3g}"
        )

    def new_line(self) -> str:
        """Return the comparison on new papers as one line; empty where there are none."""
        if self.new is None:
            return ""
        unit = f" {TARGETS[self.target].error_unit}" if TARGETS[self.target].error_unit else ""
        what = "MAE" if TARGETS[self.target].error_unit else "minus log likelihood"
        chance = "" if math.isnan(self.new.surprise) else f"; surprise p = {self.new.surprise:.2g}"
        if chance and not self.new.can_surprise:
            least = self.new.least_surprise
            chance += f" (not tested: with so few new papers no p is below {least:.2g})"
        return (
            f"{TARGETS[self.target].title} of the new papers ({self.new.papers}), predicted before "
            f"training on them: {what} {self.new.champion:.3g}{unit} (challenger, each left out: "
            f"{self.new.challenger:.3g}), covered {self.new.coverage:.2f}{chance}"
        )


@dataclass(frozen=True)
class Check:
    """One condition of the promotion check, its figures, and whether it holds."""

    name: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger is promoted, and why.

    Attributes:
        changes: What changed in the data.
        comparisons: One per target.
        checks: All conditions.
        promote: Whether it is promoted.
        sentence: Why, or why not.
    """

    changes: Changes
    comparisons: tuple[Comparison, ...]
    checks: tuple[Check, ...]
    promote: bool
    sentence: str

    @property
    def failed(self) -> tuple[Check, ...]:
        """The conditions that do not hold."""
        return tuple(check for check in self.checks if not check.passed)

    def lines(self) -> list[str]:
        """Return the verdict with its figures as lines of text."""
        lines = [
            f"Data: {self.changes}",
            f"Papers in both training sets, {INTERVAL:.1%} intervals:",
        ]
        lines += [comparison.line() for comparison in self.comparisons]
        lines += [line for one in self.comparisons if (line := one.new_line())]
        lines += [f"not promoted: {check.sentence}" for check in self.failed]
        return [*lines, self.sentence]

    def figures(self) -> dict[str, float]:
        """Return the finite figures by key, for tracking."""
        figures: dict[str, float] = {}
        for one in self.comparisons:
            key = f"promotion.{one.target}"
            for name, value in asdict(one).items():
                if name == "new" and one.new is not None:
                    for part, number in asdict(one.new).items():
                        figures |= _flat(f"{key}.new.{part}", number)
                else:
                    figures |= _flat(f"{key}.{name}", value)
        return {**figures, "promotion.promote": float(self.promote)}

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON data, NaN and infinity as null."""
        return jsonable(self)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Judgement:
    """A verdict with drift and the scores of the new papers.

    Attributes:
        verdict: The verdict.
        drift: How the new papers differ from the known ones.
        new: The champion's scores on the new papers, by target.
    """

    verdict: Verdict
    drift: Drift
    new: Mapping[str, OutOfFoldScores]


def _flat(key: str, value: Any) -> dict[str, float]:
    if isinstance(value, tuple):
        ends = ("", "_lo", "_hi") if len(value) == 3 else ("_champion", "_challenger")  # noqa: PLR2004
        pairs = {key + end: number for end, number in zip(ends, value, strict=True)}
    else:
        pairs = {key: value}
    return {
        name: float(number)
        for name, number in pairs.items()
        if isinstance(number, int | float) and math.isfinite(number)
    }
