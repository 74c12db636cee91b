"""The objectives of a ranking as desirabilities from 0 to 1, and the score they make.

Each objective has a desirability: the probability that the PL lies in the window; the PLQY over
100 %, or the probability that it passes a bar; the logarithms of the gain and of
the half-life over those of `GAIN_SCALE` and `HALF_LIFE_SCALE_H`, over all stressors asked for; the nearness to the data. The
score is their weighted geometric mean (Derringer and Suich, 10.1080/00224065.1980.11980968).

A target without skill over its null model has its differences shrunk by the by-paper slope of
observed on predicted, so that noise orders nothing; measured evidence on the very combination or
the shell still counts, by partial pooling.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.shells import NONE, ShellMaterial, shell_text
from perovshell.data.targets import EV_NM
from perovshell.data.vocabulary import column_name
from perovshell.model import Model
from perovshell.models.evidence import Neighbour
from perovshell.models.outputs import percent
from perovshell.serve.space.space import OBJECTIVES, DesignSpace

Floats = npt.NDArray[np.float64]
Layers = tuple[ShellMaterial, ...]

ORDERS: Final = ("lower-bound", "value", "explore")
"""By what a ranking may be ordered: a lower bound, the value, the expected improvement."""
GAIN_SCALE: Final = 1000.0
"""A gain of this size has the desirability 1, a gain of 1 or less the desirability 0."""
HALF_LIFE_SCALE_H: Final = 10_000.0
"""A half-life of this many hours (14 months) has the desirability 1, one of 1 h or less 0."""
SHELL_PSEUDO_COUNT: Final = 4.0
"""Papers that a shell's mean PLQY is worth before any is read: papers on one combination spread
by about 18 points, shells by about half of that, and (18 / 9)^2 = 4."""
SHELL_SHARE: Final = 0.25
"""CoreBlock of the variance of a paper's PLQY that is its shell's: (9 / 18)^2."""
COMBINATION_PSEUDO_COUNT: Final = 8.0
"""Papers that the model is worth against measurements of the very combination: papers on one
spread as widely as the model is off, and it was fitted to them already."""
BOUND_LEVEL: Final = 0.1
"""The lower bound of a PLQY is passed by all but this share of new papers."""
MIN_DESIRABILITY: Final = 1e-9
"""A desirability of 0 has this one, so that a logarithm exists."""
_OUTCOMES: Final = 9
"""Equally likely PLQY outcomes that an expected improvement is the mean over."""


@dataclass(frozen=True)
class Measured:
    """What the literature says of one combination: its papers and the mean of their PLQY."""

    papers: int
    plqy_percent: float


@dataclass(frozen=True)
class Ranked:
    """What orders n combinations, of any shape that broadcasts.

    Attributes:
        plqy: PLQY in percent, shrunk and pooled with measurements.
        plqy_low: The value that 90 % of new papers pass.
        gain: Stability gain, a row a stressor.
        half_life: Half-life in h, a row a stressor.
    """

    plqy: Floats
    plqy_low: Floats
    gain: Sequence[Floats]
    half_life: Sequence[Floats]


class Objectives:
    """The objectives of a design space, by the verdicts of a model on its own skill.

    Args:
        space: The design space.
        model: The model.
        shrink: Whether targets without skill are shrunk and measured values pooled.
    """

    def __init__(self, space: DesignSpace, model: Model, *, shrink: bool = True) -> None:
        self.space = space
        self.model = model
        self.shrink = shrink
        self.names = tuple(name for name in OBJECTIVES if space.weights[name] > 0)
        self._weights = {name: space.weights[name] for name in self.names}
        self._total = sum(self._weights.values())
        self._outcomes = _outcomes(model)

    def slope(self, target: str) -> float:
        """Return what the differences of a target are multiplied by: 1 where it has skill."""
        verdict = self.model.info.skill[target]
        return 1.0 if not self.shrink or verdict["has_skill"] else float(verdict["slope"])

    # Values ----------------------------------------------------------------------------------

    def shell_papers(self, layers: Layers) -> int:
        """Return how many papers measured the PLQY of a shell."""
        return self._plqy_shells.get(shell_text(layers), (0, 0.0))[0]

    def of_shell_plqy(self, layers: Layers) -> float:
        """Return what papers on a shell found beyond the prediction, in percent, partially pooled.

        Beyond the prediction that orders, so that a shell tried on poor cores is not marked down
        for them, and what the model learned of a shell does not count twice.
        """
        if not self.shrink:
            return 0.0
        papers, beyond = self._plqy_shells.get(shell_text(layers), (0, 0.0))
        return papers / (papers + SHELL_PSEUDO_COUNT) * beyond

    @cached_property
    def _plqy_shells(self) -> dict[str, tuple[int, float]]:
        """By shell, how many papers measured its PLQY and how far beyond the prediction."""
        predictor = self.model.predictor
        rows = [
            row
            for row in predictor.literature.samples
            if row["plqy_percent"] is not None and row["shell"] != NONE
        ]
        if not rows:
            return {}
        items = [predictor.literature.item(row) for row in rows]
        matrix = predictor.featurizer.matrix(items, elements_too=predictor.needs_elements)
        expected = self.plqy(predictor.plqy.predict(matrix)).tolist()
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row, value in zip(rows, expected, strict=True):
            found[row["shell"]][row["paper"]].append(row["plqy_percent"] - value)
        return {shell: (len(papers), _mean_of_means(papers)) for shell, papers in found.items()}

    def plqy(self, predicted: Floats) -> Floats:
        """Return the PLQY (percent) that orders, before papers on the shell or combination."""
        center = self.model.predictor.plqy.null_value
        return center + self.slope("plqy") * (predicted - center)

    @staticmethod
    def pooled(value: Floats | float, measured: Measured) -> Any:
        """Pool a PLQY (percent) with measurements of the very combination."""
        share = measured.papers / (measured.papers + COMBINATION_PSEUDO_COUNT)
        return value + share * (measured.plqy_percent - value)

    def log_gain(self, layers: Layers, stressor: str) -> float:
        """Return the log gain that orders: tests of the very shell, and the rest shrunk.

        Raw, it is that of the prediction.
        """
        predictor = self.model.predictor
        gain = predictor.gain
        rest = gain.of_stressor(stressor) + gain.of_class(layers)
        if predictor.is_thin(gain.papers, [stressor])[0]:
            if not self.shrink:
                return gain.null
            rest = gain.of_class(layers)
        return gain.null + self.slope("gain") * rest + gain.of_names(layers)

    def half_life(self, predicted: Floats, stressor: str) -> Floats:
        """Return the half-life (h) that orders: shrunk to the null model without skill."""
        slope = self.slope("lifetime")
        if slope == 1.0:
            return predicted
        null = self.model.predictor.lifetime.predict_null(stressor, [True])[0]
        log_null = null + math.log(math.log(2.0))
        return np.asarray(np.exp(log_null + slope * (np.log(predicted) - log_null)))

    def shell_width(self, layers: Layers) -> float:
        """Return what the papers on a shell make of the width of its PLQY interval.

        How far a shell is off is a part of how far a left-out paper was; the more papers know a
        shell, the less of it is left. 1 on average over the coated samples of the literature.
        """
        if not self.shrink:
            return 1.0
        left = _unknown(self.shell_papers(layers)) - self._usually_unknown
        return math.sqrt(1.0 + SHELL_SHARE * left)

    @cached_property
    def _usually_unknown(self) -> float:
        """How unknown shells were to the others, on average over papers on coated samples."""
        papers = [count for count, _ in self._plqy_shells.values()]
        return sum(own * _unknown(own - 1) for own in papers) / sum(papers) if papers else 1.0

    def ranked(
        self, columns: Mapping[str, Any], shells: tuple[Floats, Floats], gain: Sequence[Floats]
    ) -> Ranked:
        """Return what orders combinations, from the output columns of the model.

        Args:
            columns: Output columns, with `plqy_scale` in percent.
            shells: What papers on each shell add to its PLQY, and make of its width.
            gain: Gain that orders, a row a stressor.
        """
        of_shell, width = shells
        value = percent(self.plqy(columns["plqy_percent"]) + of_shell)
        bound = self.model.predictor.plqy.signed_scores.lower_quantile(BOUND_LEVEL)
        lives = [columns[f"half_life_h_{column_name(own)}"] for own in self.space.stressors]
        return Ranked(
            plqy=value,
            plqy_low=value + bound * width * columns["plqy_scale"],
            gain=gain,
            half_life=[
                self.half_life(life, own)
                for life, own in zip(lives, self.space.stressors, strict=True)
            ],
        )

    # Desirabilities --------------------------------------------------------------------------

    def desirabilities(
        self, columns: Mapping[str, Any], ranked: Ranked, *, order_by: str = "value"
    ) -> dict[str, Floats]:
        """Return the desirability of each objective.

        Args:
            columns: Output columns with `pl_in_window`, `plqy_above` and `domain_distance` where
                they are wished.
            ranked: What orders.
            order_by: `lower-bound` takes the PLQY that 90 % of new papers pass.
        """
        found: dict[str, Floats] = {}
        for name in self.names:
            if name == "pl":
                found[name] = self._in_window(columns)
            elif name == "plqy":
                found[name] = self._plqy_desirability(columns, ranked, order_by=order_by)
            elif name == "gain":
                found[name] = log_share(ranked.gain, GAIN_SCALE)
            elif name == "half_life":
                found[name] = log_share(ranked.half_life, HALF_LIFE_SCALE_H)
            else:
                found[name] = 0.5 ** columns["domain_distance"]
        return found

    def _in_window(self, columns: Mapping[str, Any]) -> Floats:
        """Return the chance that the PL lies in the window; shrunk to the null model's energy."""
        slope, window = self.slope("pl"), self.space.pl_window_nm
        if slope == 1.0 or window is None:
            return np.asarray(columns["pl_in_window"])
        model = self.model.predictor.pl
        predicted = EV_NM / columns["pl_peak_nm"]
        energy = model.null_value + slope * (predicted - model.null_value)
        first, last = (EV_NM / end for end in window)
        below = [model.scores.cdf((end - energy) / columns["pl_scale"]) for end in (first, last)]
        return below[0] - below[1]

    def _plqy_desirability(
        self, columns: Mapping[str, Any], ranked: Ranked, *, order_by: str
    ) -> Floats:
        bar = self.space.plqy_above
        if bar is not None:
            scores = self.model.predictor.plqy.scores
            return 1.0 - scores.cdf((bar - ranked.plqy) / columns["plqy_scale"])
        value = ranked.plqy_low if order_by == "lower-bound" else ranked.plqy
        return np.asarray(np.maximum(value, 0.0) / 100.0)

    def share(self, name: str) -> float:
        """Return the share of a objective in the weights of all."""
        return self._weights[name] / self._total

    def log_score(self, desirable: Mapping[str, Floats]) -> Floats:
        """Return the logarithm of the weighted geometric mean of desirabilities."""
        total: Any = 0.0
        for name in self.names:
            total = total + self.share(name) * np.log(np.maximum(desirable[name], MIN_DESIRABILITY))
        return np.asarray(total)

    # Improvement -----------------------------------------------------------------------------

    def improvement(self, columns: Mapping[str, Any], ranked: Ranked, best_known: float) -> Floats:
        """Return the expected improvement of the score over the best known combination.

        The PL counts as in the window or not; the PLQY is spread by the model's residuals of
        left-out papers; the rest is at its value.

        Args:
            columns: Output columns, with `plqy_scale`.
            ranked: What orders.
            best_known: Score of the best measured combination.
        """
        rest = {
            name: value
            for name, value in self.desirabilities(columns, ranked).items()
            if name not in {"pl", "plqy"}
        }
        fixed: Any = 0.0
        for name, value in rest.items():
            fixed = fixed + self.share(name) * np.log(np.maximum(value, MIN_DESIRABILITY))
        fixed = np.exp(fixed)
        bar = self.space.plqy_above
        if "plqy" in self.names:
            total = np.zeros(np.broadcast_shapes(np.shape(fixed), np.shape(ranked.plqy)))
            for outcome in self._outcomes:
                value = percent(ranked.plqy + outcome * columns["plqy_scale"])
                own = plqy_share(value, bar)
                reached = fixed * np.exp(
                    self.share("plqy") * np.log(np.maximum(own, MIN_DESIRABILITY))
                )
                total += np.maximum(reached - best_known, 0.0)
            gain = total / len(self._outcomes)
        else:
            gain = np.maximum(fixed - best_known, 0.0)
        return np.asarray(gain * self._in_window(columns) if "pl" in self.names else gain)


def plqy_share(percents: Floats, bar: float | None) -> Floats:
    """Return the desirability of PLQY values in %: their share, or whether they pass a bar."""
    return percents / 100.0 if bar is None else (percents > bar).astype(float)


def log_share(values: Sequence[Any] | Floats, scale: float) -> Floats:
    """Return log value over log scale, held between 0 and 1: geometric mean over stressors."""
    logs_of = [np.log(np.maximum(value, MIN_DESIRABILITY)) for value in values]
    shares = [np.clip(own / math.log(scale), 0.0, 1.0) for own in logs_of]
    logs = sum(np.log(np.maximum(share, MIN_DESIRABILITY)) for share in shares)
    return np.asarray(np.exp(logs / len(shares)))


def _outcomes(model: Model) -> Floats:
    """Return equally likely residuals of the PLQY over their difficulty."""
    levels = (np.arange(_OUTCOMES) + 0.5) / _OUTCOMES
    scores = model.predictor.plqy.scores
    largest = float(scores.values[-1]) if len(scores.values) else 1.0
    size = [min(scores.quantile(abs(2 * level - 1)), largest) for level in levels]
    return np.asarray(np.sign(levels - 0.5) * size)


def plqy_by_paper(rows: Sequence[Neighbour]) -> dict[str, float]:
    """Return the mean PLQY in percent of each paper's samples."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.plqy_percent is not None:
            found[row.paper].append(row.plqy_percent)
    return {paper: sum(values) / len(values) for paper, values in found.items()}


def measured_plqy(rows: Sequence[Neighbour]) -> Measured | None:
    """Return what the samples of one combination say of its PLQY, or None."""
    papers = plqy_by_paper(rows)
    return Measured(len(papers), sum(papers.values()) / len(papers)) if papers else None


def _unknown(papers: int) -> float:
    """Return the part of a shell's variance that papers on it leave."""
    return SHELL_PSEUDO_COUNT / (papers + SHELL_PSEUDO_COUNT)


def _mean_of_means(papers: Mapping[str, Sequence[float]]) -> float:
    return sum(sum(values) / len(values) for values in papers.values()) / len(papers)
