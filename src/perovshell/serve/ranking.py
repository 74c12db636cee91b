"""Ranking the combinations of a design space, and what each line rests on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.formula import shell_text
from perovshell.errors import DesignSpaceError
from perovshell.features.featurizer import Combination
from perovshell.model import Model, load
from perovshell.models.evidence import Neighbour
from perovshell.serve import engine as engines
from perovshell.serve.advice import Experiment, experiments
from perovshell.serve.chances import chances
from perovshell.serve.harvest import Harvest
from perovshell.serve.objectives import Objectives
from perovshell.serve.prospects import Prospects
from perovshell.serve.scoring import Options, Scorer
from perovshell.serve.space import DesignSpace

Floats = npt.NDArray[np.float64]

MEMORY_MB: Final = 300
"""Memory of a process, whatever the size of the space: it is scored in blocks."""
FRONT_SHOWN: Final = 100
"""Lines of the Pareto front that are shown, best score first."""
_DIVERSE: Final = 0.6
"""Least distance of two combinations of a batch: three tenths of a site exchanged, or a shell of
another class."""
_POOL: Final = 1000
_WEIGHED: Final = 400
"""Lines whose chances are drawn: each is compared with each."""


@dataclass(frozen=True)
class Candidate:
    """One line of a ranking.

    Attributes:
        rank: Place in the list, from 1; 0 for a line of the front that is not in the list.
        item: The combination.
        score: What orders the list: a weighted geometric mean of desirabilities, of lower bounds
            or of values, or an expected improvement.
        desirabilities: Desirability of each wish, at its value.
        values: Numeric output columns of the prediction, `pl_in_window` (probability) where a
            window is asked for, and `plqy_ranked`, `plqy_ranked_lower`, `gain_ranked_S` and
            `half_life_ranked_S` (what the order rests on).
        on_front: Chance that none of the first lines beats it in all wishes; NaN further down.
        in_front: Whether none does at their values.
        above_next: Chance that it is better than the next line; NaN for the last.
        alike: Number of other lines with the same score: nothing known tells them apart.
        reasons: Why it is outside the domain; empty inside.
        rests_on: What the line rests on.
        nearest: The nearest literature samples.
        measured: Literature samples of the very combination.
    """

    rank: int
    item: Combination
    score: float
    desirabilities: Mapping[str, float]
    values: Mapping[str, float]
    on_front: float
    in_front: bool
    above_next: float
    alike: int
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
class Overview:
    """The best score of each family of cores with each shell.

    Attributes:
        families: Names of the families of cores with any score, best first.
        shells: Names of the shells with any score, best first.
        score: Best score, NaN where no combination was ranked, shape (n_families, n_shells).
    """

    families: tuple[str, ...]
    shells: tuple[str, ...]
    score: Floats


@dataclass(frozen=True)
class Ranking:
    """A ranked design space.

    Attributes:
        space: The design space.
        model: The model that ranked it.
        options: How it was ranked.
        candidates: The best lines.
        front: The lines that no other combination beats in all wishes, best score first.
        batch: The lines of a diverse batch, where one was asked for.
        overview: Best scores by family of cores and shell.
        measure_next: Experiments that would help to choose, most worth first.
        total: Number of combinations ranked.
        seen: Number of combinations looked at, those that constraints removed included.
        removed: How many combinations each constraint removed.
        statements: What orders the list, what was shrunk, and why.
    """

    space: DesignSpace
    model: Model
    options: Options
    candidates: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    batch: tuple[Candidate, ...]
    overview: Overview
    measure_next: tuple[Experiment, ...]
    total: int
    seen: int
    removed: Mapping[str, int]
    statements: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all combinations of the space were looked at."""
        return self.seen == self.space.size


@dataclass(frozen=True)
class Run:
    """Where and how a ranking is computed; it has no influence on the result.

    Attributes:
        engine: One of `engine.ENGINES`.
        jobs: Processes, or workers of a local cluster.
        scheduler: Address of a Dask scheduler; None starts a local cluster.
        keep_in: File that keeps what is found while it runs; None keeps nothing.
        resume: Whether to go on from that file.
        yes: Whether a space that takes hours is wanted.
        task_size: Combinations of one task.
    """

    engine: str = "local"
    jobs: int = 1
    scheduler: str | None = None
    keep_in: Path | None = None
    resume: bool = False
    yes: bool = False
    task_size: int = 4_000_000

    def __post_init__(self) -> None:
        """Refuse an unknown engine."""
        if self.engine not in engines.ENGINES:
            msg = f"--engine {self.engine!r}: allowed: {', '.join(engines.ENGINES)}"
            raise DesignSpaceError(msg)
        if self.scheduler is not None and self.engine != "dask":
            msg = "--scheduler: it is for --engine dask"
            raise DesignSpaceError(msg)


def rank(  # noqa: PLR0913
    space: DesignSpace | Mapping[str, Any] | Path | str | None = None,
    *,
    model: Model | None = None,
    top: int = 200,
    by: str = "best",
    raw: bool = False,
    novel: bool = False,
    batch: int = 0,
    run: Run | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Ranking:
    """Rank the combinations of a design space.

    Args:
        space: A design space, its mapping, a YAML file, a preset's name; None is the default.
        model: The model; None is the workspace's champion.
        top: How many lines to keep.
        by: `best` orders by the PLQY that 90 % of new papers pass and the other wishes at their
            values, `value` by values, `explore` by the expected improvement over the best known
            combination.
        raw: Whether to order by predictions as they are, noise included.
        novel: Whether to leave out combinations of the literature.
        batch: How many combinations to choose that are unlike one another.
        run: Where it is computed; None is this process.
        advance: Called with the number of combinations looked at since the last call.

    Returns:
        The ranking; where the user interrupts it, of what was looked at until then.

    Raises:
        DesignSpaceError: The space is not allowed, or its constraints leave nothing.
        ClusterError: The cluster cannot be reached or failed.
        WorkspaceError: There is nothing to resume, or what is found cannot be kept.
    """
    run = run or Run()
    model = model or load()
    space = read_space(space, model)
    space.refuse_size(yes=run.yes)
    options = Options(by, raw, novel, max(top, _POOL), run.task_size)
    scorer = Scorer(space, model, options)
    scorer.refuse_contradiction()
    found = _harvest(scorer, run, advance)
    if not found.ranked:
        raise DesignSpaceError(space.nothing_left(found.removed))
    return _Finisher(scorer, found).ranking(top, batch)


def read_space(
    space: DesignSpace | Mapping[str, Any] | Path | str | None, model: Model
) -> DesignSpace:
    """Return a design space from whatever stands for one; see `rank`."""
    reader = model.predictor.featurizer.reader
    if isinstance(space, DesignSpace):
        return space
    if space is None or isinstance(space, str | Path):
        return DesignSpace.from_yaml(space, reader)
    return DesignSpace.from_mapping(space, reader)


def _harvest(scorer: Scorer, run: Run, advance: Callable[[int], None]) -> Harvest:
    """Score all tasks by an engine; an interrupt keeps what is found."""
    progress = engines.Progress(scorer, run.keep_in, resume=run.resume)
    if progress.found.ranked:
        advance(_seen(progress.found))
    try:
        for tasks, part in _results(scorer, run, progress.left):
            progress.add(tasks, part)
            advance(_seen(part))
    except KeyboardInterrupt:
        if not progress.found.ranked:
            raise
        progress.save()
        return progress.found
    except BaseException:
        if progress.found.ranked:
            progress.save()
        raise
    progress.discard()
    return progress.found


def _results(scorer: Scorer, run: Run, tasks: list[int]) -> engines.Results:
    if run.engine == "dask":
        job = engines.Job.of(scorer.space, scorer.model, scorer.options)
        with engines.dask_client(run.scheduler, run.jobs) as client:
            yield from engines.on_dask(client, job, tasks, scorer.options.keep)
    elif run.jobs > 1 and len(tasks) > 1:
        job = engines.Job.of(scorer.space, scorer.model, scorer.options)
        yield from engines.in_processes(job, tasks, run.jobs)
    else:
        yield from engines.in_this_process(scorer, tasks)


def _seen(found: Harvest) -> int:
    return found.ranked + sum(found.removed.values())


# Lines ---------------------------------------------------------------------------------------


class _Finisher:
    """Makes lines with their evidence of what was found."""

    def __init__(self, scorer: Scorer, found: Harvest) -> None:
        self.scorer = scorer
        self.found = found
        self.space = scorer.space
        self.model = scorer.model
        self.objectives: Objectives = scorer.objectives

    def ranking(self, top: int, batch: int) -> Ranking:
        """Return the ranking with so many lines, and a batch of so many."""
        found = self.found
        index = found.top_index[:top].tolist()
        front = np.lexsort((found.front_index, -found.front_score))[:FRONT_SHOWN]
        others = [own for own in found.front_index[front].tolist() if own not in set(index)]
        chosen = self._batch(batch)
        extra = list(dict.fromkeys([*others, *(own for own in chosen if own not in set(index))]))
        score = dict(zip(found.top_index.tolist(), found.top_score.tolist(), strict=True))
        score |= dict(zip(found.front_index.tolist(), found.front_score.tolist(), strict=True))
        score |= dict(zip(found.cell_index.ravel().tolist(), found.cell_score.ravel(), strict=True))
        prospects = Prospects.of(
            self.objectives, [self.space.item(own) for own in (*index, *extra)]
        )
        lines = self._lines(prospects, [*index, *extra], len(index), score)
        by_index = dict(zip((*index, *extra), lines, strict=True))
        return Ranking(
            space=self.space,
            model=self.model,
            options=self.scorer.options,
            candidates=tuple(lines[: len(index)]),
            front=tuple(by_index[own] for own in found.front_index[front].tolist()),
            batch=tuple(by_index[own] for own in chosen),
            overview=self._overview(),
            measure_next=experiments(self.objectives, prospects.rows(range(len(index)))),
            total=found.ranked,
            seen=_seen(found),
            removed=found.removed,
            statements=tuple(self._statements()),
        )

    def _lines(
        self, prospects: Prospects, index: Sequence[int], listed: int, score: Mapping[int, float]
    ) -> list[Candidate]:
        desirable = self.objectives.desirabilities(prospects.columns, prospects.ranked)
        chance = chances(self.objectives, prospects.rows(range(min(len(index), _WEIGHED))))
        on_front = [*chance.on_front.tolist(), *[math.nan] * len(index)]
        above_next = [*chance.above_next.tolist(), *[math.nan] * len(index)]
        front = set(self.found.front_index.tolist())
        equal = Counter(score[own] for own in index[:listed])
        lines = []
        for row, (own, item) in enumerate(zip(index, prospects.items, strict=True)):
            lines.append(
                self._candidate(
                    item,
                    rank=row + 1 if row < listed else 0,
                    score=math.exp(score[own]),
                    desirabilities={name: float(column[row]) for name, column in desirable.items()},
                    values=self._values(prospects, row),
                    on_front=on_front[row],
                    in_front=own in front,
                    above_next=above_next[row] if row + 1 < listed else math.nan,
                    alike=max(equal[score[own]] - 1, 0),
                )
            )
        return lines

    def _values(self, prospects: Prospects, row: int) -> dict[str, float]:
        values = {name: float(column[row]) for name, column in prospects.columns.items()}
        ranked = prospects.ranked
        values["plqy_ranked"] = float(ranked.plqy[row])
        values["plqy_ranked_lower"] = max(float(ranked.plqy_low[row]), 0.0)
        for place, stressor in enumerate(self.space.stressors):
            name = stressor.replace("-", "_")
            values[f"gain_ranked_{name}"] = float(ranked.gain[place][row])
            values[f"half_life_ranked_{name}"] = float(ranked.half_life[place][row])
        return values

    def _candidate(self, item: Combination, **parts: Any) -> Candidate:
        predictor = self.model.predictor
        literature = predictor.literature
        measured = tuple(literature.measured(item))
        return Candidate(
            item=item,
            reasons=tuple(predictor.outside(item, self.space.stressors)),
            rests_on=self._rests_on(item, measured),
            nearest=tuple(literature.nearest(literature.distances(item))),
            measured=measured,
            **parts,
        )

    def _rests_on(self, item: Combination, measured: Sequence[Neighbour]) -> str:
        parts = ["PL: model"] if "pl" in self.objectives.names else []
        papers = len({row.paper for row in measured})
        if papers:
            parts.append(f"combination measured in {_count(papers)}")
        of_shell = self.objectives.shell_papers(item.layers)
        parts.append(f"PLQY of the shell: {_count(of_shell)}")
        gain = self.model.predictor.gain
        tested = sum(gain.shell_papers.get(layer.name, 0) for layer in item.layers)
        parts.append(f"gain of the shell: {_count(tested)}")
        unseen = self.model.predictor.literature.unseen_layers(item)
        if unseen:
            parts.append(f"no paper has {', '.join(unseen)}: the class speaks for it")
        if "water" in self.space.stressors:
            known = {layer.in_water or "unknown" for layer in item.layers}
            parts.append(f"in water: {', '.join(sorted(known))}")
        return "; ".join(parts)

    # A batch ---------------------------------------------------------------------------------

    def _batch(self, count: int) -> list[int]:
        """Choose combinations best first, none near another; nearer ones where there are no more.

        They come from the best list and from the best of each family of cores with each shell.
        """
        if not count:
            return []
        found = self.found
        cells = found.cell_index[found.cell_index >= 0]
        score = np.concatenate([found.top_score, found.cell_score[found.cell_index >= 0]])
        index = np.concatenate([found.top_index, cells])
        index, first = np.unique(index, return_index=True)
        order = np.lexsort((index, -score[first]))
        pool = index[order][: 4 * _POOL].tolist()
        items = {own: self.space.item(own) for own in pool}
        chosen: list[int] = []
        least = _DIVERSE
        while len(chosen) < min(count, len(pool)):
            for own in pool:
                if len(chosen) == count:
                    break
                if own not in chosen and all(
                    self._apart(items[own], items[other]) >= least for other in chosen
                ):
                    chosen.append(own)
            least = least / 2 if least > 0.01 else 0.0  # noqa: PLR2004
        return chosen

    def _apart(self, one: Combination, other: Combination) -> float:
        """Return the distance of two combinations, as `Literature.distances` measures it."""
        literature = self.model.predictor.literature
        assert one.core is not None
        assert other.core is not None
        cores = np.abs(literature.fractions(one.core) - literature.fractions(other.core)).sum()
        classes = [{layer.material_class for layer in own.layers} for own in (one, other)]
        same = shell_text(one.layers) == shell_text(other.layers)
        shells = 0.0 if same else 0.5 if classes[0] & classes[1] else 1.0
        return float(cores) + shells + 0.1 * (one.structure != other.structure)

    # Said of it ------------------------------------------------------------------------------

    def _overview(self) -> Overview:
        score = np.exp(self.found.cell_score)
        score[self.found.cell_index < 0] = math.nan
        filled = ~np.isnan(score)
        rows, columns = (np.flatnonzero(filled.any(axis=axis)) for axis in (1, 0))
        best = np.where(filled, score, -np.inf)
        rows = rows[np.argsort(-best[rows].max(axis=1, initial=-np.inf), kind="stable")]
        columns = columns[np.argsort(-best[:, columns].max(axis=0), kind="stable")]
        return Overview(
            tuple(self.scorer.families[row] for row in rows),
            tuple(shell_text(self.space.shells[column]) for column in columns),
            score[np.ix_(rows, columns)],
        )

    def _statements(self) -> list[str]:
        said = []
        if _seen(self.found) < self.space.size:
            share = _seen(self.found) / self.space.size
            said.append(
                f"Stopped after {share:.0%} of the space: {_seen(self.found):,} of "
                f"{self.space.size:,} combinations. The list holds for these alone."
            )
        said.append(self._order())
        names = {"pl": "PL peak", "plqy": "PLQY", "gain": "Stability gain"}
        targets = {"pl": "pl", "plqy": "plqy", "gain": "gain"}
        if "half_life" in self.objectives.names:
            names["half_life"], targets["half_life"] = "Half-life", "lifetime"
        for wish, name in names.items():
            verdict = self.model.info.skill[targets[wish]]
            how = "Its differences order the list in full."
            if self.scorer.options.raw:
                how = "Its differences order the list as predicted (raw), noise included."
            elif not verdict["has_skill"]:
                how = (
                    f"Its differences are shrunk by the factor {verdict['slope']:.2f}; "
                    "measured evidence on the combination or the shell still counts."
                )
            said.append(f"{name}: {verdict['sentence']}. {how}")
        if "light" in self.space.stressors:
            said.append(
                "Cores of bromide and iodide demix under light (10.1039/C4SC03141E), which no "
                "target here knows of."
            )
        return [*said, *self.space.notes]

    def _order(self) -> str:
        options, (low, high) = self.scorer.options, self.found.width
        if options.by == "explore":
            return (
                "Ordered by expected improvement over the best measured combination "
                f"(score {self.scorer.best_known:.3g}): what to make next, not what is best."
            )
        if options.by == "value" or "plqy" not in self.objectives.names:
            return "Ordered by value: a weighted geometric mean of the desirabilities."
        if self.space.plqy_above is not None:
            return "Ordered by value; the chance of passing the PLQY bar counts how unsure it is."
        if high - low < 1e-6 * high:
            return (
                "Ordered by lower bound; all intervals are equally wide, so that this is the "
                "order by value."
            )
        quantile = self.model.predictor.plqy.scores.quantile(0.9)
        return (
            "Ordered by lower bound: the PLQY counts with what 90 % of new papers pass (its 90 % "
            f"intervals are {low * quantile:.0f} to {high * quantile:.0f} points wide to either "
            "side); intervals of gain and half-life are equally wide for all, so these count with "
            "their value."
        )


def _count(papers: int) -> str:
    return f"{papers} paper{'' if papers == 1 else 's'}"
