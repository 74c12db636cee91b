"""The declared targets: PL peak, PLQY, equivalent lifetime and stability gain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from perovshell.data.records import Measurement, Sample
from perovshell.data.usual import PERCENT_RANGE
from perovshell.targets.scales import ENERGY, PERCENT, Log
from perovshell.targets.target import (
    DomainRule,
    Effect,
    PointTarget,
    StabilityTarget,
    Target,
    Threshold,
)

MIN_GAIN: Final = 2.0
"""Almost all gains in the literature are above 1 (published because they are): below this factor no
probability is offered."""


def _read_pl(sample: Sample) -> Measurement | None:
    return sample.pl_peak if sample.trains_pl else None


def _read_plqy(sample: Sample) -> Measurement | None:
    return sample.plqy if sample.trains_plqy else None


def _trains_pl(sample: Sample, is_tested: bool) -> bool:  # noqa: ARG001, FBT001
    return sample.trains_pl


def _trains_plqy(sample: Sample, is_tested: bool) -> bool:  # noqa: ARG001, FBT001
    return sample.trains_plqy


def _trains_stability(sample: Sample, is_tested: bool) -> bool:  # noqa: ARG001, FBT001
    return is_tested


PL: Final = PointTarget(
    name="pl",
    title="PL peak",
    unit="nm",
    error_unit="nm",
    error_digits=0,
    column="pl_peak_nm",
    scale=ENERGY,
    read=_read_pl,
    domain=DomainRule("PL", _trains_pl, "pl_peak_nm"),
    # A coating leaves core and size as they are.
    effect=Effect("pl_shift_nm", "bare_pl_peak_nm", shares_whole_residual=True),
    threshold=Threshold(
        argument="pl_window_nm",
        column="p_pl_in_window",
        rule="two rising wavelengths from 200 to 2000 nm",
        low=200.0,
        high=2000.0,
        is_window=True,
    ),
    no_skill="the PL peak is predicted no better than by the median",
)
PLQY: Final = PointTarget(
    name="plqy",
    title="PLQY",
    unit="%",
    error_unit="points",
    column="plqy_percent",
    scale=PERCENT,
    read=_read_plqy,
    domain=DomainRule("PLQY", _trains_plqy, "plqy_percent"),
    effect=Effect("plqy_change", "bare_plqy_percent"),
    threshold=Threshold(
        argument="plqy_above",
        column="p_plqy_above",
        rule="a percentage from 0 to below 100",
        low=0.0,
        high=100.0,
        usual=PERCENT_RANGE,
    ),
    no_skill="the PLQY is predicted no better than by the median",
)
_STABILITY: Final = DomainRule("stability", _trains_stability, "tested", by_stressor=True)
LIFETIME: Final = StabilityTarget(
    name="lifetime",
    title="lifetime",
    unit="h",
    error_unit="",
    stem="half_life_h",
    quantity="half-life",
    scale=Log("log h"),
    domain=_STABILITY,
    no_skill="half-lives are predicted no better than by stressor and side alone",
)
GAIN: Final = StabilityTarget(
    name="gain",
    title="stability gain",
    unit="",
    error_unit="",
    stem="stability_gain",
    quantity="stability gain",
    scale=Log("log"),
    domain=_STABILITY,
    threshold=Threshold(
        argument="gain_above",
        column="p_stability_gain_above",
        rule=f"a factor of {MIN_GAIN:g} or more",
        low=MIN_GAIN,
        high=math.inf,
    ),
    no_skill="stability gains are predicted no better than by the mean of all shells",
)
POINTS: Final = (PL, PLQY)
"""Targets that are one number a sample, in the order of the output columns."""
STABILITY: Final = (GAIN, LIFETIME)
"""Targets under a stressor, in the order of the output columns."""
TARGETS: Final[Mapping[str, Target]] = {one.name: one for one in (PL, PLQY, LIFETIME, GAIN)}
"""The targets a model answers, by name."""
DOMAINS: Final[Mapping[str, DomainRule]] = {
    one.domain.label: one.domain for one in TARGETS.values()
}
"""The applicability domains by label."""
