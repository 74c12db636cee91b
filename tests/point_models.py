"""Point models made by hand, for tests: no prior, no trees, conformity scores that are counted."""

from typing import Any

import numpy as np

from perovshell.models.conformal import ConformityScores
from perovshell.models.difficulty import Difficulty
from perovshell.models.forest import Forest
from perovshell.models.point import PointModel
from perovshell.models.prior import LinearPrior
from perovshell.targets.target import PointTarget


def scores(size: float, papers: int = 9) -> ConformityScores:
    """Return scores of `size` times 1, 2, 3, ... of a paper each, so that each has 1 / (n + 1)."""
    return ConformityScores.of(size * np.arange(1.0, papers + 1), list(map(str, range(papers))))


def point_model(target: PointTarget, size: float = 1.0, **changed: Any) -> PointModel:
    """Return a model whose usual scores are `size` times 1 to 9.

    Those of the effect are 0.8 times as large, of anchored predictions 0.3 times.
    """
    nothing = LinearPrior(
        terms=(),
        columns=(),
        base_column=-1,
        base_mean=0.0,
        error_columns=(),
        error_factors=(),
        center=np.zeros(0),
        effects=np.zeros(1),
        covariance=np.zeros((1, 1)),
        noise=1.0,
    )
    parts: dict[str, Any] = {
        "prior": nothing,
        "difficulty": Difficulty((), np.zeros(1), 0.0),
        "forest": Forest.none(),
        "columns": np.zeros(0, np.intp),
        "scores": scores(size),
        "signed_scores": scores(size),
        "mondrian": {},
        "effect_scores": scores(0.8 * size),
        "residual_share": 0.5,
        "anchored_scores": scores(0.3 * size),
        "null_value": 55.0,
        "null_scores": scores(10 * size),
    }
    return PointModel(target=target, **parts | changed)
