"""The objectives of a ranking, and the score they make.

Those of targets are in `point_objectives` and `stability_objectives`; `domain` is the similarity to
the training data. The score is the weighted geometric mean of the desirabilities
(Derringer and Suich, 10.1080/00224065.1980.11980968): a weighted sum of their logarithms.

A PL or PLQY without skill over its null model has its differences shrunk by the by-paper slope of
observed on predicted, so that noise orders nothing. What papers measured of the combination, its
shell and its class counts beside it, and it alone orders gains and half-lives.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.models.domain_verdict import POINT_DOMAINS
from perovshell.serve.ranking.objective import (
    FLAG,
    MIN_DESIRABILITY,
    Levels,
    Objective,
    Predicted,
)
from perovshell.serve.ranking.point_objectives import PeakObjective, YieldObjective
from perovshell.serve.ranking.stability_objectives import (
    GainObjective,
    HalfLifeObjective,
    StabilityObjective,
)
from perovshell.serve.space.space import DesignSpace

ORDERS: Final = ("lower-bound", "value", "explore")
"""Ways to order a ranking: by a lower bound, by the value, by the expected improvement."""


class DomainObjective(Objective):
    """Similarity to the training data."""

    name = "domain"
    label = "near the data"
    phrase = "similarity to the training data"
    can_be_measured = False
    axes: ClassVar = [("domain_distance", "distance from the data", False)]

    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return 0.5 to the power of the distance in units of the domain's reach."""
        del at_lower_bound
        return np.asarray(0.5 ** predicted.columns["domain_distance"])

    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return the similarity, which is certain, in each draw."""
        near = self.desirability(predicted)[:, None]
        return np.broadcast_to(near, levels.combination.shape[1:])


CLASSES: Final[tuple[type[Objective], ...]] = (
    PeakObjective,
    YieldObjective,
    GainObjective,
    HalfLifeObjective,
    DomainObjective,
)
"""The objectives, in the order in which they are listed."""


class Objectives:
    """The objectives of a design space, for a model.

    Args:
        space: The design space.
        model: The model.

    Attributes:
        every: All objectives; the values they rank by are part of every table.
        active: Those with a weight.
    """

    def __init__(self, space: DesignSpace, model: Model) -> None:
        self.space = space
        self.model = model
        self.every = tuple(make(space, model) for make in CLASSES)
        self.active = tuple(o for o in self.every if space.weights[o.name] > 0)
        total = sum(space.weights[o.name] for o in self.active)
        self._shares = {o.name: space.weights[o.name] / total for o in self.active}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objectives with a weight."""
        return tuple(o.name for o in self.active)

    @cached_property
    def plqy(self) -> YieldObjective:
        """The objective of the PLQY."""
        return next(o for o in self.every if isinstance(o, YieldObjective))

    @cached_property
    def domains(self) -> frozenset[str]:
        """Labels of the domains that `constraints.in_domain` asks for.

        Those of PL and PLQY, and of what else has a weight.
        """
        weighed = [one.target.domain.label for one in self.active if one.target is not None]
        return frozenset({*POINT_DOMAINS, *weighed})

    @property
    def ask_for_window(self) -> bool:
        """Whether a weight or a constraint asks for a peak in the window."""
        space = self.space
        return space.pl_window_nm is not None and (
            space.weights[PeakObjective.name] > 0 or space.constraints.pl_in_window
        )

    @property
    def look_at_cores(self) -> bool:
        """Whether any objective with a weight tells cores apart."""
        return any(not isinstance(one, StabilityObjective) for one in self.active)

    def share(self, name: str) -> float:
        """Return the share of an objective in the weights of all."""
        return self._shares[name]

    def desirabilities(
        self, predicted: Predicted, *, at_lower_bound: bool = False
    ) -> dict[str, Floats]:
        """Return the desirability of each objective with a weight."""
        return {
            o.name: o.desirability(predicted, at_lower_bound=at_lower_bound) for o in self.active
        }

    def log_score(self, desirable: Mapping[str, Floats]) -> Floats:
        """Return the logarithm of the weighted geometric mean of desirabilities."""
        total: Any = 0.0
        for name, value in desirable.items():
            total = total + self.share(name) * np.log(np.maximum(value, MIN_DESIRABILITY))
        return np.asarray(total)

    def flag_factors(self, items: Sequence[Combination]) -> Floats:
        """Return the factors on scores for what speaks against coatings, shape (n,)."""
        flags = self.model.predictor.flags
        return np.array([FLAG ** len(flags(item, self.space.stressors)) for item in items])

    def improvement(self, predicted: Predicted, best_known: float) -> Floats:
        """Return the expected improvement of the score over the best known combination.

        The expectation is over the branches of the objectives, taken as independent.

        Args:
            predicted: The predictions.
            best_known: Score of the best measured combination.
        """
        total: Any = 0.0
        parts = [[(o.name, *branch) for branch in o.branches(predicted)] for o in self.active]
        for branches in itertools.product(*parts):
            score = np.exp(self.log_score({name: value for name, _, value in branches}))
            gain = np.maximum(score - best_known, 0.0)
            for _, probability, _ in branches:
                gain = gain * probability
            total = total + gain
        return np.asarray(total)
