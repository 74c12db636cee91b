"""Scoring a design space block by block: constraints, predictions, scores, and the best of them."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.data.formula import CompositionBatch, shell_text
from perovshell.errors import DesignSpaceError, FormulaError
from perovshell.features.featurizer import Combination
from perovshell.model import Model
from perovshell.models.outputs import DEFAULT_COVERAGE
from perovshell.models.product import Product
from perovshell.serve.basket import Basket, Part
from perovshell.serve.harvest import Harvest
from perovshell.serve.objectives import ORDERS, Measured, Objectives, measured_plqy
from perovshell.serve.physics import alignment_allowed, has_element, is_insoluble, quenches
from perovshell.serve.prospects import best_known
from perovshell.serve.space import DesignSpace, Layers

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

POOL: Final = 1000
"""Least length of the list of the best that is kept while a space is scored."""
_AT_ONCE: Final = 100_000
"""Combinations whose columns are held at once: what a processor's cache takes."""
_MOST_CORES, _FEWEST_CORES = 2048, 64
_MOST_CELLS: Final = 200_000
LEAST_IMPROVEMENT: Final = 1e-300
_DIGITS: Final = 10
"""Decimals of a score's logarithm: what is left behind them is the order of sums."""


@dataclass(frozen=True)
class Options:
    """How a space is ranked.

    Attributes:
        by: One of `ORDERS`.
        raw: Whether predictions are taken as they are, without shrinking or pooling.
        novel: Whether combinations of the literature are left out.
        keep: Length of the list of the best.
        task_size: Combinations of one task: a second or two. It does not change the result.
    """

    by: str = "best"
    raw: bool = False
    novel: bool = False
    keep: int = POOL
    task_size: int = 4_000_000

    def __post_init__(self) -> None:
        """Refuse an unknown order."""
        if self.by not in ORDERS:
            msg = f"--by {self.by!r}: allowed: {', '.join(ORDERS)}"
            raise DesignSpaceError(msg)


@dataclass(frozen=True)
class Unit:
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
        self.objectives = Objectives(space, model, raw=options.raw)
        faults = [self._shell_fault(layers) for layers in space.shells]
        self._shell_faults = Counter(fault for fault in faults if fault)
        self._kept = [place for place, fault in enumerate(faults) if not fault]
        self._shells: list[Layers] = [space.shells[place] for place in self._kept]
        self._of_shell = np.array([self.objectives.of_shell_plqy(own) for own in self._shells])
        self._width = np.array([self.objectives.shell_width(own) for own in self._shells])
        self.best_known = (
            best_known(self.objectives, self._satisfies) if options.by == "explore" else (0.0, "")
        )

    @cached_property
    def _product(self) -> Product:
        return Product(
            self.model.predictor,
            self._shells,
            self.space.contexts,
            self.space.stressors,
            coverage=DEFAULT_COVERAGE,
            wishes=self.space.thresholds,
        )

    @cached_property
    def _gain(self) -> Floats:
        """Log gain that orders, shape (n_stressors, n_kept_shells)."""
        stressors, log_gain = self.space.stressors, self.objectives.log_gain
        return np.array([[log_gain(own, name) for own in self._shells] for name in stressors])

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
        """Number of tasks; they depend on the space alone, so that any engine scores the same."""
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

    def _units(self, task: int) -> Iterator[Unit]:
        n_cores, n_shells = self.units
        first = task * self._units_a_task
        for unit in range(first, min(first + self._units_a_task, self._n_units)):
            core, shell = divmod(unit, self._shell_blocks)
            yield Unit(
                range(core * n_cores, min((core + 1) * n_cores, self.space.cores.size)),
                range(shell * n_shells, min((shell + 1) * n_shells, len(self._kept))),
            )

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Families of cores in the overview: one for all where it would be too large."""
        own = self.space.cores.families
        return own if len(own) * len(self.space.shells) <= _MOST_CELLS else ("all cores",)

    @property
    def empty(self) -> Harvest:
        """The harvest of nothing."""
        wishes, shells = len(self.objectives.names), len(self.space.shells)
        return Harvest.empty(wishes, len(self.families), shells)

    def _basket(self) -> Basket:
        counts = len(self.space.shells), len(self.space.contexts)
        return Basket(self.empty, self.options.keep, self._kept, *counts)

    def harvest(self, task: int) -> Harvest:
        """Score the combinations of one task and return the best of them."""
        found = self._basket()
        for unit in self._units(task):
            self._score(unit, found)
        return found.harvest()

    # Constraints -----------------------------------------------------------------------------

    def _shell_fault(self, layers: Layers) -> str:
        holds = self.space.constraints
        if holds.lead_free and has_element(layers, "Pb"):
            return "lead_free"
        if holds.cadmium_free and has_element(layers, "Cd"):
            return "cadmium_free"
        if holds.exclude.has_shell(layers):
            return "exclude"
        if (holds.include.shells or holds.include.classes) and not holds.include.has_shell(layers):
            return "include"
        if holds.insoluble_in_water and not is_insoluble(layers):
            return "insoluble_in_water"
        return ""

    def _satisfies(self, item: Combination) -> bool:
        """Whether a combination of the literature satisfies what is asked of cores and shells."""
        if item.core is None or self._shell_fault(item.layers):
            return False
        batch = self.model.predictor.featurizer.batch([item.core.amounts])
        number = self.space.cores.find(item.core)
        numbers = np.array([-1 if number is None else number])
        return all(bool(passes[0]) for _, passes in self._core_checks(batch, numbers))

    def _kept_cores(self, unit: Unit, found: Basket) -> tuple[CompositionBatch, Mask]:
        """Return the cores of a unit that satisfy what is asked of cores, and which they are."""
        batch, neutral = self.space.cores.batch(unit.cores.start, unit.cores.stop)
        kept = np.ones(len(neutral), dtype=bool)
        contexts = len(self.space.contexts)
        # What shells alone removed is counted once a core, with the first range of shells.
        is_first = unit.shells.start == 0
        shells = len(unit.shells) + is_first * sum(self._shell_faults.values())
        checks = [("charge_balance", neutral), *self._core_checks(batch, np.array(unit.cores))]
        for name, passes in checks:
            found.remove(name, int((kept & ~passes).sum()) * shells * contexts)
            kept &= passes
        for name, count in self._shell_faults.items():
            found.remove(name, int(kept.sum()) * is_first * count * contexts)
        return CompositionBatch(batch.species[kept], batch.amounts[kept], {}), kept

    def _core_checks(
        self, batch: CompositionBatch, numbers: npt.NDArray[np.int64]
    ) -> Iterator[tuple[str, Mask]]:
        """Yield the name of each constraint on cores, and which cores pass it."""
        holds = self.space.constraints
        if holds.lead_free:
            yield "lead_free", ~self._has_ions(batch, {"Pb"})
        if holds.cadmium_free:
            yield "cadmium_free", ~self._has_ions(batch, {"Cd"})
        if holds.exclude.ions:
            yield "exclude", ~self._has_ions(batch, holds.exclude.ions)
        if holds.exclude.cores:
            yield "exclude", ~np.isin(numbers, list(holds.exclude.cores))
        if holds.include.ions:
            yield "include", self._has_only(batch, holds.include.ions)
        if holds.include.cores:
            yield "include", np.isin(numbers, list(holds.include.cores))
        if holds.tolerance_factor is not None:
            yield "tolerance_factor", self._tolerated(batch, holds.tolerance_factor)

    def _has_ions(self, batch: CompositionBatch, ions: Collection[str]) -> Mask:
        return np.asarray(np.isin(batch.species, self._species(ions)).any(axis=1))

    def _has_only(self, batch: CompositionBatch, ions: Collection[str]) -> Mask:
        return np.asarray(np.isin(batch.species, [-1, *self._species(ions)]).all(axis=1))

    def _species(self, ions: Collection[str]) -> list[int]:
        index = self.model.predictor.featurizer.reader.species_index
        return [index[ion] for ion in ions]

    def _tolerated(self, batch: CompositionBatch, window: tuple[float, float]) -> Mask:
        featurizer = self.model.predictor.featurizer
        column = featurizer.names.index("tolerance factor")
        factor = featurizer.core_block(batch, elements_too=False)[:, column]
        return (factor >= window[0]) & (factor <= window[1])

    def _pair_checks(self, part: Part, shells: range) -> Iterator[tuple[str, Mask]]:
        """Yield the name of each constraint on core and shell, and who passes it.

        The masks have the shape (n_shells, n_cores).
        """
        cores, numbers = part.cores, part.numbers
        holds = self.space.constraints
        featurizer = self.model.predictor.featurizer
        gaps = cores.rows[:, featurizer.names.index("bulk gap estimate")]
        own = [self._shells[place] for place in shells]
        if self._of_the_core:
            yield "shell_is_core", ~self._named(own, numbers, self._of_the_core)
        if holds.exclude.combinations:
            yield "exclude", ~self._named(own, numbers, holds.exclude.combinations)
        if holds.include.combinations:
            yield "include", self._named(own, numbers, holds.include.combinations)
        if self.options.novel:
            yield "novel", ~self._named(own, numbers, self._known)
        if holds.no_quenching_shell:
            yield "no_quenching_shell", ~np.array([quenches(layers, gaps) for layers in own])
        if holds.band_alignment:
            allowed = holds.band_alignment
            passes = [alignment_allowed(layers, gaps, allowed) for layers in own]
            yield "band_alignment", np.array(passes)
        if holds.lattice_mismatch_below is not None:
            mismatch = self._product.mismatch(cores, shells.start, shells.stop)
            limit = holds.lattice_mismatch_below
            yield "lattice_mismatch_below", ~(np.abs(mismatch) > limit)

    @staticmethod
    def _named(
        own: list[Layers], numbers: npt.NDArray[np.int64], pairs: frozenset[tuple[int, str]]
    ) -> Mask:
        by_shell: dict[str, list[int]] = defaultdict(list)
        for core, shell in pairs:
            by_shell[shell].append(core)
        return np.array([np.isin(numbers, by_shell[shell_text(layers)]) for layers in own])

    @cached_property
    def _of_the_core(self) -> frozenset[tuple[int, str]]:
        """The combinations whose innermost layer is the core over again."""
        reader = self.model.predictor.featurizer.reader
        found = set()
        for layers in self._shells:
            with contextlib.suppress(FormulaError):
                core = self.space.cores.find(reader.read_core(layers[0].name))
                if core is not None:
                    found.add((core, shell_text(layers)))
        return frozenset(found)

    @cached_property
    def _known(self) -> frozenset[tuple[int, str]]:
        """The combinations of the literature that are in the space."""
        return frozenset(
            (core, shell) for core, shells in self._literature.items() for shell in shells
        )

    @cached_property
    def _literature(self) -> dict[int, dict[str, Measured | None]]:
        """By core of the space and shell, what the literature measured of their PLQY."""
        found: dict[int, dict[str, Measured | None]] = defaultdict(dict)
        for core, shell, rows in self.model.predictor.literature.combinations():
            place = self.space.cores.find(core)
            if place is not None:
                found[place][shell] = measured_plqy(rows)
        return dict(found)

    # Scores ----------------------------------------------------------------------------------

    def _score(self, unit: Unit, found: Basket) -> None:
        for part, shells, alive in self._alive_parts(unit, found):
            self._score_alive(part, shells, alive, found)

    def _alive_parts(self, unit: Unit, found: Basket) -> Iterator[tuple[Part, range, Mask]]:
        """Yield cores and shells of which any combination satisfies all, and which of them do."""
        batch, kept = self._kept_cores(unit, found)
        if not kept.any() or not len(unit.shells):
            return
        part = Part(
            self._product.cores(batch),
            np.flatnonzero(kept).astype(np.int64) + unit.cores.start,
            self._family(unit.cores)[kept],
        )
        step = max(1, _AT_ONCE // (len(part.numbers) * len(self.space.contexts)))
        for first in range(unit.shells.start, unit.shells.stop, step):
            shells = range(first, min(first + step, unit.shells.stop))
            alive = self._alive(part, shells, found)
            if alive.any():
                yield part, shells, alive

    def refuse_contradiction(self) -> None:
        """Refuse constraints that leave nothing, before anything is predicted.

        Raises:
            DesignSpaceError: It says what each constraint removed.
        """
        found = self._basket()
        units = (unit for task in range(self.tasks) for unit in self._units(task))
        if any(True for unit in units for _ in self._alive_parts(unit, found)):
            return
        raise DesignSpaceError(self.space.nothing_left(found.harvest().removed))

    def _family(self, cores: range) -> npt.NDArray[np.intp]:
        if len(self.families) == 1:
            return np.zeros(len(cores), dtype=np.intp)
        return self.space.cores.family(cores.start, cores.stop)

    def _alive(self, part: Part, shells: range, found: Basket) -> Mask:
        """Return which combinations satisfy all, shape (n_shells, n_contexts, n_cores)."""
        contexts = len(self.space.contexts)
        pairs = np.ones((len(shells), len(part.numbers)), dtype=bool)
        for name, passes in self._pair_checks(part, shells):
            found.remove(name, int((pairs & ~passes).sum()) * contexts)
            pairs &= passes
        alive: Mask = np.repeat(pairs[:, None, :], contexts, axis=1)
        if self.space.constraints.in_domain and pairs.any():
            inside = self._product.verdicts(part.cores, shells.start, shells.stop)["in_domain"]
            found.remove("in_domain", int((alive & ~inside).sum()))
            alive &= inside
        return alive

    def _score_alive(self, part: Part, shells: range, alive: Mask, found: Basket) -> None:
        objectives = self.objectives
        columns = self._product.columns(part.cores, shells.start, shells.stop)
        if self.space.constraints.pl_in_window:
            low, high = self.space.pl_window_nm or (-np.inf, np.inf)
            inside = (columns["pl_peak_nm"] >= low) & (columns["pl_peak_nm"] <= high)
            found.remove("pl_in_window", int((alive & ~inside).sum()))
            alive &= inside
        own = slice(shells.start, shells.stop)
        gain = [np.exp(row[own, None, None]) for row in self._gain]
        shells_of = [part[own, None, None] for part in (self._of_shell, self._width)]
        ranked = objectives.ranked(columns, (shells_of[0], shells_of[1]), gain)
        self._pool(ranked.plqy, ranked.plqy_low, part.numbers, shells)
        desirable = objectives.desirabilities(columns, ranked)
        if self.options.by == "explore":
            improvement = objectives.improvement(columns, ranked, self.best_known[0])
            score = np.log(np.maximum(improvement, LEAST_IMPROVEMENT))
        elif self.options.by == "best":
            score = objectives.log_score(objectives.desirabilities(columns, ranked, by="best"))
        else:
            score = objectives.log_score(desirable)
        score = np.where(alive, np.round(score, _DIGITS), -np.inf)
        found.add(part, shells, score, desirable)
        found.add_widths(columns["plqy_scale"], alive)

    def _pool(
        self, plqy: Floats, low: Floats, numbers: npt.NDArray[np.int64], shells: range
    ) -> None:
        """Pool the PLQY of combinations that were measured, in place."""
        if self.options.raw:
            return
        for core in self._literature.keys() & set(range(int(numbers[0]), int(numbers[-1]) + 1)):
            column = int(np.searchsorted(numbers, core))
            if numbers[column] != core:
                continue
            for place in shells:
                measured = self._literature[core].get(shell_text(self._shells[place]))
                if measured is not None:
                    spot = place - shells.start, slice(None), column
                    pooled = self.objectives.pooled(plqy[spot], measured)
                    low[spot] += pooled - plqy[spot]
                    plqy[spot] = pooled
