"""What papers measured of shells, so that what nobody measured costs in a ranking.

A half-life, a gain (their logarithms) or a PLQY (its residual) is the mean of all coated samples
plus effects of the class of the shell, of the shell, of the combination of core and shell, and of
the paper. Layers of a stack share the effects of their classes and of themselves, and the stack has
one of its own. A lower bound of a combination takes off the error of what is known of it: a shell
that nobody tested carries the whole spread between the shells of its class and between classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy.typing as npt

from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.models.evidence import NAME_JOINT
from perovshell.models.mixed import MixedEffects

HALF_LIFE: Final = "half-life"
GAIN: Final = "gain"
PLQY: Final = "plqy"
MIN_PAPERS: Final = 3
"""Papers with a lower end from which a quantity under a stressor orders anything."""
LEVEL: Final = 0.9
"""Probability that a lower bound is below the mean of a combination over papers."""
JOINT: Final = "|"
_SHARED: Final = ("paper",)
COMBINATION: Final = "combination:"


@dataclass(frozen=True)
class Known:
    """What is known of a number of a combination, on the scale that it is modelled on.

    Attributes:
        mean: Expected mean over papers.
        error: Standard error of it.
        factor: Errors from the mean to a bound that holds with the probability `LEVEL`.
    """

    mean: float
    error: float
    factor: float

    @property
    def at_least(self) -> float:
        """The lower bound."""
        return self.mean - self.factor * self.error


@dataclass(frozen=True)
class ShellFit:
    """The effects of classes, shells and combinations on one number.

    Attributes:
        effects: The effects; see `effect_row`.
        factor: Errors from a mean to its bound.
    """

    effects: MixedEffects
    factor: float

    @classmethod
    def of(cls, effects: MixedEffects, factor: float) -> ShellFit:
        """Keep what predicts other papers."""
        return cls(effects.without(_SHARED), factor)

    def known(self, core: str, layers: Sequence[ShellMaterial]) -> Known:
        """Return what is known of a combination.

        Args:
            core: Standard formula of the core; empty for one that nobody coated with the shell.
            layers: Layers of the shell.
        """
        shell = shell_text(layers)
        known = self.known_of(core, shell, class_text(layers))
        if len(layers) == 1 or shell in self._shells:
            return known
        # A stack that nobody tried is known no better than its least known layer.
        alone = [self.known_of(core, one.name, one.material_class).error for one in layers]
        return replace(known, error=max(known.error, *alone))

    def known_of(self, core: str, shell: str, material_class: str) -> Known:
        """Return the same, of a shell and its classes as joined texts."""
        row = effect_row(core, shell, material_class)
        variance = self.effects.variance(row)
        if self._shells.isdisjoint(_shells_of(shell)):
            # The shells of a class that papers have are those that worked: one that nobody tried
            # by itself may be of another kind, whatever its class.
            variance += self.effects.spreads["class"] ** 2
        return Known(self.effects.predict(row), math.sqrt(variance), self.factor)

    def level(self, core: str, layers: Sequence[ShellMaterial], kind: str = "tests") -> str:
        """Return the tests nearest to a combination in words: of the narrowest group with any.

        Args:
            core: Standard formula of the core.
            layers: Layers of the shell.
            kind: What papers reported: `tests`, or `samples` of a PLQY.
        """
        shell, known = shell_text(layers), self.effects.effects
        if f"{COMBINATION}{core}{NAME_JOINT}{shell}" in known:
            return f"{kind} of the combination"
        if shell in self._shells:
            return f"{kind} of the shell on other cores"
        if f"shell:{shell}" in known:
            return f"{kind} of stacks that hold the shell"
        if any(f"shell:{name}" in known for name in _shells_of(shell)):
            return f"{kind} of its layers"
        classes = [one.material_class for one in layers if f"class:{one.material_class}" in known]
        return (
            f"{kind} of other shells of class {classes[0]}"
            if classes
            else f"{kind} of shells of other classes"
        )

    @cached_property
    def _shells(self) -> frozenset[str]:
        """The shells that papers tested as a whole."""
        names = [name.removeprefix(COMBINATION) for name in self.effects.effects]
        pairs = [name.partition(NAME_JOINT) for name in names if NAME_JOINT in name]
        return frozenset(shell for _, _, shell in pairs)

    @property
    def noise_variance(self) -> float:
        """Variance of a value of a new paper about the mean of its combination."""
        return float(self.effects.sigma**2 + self.effects.spreads["paper"] ** 2)

    @property
    def total_variance(self) -> float:
        """Variance of a value of a new paper on a shell of a class that nobody measured."""
        spreads = self.effects.spreads
        kinds = ("class", "shell", "combination")
        return self.noise_variance + sum(spreads[kind] ** 2 for kind in kinds)


def effect_row(core: str, shell: str, material_class: str, paper: str = "") -> dict[str, float]:
    """Return the amount of each effect that a value has; those of layers are shared.

    Args:
        core: Standard formula of the core.
        shell: Layers joined by `|`.
        material_class: Classes of the layers joined by `|`.
        paper: The paper; empty for a new one, whose effect is not asked for.
    """
    classes, (_, *layers) = material_class.split(JOINT), _shells_of(shell)
    row = {"mean:all": 1.0, **{f"class:{name}": 1.0 / len(classes) for name in classes}}
    row |= {f"shell:{name}": 1.0 / len(layers) for name in layers}
    row |= {f"shell:{shell}": 1.0, f"{COMBINATION}{core}{NAME_JOINT}{shell}": 1.0}
    return row | ({f"paper:{paper}": 1.0} if paper else {})


def _shells_of(shell: str) -> list[str]:
    """Return a shell, and of a stack its different layers behind it."""
    layers = list(dict.fromkeys(shell.split(JOINT)))
    return [shell, *(layers if len(layers) > 1 else [])]


def class_text(layers: Sequence[ShellMaterial]) -> str:
    """Return the classes of layers, each once, joined by `|`; empty for a bare core."""
    return JOINT.join(dict.fromkeys(layer.material_class for layer in layers))


@dataclass(frozen=True)
class ShellEvidence:
    """What papers measured of shells: half-lives and gains under stressors, and PLQY.

    Attributes:
        fits: By number, such as `half-life water` or `plqy`, where enough papers measured it.
        measured: By number, the combinations of core and shell that any paper measured it of.
        papers: By shell, layers joined by `|`, the papers that put it on any core, open ones too.
        usual_variance: Variance of the mean of the shells of the data on a new core, on average
            over papers: about what the intervals of the PLQY, validated on left-out papers, have in
            them. A paper is not left out of it: it is a little small, and intervals a little wide.
    """

    fits: Mapping[str, ShellFit] = field(default_factory=dict)
    measured: Mapping[str, frozenset[str]] = field(default_factory=dict)
    papers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    usual_variance: float = 0.0

    def fit(self, quantity: str, stressor: str = "") -> ShellFit | None:
        """Return the fit of a number; None where hardly any paper measured it."""
        return self.fits.get(number_key(quantity, stressor))

    def has(self, core: str, shell: str, quantity: str, stressor: str = "") -> bool:
        """Whether a paper measured a number of a combination, its shell as joined layers."""
        names = self.measured.get(number_key(quantity, stressor), frozenset())
        return f"{core}{NAME_JOINT}{shell}" in names

    def papers_of(self, layers: Sequence[ShellMaterial]) -> tuple[str, ...]:
        """Return the papers that put a shell on any core."""
        return self.papers.get(shell_text(layers), ())

    def to_parts(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return JSON data and arrays for storage."""
        data = {
            "fits": {
                name: {**fit.effects.to_json(), "factor": fit.factor}
                for name, fit in self.fits.items()
            },
            "measured": {name: sorted(names) for name, names in self.measured.items()},
            "papers": {shell: list(papers) for shell, papers in self.papers.items()},
            "usual_variance": self.usual_variance,
        }
        return data, {name: fit.effects.covariance for name, fit in self.fits.items()}

    @classmethod
    def from_parts(
        cls, data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> ShellEvidence:
        """Rebuild from stored parts."""
        return cls(
            fits={
                name: ShellFit(MixedEffects.from_json(fit, arrays[name]), float(fit["factor"]))
                for name, fit in data["fits"].items()
            },
            measured={name: frozenset(names) for name, names in data["measured"].items()},
            papers={shell: tuple(papers) for shell, papers in data["papers"].items()},
            usual_variance=float(data["usual_variance"]),
        )


def number_key(quantity: str, stressor: str = "") -> str:
    """Return the key of a number: a quantity, with its stressor where it has one."""
    return f"{quantity} {stressor}".strip()


def shrinkage(verdict: Mapping[str, Any]) -> float:
    """Return the factor on differences of a target in rankings: 1 where it has skill.

    Args:
        verdict: Whether the target has skill, and the by-paper slope of observed on predicted.
    """
    return 1.0 if verdict["has_skill"] else float(verdict["slope"])
