"""Results of a replay: losses of the three models by year and over all years."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.files import jsonable
from perovshell.targets.declared import GAIN, LIFETIME, PL, PLQY, TARGETS
from perovshell.texts import counted
from perovshell.training.promotion.verdict import FEWEST_PAPERS, Verdict
from perovshell.training.validation.figures import PaperBootstrap, Triple
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores

PL_LEAD: Final = "pl_lead"
"""PL peaks of lead halides outside the CsPbCl3 collection."""
POLICIES: Final = {
    "never": "the first model, never retrained",
    "champion": "replaced where the challenger passed the promotion check",
    "always": "the latest challenger, always promoted",
}
"""The models that are compared, by how they are retrained."""
DIFFERENCES: Final = {
    "never - champion": "Retraining with the promotion check",
    "never - always": "Retraining without the promotion check",
    "always - champion": "The promotion check, compared with promoting every challenger,",
}
"""Paired differences of the loss of two policies, and what each of them shows."""
TITLES: Final = {
    PL.name: PL.title,
    PL_LEAD: "PL peak, lead halides outside the collection",
    **{target.name: target.title for target in (PLQY, LIFETIME, GAIN)},
}


@dataclass(frozen=True)
class Score:
    """How well a target of some papers was predicted before training on them.

    Losses are MAE in nm or points, or negative log likelihood, over papers (a collection counts as
    one); without papers they are NaN.

    Attributes:
        target: One of `TITLES`.
        papers: Number of papers.
        loss: Mean loss over papers, by `POLICIES`.
        median: Median of the papers' mean losses, by `POLICIES`.
        coverage: Coverage of the 90 % intervals (stability: lower bounds), by `POLICIES`.
        differences: By `DIFFERENCES`, each with its interval; the ends are NaN with fewer than
            `FEWEST_PAPERS` papers.
        largest: The paper with the largest loss of the champion, and its share of their sum; None
            where the loss is no error.
    """

    target: str
    papers: int
    loss: Mapping[str, float]
    median: Mapping[str, float]
    coverage: Mapping[str, float]
    differences: Mapping[str, Triple]
    largest: tuple[str, float] | None

    @classmethod
    def of(cls, target: str, scores: Mapping[str, OutOfFoldScores]) -> Score:
        """Compare the scores of the models of `POLICIES` on the same rows."""
        champion = scores["champion"]
        if not len(champion.rows):
            unknown = dict.fromkeys(POLICIES, math.nan)
            differences = dict.fromkeys(DIFFERENCES, (math.nan, math.nan, math.nan))
            return cls(target, 0, unknown, unknown, unknown, differences, None)
        bootstrap = PaperBootstrap.of(champion.groups, champion.share)
        losses = {policy: by_paper(rows, rows.loss) for policy, rows in scores.items()}
        values = {policy: list(by.values()) for policy, by in losses.items()}
        paper, largest = max(losses["champion"].items(), key=lambda entry: entry[1])
        total = sum(values["champion"])
        return cls(
            target=target,
            papers=len(losses["champion"]),
            loss={policy: float(np.mean(loss)) for policy, loss in values.items()},
            median={policy: float(np.median(loss)) for policy, loss in values.items()},
            coverage={
                policy: float(np.mean(list(by_paper(rows, rows.covered).values())))
                for policy, rows in scores.items()
            },
            differences={
                name: _difference(bootstrap, *(scores[policy].loss for policy in name.split(" - ")))
                for name in DIFFERENCES
            },
            largest=(paper, largest / total) if _unit(target) and total else None,
        )

    @property
    def loss_name(self) -> str:
        """Name of the loss, with its unit."""
        unit = _unit(self.target)
        return f"MAE, {unit}" if unit else "negative log likelihood"

    def short(self) -> str:
        """Return the losses of the three models in a few words; empty without papers."""
        if not self.papers:
            return ""
        losses = f"{TITLES[self.target]} {self._by_policy(self.loss)}"
        return f"{losses} {_unit(self.target)}".rstrip() + f" ({self.papers})"

    def lines(self) -> list[str]:
        """Return the losses, the coverage, and the effect of retraining and promotion check."""
        if not self.papers:
            return [f"{TITLES[self.target]}: no papers."]
        lines = [
            (
                f"{TITLES[self.target]}, {counted(self.papers, 'paper')}: {self.loss_name}: "
                f"{self._by_policy(self.loss)} (median paper {self._by_policy(self.median)}); "
                f"coverage {self._by_policy(self.coverage, '.2f')}."
            ),
            *(f"  {sentence}" for sentence in self.findings()),
        ]
        if self.largest is not None and self.papers > 1:
            paper, share = self.largest
            lines.append(f"  {paper} alone is {share:.0%} of the champion's summed error.")
        return lines

    def findings(self) -> list[str]:
        """Return whether retraining and the promotion check reduce the loss."""
        return [f"{DIFFERENCES[name]} {self._effect(name)}." for name in DIFFERENCES]

    def _effect(self, name: str) -> str:
        value, low, high = self.differences[name]
        if value == 0 and not (low < 0 or high > 0):
            return "changes nothing: the predictions are the same"
        verb = "reduces" if value >= 0 else "increases"
        if value < 0:
            value, low, high = -value, -high, -low
        loss, _, unit = self.loss_name.partition(", ")
        effect = f"{verb} the {loss} by {value:.2g} {unit}".rstrip()
        if math.isnan(low):
            return f"{effect}: too few papers for an interval"
        significance = "" if low > 0 else ", not significant"
        return f"{effect} ({low:.2g} to {high:.2g}{significance})"

    @staticmethod
    def _by_policy(values: Mapping[str, float], style: str = ".3g") -> str:
        return " / ".join(f"{values[policy]:{style}}" for policy in POLICIES)


@dataclass(frozen=True)
class Year:
    """Results of one year.

    Attributes:
        year: The year.
        papers: Its papers, in rising order.
        row_scores: Scores of its rows before training on them, by `POLICIES` and `TITLES`.
        verdict: The promotion check of the challenger trained on the year.
        champion_until: The last year that the champion was trained on when it predicted the papers.
    """

    year: int
    papers: tuple[str, ...]
    row_scores: Mapping[str, Mapping[str, OutOfFoldScores]]
    verdict: Verdict
    champion_until: int

    @cached_property
    def scores(self) -> Mapping[str, Score]:
        """The results of the year by target."""
        return scores_of([self])

    @property
    def outcome(self) -> str:
        """The verdict in a few words."""
        if self.verdict.promote:
            return "promoted"
        return "not promoted: " + ", ".join(check.name for check in self.verdict.failed)

    def line(self) -> str:
        """Return the year on one line."""
        scores = [score.short() for name, score in self.scores.items() if name != PL_LEAD]
        losses = ", ".join(filter(None, scores)) or "nothing to predict"
        return f"{self.year}, {counted(len(self.papers), 'paper')}: {losses}; {self.outcome}."

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; unknown numbers are None."""
        data: dict[str, Any] = jsonable(
            {
                "year": self.year,
                "papers": self.papers,
                "champion_until": self.champion_until,
                "scores": self.scores,
                "losses": {name: self._losses(name) for name in TITLES},
                "promoted": self.verdict.promote,
                "reasons": [check.sentence for check in self.verdict.failed],
                "verdict": self.verdict.to_json(),
            }
        )
        return data

    def _losses(self, target: str) -> dict[str, dict[str, float]]:
        """Return the mean loss of each paper (a collection is one) by policy."""
        losses = {
            policy: by_paper(scores[target], scores[target].loss)
            for policy, scores in self.row_scores.items()
        }
        return {
            paper: {policy: losses[policy][paper] for policy in POLICIES}
            for paper in losses["champion"]
        }


@dataclass(frozen=True)
class Replay:
    """Results of a replay.

    Attributes:
        initial_papers: Papers that the first model was trained on.
        years: The years that were added, in rising order.
        undated: Number of papers without a year, which are left out.
        min_papers: Papers before that the first year needed, a collection counting as one.
        dataset: Content hash and counts of the dataset.
        settings: How the models were validated.
    """

    initial_papers: tuple[str, ...]
    years: tuple[Year, ...]
    undated: int
    min_papers: int
    dataset: Mapping[str, Any]
    settings: Mapping[str, Any]

    @cached_property
    def totals(self) -> Mapping[str, Score]:
        """The results over all years by target."""
        return scores_of(self.years)

    @property
    def promotions(self) -> int:
        """Number of years in which the challenger was promoted."""
        return sum(year.verdict.promote for year in self.years)

    def summary(self) -> str:
        """Return what was replayed, in short sentences."""
        added, first = sum(len(year.papers) for year in self.years), self.years[0].year
        return (
            f"Replay of {first} to {self.years[-1].year}: the first model is trained on the "
            f"{counted(len(self.initial_papers), 'paper')} before {first}, the first year with "
            f"{self.min_papers} papers before it (a collection counts as one); "
            f"{counted(added, 'paper')} are added, year by year. "
            f"{counted(self.undated, 'paper')} without a year: left out."
        )

    def lines(self) -> list[str]:
        """Return the results in short sentences."""
        policies = " / ".join(POLICIES)
        return [
            self.summary(),
            "Each year's papers are predicted by three models before training on them:",
            *(f"  {policy}: {text}." for policy, text in POLICIES.items()),
            f"Mean losses over papers: {policies}; number of papers in brackets.",
            *(year.line() for year in self.years),
            (
                f"The promotion check passed {self.promotions} of "
                f"{counted(len(self.years), 'challenger')}."
            ),
            (
                f"All years, {policies}; 90 % intervals from a bootstrap over papers, not "
                "corrected for multiple comparisons: of ten findings one may be chance."
            ),
            *(line for score in self.totals.values() for line in score.lines()),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; unknown numbers are None."""
        data: dict[str, Any] = jsonable(
            {
                **{entry.name: getattr(self, entry.name) for entry in fields(self)},
                "models": POLICIES,
                "years": [year.to_json() for year in self.years],
                "totals": {
                    name: {**asdict(score), "findings": score.findings() if score.papers else []}
                    for name, score in self.totals.items()
                },
                "promotions": self.promotions,
                "refusals": len(self.years) - self.promotions,
            }
        )
        return data


# Metrics -------------------------------------------------------------------------------------


def scores_of(years: Sequence[Year]) -> dict[str, Score]:
    """Return the results of some years together, by target."""
    return {
        target: Score.of(
            target,
            {policy: _joined([y.row_scores[policy][target] for y in years]) for policy in POLICIES},
        )
        for target in TITLES
    }


def _joined(parts: Sequence[OutOfFoldScores]) -> OutOfFoldScores:
    """Return the scores of all rows."""
    names = [entry.name for entry in fields(OutOfFoldScores)]
    return OutOfFoldScores(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
    )


def by_paper(scores: OutOfFoldScores, values: Floats) -> dict[str, float]:
    """Return the weighted mean of values, shape (n,), in each paper; a collection is one."""
    papers, index = np.unique(scores.groups, return_inverse=True)
    sums = np.bincount(index, values * scores.share, minlength=len(papers))
    means = sums / np.bincount(index, scores.share, minlength=len(papers))
    return dict(zip(papers.tolist(), means.tolist(), strict=True))


def _difference(bootstrap: PaperBootstrap, before: Floats, after: Floats) -> Triple:
    """Return the mean reduction of a loss over papers; without interval for too few papers."""
    value, low, high = bootstrap.mean_by_paper(before - after)
    papers = bootstrap.counts.shape[1]
    return (value, low, high) if papers >= FEWEST_PAPERS else (value, math.nan, math.nan)


def _unit(target: str) -> str:
    """Return the unit of the loss, empty for a log likelihood."""
    return TARGETS[PL.name if target == PL_LEAD else target].error_unit
