"""Ranking the combinations of a design space, and what each line rests on.

Each wish is turned into a desirability from 0 to 1 (the probability that the PL lies in the
window; the PLQY over 100 %; the logarithm of the gain over that of `GAIN_SCALE`), and the score is
their weighted geometric mean. A target without skill over its null model has its differences
shrunk by the by-paper slope of observed on predicted, so that noise orders nothing; measured
evidence on the very combination or the shell still counts, by partial pooling.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.formula import shell_text
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import column_name
from perovshell.errors import DesignSpaceError
from perovshell.features.featurizer import Combination
from perovshell.model import Model, load
from perovshell.models.evidence import Neighbour
from perovshell.models.outputs import Wishes
from perovshell.models.request import Request
from perovshell.serve.space import DesignSpace

Floats = npt.NDArray[np.float64]

GAIN_SCALE = 1000.0
"""A gain of this size has the desirability 1, a gain of 1 or less the desirability 0."""
SHELL_PRIOR_PAPERS = 4.0
"""Papers that a shell's mean PLQY is worth before any is read: papers on one combination spread
by about 18 points, shells by about half of that, and (18 / 9)^2 = 4."""
COMBINATION_PRIOR_PAPERS = 1.0
"""Papers that the model is worth against measurements of the very combination."""
_BLOCK = 4000
_SOLUBLE = frozenset({"soluble", "reacts", "sparingly soluble"})
_METALLIC = frozenset({"metal", "carbon"})


@dataclass(frozen=True)
class Candidate:
    """One line of a ranking.

    Attributes:
        rank: Place in the list, from 1.
        item: The combination.
        score: Weighted geometric mean of the desirabilities.
        values: Numeric output columns of the prediction, and `pl_in_window` (probability),
            `plqy_ranked` and `gain_ranked` (what the order rests on).
        reasons: Why it is outside the domain; empty inside.
        rests_on: What the line rests on.
        nearest: The nearest literature samples.
        measured: Literature samples of the very combination.
    """

    rank: int
    item: Combination
    score: float
    values: Mapping[str, float]
    reasons: tuple[str, ...]
    rests_on: str
    nearest: tuple[Neighbour, ...]
    measured: tuple[Neighbour, ...]

    @property
    def core(self) -> str:
        """Standard formula of the core."""
        return self.item.core.formula if self.item.core else ""

    @property
    def shell(self) -> str:
        """The layers joined by `|`."""
        return shell_text(self.item.layers)


@dataclass(frozen=True)
class Ranking:
    """A ranked design space.

    Attributes:
        space: The design space.
        model: The model that ranked it.
        candidates: The best lines.
        total: Number of combinations ranked.
        removed: How many combinations each constraint removed.
        statements: What was shrunk, and why.
    """

    space: DesignSpace
    model: Model
    candidates: tuple[Candidate, ...]
    total: int
    removed: Mapping[str, int]
    statements: tuple[str, ...]


def rank(
    space: DesignSpace | Mapping[str, Any] | Path | str | None = None,
    *,
    model: Model | None = None,
    top: int = 200,
    advance: Callable[[int], None] = lambda _: None,
) -> Ranking:
    """Rank the combinations of a design space.

    Args:
        space: A design space, its mapping, a YAML file, a preset's name; None is the default.
        model: The model; None is the workspace's champion.
        top: How many lines to keep.
        advance: Called with the number of combinations done since the last call.

    Raises:
        DesignSpaceError: The space is not allowed, or its constraints leave nothing.
    """
    model = model or load()
    if not isinstance(space, DesignSpace):
        reader = model.predictor.featurizer.reader
        is_file = space is None or isinstance(space, str | Path)
        make = DesignSpace.from_yaml if is_file else DesignSpace.from_mapping
        space = make(space, reader)  # type: ignore[arg-type]
    kept, removed = _allowed(space, model)
    scorer = _Scorer(space, model)
    scored: list[tuple[float, str, int, dict[str, float]]] = []
    for start in range(0, len(kept), _BLOCK):
        block = kept[start : start + _BLOCK]
        scored += [
            (-score, f"{item.core.formula if item.core else ''} {shell_text(item.layers)}", k, row)
            for k, (item, score, row) in enumerate(scorer.block(block), start=start)
        ]
        advance(len(block))
    scored.sort(key=lambda entry: entry[:3])
    candidates = tuple(
        scorer.candidate(place, kept[index], -negative, values)
        for place, (negative, _, index, values) in enumerate(scored[:top], start=1)
    )
    return Ranking(space, model, candidates, len(kept), removed, scorer.statements())


# Constraints ---------------------------------------------------------------------------------


def _allowed(space: DesignSpace, model: Model) -> tuple[list[Combination], dict[str, int]]:
    """Apply the constraints; count what each one removes from what the ones before left."""
    removed: Counter[str] = Counter()
    kept: list[Combination] = []
    for core in space.cores:
        for layers in space.shells:
            for structure in space.structures:
                item = Combination(core, layers, structure, space.encapsulation, space.medium)
                fault = _removed_by(space, model, item)
                if fault:
                    removed[fault] += 1
                else:
                    kept.append(item)
    if not kept:
        counts = ", ".join(f"{name} {count:,}" for name, count in removed.most_common())
        msg = (
            f"design space {space.name}: the constraints leave nothing of {space.size:,}: {counts}"
        )
        raise DesignSpaceError(msg)
    return kept, dict(removed)


def _removed_by(space: DesignSpace, model: Model, item: Combination) -> str:
    holds = space.constraints
    assert item.core is not None
    if holds["lead_free"] and "Pb" in dict(item.core.amounts):
        return "lead_free"
    if holds["insoluble_in_water"] and not _insoluble(item):
        return "insoluble_in_water"
    if holds["no_quenching_shell"] and _quenches(model, item):
        return "no_quenching_shell"
    if holds["in_domain"] and model.predictor.outside(item, (space.stressor,)):
        return "in_domain"
    return ""


def _insoluble(item: Combination) -> bool:
    """Whether water meets a layer known as insoluble first, and none within that dissolves."""
    outermost = item.layers[-1].in_water == "insoluble"
    return outermost and not any(layer.in_water in _SOLUBLE for layer in item.layers)


def _quenches(model: Model, item: Combination) -> bool:
    """Whether the innermost layer takes carriers: a metal, or a gap below the core's."""
    inner: ShellMaterial = item.layers[0]
    if inner.material_class in _METALLIC:
        return True
    featurizer = model.predictor.featurizer
    gap = inner.properties.get("band_gap_ev", math.nan)
    core_gap = featurizer.bulk_gap(item.core) if item.core else math.nan
    return bool(gap < core_gap)


# Scores --------------------------------------------------------------------------------------


class _Scorer:
    """Scores blocks of combinations against the wishes of a space."""

    def __init__(self, space: DesignSpace, model: Model) -> None:
        self.space = space
        self.model = model
        self.skill = model.info.skill
        self._plqy_center = model.predictor.plqy.null_value
        self._shell_plqy = _mean_plqy_by_shell(model)

    def block(
        self, items: Sequence[Combination]
    ) -> Iterable[tuple[Combination, float, dict[str, float]]]:
        """Yield (combination, score, values) of each combination."""
        nan = math.nan
        requests = [Request(item, nan, nan, nan, nan) for item in items]
        predictor, stressor = self.model.predictor, self.space.stressor
        wishes = Wishes(self.space.pl_window_nm)
        columns = predictor.columns(requests, (stressor,), wishes=wishes)
        columns["plqy_ranked"] = np.array(
            [
                self.plqy(item, value)
                for item, value in zip(items, columns["plqy_percent"], strict=True)
            ]
        )
        columns["gain_ranked"] = np.exp([self.log_gain(item) for item in items])
        score = self._score(columns)
        for index, item in enumerate(items):
            yield item, float(score[index]), {n: float(c[index]) for n, c in columns.items()}

    def _score(self, columns: Mapping[str, Floats]) -> Floats:
        desirable = {
            "pl": columns["pl_in_window"],
            "plqy": columns["plqy_ranked"] / 100.0,
            "gain": np.clip(np.log(columns["gain_ranked"]) / math.log(GAIN_SCALE), 0.0, 1.0),
        }
        weights = self.space.wishes
        logs = sum(
            weight * np.log(np.maximum(desirable[name], 1e-9)) for name, weight in weights.items()
        )
        return np.asarray(np.exp(logs / sum(weights.values())))

    def plqy(self, item: Combination, predicted: float) -> float:
        """Return the PLQY (percent) that orders: shrunk, then pooled with measurements."""
        center = self._plqy_center
        value = center + self._slope("plqy") * (predicted - center)
        papers, mean = self._shell_plqy["shells"].get(shell_text(item.layers), (0, 0.0))
        value += papers / (papers + SHELL_PRIOR_PAPERS) * (mean - self._shell_plqy["center"])
        measured = _plqy_by_paper(self.model.predictor.literature.measured(item))
        if measured:
            share = len(measured) / (len(measured) + COMBINATION_PRIOR_PAPERS)
            value += share * (sum(measured.values()) / len(measured) - value)
        return float(min(max(value, 0.0), 100.0))

    def log_gain(self, item: Combination) -> float:
        """Return the log gain that orders: tests of the shell and its class, the rest shrunk."""
        gain = self.model.predictor.gain
        shrunk = self._slope("gain") * gain.of_stressor(self.space.stressor)
        return float(gain.null + shrunk + gain.of_shell(item.layers))

    def _slope(self, target: str) -> float:
        verdict = self.skill[target]
        return 1.0 if verdict["has_skill"] else float(verdict["slope"])

    def candidate(
        self, place: int, item: Combination, score: float, values: Mapping[str, float]
    ) -> Candidate:
        """Put evidence beside a scored combination."""
        predictor = self.model.predictor
        measured = tuple(predictor.literature.measured(item))
        return Candidate(
            rank=place,
            item=item,
            score=score,
            values=values,
            reasons=tuple(predictor.outside(item, (self.space.stressor,))),
            rests_on=self._rests_on(item, measured),
            nearest=tuple(predictor.literature.nearest(predictor.literature.distances(item))),
            measured=measured,
        )

    def _rests_on(self, item: Combination, measured: Sequence[Neighbour]) -> str:
        parts = ["PL: model"]
        papers = len({row.paper for row in measured})
        if papers:
            parts.append(f"combination measured in {_count(papers)}")
        plqy_papers = self._shell_plqy["shells"].get(shell_text(item.layers), (0, 0.0))[0]
        parts.append(f"PLQY of the shell: {_count(plqy_papers)}")
        tested = sum(self.model.predictor.gain.shell_papers.get(x.name, 0) for x in item.layers)
        parts.append(f"gain of the shell: {_count(tested)}")
        if self.space.stressor == "water":
            known = {layer.in_water or "unknown" for layer in item.layers}
            parts.append(f"in water: {', '.join(sorted(known))}")
        return "; ".join(parts)

    def statements(self) -> tuple[str, ...]:
        """Return what is shrunk and why, a sentence a target."""
        said = []
        names = {"pl": "PL peak", "plqy": "PLQY", "gain": "Stability gain"}
        for target, name in names.items():
            verdict = self.skill[target]
            how = (
                "Its differences order the list in full."
                if verdict["has_skill"]
                else f"Its differences are shrunk by the factor {verdict['slope']:.2f}; "
                "measured evidence on the combination or the shell still counts."
            )
            said.append(f"{name}: {verdict['sentence']}. {how}")
        return tuple(said)


def _plqy_by_paper(rows: Sequence[Neighbour]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.plqy_percent is not None:
            found[row.paper].append(row.plqy_percent)
    return {paper: sum(values) / len(values) for paper, values in found.items()}


def _mean_plqy_by_shell(model: Model) -> dict[str, Any]:
    """Return for each shell (papers, mean of the papers' mean PLQY), and the mean over papers."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in model.predictor.literature.samples:
        if row["plqy_percent"] is not None and row["shell"] != "none":
            found[row["shell"]][row["paper"]].append(row["plqy_percent"])
    means = {
        shell: [sum(values) / len(values) for values in papers.values()]
        for shell, papers in found.items()
    }
    every = [value for values in means.values() for value in values]
    center = sum(every) / len(every) if every else 0.0
    shells = {shell: (len(values), sum(values) / len(values)) for shell, values in means.items()}
    return {"center": center, "shells": shells}


def _count(papers: int) -> str:
    return f"{papers} paper{'' if papers == 1 else 's'}"


def table(ranking: Ranking) -> tuple[list[str], list[list[Any]]]:
    """Return the header and the rows of ranking.csv."""
    name = column_name(ranking.space.stressor)
    numbers = [
        f"{column}{end}"
        for column in (
            "pl_peak_nm",
            "plqy_percent",
            f"stability_gain_{name}",
            f"half_life_h_{name}",
        )
        for end in ("", "_lower", "_upper")
    ]
    numbers += ["pl_in_window", "plqy_ranked", "gain_ranked"]
    texts = ["in_domain", "domain_reason", "rests_on", "measured_papers", "nearest_papers"]
    header = ["rank", "core", "shell", "structure", "score", *numbers, *texts]
    rows = [
        [
            line.rank,
            line.core,
            line.shell,
            line.item.structure,
            f"{line.score:.4g}",
            *(f"{line.values[column]:.6g}" for column in numbers),
            str(not line.reasons).lower(),
            "; ".join(line.reasons),
            line.rests_on,
            ";".join(dict.fromkeys(row.paper for row in line.measured)),
            ";".join(row.paper for row in line.nearest),
        ]
        for line in ranking.candidates
    ]
    return header, rows
