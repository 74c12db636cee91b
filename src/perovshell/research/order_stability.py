"""How much one paper, or one more laboratory, moves the order of a ranking.

The order is that of all combinations of a space that satisfy its constraints, measured or not. It
is compared by Spearman's rank correlation, and by how many of the first ten stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import read_papers
from perovshell.errors import DesignSpaceError
from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.models.evidence import Literature
from perovshell.models.point import PointModel
from perovshell.models.shell_evidence import shrinkage
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.scoring import Options, Scorer
from perovshell.serve.space.space import DesignSpace
from perovshell.targets.declared import PLQY
from perovshell.training.fit import learners
from perovshell.training.fit.domains import domains_of, literature_rows
from perovshell.training.fit.problems import PointProblem
from perovshell.training.fit.shell_evidence import fit_shell_evidence
from perovshell.training.train import TrainedModel

FIRST: Final = 10
"""Length of the list of which the overlap is counted."""
_SEED: Final = 0
_LAB_SHELLS: Final = (
    "SiO2", "ZrO2", "TiO2", "Al2O3", "PMMA", "PS", "PVDF", "glass", "ZnS", "polyurethane",
)  # fmt: skip
_LAB_CORES: Final = ("CsPbBr3", "MAPbBr3", "FAPbBr3")
_PL_NOISE_NM, _PLQY_NOISE = 4.0, 10.0
_LOG_GAIN: Final = (1.6, 0.8)
"""Mean and standard deviation of the logarithm of an ordinary gain under light."""


@dataclass(frozen=True)
class Order:
    """The scores of the combinations of a space.

    Attributes:
        names: Core and shell of each.
        scores: Logarithms of their scores, shape (n,).
    """

    names: tuple[str, ...]
    scores: Floats

    @classmethod
    def of(cls, space: DesignSpace, model: Model) -> Order:
        """Score the combinations of a space, in its first context.

        Raises:
            DesignSpaceError: No combination satisfies the constraints.
        """
        scorer = Scorer(space, model, Options())
        items = [item for item in _items(space) if scorer.satisfies(item)]
        if not items:
            msg = f"design space {space.name}: no combination satisfies the constraints"
            raise DesignSpaceError(msg)
        scores = scorer.scores_of(CandidatePredictions.of(scorer.objectives, items))
        return cls(tuple(map(_name, items)), scores)

    def correlation(self, other: Order) -> float:
        """Return Spearman's rank correlation with another order of the same combinations."""
        ranks = np.array([_ranks(one.scores) for one in (self, other)])
        return float(np.corrcoef(ranks)[0, 1])

    def kept(self, other: Order) -> int:
        """Return how many of the first ten are among the first ten of another order."""
        return len({*self.first} & {*other.first})

    @property
    def first(self) -> list[str]:
        """The first ten."""
        return [self.names[row] for row in np.argsort(-self.scores, kind="stable")[:FIRST]]


def _items(space: DesignSpace) -> list[Combination]:
    contexts = len(space.contexts)
    return [space.item(number) for number in range(0, space.size, contexts)]


def _name(item: Combination) -> str:
    core = item.core.formula if item.core else ""
    return f"{core} / {'|'.join(layer.name for layer in item.layers)}"


def _ranks(scores: Floats) -> Floats:
    """Return ranks, equal scores sharing their mean rank."""
    _, group = np.unique(scores, return_inverse=True)
    counts = np.bincount(group)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[group])


def without_paper(trained: TrainedModel, dataset: Dataset, paper_id: str, seed: int = 0) -> Model:
    """Return the model with a paper left out of what is fitted in a moment.

    Fitted anew are priors and trees of PL and PLQY, what papers measured of shells, domains and the
    literature. What validation made stays, though the paper took part in it: the conformity scores
    of intervals and their Mondrian categories, the skill of targets and the slope by which their
    predictions are shrunk, and the predictions of other papers, made without themselves but with
    this paper, from which the PLQY of shells is counted. So do the median of all samples and the
    model of lifetimes. An order without any trace of a paper can differ a little more.

    Args:
        trained: A trained model.
        dataset: Its dataset.
        paper_id: The paper.
        seed: Seed of the boosters.
    """
    rest = dataset.subset(dataset.papers.keys() - {paper_id})
    model = Model.from_folder(trained.folder)
    points = {}
    for name, point in model.predictor.points.items():
        problem = trained.problems.points[name]
        rows = _others(problem, dataset, paper_id)
        points[name] = _refitted(point, problem, rows, seed)
    plqy = trained.problems.points[PLQY.name]
    rows = _others(plqy, dataset, paper_id)
    factor = shrinkage(model.info.skill[PLQY.name])
    predicted = points[PLQY.name].shrunk(trained.results[PLQY.name].model[0][rows], factor)
    literature = Literature(literature_rows(rest), model.predictor.featurizer.reader)
    predictor = replace(
        model.predictor,
        points=points,
        domains=domains_of(rest, literature),
        literature=literature,
        shell_evidence=fit_shell_evidence(rest, plqy.take(rows), predicted),
    )
    return replace(model, predictor=predictor)


def _others(problem: PointProblem, dataset: Dataset, paper_id: str) -> Indices:
    papers = np.array([dataset.samples[name].paper_id for name in problem.sample_ids])
    return np.flatnonzero(papers != paper_id)


def _refitted(point: PointModel, problem: PointProblem, rows: Indices, seed: int) -> PointModel:
    if len(rows) == len(problem.target):
        return point
    fitted = learners.fit_point(problem, rows, problem.spec.boosters, seed)
    fitted = fitted if len(point.forest.roots) else fitted.without_trees
    return replace(
        point,
        prior=fitted.prior,
        difficulty=fitted.difficulty,
        forest=fitted.trees.forest,
        columns=fitted.trees.columns,
    )


def with_laboratory(dataset: Dataset, model: Model, folder: Path, seed: int = _SEED) -> Dataset:
    """Return a dataset with a made-up laboratory of 30 ordinary samples in one paper.

    Their PL and PLQY are as predicted, but for noise, and their gains under light as papers
    report them.

    Args:
        dataset: The dataset.
        model: The model whose predictions are taken as the truth.
        folder: Where its paper file is written.
        seed: Seed of the noise.
    """
    random = np.random.default_rng(seed)
    rows = [{"core": core, "shell": shell} for core in _LAB_CORES for shell in _LAB_SHELLS]
    samples = [
        _sample(number, row, answer, random)
        for number, (row, answer) in enumerate(zip(rows, model.predict(rows), strict=True))
    ]
    paper = {
        "paper_id": "laboratory",
        "year": 2026,
        "title": "Thirty ordinary samples of a made-up laboratory",
        "source": "laboratory",
        "samples": samples,
    }
    path = folder / "laboratory.json"
    path.write_text(json.dumps(paper))
    return dataset.with_papers(read_papers(path, dataset.reader))


def _sample(
    number: int, row: Mapping[str, str], answer: Mapping[str, Any], random: np.random.Generator
) -> dict[str, Any]:
    peak = answer["pl_peak_nm"] + random.normal(0.0, _PL_NOISE_NM)
    plqy = float(np.clip(answer["plqy_percent"] + random.normal(0.0, _PLQY_NOISE), 1.0, 99.0))
    gain = float(np.exp(random.normal(*_LOG_GAIN)))
    # Exponential decay over a day: what is left of the bare and of the coated sample.
    bare = 100.0 * 0.5 ** (24.0 / 12.0)
    coated = 100.0 * 0.5 ** (24.0 / (12.0 * gain))
    test = {
        "stressor": "light",
        "measure": "remnant PL",
        "coated": {"duration": "24 h", "percent": f"{coated:.0f}"},
        "bare": {"duration": "24 h", "percent": f"{bare:.0f}"},
    }
    return {
        "name": f"sample-{number}",
        **row,
        "structure": "core/shell",
        "pl_peak_nm": f"{peak:.0f}",
        "plqy_percent": f"{plqy:.0f}",
        "stability": [test],
    }


def summary(correlations: Sequence[float], kept: Sequence[int]) -> str:
    """Return mean, lowest and quantiles of correlations and overlaps, as a line of text."""
    values = np.array(correlations)
    low, middle = np.quantile(values, [0.05, 0.5])
    return (
        f"rank correlation: median {middle:.4f}, 5 % quantile {low:.4f}, lowest "
        f"{values.min():.4f}; of the first {FIRST} stay {np.mean(kept):.1f} on average, at least "
        f"{min(kept)}"
    )
