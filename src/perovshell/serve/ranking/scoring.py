"""Scoring a design space block by block: constraints, predictions, scores, the top candidates."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices, Integers, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import shell_text
from perovshell.errors import DesignSpaceError
from perovshell.model import Model
from perovshell.models.outputs import DEFAULT_COVERAGE
from perovshell.models.product import Product
from perovshell.serve.ranking.candidates import MeasuredCandidate, measured_candidates
from perovshell.serve.ranking.filters import Filters
from perovshell.serve.ranking.objective import Predicted
from perovshell.serve.ranking.objectives import ORDERS, Objectives
from perovshell.serve.ranking.point_objectives import Measured, measured_plqy
from perovshell.serve.ranking.task_result import TaskResult
from perovshell.serve.ranking.top_k import CoreBlock, TopK
from perovshell.serve.space.space import DesignSpace, Layers
from perovshell.targets.declared import PL, PLQY

POOL: Final = 1000
"""Least length of the top list while a space is scored."""
_AT_ONCE: Final = 100_000
"""Combinations of a block: their columns fit a processor's cache."""
_MOST_CORES, _FEWEST_CORES = 2048, 64
_MOST_CELLS: Final = 200_000
MIN_IMPROVEMENT: Final = 1e-300
_DIGITS: Final = 10
"""Decimals of a score's logarithm: later ones depend on the order of summation."""


@dataclass(frozen=True)
class Options:
    """How a space is ranked.

    Attributes:
        order_by: One of `ORDERS`.
        shrink: Whether targets without skill are shrunk and measured values pooled.
        exclude_known: Whether combinations of the literature are excluded.
        keep: Length of the top list.
        task_size: Combinations of one task: a second or two. It does not change the result.
    """

    order_by: str = "lower-bound"
    shrink: bool = True
    exclude_known: bool = False
    keep: int = POOL
    task_size: int = 4_000_000

    def __post_init__(self) -> None:
        """Refuse an unknown order."""
        if self.order_by not in ORDERS:
            msg = f"order_by {self.order_by!r}: allowed: {', '.join(ORDERS)}"
            raise DesignSpaceError(msg)


@dataclass(frozen=True)
class Tile:
    """A range of cores with a range of kept shells."""

    cores: range
    shells: range


class Scorer:
    """Scores the combinations of a design space.

    Args:
        space: The design space.
        model: The model.
        options: How it is ranked.
    """

    def __init__(self, space: DesignSpace, model: Model, options: Options) -> None:
        self.space = space
        self.model = model
        self.options = options
        self.objectives = Objectives(space, model, shrink=options.shrink)
        self._filters = Filters(space, model.predictor.featurizer)
        faults = [self._filters.shell_fault(layers) for layers in space.shells]
        self._shell_faults = Counter(fault for fault in faults if fault)
        self._kept = [number for number, fault in enumerate(faults) if not fault]
        self._shells: list[Layers] = [space.shells[number] for number in self._kept]
        self._shell_terms = {
            objective.name: objective.shell_terms(self._shells)
            for objective in self.objectives.active
        }

    @cached_property
    def known(self) -> tuple[MeasuredCandidate, ...]:
        """The measured combinations that fit objectives and constraints, best first."""
        return measured_candidates(self.objectives, self._filters.satisfies)

    @property
    def best_known(self) -> float:
        """Score of the best of them; 0 if there is none."""
        return self.known[0].score if self.known else 0.0

    @cached_property
    def _product(self) -> Product:
        return Product(
            self.model.predictor,
            self._shells,
            self.space.contexts,
            self.space.stressors,
            coverage=DEFAULT_COVERAGE,
            thresholds=self.space.thresholds,
        )

    # Tasks -----------------------------------------------------------------------------------

    @cached_property
    def units(self) -> tuple[int, int]:
        """Number of cores and of shells of a unit."""
        contexts = len(self.space.contexts)
        cores = min(max(_AT_ONCE // contexts, _FEWEST_CORES), _MOST_CORES, self.space.cores.size)
        shells = max(1, self.options.task_size // (cores * contexts))
        return cores, min(shells, max(len(self._kept), 1))

    @cached_property
    def tasks(self) -> int:
        """Number of tasks; it depends on the space alone, so every engine gives the same result."""
        return -(-self._n_units // self._units_a_task)

    @property
    def _n_units(self) -> int:
        return self._core_blocks * self._shell_blocks

    @property
    def _core_blocks(self) -> int:
        return -(-self.space.cores.size // self.units[0])

    @property
    def _shell_blocks(self) -> int:
        return -(-max(len(self._kept), 1) // self.units[1])

    @property
    def _units_a_task(self) -> int:
        cores, shells = self.units
        return max(1, self.options.task_size // (cores * shells * len(self.space.contexts)))

    def _units(self, task: int) -> Iterator[Tile]:
        n_cores, n_shells = self.units
        first = task * self._units_a_task
        for unit in range(first, min(first + self._units_a_task, self._n_units)):
            core, shell = divmod(unit, self._shell_blocks)
            yield Tile(
                range(core * n_cores, min((core + 1) * n_cores, self.space.cores.size)),
                range(shell * n_shells, min((shell + 1) * n_shells, len(self._kept))),
            )

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Families of cores in the overview: one for all if it would be too large."""
        families = self.space.cores.families
        return families if len(families) * len(self.space.shells) <= _MOST_CELLS else ("all cores",)

    @property
    def empty(self) -> TaskResult:
        """An empty result."""
        objectives, shells = len(self.objectives.names), len(self.space.shells)
        return TaskResult.empty(objectives, len(self.families), shells)

    def _top_k(self) -> TopK:
        counts = len(self.space.shells), len(self.space.contexts)
        return TopK(self.empty, self.options.keep, self._kept, *counts)

    def run_task(self, task: int) -> TaskResult:
        """Score the combinations of one task and return the best of them."""
        top = self._top_k()
        for unit in self._units(task):
            self._score(unit, top)
        return top.result()

    # Constraints -----------------------------------------------------------------------------

    def _kept_cores(self, unit: Tile, top: TopK) -> tuple[CompositionBatch, Mask]:
        """Return the cores of a unit that satisfy the constraints on cores, and their mask."""
        batch, neutral = self.space.cores.batch(unit.cores.start, unit.cores.stop)
        kept = np.ones(len(neutral), dtype=bool)
        contexts = len(self.space.contexts)
        # Constraints on shells alone are counted once per core, with the first range of shells.
        is_first = unit.shells.start == 0
        shells = len(unit.shells) + is_first * sum(self._shell_faults.values())
        checks = [
            ("charge_balance", neutral),
            *self._filters.core_checks(batch, np.array(unit.cores)),
        ]
        for name, passes in checks:
            top.remove(name, int((kept & ~passes).sum()) * shells * contexts)
            kept &= passes
        for name, count in self._shell_faults.items():
            top.remove(name, int(kept.sum()) * is_first * count * contexts)
        return CompositionBatch(batch.species[kept], batch.amounts[kept], {}), kept

    @cached_property
    def _known(self) -> frozenset[tuple[int, str]]:
        """The combinations of the literature that are in the space."""
        return frozenset(
            (core, shell) for core, shells in self._literature.items() for shell in shells
        )

    @cached_property
    def _literature(self) -> dict[int, dict[str, Measured | None]]:
        """The measured PLQY of combinations of the literature, by core number and shell."""
        measured: dict[int, dict[str, Measured | None]] = defaultdict(dict)
        for core, shell, rows in self.model.predictor.literature.combinations():
            number = self.space.cores.find(core)
            if number is not None:
                measured[number][shell] = measured_plqy(rows)
        return dict(measured)

    # Scores -------------------------------------------------------------------------------------

    def _score(self, unit: Tile, top: TopK) -> None:
        for part, shells, alive in self._alive_parts(unit, top):
            self._score_alive(part, shells, alive, top)

    def _alive_parts(self, unit: Tile, top: TopK) -> Iterator[tuple[CoreBlock, range, Mask]]:
        """Yield cores and shells with any combination that satisfies all, and the mask of these."""
        batch, kept = self._kept_cores(unit, top)
        if not kept.any() or not len(unit.shells):
            return
        part = CoreBlock(
            self._product.cores(batch),
            np.flatnonzero(kept).astype(np.int64) + unit.cores.start,
            self._family(unit.cores)[kept],
        )
        step = max(1, _AT_ONCE // (len(part.numbers) * len(self.space.contexts)))
        for first in range(unit.shells.start, unit.shells.stop, step):
            shells = range(first, min(first + step, unit.shells.stop))
            alive = self._alive(part, shells, top)
            if alive.any():
                yield part, shells, alive

    def refuse_contradiction(self) -> None:
        """Refuse constraints that no combination satisfies, before any prediction.

        Raises:
            DesignSpaceError: No combination is left; the message counts the removed ones.
        """
        top = self._top_k()
        units = (unit for task in range(self.tasks) for unit in self._units(task))
        if any(True for unit in units for _ in self._alive_parts(unit, top)):
            return
        raise DesignSpaceError(self.space.nothing_left(top.result().removed))

    def _family(self, cores: range) -> Indices:
        if len(self.families) == 1:
            return np.zeros(len(cores), dtype=np.intp)
        return self.space.cores.family(cores.start, cores.stop)

    def _alive(self, part: CoreBlock, shells: range, top: TopK) -> Mask:
        """Return which combinations satisfy all, shape (n_shells, n_contexts, n_cores)."""
        contexts = len(self.space.contexts)
        pairs = np.ones((len(shells), len(part.numbers)), dtype=bool)
        block = [self._shells[number] for number in shells]
        known = self._known if self.options.exclude_known else frozenset()
        checks = self._filters.pair_checks(part.cores, part.numbers, block, known)
        for name, passes in checks:
            top.remove(name, int((pairs & ~passes).sum()) * contexts)
            pairs &= passes
        alive: Mask = np.repeat(pairs[:, None, :], contexts, axis=1)
        if self.space.constraints.in_domain and pairs.any():
            inside = self._product.verdicts(part.cores, shells.start, shells.stop)["in_domain"]
            top.remove("in_domain", int((alive & ~inside).sum()))
            alive &= inside
        return alive

    def _score_alive(self, part: CoreBlock, shells: range, alive: Mask, top: TopK) -> None:
        predicted = self._predicted(part, shells)
        if self.space.constraints.pl_in_window:
            low, high = self.space.pl_window_nm or (-np.inf, np.inf)
            peak = predicted.columns[PL.column]
            inside = (peak >= low) & (peak <= high)
            top.remove("pl_in_window", int((alive & ~inside).sum()))
            alive &= inside
        desirable = self.objectives.desirabilities(predicted)
        score = np.where(alive, np.round(self._log_score(predicted, desirable), _DIGITS), -np.inf)
        top.add(part, shells, score, desirable)
        top.add_widths(predicted.columns[PLQY.scale_column], alive)

    def _predicted(self, part: CoreBlock, shells: range) -> Predicted:
        """Return the predictions of a block with the values that the active objectives rank by."""
        ends = shells.start, shells.stop
        columns = self._product.columns(part.cores, *ends)
        predicted = Predicted(columns, self._product.categories(part.cores, *ends))
        for objective in self.objectives.active:
            terms = self._shell_terms[objective.name][:, slice(*ends), None, None]
            objective.add_values(predicted, terms)
        if self.objectives.plqy in self.objectives.active:
            self._pool(predicted, part.numbers, shells)
        return predicted

    def _log_score(self, predicted: Predicted, desirable: dict[str, Floats]) -> Floats:
        objectives, order = self.objectives, self.options.order_by
        if order == "explore":
            improvement = objectives.improvement(predicted, self.best_known)
            return np.log(np.maximum(improvement, MIN_IMPROVEMENT))
        if order == "lower-bound":
            desirable = objectives.desirabilities(predicted, at_lower_bound=True)
        return objectives.log_score(desirable)

    def _pool(self, predicted: Predicted, numbers: Integers, shells: range) -> None:
        """Pool the PLQY of measured combinations with their measurements; change `predicted`."""
        for core in self._literature.keys() & set(range(int(numbers[0]), int(numbers[-1]) + 1)):
            column = int(np.searchsorted(numbers, core))
            if numbers[column] != core:
                continue
            for shell in shells:
                measured = self._literature[core].get(shell_text(self._shells[shell]))
                if measured is not None:
                    index = shell - shells.start, slice(None), column
                    self.objectives.plqy.pool(predicted, index, measured)
