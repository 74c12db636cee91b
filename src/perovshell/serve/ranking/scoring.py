"""Scoring a design space block by block: constraints, predictions, scores, the top candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.errors import DesignSpaceError
from perovshell.features.coating import LIGHT, quenching, shell_flags, too_hot
from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.models.outputs import DEFAULT_COVERAGE
from perovshell.models.product import Product
from perovshell.serve.ranking.candidates import (
    CandidatePredictions,
    MeasuredCombinations,
    answering_combinations,
)
from perovshell.serve.ranking.filters import Filters
from perovshell.serve.ranking.objective import FLAG, Predicted
from perovshell.serve.ranking.objectives import ORDERS, DomainObjective, Objectives
from perovshell.serve.ranking.task_result import TaskResult, TopList
from perovshell.serve.ranking.ties import tie_groups
from perovshell.serve.ranking.top_k import CoreBlock, TopK
from perovshell.serve.space.space import DesignSpace, Layers
from perovshell.targets.declared import PL

POOL: Final = 1000
"""Least number of lines of the top list while a space is scored."""
ALIKE: Final = 20
"""Most combinations of a line that are kept."""
_AT_ONCE: Final = 100_000
"""Combinations of a block: their columns fit a processor's cache."""
_MOST_CORES, _FEWEST_CORES = 2048, 64
_MOST_CELLS: Final = 200_000
MIN_IMPROVEMENT: Final = 1e-300
LOG_FLAG: Final = float(np.log(FLAG))
_DIGITS: Final = 10
"""Decimals of a score's logarithm: later ones depend on the order of summation."""


@dataclass(frozen=True)
class Options:
    """How a space is ranked.

    Attributes:
        order_by: One of `ORDERS`.
        keep: Lines of the top list.
        task_size: Combinations of one task: a second or two. It does not change the result.
    """

    order_by: str = "lower-bound"
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
    """Scores the combinations of a design space that nobody has measured.

    Shells that nothing known tells apart are scored once, by the first of them.

    Args:
        space: The design space.
        model: The model.
        options: How it is ranked.

    Attributes:
        ties: By the number of a shell that is scored, those that nothing known tells from it,
            itself first.
    """

    def __init__(self, space: DesignSpace, model: Model, options: Options) -> None:
        self.space = space
        self.model = model
        self.options = options
        self.objectives = Objectives(space, model)
        self._filters = Filters(space, model.predictor.featurizer)
        faults = [self._filters.shell_fault(layers) for layers in space.shells]
        self._shell_faults = Counter(fault for fault in faults if fault)
        kept = [number for number, fault in enumerate(faults) if not fault]
        pairs = [("", space.shells[number]) for number in kept]
        terms = {one.name: one.terms(pairs) for one in self.objectives.active}
        groups = self._tied([layers for _, layers in pairs], np.concatenate([*terms.values()]))
        self.ties = {kept[group[0]]: [kept[member] for member in group] for group in groups}
        self._kept = list(self.ties)
        self._shells: list[Layers] = [space.shells[number] for number in self._kept]
        self._members = np.array([len(group) for group in groups], dtype=np.int64)
        first = [group[0] for group in groups]
        self._terms = {name: term[:, first] for name, term in terms.items()}
        self._shell_flags = np.array(
            [len(shell_flags(layers, space.stressors)) for layers in self._shells]
        )

    def _tied(self, shells: Sequence[Layers], evidence: Floats) -> list[list[int]]:
        """Return groups of shells that nothing known tells apart."""
        holds = self.space.constraints
        named = {*holds.include.shells, *holds.exclude.shells}
        named |= {
            shell
            for selection in (holds.include, holds.exclude)
            for _, shell in selection.combinations
        }
        return tie_groups(
            shells,
            evidence,
            self.space.stressors,
            apart=named | set(self.model.predictor.literature.shell_names.tolist()),
            by_lattice=holds.lattice_mismatch_below is not None,
        )

    @cached_property
    def measured(self) -> MeasuredCombinations:
        """The measured combinations that satisfy the constraints, best first."""
        return MeasuredCombinations.of(self.objectives, self._filters, self.options.order_by)

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

    # Single combinations ---------------------------------------------------------------------

    def is_own_core(self, item: Combination) -> bool:
        """Whether the innermost layer of a combination is its core over again."""
        return self._filters.is_own_core(item)

    def satisfies(self, item: Combination) -> bool:
        """Whether a combination satisfies the constraints that need no model."""
        return self._filters.satisfies(item)

    def scores_of(self, predictions: CandidatePredictions) -> Floats:
        """Return the logarithms of the scores of named combinations, shape (n,)."""
        predicted = predictions.predicted
        scores = self._log_score(predicted, self.objectives.desirabilities(predicted))
        return np.asarray(scores + np.log(self.objectives.flag_factors(predictions.items)))

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

    @property
    def top_list(self) -> TopList:
        """How much is kept of the ranking."""
        # Where no objective tells cores apart, a line is its shell on any core.
        alike = ALIKE if self.objectives.look_at_cores else 1
        counts = len(self.space.shells), len(self.space.contexts)
        return TopList(self.options.keep, alike, *counts)

    def _top_k(self) -> TopK:
        return TopK(self.empty, self.top_list, self._kept)

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
        """The combinations that papers measured what is asked of, by number of the core."""
        pairs = answering_combinations(self.objectives)
        numbers = [(self.space.cores.find(core), shell) for core, shell, _ in pairs]
        return frozenset((number, shell) for number, shell in numbers if number is not None)

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
        if self.measured.items or any(True for unit in units for _ in self._alive_parts(unit, top)):
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
        members = self._members[shells.start : shells.stop]
        checks = self._filters.pair_checks(part.cores.rows, part.numbers, block, self._known)
        for name, passes in checks:
            top.remove(name, int((pairs & ~passes).sum(axis=1) @ members) * contexts)
            pairs &= passes
        alive: Mask = np.repeat(pairs[:, None, :], contexts, axis=1)
        if self.space.constraints.in_domain and pairs.any():
            ends = shells.start, shells.stop
            inside = self._product.are_inside(part.cores, self.objectives.domains, *ends)
            top.remove("in_domain", self._count(alive & ~inside, shells))
            alive &= inside
        return alive

    def _count(self, combinations: Mask, shells: range) -> int:
        """Count combinations of a block with the shells that are tied with its own."""
        of_shell = combinations.sum(axis=(1, 2))
        return int(of_shell @ self._members[shells.start : shells.stop])

    def _score_alive(self, part: CoreBlock, shells: range, alive: Mask, top: TopK) -> None:
        predicted = self._predicted(part, shells)
        if self.space.constraints.pl_in_window:
            low, high = self.space.pl_window_nm or (-np.inf, np.inf)
            peak = predicted.columns[PL.column]
            inside = (peak >= low) & (peak <= high)
            top.remove("pl_in_window", self._count(alive & ~inside, shells))
            alive &= inside
        desirable = self.objectives.desirabilities(predicted)
        log_score = self._log_score(predicted, desirable) + self._penalty(part, shells)
        score = np.where(alive, np.round(log_score, _DIGITS), -np.inf)
        top.add(part, shells, score, desirable, self._count(alive, shells))

    def _predicted(self, part: CoreBlock, shells: range) -> Predicted:
        """Return the predictions of a block with the values that the active objectives rank by."""
        ends = shells.start, shells.stop
        columns = self._product.points(part.cores, *ends)
        if self.space.weights[DomainObjective.name]:
            columns |= self._product.verdicts(part.cores, *ends)
        predicted = Predicted(columns, self._product.categories(part.cores, *ends))
        for objective in self.objectives.active:
            terms = self._terms[objective.name][:, slice(*ends), None, None]
            objective.add_values(predicted, terms)
        return predicted

    def _penalty(self, part: CoreBlock, shells: range) -> Floats:
        """Return the logarithm of the factor for flags, shape (n_shells, 1, n_cores)."""
        facts = part.cores.facts
        block = [self._shells[number] for number in shells]
        of_pair = [
            quenching(layers, facts.gaps).astype(float) + too_hot(layers, facts.limits_c)
            for layers in block
        ]
        flags = np.array(of_pair) + self._shell_flags[shells.start : shells.stop, None]
        if LIGHT in self.space.stressors:
            flags += facts.demixing
        return np.asarray(flags[:, None] * LOG_FLAG)

    def _log_score(self, predicted: Predicted, desirable: dict[str, Floats]) -> Floats:
        objectives, order = self.objectives, self.options.order_by
        if order == "explore":
            improvement = objectives.improvement(predicted, self.measured.best)
            return np.log(np.maximum(improvement, MIN_IMPROVEMENT))
        if order == "lower-bound":
            desirable = objectives.desirabilities(predicted, at_lower_bound=True)
        return objectives.log_score(desirable)
