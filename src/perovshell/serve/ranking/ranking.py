"""Ranking the combinations of a design space: in this process, in several, on a Dask cluster.

Tasks depend on the space alone and their results join in any order to the same result, so every
engine gives the same ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from perovshell.errors import DesignSpaceError
from perovshell.model import Model, load
from perovshell.serve.ranking.assembly import RankingBuilder
from perovshell.serve.ranking.checkpoint import Checkpoint
from perovshell.serve.ranking.cluster import dask_client, on_dask
from perovshell.serve.ranking.job import Job, Results
from perovshell.serve.ranking.processes import in_processes
from perovshell.serve.ranking.progress import Progress, ProgressMeter
from perovshell.serve.ranking.results import Ranking
from perovshell.serve.ranking.scoring import POOL, Options, Scorer
from perovshell.serve.ranking.task_result import TaskResult
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace

ENGINES: Final = ("local", "dask")
MEMORY_MB: Final = 300
"""Memory of a process, whatever the size of the space: it is scored in blocks."""


@dataclass(frozen=True)
class Run:
    """Where and how a ranking is computed; it has no influence on the result.

    Attributes:
        engine: One of `ENGINES`.
        jobs: Processes, or workers of a local cluster.
        scheduler: Address of a Dask scheduler; None starts a local cluster.
        keep_in: File for the result, while it runs and after its end, so that no later fault loses
            it; None saves nothing.
        resume: Whether to resume from that file.
        yes: Whether a space that takes hours is allowed.
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
        if self.engine not in ENGINES:
            msg = f"engine {self.engine!r}: allowed: {', '.join(ENGINES)}"
            raise DesignSpaceError(msg)
        if self.scheduler is not None and self.engine != "dask":
            msg = f"scheduler {self.scheduler!r}: needs engine='dask', not {self.engine!r}"
            raise DesignSpaceError(msg)


def rank(
    space: DesignSpace | Mapping[str, Any] | Path | str | None = None,
    *,
    model: Model | None = None,
    top: int = 200,
    order_by: str = "lower-bound",
    batch: int = 0,
    run: Run | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Ranking:
    """Rank the combinations of a design space.

    Args:
        space: A design space, its mapping, a YAML file, a preset's name; None is the default.
        model: The model; None is the workspace's champion.
        top: Number of lines a list.
        order_by: `lower-bound` orders by what is known at least, so that ignorance costs: the PLQY
            that 90 % of new papers pass, and the lower bounds of pooled gains and half-lives;
            `value` by pooled values, `explore` by the expected improvement over the best measured
            combination.
        batch: Number of combinations in a diverse batch.
        run: How it is computed; None is in this process.
        progress: Called with the combinations done, their rate and the number of workers: at the
            beginning, after each task, and about once a second on a cluster.

    Returns:
        What was measured in the space, and what is worth trying; if the user interrupts it, of the
        combinations enumerated until then.

    Raises:
        DesignSpaceError: The space is not allowed, or its constraints leave no combination.
        ClusterError: The cluster cannot be reached or failed.
        WorkspaceError: There is nothing to resume, or the result cannot be saved.

    Examples:
        >>> import perovshell
        >>> space = {"cores": ["CsPbBr3"], "shells": ["SiO2", "HfO2"], "pl_window_nm": [510, 530]}
        >>> ranking = perovshell.rank(space)
        >>> ranking
        <Ranking of design-space; 1 combination measured, 1 of 2 others ranked by model ...; ...>
        >>> ranking.to_frame()[["list", "shell"]].values.tolist()
        [['measured', 'SiO2'], ['candidates', 'HfO2']]
    """
    _check_counts(top, batch)
    run = run or Run()
    model = model or load()
    space = read_space(space, model.predictor.featurizer.reader)
    space.refuse_size(yes=run.yes)
    options = Options(order_by, max(top, POOL), run.task_size)
    scorer = Scorer(space, model, options)
    scorer.refuse_contradiction()
    result = _run(scorer, run, progress)
    if not result.ranked and not scorer.measured.items:
        raise DesignSpaceError(space.nothing_left(result.removed))
    return RankingBuilder(scorer, result).ranking(top, batch)


def _check_counts(top: int, batch: int) -> None:
    for name, count, least in (("top", top, 1), ("batch", batch, 0)):
        if count < least:
            msg = f"{name} {count}: a number from {least} up is needed"
            raise DesignSpaceError(msg)


def _run(scorer: Scorer, run: Run, report: Callable[[Progress], None]) -> TaskResult:
    """Score all tasks by an engine; an interrupt keeps the result so far."""
    checkpoint = Checkpoint(scorer, run.keep_in, resume=run.resume)
    meter = ProgressMeter(scorer.space.size, checkpoint.result.seen, report)
    try:
        for tasks, part in _results(scorer, run, checkpoint.left, meter):
            checkpoint.add(tasks, part)
            meter.advance(part.seen)
    except KeyboardInterrupt:
        if not checkpoint.result.ranked:
            raise
    finally:
        checkpoint.save()
    return checkpoint.result


def _results(scorer: Scorer, run: Run, tasks: list[int], meter: ProgressMeter) -> Results:
    if not tasks:
        return
    if run.engine == "dask":
        job = Job.of(scorer.space, scorer.model, scorer.options)
        with dask_client(run.scheduler, run.jobs) as client:
            yield from on_dask(client, job, tasks, scorer.top_list, meter)
    elif run.jobs > 1 and len(tasks) > 1:
        job = Job.of(scorer.space, scorer.model, scorer.options)
        meter.show_workers(run.jobs)
        yield from in_processes(job, tasks, run.jobs)
    else:
        meter.show_workers(1)
        yield from (((task,), scorer.run_task(task)) for task in tasks)
