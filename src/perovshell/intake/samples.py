"""What looks wrong in the samples of a new paper: by physics, and by a model without it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from perovshell.data.records import Measurement, Sample
from perovshell.data.summary import measured_text
from perovshell.data.targets import ev_to_nm, nm_to_ev
from perovshell.data.usual import CORE_SIZE_RANGE, PERCENT_RANGE
from perovshell.data.vocabulary import MORPHOLOGIES, PLATELET
from perovshell.errors import InputError
from perovshell.intake.checks import Check
from perovshell.intake.halides import Halides, said_of_halides
from perovshell.models.evidence import combination_name
from perovshell.models.predictor import Predictor
from perovshell.models.requests import Requests
from perovshell.targets.declared import PL, PLQY
from perovshell.targets.target import PointTarget

LEVELS: Final = (0.9, 0.99)
"""Coverage of the intervals whose outside is worth a look, and needs an acceptance."""


@dataclass(frozen=True)
class SampleChecks:
    """Checks of the samples of one paper.

    Attributes:
        samples: The samples by sample_id, in the order of the table.
        halides: Windows of the PL peaks of lead cores.
        optics: Optics of a champion; None where there is no champion.
    """

    samples: Mapping[str, Sample]
    halides: Halides
    optics: Optics | None

    def of(self, sample: Sample) -> Iterator[Check]:
        """Yield the checks of one sample."""
        yield from _beyond_usual(sample)
        yield from _doubtful_shape(sample)
        yield from _definite_core(sample)
        yield from self._confined(sample)
        if sample.role == "core" and sample.core is not None and not sample.core.is_metal:
            wrong_halide = self._halide(sample)
            yield from wrong_halide
            if self.optics is not None:
                # What the stated halide rules out, no model needs to be asked about.
                yield from [] if wrong_halide else self.optics.peak(sample)
                if not PERCENT_RANGE.doubt("plqy_percent", sample.plqy_percent):
                    yield from self.optics.plqy(sample)
                yield from self._shift(sample)
        yield from self._copy(sample)

    def _halide(self, sample: Sample) -> list[Check]:
        window = self.halides.window(sample)
        peak, core = sample.pl_peak_nm, sample.core
        if window is None or core is None:
            return []
        if not _is_outside(peak, sample.pl_bound, window.low_nm, window.high_nm):
            return []
        causes = ["values swapped", "the emission of something else (role)"]
        causes[1:1] = [] if sample.is_bare else ["anion exchange during coating"]
        reason = (
            f"a peak at {peak:g} nm fits {self.halides.fitting(core, peak)}; "
            f"{said_of_halides(core)}: {_alternatives(causes)}"
        )
        return [_peak_check(sample, str(window), reason, is_outlier=True)]

    def _confined(self, sample: Sample) -> Iterator[Check]:
        """Yield a peak that only confinement explains, of a core of unstated size."""
        if sample.morphology != MORPHOLOGIES[0] or sample.core_size.is_given:
            return
        large = self.halides.window(replace(sample, core_size=Measurement(CORE_SIZE_RANGE.high)))
        if large is None or not sample.trains_pl or sample.pl_bound == ">":
            return
        if sample.pl_peak_nm < large.low_nm:
            yield Check(
                sample.sample_id,
                "core_size_nm",
                f"(empty), PL {_peak_text(sample)}",
                f"a size, a morphology, or a peak from {large.low_nm:.0f} nm",
                "a peak so far above the bulk gap is that of a small or a thin core",
                is_outlier=False,
            )

    def _shift(self, sample: Sample) -> Iterator[Check]:
        """Yield whether coating moved the peak further than in any paper of the champion."""
        bare = self.samples.get(sample.bare_sample_id)
        if bare is None or self.optics is None or not (sample.trains_pl and bare.trains_pl):
            return
        if {sample.pl_bound, bare.pl_bound} & {">", "<"}:
            return
        change = self.optics.unexpected_step_ev(sample, bare)
        largest = self.optics.predictor.points[PL.name].effect_scores.largest
        if math.isnan(change) or abs(change) <= largest:
            return
        change_nm = sample.pl_peak_nm - bare.pl_peak_nm
        reason = (
            f"coating moves the peak by {change_nm:+.0f} nm: value of another sample, or anion "
            "exchange?"
        )
        expected = f"within {largest:.2f} eV of what coating changes, as in all papers"
        yield _peak_check(sample, expected, reason, is_outlier=False)

    def _copy(self, sample: Sample) -> Iterator[Check]:
        """Yield whether an earlier sample of the paper has the same numbers."""
        if not (sample.pl_peak.is_given and sample.plqy.is_given):
            return
        for other in self.samples.values():
            if other is sample:
                return
            if _identity(other) == _identity(sample):
                yield Check(
                    sample.sample_id,
                    "sample_id",
                    f"PL {_peak_text(sample)}, PLQY {_plqy_text(sample)}",
                    f"other numbers than those of {other.sample_id}",
                    "same core, shell, structure, size, PL and PLQY: entered twice?",
                    is_outlier=False,
                )
                return


class Optics:
    """PL and PLQY of samples as a model that was trained without them expects them.

    Args:
        predictor: The champion.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def peak(self, sample: Sample) -> Iterator[Check]:
        """Yield whether the PL peak lies outside the champion's intervals."""
        request = request_of(sample, self.predictor)
        if not sample.pl_peak.is_given or request is None:
            return
        energy = nm_to_ev(self._value(request, "pl_peak_nm"))
        limits = _limits(self.predictor, PL, request)
        ranges = [(_nm(energy + half), _nm(energy - half)) for half in limits.halves]
        texts = [f"{low:.0f} to {high:.0f} nm" for low, high in ranges]
        outside = [_is_outside(sample.pl_peak_nm, sample.pl_bound, *ends) for ends in ranges]
        if any(outside):
            side = "longer" if sample.pl_peak_nm > _nm(energy) else "shorter"
            reason = (
                f"a {side} wavelength than core, shell and size make likely (about "
                f"{_nm(energy):.0f} nm): value of another sample, or a mistyped digit?"
            )
            yield _peak_check(sample, limits.text(texts, outside), reason, is_outlier=outside[1])

    def plqy(self, sample: Sample) -> Iterator[Check]:
        """Yield whether the PLQY lies outside the champion's intervals."""
        stated = sample.plqy_percent
        request = request_of(sample, self.predictor)
        if math.isnan(stated) or request is None:
            return
        usual = self._value(request, "plqy_percent")
        limits = _limits(self.predictor, PLQY, request)
        ranges = [(max(usual - half, 0.0), min(usual + half, 100.0)) for half in limits.halves]
        texts = [f"{low:.0f} to {high:.0f} %" for low, high in ranges]
        outside = [_is_outside(stated, sample.plqy_bound, *ends) for ends in ranges]
        if any(outside):
            side = "above" if stated > usual else "below"
            reason = (
                f"{abs(stated - usual):.0f} points {side} what core and shell make likely: another "
                "sample's value?"
            )
            yield Check(
                sample.sample_id,
                "plqy_percent",
                _plqy_text(sample),
                limits.text(texts, outside),
                reason,
                is_outlier=outside[1],
            )

    def unexpected_step_ev(self, sample: Sample, bare: Sample) -> float:
        """Return the step of the photon energy from bare to coated less the predicted one, in eV.

        NaN where the champion cannot read one of them.
        """
        missed = []
        for one in (sample, bare):
            request = request_of(one, self.predictor)
            if request is None:
                return math.nan
            expected = nm_to_ev(self._value(request, "pl_peak_nm"))
            missed.append(nm_to_ev(one.pl_peak_nm) - expected)
        return missed[0] - missed[1]

    def _value(self, request: Requests, column: str) -> float:
        return float(self.predictor.columns(request, ())[column][0])


@dataclass(frozen=True)
class _Limits:
    """How far a value may lie from its prediction: at the two `LEVELS`, in units of the target.

    Attributes:
        halves: Half of each interval.
        names: What each is called.
    """

    halves: tuple[float, ...]
    names: tuple[str, ...]

    def text(self, texts: Sequence[str], outside: Sequence[bool]) -> str:
        """Return the first interval, and the second where the value is outside of that too."""
        named = [f"{name} {text}" for name, text in zip(self.names, texts, strict=True)]
        return ", ".join(dict.fromkeys(named if outside[1] else named[:1]))


def _limits(predictor: Predictor, target: PointTarget, request: Requests) -> _Limits:
    """Return the limits of PL (eV) or PLQY (points) of a combination.

    Where too few papers calibrate a level, the farthest that a left-out paper was off counts.
    """
    model, item = predictor.points[target.name], request.item(0)
    scale = float(predictor.difficulties([item])[target.name][0])
    scores = model.mondrian.get(combination_name(item), model.scores)
    sizes = [min(scores.quantile(level), scores.largest) for level in LEVELS]
    names = tuple(
        f"{level:.0%} interval".replace("%", " %")
        if math.isfinite(scores.quantile(level))
        else "farthest of all left-out papers"
        for level in LEVELS
    )
    return _Limits(tuple(size * scale for size in sizes), names)


def _beyond_usual(sample: Sample) -> Iterator[Check]:
    """Yield the numbers that are possible, but hardly in the unit of their column."""
    size = ("core_size_nm", sample.core_size, CORE_SIZE_RANGE)
    for column, measured, usual in (size, ("plqy_percent", sample.plqy, PERCENT_RANGE)):
        if usual.doubt(column, measured.value):
            yield Check(
                sample.sample_id,
                column,
                measured_text(measured, usual.unit),
                usual.text,
                f"{usual.instead}?",
                is_outlier=usual is PERCENT_RANGE,
            )


def _doubtful_shape(sample: Sample) -> Iterator[Check]:
    """Yield a layer on itself, and a platelet whose confinement is not known."""
    names = [layer.name for layer in sample.layers]
    twice = [name for name, inner in zip(names[1:], names, strict=False) if name == inner]
    if twice:
        yield Check(
            sample.sample_id,
            "shell",
            sample.shell,
            "neighbouring layers of two materials",
            f"{twice[0]} on itself is one layer; or a blend?",
            is_outlier=False,
        )
    is_confined = sample.monolayers > 0 or sample.core_size.is_given
    if sample.morphology == PLATELET and not is_confined:
        yield Check(
            sample.sample_id,
            "morphology",
            PLATELET,
            "monolayers, or the thickness as core_size_nm",
            "its peak depends on the thickness first",
            is_outlier=False,
        )


def _definite_core(sample: Sample) -> Iterator[Check]:
    """Yield a formula that leaves nothing open, of a core whose composition is called open."""
    if sample.open_core is not None and sample.open_core.definite is not None:
        yield Check(
            sample.sample_id,
            "composition",
            f"open, of {sample.core_text}",
            "exact, or a formula that shows what is open, as CsPb(Br/I)3",
            "the formula is definite, and a core of open composition trains no PL",
            is_outlier=False,
        )


# Helpers --------------------------------------------------------------------------------------


def request_of(
    sample: Sample, predictor: Predictor, changes: Mapping[str, Any] | None = None
) -> Requests | None:
    """Return the request of a sample without its measured values.

    Args:
        sample: The sample.
        predictor: The champion, with its tables of ions and shells.
        changes: Cells of the request that are set otherwise.

    Returns:
        None where the champion's tables cannot read core or shell, or the core is open.
    """
    if sample.core is None:
        return None
    row = {
        "core": sample.core.formula,
        "shell": sample.shell,
        "structure": sample.structure,
        "encapsulation": sample.encapsulation,
        "medium": sample.medium,
        "morphology": sample.morphology,
        "core_size_nm": sample.core_size_nm,
        "shell_thickness_nm": sample.shell_thickness_nm,
        **{kind: getattr(sample, kind) for kind in sample.treatments},
    }
    try:
        return Requests.read_one({**row, **(changes or {})}, predictor.featurizer.reader)
    except InputError:
        return None


def _is_outside(value: float, bound: str, low: float, high: float) -> bool:
    """Whether a value, or all values that its bound allows, lie outside; NaN does not."""
    return bool((value < low and bound != ">") or (value > high and bound != "<"))


def _nm(energy: float) -> float:
    """Return the wavelength in nm of an energy in eV, inf where that is not above 0."""
    return ev_to_nm(energy) if energy > 0 else math.inf


def _alternatives(causes: Sequence[str]) -> str:
    """Join causes that are asked for, such as `a, b, or c?`."""
    return f"{', '.join(causes[:-1])}, or {causes[-1]}?"


def _identity(sample: Sample) -> tuple[object, ...]:
    """Return what two samples of one paper do not share by chance."""
    size = None if math.isnan(sample.core_size_nm) else sample.core_size_nm
    numbers = (size, sample.pl_peak_nm, sample.plqy_percent)
    return (sample.core_key, sample.shell, sample.structure, *numbers)


def _peak_text(sample: Sample) -> str:
    return measured_text(sample.pl_peak, "nm")


def _plqy_text(sample: Sample) -> str:
    return measured_text(sample.plqy, "%")


def _peak_check(sample: Sample, expected: str, reason: str, *, is_outlier: bool) -> Check:
    return Check(
        sample.sample_id,
        "pl_peak_nm",
        _peak_text(sample),
        expected,
        reason,
        is_outlier=is_outlier,
    )
