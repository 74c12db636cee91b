"""Predictions for a product of cores, shells and contexts, without writing out its rows.

The numbers are those of `Predictor.columns`. Priors and difficulties are sums over the sides of a
combination, so each is one number a core, one a shell and context, and a matrix product where the
uncertainty of the prior joins them; the trees are those of `factored.FactoredForest`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import TREATMENTS
from perovshell.features.coating import CoreFacts
from perovshell.features.combinations import Combination, Combinations
from perovshell.features.featurizer import context_block, size_block
from perovshell.models.domain import ROUNDING
from perovshell.models.domain_verdict import POINT_DOMAINS
from perovshell.models.evidence import NAME_JOINT, combination_name
from perovshell.models.factored import ForestOnCores
from perovshell.models.outputs import Thresholds
from perovshell.models.point import PointPrediction
from perovshell.models.predictor import Predictor
from perovshell.models.product_domain import CoreReach, ProductDomain
from perovshell.models.product_linear import LinearSide, ProductRegression
from perovshell.models.stability_prediction import StabilityPrediction
from perovshell.targets.declared import DOMAINS, GAIN, LIFETIME
from perovshell.targets.target import IN_DOMAIN

Layers = tuple[ShellMaterial, ...]
Columns = dict[str, npt.NDArray[Any]]
_ITEMS_AT_ONCE = 200_000
"""Combinations of a product that are computed at once to pick listed ones."""


@dataclass(frozen=True)
class CoreSide:
    """What all shells and contexts need of n cores, computed once.

    Attributes:
        rows: Core descriptors, shape (n, n_core_descriptors).
        negativity: Mean electronegativity of each core, shape (n,).
        reach: What the domain knows of them.
        trees: By target, its trees on them.
        linear: By target, what its prior and difficulty need.
        mondrian: By target and Mondrian category, the index of its core.
        facts: What flags of coatings need of them.
    """

    rows: Floats
    negativity: Floats
    reach: CoreReach
    trees: Mapping[str, ForestOnCores]
    linear: Mapping[str, LinearSide]
    mondrian: Mapping[str, Mapping[str, int]]
    facts: CoreFacts

    @property
    def size(self) -> int:
        """Number of cores."""
        return len(self.rows)


@dataclass(frozen=True)
class _StabilityEffects:
    """What the trees of the stability model start from.

    Attributes:
        side: Log lifetimes in log h of coated cores, shape (n_stressors, n_shells, n_contexts).
        bare: Those of bare cores, shape (n_stressors, n_contexts).
        side_open: Where the median of coated cores was not reached, shape (n_stressors, n_shells).
        bare_open: Where that of bare cores was not reached, shape (n_stressors,).
    """

    side: Floats
    bare: Floats
    side_open: Mask
    bare_open: Mask


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
        self._points, self._forests = predictor.factored.points, predictor.factored.forests
        blocks = [descriptor.block for descriptor in featurizer.descriptors]
        self._core_width = blocks.count("core")
        self._shell_rows = featurizer.shell_block(self.shells)
        self._context_rows = np.hstack([size_block(self.contexts), context_block(self.contexts)])
        self._linear = {
            name: (target.linear("shell", self._shell_rows), self._context_side(target))
            for name, target in self._points.items()
        }
        self._domain = ProductDomain(
            predictor.literature, predictor.domains, predictor.domain_index
        )
        self._known_shells = self._domain.known_shells(self.shells)
        self._known_sizes = self._domain.known_sizes(self.contexts)
        structures = [context.structure for context in self.contexts]
        self._structures = list(dict.fromkeys(structures))
        self._structure_of = [self._structures.index(name) for name in structures]

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
        gaps = rows[:, featurizer.names.index("bulk gap estimate")]
        return CoreSide(
            rows=rows,
            negativity=featurizer.mean_negativity(batch),
            reach=self._domain.cores(batch),
            trees={name: forest.on_cores(rows.T) for name, forest in self._forests.items()},
            linear={name: target.linear("core", rows) for name, target in self._points.items()},
            mondrian={
                name: {
                    key: int(np.flatnonzero(same)[0])
                    for key, wanted in self._mondrian_cores[name].items()
                    if (same := np.abs(fractions - wanted).max(axis=1) < ROUNDING).any()
                }
                for name in self._points
            },
            facts=CoreFacts(fractions, predictor.literature.symbols, gaps),
        )

    @cached_property
    def _mondrian_cores(self) -> dict[str, dict[str, Floats]]:
        """Site fractions of the cores of Mondrian categories with a shell of this product."""
        literature, reader = self.predictor.literature, self.predictor.featurizer.reader
        cores: dict[str, dict[str, Floats]] = {name: {} for name in self._points}
        for name, target in self._points.items():
            for key in target.model.mondrian:
                if key in self._shell_of_mondrian:
                    core = reader.read_core(key.split(NAME_JOINT)[0])
                    cores[name][key] = literature.fractions(core)
        return cores

    @cached_property
    def _shell_of_mondrian(self) -> dict[str, int]:
        """Index of the shell of each Mondrian category that has one of this product's."""
        keys = [key for target in self._points.values() for key in target.model.mondrian]
        reader = self.predictor.featurizer.reader
        shells = {}
        for key in keys:
            core = reader.read_core(key.split(NAME_JOINT)[0])
            for index, layers in enumerate(self.shells):
                if combination_name(Combination(core, layers, "", "", "")) == key:
                    shells[key] = index
        return shells

    # Columns ---------------------------------------------------------------------------------

    def columns(self, cores: CoreSide, first: int = 0, last: int | None = None) -> Columns:
        """Return the output columns of the cores with a range of shells and all contexts.

        Args:
            cores: The cores.
            first: First shell.
            last: One behind the last shell; None is all.

        Returns:
            The columns of `Predictor.columns` without the shell's effects, and those of `points`
            and `verdicts`; each broadcasts to the shape (n_shells, n_contexts, n_cores).
        """
        columns = self.points(cores, first, last) | self.verdicts(cores, first, last)
        return columns | self._stability(cores, self._range(first, last))

    def points(self, cores: CoreSide, first: int = 0, last: int | None = None) -> Columns:
        """Return the columns of PL and PLQY, with the difficulties `pl_scale` and `plqy_scale`.

        The difficulties are in eV and in percent; arguments as in `columns`.
        """
        shells = self._range(first, last)
        columns: Columns = {}
        for name, point in self._points.items():
            prediction = self._predicted(name, cores, shells)
            threshold = self.thresholds.of(point.model.target)
            columns |= prediction.columns(self.coverage, threshold)
            columns[point.model.target.scale_column] = prediction.scale
        return columns

    def at(
        self, items: Combinations, context: Indices
    ) -> tuple[Columns, dict[str, dict[str, Indices]]]:
        """Return the columns of single combinations of the product; see `predict_items`.

        Args:
            items: n combinations; their shells are those of the product.
            context: Index of the context of each, shape (n,).
        """
        columns: Columns = {}
        members: dict[str, dict[str, Indices]] = {name: {} for name in self._points}
        step = max(1, _ITEMS_AT_ONCE // (len(self.shells) * len(self.contexts)))
        for start in range(0, len(items.cores.species), step):
            chosen = slice(start, start + step)
            batch = CompositionBatch(items.cores.species[chosen], items.cores.amounts[chosen], {})
            cores = self.cores(batch)
            rows = np.flatnonzero((items.core >= start) & (items.core < start + step))
            core, shell = items.core[rows] - start, items.shell[rows]
            shape = (len(self.shells), len(self.contexts), cores.size)
            for name, column in self.columns(cores).items():
                values = np.broadcast_to(column, shape)[shell, context[rows], core]
                columns.setdefault(name, np.empty(len(items), values.dtype))[rows] = values
            for name, categories in cores.mondrian.items():
                for key, category_core in categories.items():
                    same = (core == category_core) & (shell == self._shell_of_mondrian[key])
                    if same.any():
                        members[name][key] = rows[same]
        return columns, members

    def categories(
        self, cores: CoreSide, first: int = 0, last: int | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return by target name and Mondrian category where its combinations are (an index)."""
        shells = self._range(first, last)
        return {name: self._categories(name, cores, shells) for name in self._points}

    def _predicted(self, name: str, cores: CoreSide, shells: slice) -> PointPrediction:
        """Return what a point model predicts, of shape (n_shells, n_contexts, n_cores)."""
        point, core = self._points[name], cores.linear[name]
        shell_all, context = self._linear[name]
        shell = shell_all.of(shells)
        predicted = point.predict(core, shell, context)
        predicted += self._trees(name, cores, shells, self._context_rows)
        scale = point.scale(core, shell, context, predicted)
        return PointPrediction(point.model, predicted, scale, self._categories(name, cores, shells))

    def _categories(self, name: str, cores: CoreSide, shells: slice) -> dict[str, Any]:
        categories = {}
        for key, core_index in cores.mondrian[name].items():
            row = self._shell_of_mondrian[key] - shells.start
            if 0 <= row < shells.stop - shells.start:
                categories[key] = (row, slice(None), core_index)
        return categories

    def _trees(self, name: str, cores: CoreSide, chosen: slice, contexts: Floats) -> Floats:
        shells = self._shell_rows[chosen]
        contrast = self.predictor.featurizer.contrast_block

        def rows(index: int) -> Floats:
            # Without a contrast all cores are alike to a shell: one of them serves.
            count = 1 if self._has_no_contrast[chosen.start + index] else cores.size
            shell = shells[index : index + 1]
            return contrast(cores.rows[:count], cores.negativity[:count], shell).T

        return cores.trees[name].predict(shells, contexts, rows)

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

    def _stability(self, cores: CoreSide, shells: slice) -> Columns:
        threshold = self.thresholds.of(GAIN)
        return self.stability(cores, shells).columns(self.coverage, threshold)

    def stability(self, cores: CoreSide, shells: slice) -> StabilityPrediction:
        """Return log lifetimes, broadcasting to (n_stressors, n_shells, n_contexts, n_cores)."""
        model, effects = self.predictor.stability, self._stability_effects
        side, bare = effects.side[:, shells, :, None], effects.bare[:, None, :, None]
        if model.has_trees:
            side = side + self._stability_trees(cores, shells)
            bare = bare + self._bare_trees(cores)
        stressors = self.stressors
        return StabilityPrediction(
            model=model,
            stressors=stressors,
            side=model.answered(stressors, side, coated=np.array(True)),
            bare=model.answered(stressors, bare, coated=np.array(False)),
            has_shell=True,
            side_open=effects.side_open[:, shells, None, None],
            bare_open=effects.bare_open[:, None, None, None],
        )

    def _stability_trees(self, cores: CoreSide, shells: slice) -> Floats:
        """Return what the trees add to log lifetimes, (n_stressors, n_s, n_x, n_cores)."""
        rows = self._test_rows(self._context_rows)
        return np.stack([self._trees(LIFETIME.name, cores, shells, part) for part in rows])

    def _bare_trees(self, cores: CoreSide) -> Floats:
        """Return what the trees add to those of the bare cores, (n_stressors, 1, n_x, n_cores)."""
        trees, featurizer = cores.trees[LIFETIME.name], self.predictor.featurizer
        bare = [context.bare for context in self.contexts]
        contexts = np.hstack([size_block(bare), context_block(bare)])
        shell = featurizer.shell_block([()])

        # All cores are alike to a shell that is not there: one of them serves.
        contrast = featurizer.contrast_block(cores.rows[:1], cores.negativity[:1], shell).T

        return np.stack(
            [trees.predict(shell, part, lambda _: contrast) for part in self._test_rows(contexts)]
        )

    def _test_rows(self, contexts: Floats) -> list[Floats]:
        """Return context rows with the test columns of each stressor behind them."""
        unknown = np.full(len(contexts), math.nan)
        tests = self.predictor.stability.tests(self.stressors, unknown)
        return [np.hstack([contexts, test]) for test in tests]

    @cached_property
    def _stability_effects(self) -> _StabilityEffects:
        model, stressors = self.predictor.stability, self.stressors
        shape = (len(stressors), -1)
        under = model.under(stressors)
        treated = np.array(
            [[kind in context.treatments for kind in TREATMENTS] for context in self.contexts]
        ).reshape(len(self.contexts), len(TREATMENTS))
        bare = under.base[:, None] + treated @ model.treatments
        forms = np.array([model.form(one.structure, one.encapsulation) for one in self.contexts])
        coats = [[model.coating(name, layers) for layers in self.shells] for name in stressors]
        is_open = [
            [model.reached.is_open(name, layers) for layers in self.shells] for name in stressors
        ]
        coated = np.array(coats).reshape(shape)[:, :, None]
        return _StabilityEffects(
            side=bare[:, None, :] + (coated + forms),
            bare=bare,
            side_open=np.array(is_open, dtype=bool).reshape(shape),
            bare_open=under.bare_open,
        )

    def _range(self, first: int, last: int | None) -> slice:
        return slice(first, len(self.shells) if last is None else last)

    def verdicts(self, cores: CoreSide, first: int = 0, last: int | None = None) -> Columns:
        """Return the columns of `domain_columns` and `domain_distance`, which is the largest.

        Arguments are as in `columns`.
        """
        chosen = self._range(first, last)
        distances = self._distances(cores, chosen)
        inside = self._inside(cores, chosen, distances)
        of_label = dict(zip(self._domain.labels, inside, strict=True))
        known = ~self.predictor.stability.under(self.stressors).is_thin
        columns: Columns = {
            IN_DOMAIN: np.logical_and.reduce([of_label[label] for label in POINT_DOMAINS]),
            "domain_distance": distances.max(axis=0)[:, self._structure_of],
        }
        for rule in DOMAINS.values():
            is_known = known.tolist() if rule.by_stressor else [True]
            for name, one in zip(rule.columns(self.stressors), is_known, strict=True):
                columns[name] = of_label[rule.label] & one
        return columns

    def are_inside(
        self, cores: CoreSide, labels: Collection[str], first: int = 0, last: int | None = None
    ) -> Mask:
        """Return which combinations are in all of some domains, whatever the stressors.

        Args:
            cores: The cores.
            labels: Labels of the domains, of `targets.declared.DOMAINS`.
            first: First shell.
            last: One behind the last shell; None is all.

        Returns:
            A mask of shape (n_shells, n_contexts, n_cores).
        """
        chosen = self._range(first, last)
        inside = self._inside(cores, chosen, self._distances(cores, chosen))
        rows = [label in labels for label in self._domain.labels]
        return np.asarray(inside[rows].all(axis=0))

    def _distances(self, cores: CoreSide, shells: slice) -> Floats:
        """Return relative distances, shape (n_domains, n_shells, n_structures, n_cores)."""
        near = [
            [self._domain.distance(cores.reach, layers, name) for name in self._structures]
            for layers in self.shells[shells]
        ]
        return np.moveaxis(np.array(near), 2, 0)

    def _inside(self, cores: CoreSide, shells: slice, distances: Floats) -> Mask:
        """Return which combinations are in each domain, (n_domains, n_shells, n_x, n_cores)."""
        inside = distances <= 1.0 + ROUNDING
        inside &= cores.reach.known[:, None, None]
        inside &= self._known_shells[:, shells, None, None]
        return inside[:, :, self._structure_of] & self._known_sizes[:, None, :, None]


def predict_items(
    predictor: Predictor,
    items: Sequence[Combination],
    stressors: Sequence[str],
    *,
    coverage: float,
    thresholds: Thresholds,
) -> tuple[Columns, dict[str, dict[str, Indices]]]:
    """Return the columns of n listed combinations, as a product predicts them.

    Args:
        predictor: The predictor.
        items: Coated combinations; no core is a metal.
        stressors: Stressors to answer for.
        coverage: Coverage of the intervals.
        thresholds: Thresholds whose probability is asked.

    Returns:
        The columns of `Product.columns`, each of shape (n,); and by target name and Mondrian
        category the rows of its combinations.
    """
    laid_out = Combinations.of(items, predictor.featurizer.reader)
    contexts = [replace(item, core=None, layers=()) for item in items]
    number = {one: index for index, one in enumerate(dict.fromkeys(contexts))}
    product = Product(
        predictor,
        laid_out.shells,
        list(number),
        stressors,
        coverage=coverage,
        thresholds=thresholds,
    )
    context = np.array([number[one] for one in contexts], dtype=np.intp)
    return product.at(laid_out, context)
