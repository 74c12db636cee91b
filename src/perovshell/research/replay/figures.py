"""What a replay found: losses of the three models by year and over all years, in words and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.files import jsonable
from perovshell.targets.declared import GAIN, LIFETIME, PL, PLQY, TARGETS
from perovshell.training.promotion.verdict import FEWEST_PAPERS, Verdict
from perovshell.training.validation.figures import PaperBootstrap, Triple
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores

Floats = npt.NDArray[np.float64]

PL_LEAD: Final = "pl_lead"
"""PL peaks of lead halides outside the CsPbCl3 collection."""
POLICIES: Final = {
    "never": "the first model, never retrained",
    "gated": "the model that the gate let through",
    "always": "the latest model, always taken",
}
"""The models that live side by side."""
TITLES: Final = {
    PL.name: PL.title,
    PL_LEAD: "PL peak, lead halides outside the collection",
    **{one.name: one.title for one in (PLQY, LIFETIME, GAIN)},
}
_UNIT: Final = {
    **{one.name: one.error_unit for one in TARGETS.values()},
    PL_LEAD: PL.error_unit,
}
_NOTHING: Final = (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Score:
    """How a target of some papers was predicted before they were learned.

    Losses are mean errors in nm or points, or minus the mean log likelihood, over papers (a
    collection counts as one); without papers they are NaN.

    Attributes:
        target: One of `TITLES`.
        papers: Number of papers.
        loss: Mean loss over papers, by `POLICIES`.
        median: Median of the papers' mean losses, by `POLICIES`.
        coverage: Share that the 90 % intervals (stability: lower bounds) cover, by `POLICIES`.
        paid: What retraining through the gate paid: the loss of `never` less that of `gated`, with
            its interval; the ends are NaN with fewer than `FEWEST_PAPERS` papers.
        paid_ungated: What retraining without the gate paid: `never` less `always`, likewise.
        spared: What the gate spared: `always` less `gated`, likewise.
        largest: The paper with the largest loss of `gated`, and its share of their sum; None where
            the loss is no error.
    """

    target: str
    papers: int
    loss: Mapping[str, float]
    median: Mapping[str, float]
    coverage: Mapping[str, float]
    paid: Triple
    paid_ungated: Triple
    spared: Triple
    largest: tuple[str, float] | None

    @classmethod
    def of(cls, target: str, marks: Mapping[str, OutOfFoldScores]) -> Score:
        """Compare the marks that the models of `POLICIES` got on the same rows."""
        some = marks["gated"]
        if not len(some.rows):
            unknown = dict.fromkeys(POLICIES, math.nan)
            return cls(target, 0, unknown, unknown, unknown, *(_NOTHING,) * 3, None)
        bootstrap = PaperBootstrap.of(some.groups, some.share)
        losses = {name: by_paper(own, own.loss) for name, own in marks.items()}
        coverage = {name: by_paper(own, own.covered) for name, own in marks.items()}
        return cls(
            target=target,
            papers=len(losses["gated"]),
            loss={name: _mean(own) for name, own in losses.items()},
            median={name: float(np.median(list(own.values()))) for name, own in losses.items()},
            coverage={name: _mean(own) for name, own in coverage.items()},
            paid=_better_by(bootstrap, marks["never"], some),
            paid_ungated=_better_by(bootstrap, marks["never"], marks["always"]),
            spared=_better_by(bootstrap, marks["always"], some),
            largest=_largest(losses["gated"]) if _UNIT[target] else None,
        )

    @property
    def unit(self) -> str:
        """Unit of the losses, empty for minus a log likelihood."""
        return _UNIT[self.target]

    def short(self) -> str:
        """Say the losses of the three models in a few words; empty without papers."""
        if not self.papers:
            return ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{TITLES[self.target]} {self._each(self.loss)}{unit} ({self.papers})"

    def lines(self) -> list[str]:
        """Say the losses, the coverage, and what retraining and the gate are shown to do."""
        if not self.papers:
            return [f"{TITLES[self.target]}: no paper."]
        what = f"mean error, {self.unit}" if self.unit else "minus log likelihood"
        first = (
            f"{TITLES[self.target]}, {_count(self.papers, 'paper')}: {what}: "
            f"{self._each(self.loss)} (median paper {self._each(self.median)}); covered "
            f"{self._each(self.coverage, '.2f')}."
        )
        said = [first, *(f"  {sentence}" for sentence in self.findings())]
        if self.largest is not None and self.papers > 1:
            said.append(f"  {self.largest[0]} alone is {self.largest[1]:.0%} of the gated sum.")
        return said

    def findings(self) -> list[str]:
        """Say whether it is shown that retraining pays, and that the gate does."""
        return [
            self._shown(self.paid, ("Retraining through the gate", "pays", "costs")),
            self._shown(self.paid_ungated, ("Retraining without it", "pays", "costs")),
            self._shown(self.spared, ("The gate, against none,", "helps by", "costs")),
        ]

    def _shown(self, triple: Triple, words: tuple[str, str, str]) -> str:
        (value, low, high), (what, helps, harms) = triple, words
        unit = f" {self.unit}" if self.unit else ""
        is_open = math.isnan(low)
        if value == 0 and (is_open or low == high == 0):
            return f"{what} changed nothing: the predictions are the same."
        if is_open:
            return f"{what} is better by {value:.2g}{unit}: too few papers for an interval."
        if low > 0:
            return f"{what} {helps} {value:.2g}{unit} ({low:.2g} to {high:.2g})."
        if high < 0:
            return f"{what} {harms} {-value:.2g}{unit} ({-high:.2g} to {-low:.2g})."
        verb = helps.split()[0]
        span = f"{value:.2g}{unit} ({low:.2g} to {high:.2g}, includes 0)"
        return f"{what} is not shown to {verb.removesuffix('s')}; better by {span}."

    @staticmethod
    def _each(values: Mapping[str, float], style: str = ".3g") -> str:
        return " / ".join(f"{values[name]:{style}}" for name in POLICIES)


@dataclass(frozen=True)
class Year:
    """What became of one year.

    Attributes:
        year: The year.
        papers: Its papers, in rising order.
        marks: The marks of its rows before they were learned, by `POLICIES` and `TITLES`.
        verdict: Of the gate, on the challenger that had learned the year.
        champion_until: The last year that the gated model knew when it predicted the papers.
    """

    year: int
    papers: tuple[str, ...]
    marks: Mapping[str, Mapping[str, OutOfFoldScores]]
    verdict: Verdict
    champion_until: int

    @cached_property
    def scores(self) -> Mapping[str, Score]:
        """The figures of the year by target."""
        return scores_of([self])

    @property
    def outcome(self) -> str:
        """What the gate decided, in a few words."""
        if self.verdict.promote:
            return "promoted"
        return "refused: " + ", ".join(check.name for check in self.verdict.failed)

    def line(self) -> str:
        """Say the year on one line."""
        told = [own.short() for name, own in self.scores.items() if name != "pl_lead"]
        figures = ", ".join(text for text in told if text) or "nothing to predict"
        return f"{self.year}, {_count(len(self.papers), 'paper')}: {figures}; {self.outcome}."

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; unknown numbers are None."""
        return {
            "year": self.year,
            "papers": list(self.papers),
            "champion_until": self.champion_until,
            "scores": {name: jsonable(own) for name, own in self.scores.items()},
            "losses": {name: self._losses(name) for name in TITLES},
            "promoted": self.verdict.promote,
            "reasons": [check.sentence for check in self.verdict.failed],
            "verdict": self.verdict.to_json(),
        }

    def _losses(self, target: str) -> dict[str, dict[str, Any]]:
        """Return the mean loss of each paper (a collection is one) by model."""
        losses = {name: by_paper(own[target], own[target].loss) for name, own in self.marks.items()}
        return {
            paper: {name: jsonable(losses[name][paper]) for name in POLICIES}
            for paper in losses["gated"]
        }


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes:
        known: Papers that the first model learned.
        years: The years that were added, in rising order.
        undated: Number of papers without a year, which take no part.
        fewest: Papers before that the first year needed, a collection counting as one.
        dataset: Content hash and counts of the dataset.
        settings: How the models were validated.
    """

    known: tuple[str, ...]
    years: tuple[Year, ...]
    undated: int
    fewest: int
    dataset: Mapping[str, Any]
    settings: Mapping[str, Any]

    @cached_property
    def totals(self) -> Mapping[str, Score]:
        """The figures over all years by target."""
        return scores_of(self.years)

    @property
    def promotions(self) -> int:
        """In how many years the gate let the challenger through."""
        return sum(own.verdict.promote for own in self.years)

    def about(self) -> list[str]:
        """Say what was replayed, in short sentences."""
        added, first = sum(len(own.papers) for own in self.years), self.years[0].year
        return [
            (
                f"Replay of {first} to {self.years[-1].year}: the first model learns the "
                f"{_count(len(self.known), 'paper')} before {first}, the first year with "
                f"{self.fewest} papers before it (a collection counts as one); "
                f"{_count(added, 'paper')} are added, year by year. "
                f"{_count(self.undated, 'paper')} without a year: no part."
            ),
            "Each year's papers are predicted before they are learned, by three models:",
            *(f"  {name}: {words}." for name, words in POLICIES.items()),
        ]

    def lines(self) -> list[str]:
        """Return what is to be said, in short sentences."""
        refused = len(self.years) - self.promotions
        return [
            *self.about(),
            f"Mean losses over papers: {' / '.join(POLICIES)}; number of papers in brackets.",
            *(own.line() for own in self.years),
            (
                f"The gate promoted {self.promotions} and refused {refused} of "
                f"{_count(len(self.years), 'challenger')}."
            ),
            (
                f"All years, {' / '.join(POLICIES)}; 90 % intervals from a bootstrap over papers, "
                "each for itself: of ten findings one may be chance."
            ),
            *(line for own in self.totals.values() for line in own.lines()),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; unknown numbers are None."""
        return {
            "models": dict(POLICIES),
            "known": list(self.known),
            "undated": self.undated,
            "fewest": self.fewest,
            "years": [own.to_json() for own in self.years],
            "totals": {
                name: {**jsonable(own), "findings": own.findings() if own.papers else []}
                for name, own in self.totals.items()
            },
            "promotions": self.promotions,
            "refusals": len(self.years) - self.promotions,
            "dataset": dict(self.dataset),
            "settings": dict(self.settings),
        }


# Figures -------------------------------------------------------------------------------------


def scores_of(years: Sequence[Year]) -> dict[str, Score]:
    """Return the figures of some years together, by target."""
    return {
        target: Score.of(
            target,
            {name: joined([own.marks[name][target] for own in years]) for name in POLICIES},
        )
        for target in TITLES
    }


def joined(marks: Sequence[OutOfFoldScores]) -> OutOfFoldScores:
    """Return the marks of all rows."""
    return OutOfFoldScores(
        *(
            np.concatenate([getattr(own, entry.name) for own in marks])
            for entry in fields(OutOfFoldScores)
        )
    )


def by_paper(marks: OutOfFoldScores, values: Floats) -> dict[str, float]:
    """Return the mean of values in each paper, a collection counting as one."""
    names, place = np.unique(marks.groups, return_inverse=True)
    sums = np.bincount(place, values * marks.share, minlength=len(names))
    means = sums / np.bincount(place, marks.share, minlength=len(names))
    return dict(zip(names.tolist(), means.tolist(), strict=True))


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values())))


def _better_by(bootstrap: PaperBootstrap, other: OutOfFoldScores, own: OutOfFoldScores) -> Triple:
    """Return what a model is better by than another; no interval of too few papers."""
    value, low, high = bootstrap.mean_by_paper(other.loss - own.loss)
    papers = bootstrap.counts.shape[1]
    return (value, low, high) if papers >= FEWEST_PAPERS else (value, math.nan, math.nan)


def _largest(losses: Mapping[str, float]) -> tuple[str, float] | None:
    name, value = max(losses.items(), key=lambda own: own[1])
    return (name, value / total) if (total := sum(losses.values())) else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
