"""Predictions for a product of cores, shells and contexts, without writing out its rows.

The numbers are those of `Predictor.columns`. Priors and difficulties are sums over the sides of a
combination, so each is one number a core, one a shell and context, and a matrix product where the
prior's own uncertainty joins them; the trees are those of `factored.FactoredForest`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import ShellMaterial
from perovshell.data.targets import energy_ev
from perovshell.data.vocabulary import column_name
from perovshell.features.combinations import Combination
from perovshell.features.featurizer import context_block, size_block
from perovshell.models.domain import ROUNDING
from perovshell.models.evidence import NAME_JOINT, combination_name
from perovshell.models.factored import FactoredForest, Sides
from perovshell.models.outputs import Thresholds, interval, nm_interval, percent
from perovshell.models.predictor import Predictor
from perovshell.models.product_domain import CoreReach, ProductDomain
from perovshell.models.product_linear import LinearSide, ProductRegression
from perovshell.models.spread import normalised_cdf, normalised_quantiles
from perovshell.models.stability import TEST_DESCRIPTORS

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Layers = tuple[ShellMaterial, ...]
Columns = dict[str, npt.NDArray[Any]]
_LN2 = math.log(2.0)


@dataclass(frozen=True)
class CoreSide:
    """What all shells and contexts need of n cores, computed once.

    Attributes:
        rows: Core descriptors, shape (n, n_core_descriptors).
        negativity: Mean electronegativity of each core, shape (n,).
        reach: What the domain knows of them.
        trees: By target, which core conditions of its trees hold, as 0 and 1.
        linear: By target, what its prior and difficulty need.
        mondrian: By target and mondrian combination, the place of its core.
    """

    rows: Floats
    negativity: Floats
    reach: CoreReach
    trees: Mapping[str, Floats]
    linear: Mapping[str, LinearSide]
    mondrian: Mapping[str, Mapping[str, int]]

    @property
    def size(self) -> int:
        """Number of cores."""
        return len(self.rows)


class Product:
    """All targets of a predictor for a product of shells and contexts with any cores.

    Args:
        predictor: The predictor.
        shells: Layers of each shell; none is bare.
        contexts: Structure, encapsulation, medium, size, morphology and treatments of each
            context (core and layers are not looked at).
        stressors: Stressors to answer for.
        coverage: Coverage of the intervals.
        thresholds: Thresholds whose probability is asked.
    """

    def __init__(
        self,
        predictor: Predictor,
        shells: Sequence[Layers],
        contexts: Sequence[Combination],
        stressors: Sequence[str],
        *,
        coverage: float,
        thresholds: Thresholds,
    ) -> None:
        self.predictor = predictor
        self.shells = list(shells)
        self.contexts = [replace(context, core=None, layers=()) for context in contexts]
        self.stressors = tuple(stressors)
        self.coverage = coverage
        self.thresholds = thresholds
        featurizer = predictor.featurizer
        blocks = [descriptor.block for descriptor in featurizer.descriptors]
        sides = Sides.of(blocks, extra=len(TEST_DESCRIPTORS))
        self._targets = {
            name: ProductRegression(getattr(predictor, name), sides) for name in ("pl", "plqy")
        }
        self._core_width = blocks.count("core")
        self._shell_rows = featurizer.shell_block(self.shells)
        self._context_rows = np.hstack([size_block(self.contexts), context_block(self.contexts)])
        self._linear = {
            name: (target.linear("shell", self._shell_rows), self._context_side(target))
            for name, target in self._targets.items()
        }
        lifetime = predictor.lifetime
        self._forests = {name: target.forest for name, target in self._targets.items()}
        self._forests["lifetime"] = FactoredForest.of(lifetime.forest, lifetime.columns, sides)
        self._domain = ProductDomain(
            predictor.literature, predictor.domains, predictor.surroundings
        )
        self._shell_known = np.array([self._domain.shell_is_known(own) for own in self.shells])
        self._size_known = np.array([self._domain.size_is_known(own) for own in self.contexts])

    def _context_side(self, target: ProductRegression) -> LinearSide:
        return target.linear("context", self._context_rows)

    # Cores -----------------------------------------------------------------------------------

    def cores(self, batch: CompositionBatch) -> CoreSide:
        """Compute what all shells and contexts need of many cores.

        Args:
            batch: The cores; none is a metal.
        """
        predictor = self.predictor
        featurizer = predictor.featurizer
        rows = featurizer.core_block(batch, elements_too=predictor.needs_elements)
        fractions = predictor.literature.site_fractions(batch)
        return CoreSide(
            rows=rows,
            negativity=featurizer.mean_negativity(batch),
            reach=self._domain.cores(fractions),
            trees={
                name: forest.core.hold(rows.T).astype(np.float64)
                for name, forest in self._forests.items()
            },
            linear={name: target.linear("core", rows) for name, target in self._targets.items()},
            mondrian={
                name: {
                    key: int(np.flatnonzero(same)[0])
                    for key, wanted in self._mondrian_cores[name].items()
                    if (same := np.abs(fractions - wanted).max(axis=1) < ROUNDING).any()
                }
                for name in self._targets
            },
        )

    @cached_property
    def _mondrian_cores(self) -> dict[str, dict[str, Floats]]:
        """Site fractions of the cores of mondrian combinations with a shell of this product."""
        literature, reader = self.predictor.literature, self.predictor.featurizer.reader
        found: dict[str, dict[str, Floats]] = {name: {} for name in self._targets}
        for name, target in self._targets.items():
            for key in target.model.mondrian:
                if key in self._shell_of_mondrian:
                    core = reader.read_core(key.split(NAME_JOINT)[0])
                    found[name][key] = literature.fractions(core)
        return found

    @cached_property
    def _shell_of_mondrian(self) -> dict[str, int]:
        """Place of the shell of each mondrian combination that has one of this product's."""
        keys = [key for target in self._targets.values() for key in target.model.mondrian]
        reader = self.predictor.featurizer.reader
        found = {}
        for key in keys:
            core = reader.read_core(key.split(NAME_JOINT)[0])
            for place, layers in enumerate(self.shells):
                if combination_name(Combination(core, layers, "", "", "")) == key:
                    found[key] = place
        return found

    # Columns ---------------------------------------------------------------------------------

    def columns(self, cores: CoreSide, first: int = 0, last: int | None = None) -> Columns:
        """Return the output columns of the cores with a range of shells and all contexts.

        Args:
            cores: The cores.
            first: First shell.
            last: One behind the last shell; None is all.

        Returns:
            The columns of `Predictor.columns` without the shell's effects, and `in_domain` and
            `domain_distance` (see `ProductDomain`), and the difficulties `pl_scale` in eV and
            `plqy_scale` in percent; each broadcasts to the shape (n_shells, n_contexts, n_cores).
        """
        own = self._range(first, last)
        columns: Columns = {}
        columns |= self._pl(cores, own)
        columns |= self._plqy(cores, own)
        columns |= self._stability(cores, own)
        return columns | self.verdicts(cores, first, last)

    def _pl(self, cores: CoreSide, own: slice) -> Columns:
        energy, scale, places = self._predicted("pl", cores, own)
        model, window = self._targets["pl"].model, self.thresholds.pl_window_nm
        within = normalised_quantiles(model, self.coverage, places, energy.shape) * scale
        columns: Columns = {**nm_interval("pl_peak_nm", energy, within), "pl_scale": scale}
        if window is not None:
            first, last = map(energy_ev, window)
            above = normalised_cdf(model, (first - energy) / scale, places)
            columns["pl_in_window"] = above - normalised_cdf(model, (last - energy) / scale, places)
        return columns

    def _plqy(self, cores: CoreSide, own: slice) -> Columns:
        predicted, scale, places = self._predicted("plqy", cores, own)
        model, bar = self._targets["plqy"].model, self.thresholds.plqy_above
        value = percent(predicted)
        within = normalised_quantiles(model, self.coverage, places, value.shape) * scale
        columns: Columns = {
            name: percent(column)
            for name, column in interval("plqy_percent", value, within).items()
        }
        columns["plqy_scale"] = scale
        if bar is not None:
            columns["plqy_above"] = 1.0 - normalised_cdf(model, (bar - value) / scale, places)
        return columns

    def _predicted(
        self, name: str, cores: CoreSide, own: slice
    ) -> tuple[Floats, Floats, dict[str, tuple[int, slice, int]]]:
        """Return predictions, their difficulty, and where mondrian combinations stand."""
        target, core = self._targets[name], cores.linear[name]
        shell_all, context = self._linear[name]
        shell = shell_all.of(own)
        predicted = target.predict(core, shell, context)
        predicted += self._trees(name, cores, own, self._context_rows)
        scale = target.scale(core, shell, context, predicted)
        places = {}
        for key, place in cores.mondrian[name].items():
            row = self._shell_of_mondrian[key] - own.start
            if 0 <= row < own.stop - own.start:
                places[key] = (row, slice(None), place)
        return predicted, scale, places

    def _trees(self, name: str, cores: CoreSide, own: slice, contexts: Floats) -> Floats:
        forest = self._forests[name]
        shells = self._shell_rows[own]
        if not len(forest.value):
            return np.zeros((len(shells), len(contexts), cores.size))
        contrast = self.predictor.featurizer.contrast_block

        def rows(place: int) -> Floats:
            count = 1 if self._has_no_contrast[own.start + place] else cores.size
            shell = shells[place : place + 1]
            return contrast(cores.rows[:count], cores.negativity[:count], shell).T

        return forest.predict(
            cores.trees[name], forest.shell.hold(shells.T), forest.context.hold(contexts.T), rows
        )

    @cached_property
    def _has_no_contrast(self) -> Mask:
        """Which shells have no known property that a core is compared in."""
        featurizer = self.predictor.featurizer
        blank = np.ones((1, self._core_width))
        return np.array(
            [
                np.isnan(featurizer.contrast_block(blank, np.ones(1), row[None])).all()
                for row in self._shell_rows
            ]
        )

    def _stability(self, cores: CoreSide, own: slice) -> Columns:
        predictor, level = self.predictor, 1.0 - self.coverage
        lifetime_low = min(predictor.lifetime.scores.lower_quantile(level), 0.0)
        gain_low = min(predictor.gain.scores.lower_quantile(level), 0.0)
        lifetimes = self._log_lifetimes(cores, own) + math.log(_LN2)
        columns: Columns = {}
        for row, stressor in enumerate(self.stressors):
            name = column_name(stressor)
            gain = self._log_gain[row, own, None, None]
            columns[f"half_life_h_{name}"] = np.exp(lifetimes[row])
            columns[f"half_life_h_{name}_lower"] = np.exp(lifetimes[row] + lifetime_low)
            columns[f"half_life_h_{name}_upper"] = np.array(np.inf)
            columns[f"stability_gain_{name}"] = np.exp(gain)
            columns[f"stability_gain_{name}_lower"] = np.exp(gain + gain_low)
            columns[f"stability_gain_{name}_upper"] = np.array(np.inf)
            if self.thresholds.gain_above is not None:
                above = math.log(self.thresholds.gain_above) - gain
                columns[f"gain_above_{name}"] = predictor.gain.floors.share_above(above)
        return columns

    def _log_lifetimes(self, cores: CoreSide, own: slice) -> Floats:
        """Return log lifetimes in log h, broadcasting to (n_stressors, n_s, n_x, n_cores)."""
        predictor = self.predictor
        null, effects, thin = self._lifetime_effects
        full = effects[:, own, :, None]
        if predictor.lifetime.has_trees:
            tests = [predictor.test_columns(name, math.nan) for name in self.stressors]
            rows = [np.hstack([self._context_rows, self._repeated(test)]) for test in tests]
            full = full + np.stack([self._trees("lifetime", cores, own, part) for part in rows])
        return np.where(thin[:, None, None, None], null[:, None, None, None], full)

    def _repeated(self, test: Sequence[float]) -> Floats:
        return np.tile(np.array(test), (len(self.contexts), 1))

    @cached_property
    def _lifetime_effects(self) -> tuple[Floats, Floats, Mask]:
        """Null model (n_stressors,), effects (n_stressors, n_s, n_x), and which are thin."""
        model, word = self.predictor.lifetime, "unknown"
        shells = [Combination(None, layers, word, word, word) for layers in self.shells]
        # Of shell and context together less that of the shell, the same for any shell.
        both = [replace(own, layers=self.shells[0]) for own in self.contexts]
        of_shell = model.predict_effects(self.stressors, shells)
        of_context = model.predict_effects(self.stressors, both) - of_shell[:, :1]
        effects = of_shell[:, :, None] + of_context[:, None, :]
        null = np.array([model.predict_null(name, [True])[0] for name in self.stressors])
        thin = self.predictor.is_thin(model.papers, self.stressors)
        return null, effects, thin

    @cached_property
    def _log_gain(self) -> Floats:
        """Log gains, shape (n_stressors, n_shells)."""
        model = self.predictor.gain
        thin = self.predictor.is_thin(model.papers, self.stressors)
        of_shell = np.array([model.of_shell(layers) for layers in self.shells])
        of_stressor = np.array([model.of_stressor(name) for name in self.stressors])
        full = model.null + of_stressor[:, None] + of_shell
        return np.where(thin[:, None], model.null, full)

    def _range(self, first: int, last: int | None) -> slice:
        return slice(first, len(self.shells) if last is None else last)

    def verdicts(self, cores: CoreSide, first: int = 0, last: int | None = None) -> Columns:
        """Return `in_domain` and `domain_distance` alone; arguments as in `columns`."""
        own = self._range(first, last)
        structures = list(dict.fromkeys(context.structure for context in self.contexts))
        near = np.array(
            [
                [self._domain.distance(cores.reach, layers, name) for name in structures]
                for layers in self.shells[own]
            ]
        )
        distance = near[:, [structures.index(context.structure) for context in self.contexts]]
        inside = distance <= 1.0 + ROUNDING
        inside &= cores.reach.known
        inside &= self._shell_known[own, None, None] & self._size_known[:, None]
        return {"in_domain": inside & self._stressors_known, "domain_distance": distance}

    @cached_property
    def _stressors_known(self) -> bool:
        lifetime, gain = self.predictor.lifetime.papers, self.predictor.gain.papers
        thin = [self.predictor.is_thin(papers, self.stressors) for papers in (lifetime, gain)]
        return not np.any(thin)
