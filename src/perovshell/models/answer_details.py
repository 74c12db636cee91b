"""All that is behind an answer: samples and their differences, known bounds, reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from perovshell.data.shells import shell_text
from perovshell.data.vocabulary import MEDIA, MORPHOLOGIES, TREATMENTS, WORDS
from perovshell.models.evidence import Literature, Neighbour, printed_text
from perovshell.models.outputs import Answer
from perovshell.models.predictor import Predictor
from perovshell.models.requests import Requests
from perovshell.models.shell_evidence import GAIN as GAIN_EVIDENCE
from perovshell.models.shell_evidence import HALF_LIFE
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.target import StabilityTarget
from perovshell.texts import number

_VALUES: Final = {"pl": ("pl_peak_nm", "nm"), "plqy": ("plqy_percent", "%")}
"""Column and unit of each value by its name."""
_SAME: Final = ("paper", "core", "morphology", *TREATMENTS)
_BARE: Final = "none"
_SIZE: Final = "core_size_nm"
_UNKNOWN: Final = "unknown"


def detailed(
    predictor: Predictor, row: Mapping[str, Any], answer: Answer, stressors: Sequence[str]
) -> dict[str, Any]:
    """Return an answer as JSON data with all that is behind it under `details`.

    Args:
        predictor: What answered.
        row: The request.
        answer: Its answer.
        stressors: The stressors that it was asked for.
    """
    data = answer.to_json()
    details = data["details"]
    details |= {"reasons": [], "known_at_least": []}
    if answer.values["error"]:
        return data
    request = Requests.read_one(row, predictor.featurizer.reader)
    for name, samples in (("nearest", answer.nearest), ("measured", answer.measured)):
        differs = differences(request, samples)
        details[name] = [
            vars(sample) | {"differs": texts}
            for sample, texts in zip(samples, differs, strict=True)
        ]
    controls = bare_controls(predictor.literature, answer.measured)
    details["measured"] = [a | b for a, b in zip(details["measured"], controls, strict=True)]
    details["reasons"] = [reason.to_json() for reason in answer.reasons]
    details["known_at_least"] = [
        bound.to_json() for bound in known_at_least(predictor, request, stressors)
    ]
    return data


# What is known at least ----------------------------------------------------------------------


@dataclass(frozen=True)
class PooledBound:
    """What is known at least of a half-life or a gain of a combination.

    It is pooled over papers, with tests of like shells and cores counting too; tests of the
    combination alone are pooled by `evidence`.

    Attributes:
        target: Half-life or gain.
        stressor: The stressor.
        at_least: Lower bound with a probability of 90 %, in hours or as a factor.
        evidence: The nearest tests: of the combination, of its shell, or of its class.
    """

    target: StabilityTarget
    stressor: str
    at_least: float
    evidence: str

    def line(self) -> str:
        """Return it as a line of text."""
        unit = f" {self.target.unit}" if self.target.unit else ""
        name = f"{self.target.quantity[0].upper()}{self.target.quantity[1:]}"
        at_least = f"{number(self.at_least)}{unit}"
        return f"{name} under {self.stressor}: {at_least} (nearest: {self.evidence})"

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; the target by its name."""
        return {
            "target": self.target.name,
            "stressor": self.stressor,
            "at_least": self.at_least,
            "evidence": self.evidence,
        }


def known_at_least(
    predictor: Predictor, request: Requests, stressors: Sequence[str]
) -> list[PooledBound]:
    """Return what is known at least of half-lives and gains of a combination.

    Args:
        predictor: What holds the evidence.
        request: One request; a bare core has no bounds.
        stressors: The stressors.
    """
    evidence, reader = predictor.shell_evidence, request.reader
    core, layers = reader.read_core(request.formulas[0]).formula, request.items.shells[0]
    bounds = []
    for stressor in stressors if layers else ():
        for target, quantity in ((LIFETIME, HALF_LIFE), (GAIN, GAIN_EVIDENCE)):
            fit = evidence.fit(quantity, stressor)
            if fit is None:
                continue
            at_least = float(f"{math.exp(fit.known(core, layers).at_least):.2g}")
            bounds.append(PooledBound(target, stressor, at_least, fit.level(core, layers)))
    return bounds


# Samples -------------------------------------------------------------------------------------


def bare_controls(
    literature: Literature, coated: Iterable[Neighbour]
) -> list[dict[str, float | str | None]]:
    """Return the PL peak and the PLQY of the bare control of each coated sample.

    A control is of the same paper, core, shape, ligand and dopant, and of no other size. A value is
    None where the paper has none, or several that differ.

    Args:
        literature: The literature of a model.
        coated: Samples of it.

    Returns:
        For each sample `bare_pl_peak_nm` (nm) and `bare_plqy_percent` (percent), and `bare_pl` and
        `bare_plqy` as they were printed, empty where unknown.
    """
    rows = {row["sample_id"]: row for row in literature.samples}
    bare = [row for row in literature.samples if row["shell"] == _BARE]
    return [_control(rows[sample.sample_id], bare) for sample in coated]


def _control(
    coated: Mapping[str, Any], bare: Iterable[Mapping[str, Any]]
) -> dict[str, float | str | None]:
    if coated["shell"] == _BARE:
        bare = ()
    controls = [
        row
        for row in bare
        if all(row[name] == coated[name] for name in _SAME)
        and (row[_SIZE] == coated[_SIZE] or None in {row[_SIZE], coated[_SIZE]})
    ]
    values: dict[str, float | str | None] = {}
    for name, (column, unit) in _VALUES.items():
        known = {printed_text(row, column, unit): row[column] for row in controls}
        known.pop("", None)
        text, value = known.popitem() if len(known) == 1 else ("", None)
        values |= {f"bare_{column}": value, f"bare_{name}": text}
    return values


def differences(request: Requests, samples: Iterable[Neighbour]) -> list[list[str]]:
    """Return what makes each literature sample another one than what is asked.

    Args:
        request: One request.
        samples: Samples of the literature.
    """
    core = request.reader.read_core(request.formulas[0]).formula
    shell = shell_text(request.items.shells[0])
    contexts = request.items.contexts
    places = dict(zip(WORDS, contexts.words[:, 0].tolist(), strict=True))
    medium, morphology = MEDIA[places["medium"]], MORPHOLOGIES[places["morphology"]]
    size = float(contexts.sizes[0])

    def of(sample: Neighbour) -> list[str]:
        texts = [f"core {sample.core}"] if sample.core != core else []
        if sample.shell != shell:
            texts.append("bare" if sample.shell == _BARE else f"shell {sample.shell}")
        if sample.core_size_nm is not None and sample.core_size_nm != size:
            asked = "" if math.isnan(size) else f", not {size:g} nm"
            texts.append(f"core of {sample.core_size}{asked}")
        if sample.morphology != morphology:
            texts.append(sample.morphology)
        if sample.medium not in {_UNKNOWN, medium}:
            texts.append(f"medium {sample.medium}")
        return texts

    return [of(sample) for sample in samples]
