"""Which one experiment would help most to choose.

The worth of an experiment is its knowledge gradient (Frazier, Powell and Dayanik,
10.1137/070693424): how much better, in score, the best choice is expected to be once its outcome
is known. Three kinds are compared: making a combination of the list; measuring the bare core, whose
residual a coated sample shares in part; and testing a shell until it fails, which moves what all
its combinations are expected to last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.data.formula import shell_text
from perovshell.models.stability import GAIN_PRIOR_SD
from perovshell.serve.chances import even_normals, normal_cdf, outcomes
from perovshell.serve.objectives import Objectives
from perovshell.serve.prospects import Prospects

Floats = npt.NDArray[np.float64]

LOOKED_AT: Final = 60
"""First lines of a ranking among which the choice is made."""
_OUTER, _INNER = 64, 96
_SEED: Final = 1
_SEVENTHS: Final = (-1.465, -0.792, -0.366, 0.0, 0.366, 0.792, 1.465)
"""The middles of seven equally likely parts of the normal distribution."""


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        kind: `combination`, `bare control` or `stability test`.
        what: What to make or test.
        worth: Expected rise of the score of the best choice.
        why: What it would settle.
    """

    kind: str
    what: str
    worth: float
    why: str


def experiments(objectives: Objectives, prospects: Prospects) -> tuple[Experiment, ...]:
    """Return experiments on the first lines of a ranking, most worth first."""
    judge = _Judge(objectives, prospects.rows(range(min(LOOKED_AT, len(prospects.items)))))
    found = [*judge.combinations(), *judge.bare_controls(), *judge.stability_tests()]
    return tuple(sorted(found, key=lambda one: (-one.worth, one.kind, one.what)))


class _Judge:
    """Weighs experiments by outcomes that share what they share."""

    def __init__(self, objectives: Objectives, prospects: Prospects) -> None:
        self.objectives = objectives
        self.prospects = prospects
        self._random = np.random.default_rng(_SEED)
        self._cores = [item.core.formula if item.core else "" for item in prospects.items]
        self._shells = [shell_text(item.layers) for item in prospects.items]
        predictor = objectives.model.predictor
        self._share = {"pl": predictor.pl.carry, "plqy": predictor.plqy.carry}
        self._normal = self._shared_normals()
        self._score = self._scores(prospects)
        self._expected = self._score.mean(axis=(1, 2))

    def _shared_normals(self) -> dict[str, Floats]:
        """Draw normals of shape (n, outer, inner); those of one core share a part of each outer."""
        cores = sorted(set(self._cores))
        place = [cores.index(name) for name in self._cores]
        found = {}
        for target, share in self._share.items():
            shared = even_normals(self._random, len(cores), _OUTER)[place, :, None]
            own = even_normals(self._random, len(place), _OUTER * _INNER)
            rest = math.sqrt(max(1.0 - share**2, 0.0))
            found[target] = share * shared + rest * own.reshape(-1, _OUTER, _INNER)
        shells = sorted(set(self._shells))
        rows = [shells.index(name) for name in self._shells]
        stressors = len(self.objectives.space.stressors)
        for target in ("gain", "half_life"):
            drawn = even_normals(self._random, stressors * len(shells), _OUTER * _INNER)
            shape = (stressors, len(shells), _OUTER, _INNER)
            found[target] = drawn.reshape(shape)[:, rows]
        return found

    def _scores(self, prospects: Prospects) -> Floats:
        """Return scores, shape (n, outer, inner)."""
        levels = {
            name: normal_cdf(value).reshape(*value.shape[:-2], -1)
            for name, value in self._normal.items()
        }
        drawn = outcomes(self.objectives, prospects, levels)
        score = np.exp(self.objectives.log_score(drawn))
        return score.reshape(len(prospects.items), _OUTER, _INNER)

    def _worth(self, rows: list[int], known: Floats) -> float:
        """Return the worth of knowing the expectations (n_rows, k) of some combinations."""
        others = np.delete(self._expected, rows)
        best_other = float(others.max()) if len(others) else 0.0
        after = float(np.maximum(known.max(axis=0), best_other).mean())
        return max(after - float(self._expected.max()), 0.0)

    def combinations(self) -> list[Experiment]:
        """Making and measuring each combination."""
        found = []
        for row, (core, shell) in enumerate(zip(self._cores, self._shells, strict=True)):
            worth = self._worth([row], self._score[row].reshape(1, -1))
            structure = self.prospects.items[row].structure
            what = f"{core} / {shell} ({structure})"
            why = "settles PL, PLQY and stability of this combination"
            found.append(Experiment("combination", what, worth, why))
        return found

    def bare_controls(self) -> list[Experiment]:
        """Measuring each core bare."""
        found = []
        for core in dict.fromkeys(self._cores):
            rows = [row for row, name in enumerate(self._cores) if name == core]
            worth = self._worth(rows, self._score[rows].mean(axis=2))
            parts = [f"{self._share['pl']:.0%} of its PL", f"{self._share['plqy']:.0%} of its PLQY"]
            why = f"a coated sample shares {' and '.join(parts)} residual; {_lines(rows)}"
            found.append(Experiment("bare control", core, worth, why))
        return found

    def stability_tests(self) -> list[Experiment]:
        """Testing each shell until it fails."""
        if "gain" not in self.objectives.names:
            return []
        gain = self.objectives.model.predictor.gain
        found = []
        for shell in dict.fromkeys(self._shells):
            rows = [row for row, name in enumerate(self._shells) if name == shell]
            layers = self.prospects.items[rows[0]].layers
            papers = max((gain.shell_papers.get(layer.name, 0) for layer in layers), default=0)
            variance = 1.0 / (GAIN_PRIOR_SD["shell"] ** -2 + papers / gain.effects.sigma**2)
            moved = variance / math.sqrt(variance + gain.effects.sigma**2)
            worth = self._worth(rows, self._after_shift(rows, moved))
            why = (
                f"tested two-sided in {papers} paper{'' if papers == 1 else 's'}; one more moves "
                f"its expected gain by a factor of about {math.exp(moved):.2f}; {_lines(rows)}"
            )
            what = f"{shell}, coated against bare, until it fails"
            found.append(Experiment("stability test", what, worth, why))
        return found

    def _after_shift(self, rows: list[int], moved: float) -> Floats:
        """Return expectations of some combinations after shifts of their log gain, (n_rows, k)."""
        own = self.prospects.rows(rows)
        levels = {
            name: normal_cdf(value[..., rows, :, :]).reshape(*value.shape[:-3], len(rows), -1)
            for name, value in self._normal.items()
        }
        found = []
        for z in _SEVENTHS:
            gain = [row * math.exp(z * moved) for row in own.ranked.gain]
            shifted = replace(own, ranked=replace(own.ranked, gain=gain))
            drawn = outcomes(self.objectives, shifted, levels)
            found.append(np.exp(self.objectives.log_score(drawn)).mean(axis=1))
        known = np.stack(found, axis=1)
        return np.asarray(known - known.mean(axis=1, keepdims=True) + self._expected[rows, None])


def _lines(rows: list[int]) -> str:
    return f"it bears on {len(rows)} of the first lines"
