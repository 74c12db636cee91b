"""Training specifications of the point targets: prior, boosters, loss and baselines.

To add a target, declare a `PointTarget` and its `PointSpec` here: it is validated, compared with
its baselines and reported with the others. A model answers the targets of `targets.declared` only;
another target joins them once it has skill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from perovshell.models.boosting import BoostConfig
from perovshell.models.prior import PL_PRIOR, PLQY_PRIOR, PriorForm
from perovshell.targets.declared import PL, PLQY
from perovshell.targets.target import PointTarget

PHYSICAL: Final = (
    "core composition",
    "core crystal",
    "core gap",
    "core size",
    "morphology",
    "shell class",
    "core-shell contrast",
    "structure",
    "encapsulation",
    "medium",
    "treatment",
)
"""Groups of descriptors that trees may split on."""


@dataclass(frozen=True, kw_only=True)
class PointSpec:
    """How a point target is trained and validated.

    Attributes:
        target: The target.
        prior: Form of the linear prior.
        boosters: The boosters, of several depths, whose mean is added to the prior.
        loss_scale: Residual, as modelled, from which the loss is linear: about the difference
            between papers on one combination.
        baselines: The frozen baselines it is compared with.
        curve_subset: The rows whose error the learning curve shows.
    """

    target: PointTarget
    prior: PriorForm
    boosters: tuple[BoostConfig, ...]
    loss_scale: float
    baselines: tuple[str, ...] = ("dummy", "neighbour", "forest", "extra_trees")
    curve_subset: str = "all"


_PL: Final = PointSpec(
    target=PL,
    prior=PL_PRIOR,
    boosters=(
        BoostConfig(PHYSICAL, rounds=100, depth=4),
        BoostConfig(PHYSICAL, rounds=50, depth=2),
        BoostConfig(PHYSICAL, rounds=150, depth=6),
    ),
    loss_scale=0.02,
    baselines=("dummy", "neighbour", "forest", "extra_trees", "vegard"),
    curve_subset="lead_no_cspbcl3",
)
_PLQY: Final = PointSpec(
    target=PLQY,
    prior=PLQY_PRIOR,
    # Most of the spread is noise, so trees are few, and their leaves hold several papers.
    boosters=(
        BoostConfig(
            PHYSICAL,
            rounds=60,
            depth=3,
            learning_rate=0.03,
            column_share=0.3,
            leaf_weight=5.0,
            shrinkage=5.0,
        ),
    ),
    loss_scale=20.0,
)
SPECS: Final[Mapping[str, PointSpec]] = {spec.target.name: spec for spec in (_PL, _PLQY)}
"""The point targets that are validated, by name."""
