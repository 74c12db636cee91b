"""What an objective of a ranking is: a desirability from 0 to 1 with its label and outcomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.shells import ShellMaterial
from perovshell.model import Model
from perovshell.models.conformal import ConformityScores
from perovshell.models.evidence import Neighbour
from perovshell.models.point import PointModel
from perovshell.models.predictor import Predictor
from perovshell.models.shell_evidence import shrinkage
from perovshell.serve.space.space import DesignSpace
from perovshell.targets.target import PointTarget, StabilityTarget

Layers = tuple[ShellMaterial, ...]
Pair = tuple[str, Layers]
"""Formula of a core, empty for any that nobody coated with the shell, and the shell."""
Branches = Iterable[tuple[Any, Any]]
"""Probabilities and desirabilities of the outcomes that an expectation is over."""

FLAG: Final = 0.5
"""Factor on the score of a combination that nobody measured, for each flag."""
MIN_DESIRABILITY: Final = 1e-9
"""Floor of desirabilities, so that a logarithm exists."""


@dataclass(frozen=True)
class Predicted:
    """What is predicted of combinations.

    Attributes:
        columns: Output columns, `pl_scale` (eV), `plqy_scale` (percent) and `domain_distance`, each
            broadcasting to one shape; objectives add the values they rank by.
        categories: By target name and Mondrian category, where its combinations are (an index).
    """

    columns: dict[str, Any]
    categories: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Levels:
    """Levels between 0 and 1 at which residuals are drawn.

    Attributes:
        combination: Of the residuals that each combination has for itself, (2, n, draws).
        shell: Those that combinations of one shell share, (2, n_stressors, n, draws).
    """

    combination: Floats
    shell: Floats


class Objective(ABC):
    """An objective of a ranking.

    Args:
        space: The design space.
        model: The model.
    """

    name: ClassVar[str]
    """Key of its weight in a design space."""
    label: ClassVar[str]
    """Label on a card."""
    target: ClassVar[PointTarget | StabilityTarget | None] = None
    can_be_measured: ClassVar[bool] = True
    """Whether a paper can measure it."""

    def __init__(self, space: DesignSpace, model: Model) -> None:
        self.space = space
        self.predictor: Predictor = model.predictor
        self.slope = shrinkage(model.info.skill[self.target.name]) if self.target else 1.0
        """Factor on the differences of the target: 1 where it has skill."""

    @property
    @abstractmethod
    def phrase(self) -> str:
        """The objective as part of a sentence, such as `a high PLQY`."""

    @property
    @abstractmethod
    def axes(self) -> list[tuple[str, str, bool]]:
        """Columns that may be the axis of a plot: name, label, whether it is logarithmic."""

    def terms(self, pairs: Sequence[Pair]) -> Floats:
        """Return what papers measured of n combinations of core and shell, shape (k, n)."""
        return np.zeros((0, len(pairs)))

    def add_values(self, predicted: Predicted, terms: Floats) -> None:
        """Add the columns that the objective ranks by.

        Args:
            predicted: The predictions.
            terms: Those of `terms` for the predictions; each of the k entries broadcasts to their
                shape.
        """
        del predicted, terms

    @abstractmethod
    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return the desirability of each combination.

        Args:
            predicted: The predictions with the columns of `add_values`.
            at_lower_bound: Whether the lower bound counts instead of the value.
        """

    def is_measured(self, samples: Sequence[Neighbour]) -> bool:  # noqa: ARG002
        """Whether papers measured what the objective asks, by the samples of a combination."""
        return False

    @abstractmethod
    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return the desirability of n combinations in each draw, shape (n, draws)."""

    def branches(self, predicted: Predicted) -> Branches:
        """Return the outcomes that an expected improvement is over: by default the value."""
        return [(1.0, self.desirability(predicted))]


class PointObjective(Objective):
    """An objective of a point target: each combination has a residual for itself."""

    target: ClassVar[PointTarget]
    level_row: ClassVar[int]
    """Row of `Levels.combination`."""

    @property
    def model(self) -> PointModel:
        """The model of the target."""
        return self.predictor.points[self.target.name]

    def shrunk(self, predicted: Floats) -> Floats:
        """Return predictions, as modelled, as far from the null model as the target has skill."""
        return self.model.shrunk(predicted, self.slope)

    def scale(self, predicted: Predicted) -> Any:
        """Return the difficulty of the predictions, as modelled."""
        return predicted.columns[self.target.scale_column]

    def cdf(self, predicted: Predicted, residual: Floats) -> Floats:
        """Return the probability that a residual, as modelled, is at most the given one."""
        categories = predicted.categories[self.target.name]
        return self.model.cdf(residual / self.scale(predicted), categories)

    def residuals(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return residuals at levels, as modelled, shape (n, draws).

        A combination of a Mondrian category has the residuals of its category, as its interval
        and its probabilities do.
        """
        level = levels.combination[self.level_row]
        drawn = signed_residual(self.model.scores, level)
        for name, index in predicted.categories[self.target.name].items():
            drawn[index] = signed_residual(self.model.mondrian[name], level[index])
        return np.asarray(drawn * self.scale(predicted)[:, None])


def signed_residual(scores: ConformityScores, level: Floats) -> Floats:
    """Return the signed residual over its difficulty at a level between 0 and 1.

    The unseen paper, which has no limit, counts as the largest residual seen.
    """
    if not len(scores.values):
        return np.zeros_like(level)
    reached = np.cumsum(scores.masses)
    index = np.searchsorted(reached, np.abs(2.0 * level - 1.0))
    size = scores.values[np.minimum(index, len(scores.values) - 1)]
    return np.asarray(np.sign(level - 0.5) * size)
