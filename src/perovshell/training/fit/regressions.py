"""The targets that are one number a sample: where it is read, and how it is modelled.

To add one, declare it here: it is then validated, compared with its baselines and reported with
the others. What the model answers are `ANSWERED`; another target is answered once it has skill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from perovshell.data.records import Sample
from perovshell.data.targets import EV_NM
from perovshell.models.boosting import BoostConfig
from perovshell.models.prior import PL_PRIOR, PLQY_PRIOR, PriorForm
from perovshell.models.titles import ERROR_UNITS, TITLES

Floats = npt.NDArray[np.float64]

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
_FLIPPED_BOUND: Final = {">": "<", "<": ">"}
_LEAST_EV: Final = 0.5
"""Predicted energies count as no less: a wavelength needs an energy above 0."""


@dataclass(frozen=True, kw_only=True)
class Regression:
    """A target that is one number a sample.

    Attributes:
        name: Its key in figures, folders and reports.
        title: What it is called where people read.
        unit: Unit of the values as they are reported.
        error_unit: Unit of errors.
        read: Value in the reported unit and its bound (`>`, `<`, `~` or empty), None where a sample
            does not train it.
        scale: What is modelled: `energy` (eV, of a wavelength in nm), `percent` (0 to 100, whose
            bounds calibrate too, as they have a far end), or the `plain` value.
        prior: Form of the linear prior.
        boosters: The boosters, from cautious to bold, whose mean is added to the prior.
        loss_scale: Residual, as modelled, from which the loss is linear: about what papers on one
            combination differ by.
        baselines: The frozen baselines it is compared with.
        trees_win_ties: Whether trees are used where they are neither better nor worse.
        shares_whole_residual: Whether a coated sample shares the whole residual of its bare
            sample; else the share that pairs of samples show.
        curve_subset: The rows whose error the learning curve shows.
    """

    name: str
    title: str
    unit: str
    error_unit: str
    read: Callable[[Sample], tuple[float, str] | None]
    scale: Literal["energy", "percent", "plain"]
    prior: PriorForm
    boosters: tuple[BoostConfig, ...]
    loss_scale: float
    baselines: tuple[str, ...] = ("dummy", "neighbour", "forest")
    trees_win_ties: bool = False
    shares_whole_residual: bool = False
    curve_subset: str = "all"

    @property
    def label(self) -> str:
        """Title with the unit of values, for axes."""
        return f"{self.title} ({self.unit})"

    @property
    def error_label(self) -> str:
        """What an error is, with its unit, for axes."""
        return f"mean error ({self.error_unit})"

    def modelled(self, values: Floats) -> Floats:
        """Convert reported values to what is modelled."""
        return EV_NM / values if self.scale == "energy" else values

    def to_unit(self, values: Floats) -> Floats:
        """Convert modelled values to the reported unit."""
        if self.scale == "energy":
            return EV_NM / np.maximum(values, _LEAST_EV)
        return np.clip(values, 0.0, 100.0) if self.scale == "percent" else values

    def turned(self, bounds: Sequence[str]) -> list[str]:
        """Convert bounds between modelled and reported values: those of energies turn round."""
        turn = _FLIPPED_BOUND if self.scale == "energy" else {}
        return [turn.get(bound, bound) for bound in bounds]

    def width(self, low: Floats, high: Floats) -> Floats:
        """Return the widths of intervals of modelled values in the error's unit, shape (n,)."""
        if self.scale == "energy":
            return np.where(low > 0, EV_NM / np.maximum(low, 1e-9) - EV_NM / high, np.inf)
        return self.to_unit(high) - self.to_unit(low)


def _pl_peak(sample: Sample) -> tuple[float, str] | None:
    return (sample.pl_peak_nm, sample.pl_bound) if sample.trains_pl else None


def _plqy(sample: Sample) -> tuple[float, str] | None:
    return (sample.plqy_percent, sample.plqy_bound) if sample.trains_plqy else None


PL: Final = Regression(
    name="pl",
    title=TITLES["pl"],
    unit="nm",
    error_unit=ERROR_UNITS["pl"],
    read=_pl_peak,
    scale="energy",
    prior=PL_PRIOR,
    boosters=(
        BoostConfig(PHYSICAL, rounds=100, depth=4),
        BoostConfig(PHYSICAL, rounds=50, depth=2),
        BoostConfig(PHYSICAL, rounds=150, depth=6),
    ),
    loss_scale=0.02,
    baselines=("dummy", "neighbour", "forest", "vegard"),
    trees_win_ties=True,
    # A coating leaves core and size as they are.
    shares_whole_residual=True,
    curve_subset="lead_no_cspbcl3",
)
PLQY: Final = Regression(
    name="plqy",
    title=TITLES["plqy"],
    unit="%",
    error_unit=ERROR_UNITS["plqy"],
    read=_plqy,
    scale="percent",
    prior=PLQY_PRIOR,
    boosters=(
        BoostConfig(PHYSICAL, rounds=80, depth=4, learning_rate=0.03),
        BoostConfig(PHYSICAL, rounds=40, depth=2, learning_rate=0.03),
    ),
    loss_scale=20.0,
)
REGRESSIONS: Final[Mapping[str, Regression]] = {one.name: one for one in (PL, PLQY)}
"""The targets that are validated, by name."""
ANSWERED: Final = ("pl", "plqy")
"""Those that the model folder holds and a prediction answers."""
