"""Prediction with numpy alone: values, intervals, the shell's effect, domain, evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.composition import CompositionBatch
from perovshell.data.targets import energy_ev
from perovshell.data.vocabulary import STRESSORS, column_name
from perovshell.features.combinations import Combination
from perovshell.features.featurizer import Featurizer
from perovshell.models.contributions import ForestContributions
from perovshell.models.domain import Domain
from perovshell.models.domain_flags import DomainFlags
from perovshell.models.domain_index import DomainIndex, NeighbourHits
from perovshell.models.evidence import NAME_JOINT, Literature
from perovshell.models.outputs import (
    DEFAULT_COVERAGE,
    DEFAULT_STRESSORS,
    NO_THRESHOLDS,
    Answer,
    Evidence,
    Thresholds,
    check_options,
    interval,
    nm_interval,
    output_columns,
    percent,
    rounded,
    unanswered,
)
from perovshell.models.prediction_batch import PredictionBatch
from perovshell.models.requests import Requests
from perovshell.models.stability import (
    THIN_STRESSOR_PAPERS,
    test_columns,
    with_test_columns,
)
from perovshell.models.targets import GainModel, LifetimeModel, RegressionModel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ROWS_AT_ONCE = 512
"""Rows that are answered at once: what they need stays in the cache."""
_LN2 = math.log(2.0)


@dataclass(frozen=True)
class Predictor:
    """The models of all targets with their descriptors and evidence.

    Attributes:
        featurizer: Descriptors, with the tables they were trained with.
        pl: Model of the PL energy in eV.
        plqy: Model of the PLQY in percent.
        lifetime: Model of the equivalent lifetime in h.
        gain: Model of the stability gain.
        domains: Domain of PL, PLQY and stability, by target name.
        literature: The training samples.
        notes: What is said of every answer with a shell: targets without skill.
    """

    featurizer: Featurizer
    pl: RegressionModel
    plqy: RegressionModel
    lifetime: LifetimeModel
    gain: GainModel
    domains: Mapping[str, Domain]
    literature: Literature
    notes: tuple[str, ...] = ()

    def answer(
        self,
        rows: Sequence[Mapping[str, Any]],
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> list[Answer]:
        """Answer requests row by row; a row that cannot be answered says why in `error`.

        Args:
            rows: Requests with the columns of `inputs.INPUTS`.
            stressors: Stressors to answer for, of `vocabulary.STRESSORS`.
            coverage: Coverage of the intervals, above 0 and below 1.
            thresholds: Thresholds whose probability is asked.

        Raises:
            InputError: A stressor or the coverage is not allowed.
        """
        check_options(stressors, coverage)
        answers: list[Answer] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            given = rows[start : start + ROWS_AT_ONCE]
            requests, errors = Requests.read(given, self.featurizer.reader)
            found = iter(self._answers(requests, stressors, coverage, thresholds))
            answers += [
                unanswered(errors[place], stressors, thresholds) if place in errors else next(found)
                for place in range(len(given))
            ]
        return answers

    def _answers(
        self, requests: Requests, stressors: Sequence[str], coverage: float, thresholds: Thresholds
    ) -> list[Answer]:
        """Answer requests that could be read."""
        if not len(requests):
            return []
        outputs = output_columns(stressors, thresholds)
        columns = self._columns(requests, stressors, coverage, thresholds)
        asked = [columns[name] for name in outputs if name in columns]
        numbers = rounded(np.concatenate(asked)).reshape(len(asked), -1)
        found = self.surroundings.find(requests)
        inside, said = self.verdicts.of(requests, found, stressors)
        rows = zip(numbers.T.tolist(), inside, said, found.papers, strict=True)
        return [
            Answer(
                dict(zip(outputs, (*row, is_inside, reason, papers, ""), strict=True)),
                partial(self._evidence, found, place, tuple(stressors)),
            )
            for place, (row, is_inside, reason, papers) in enumerate(rows)
        ]

    @cached_property
    def needs_elements(self) -> bool:
        """Whether any model looks at the element statistics of the core."""
        groups = [descriptor.group for descriptor in self.featurizer.descriptors]
        used = {*self.pl.columns.tolist(), *self.plqy.columns.tolist()}
        used |= set(self.lifetime.columns.tolist())
        return any(groups[column] == "core elements" for column in used if column < len(groups))

    # Numbers ---------------------------------------------------------------------------------

    def columns(
        self,
        requests: Requests,
        stressors: Sequence[str],
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> dict[str, Floats]:
        """Return the numeric output columns of many requests, each of shape (n,)."""
        columns = self._columns(requests, stressors, coverage, thresholds)
        asked = thresholds.columns(stressors)
        numbers = {name: column for name, column in columns.items() if name not in asked}
        return numbers | {name: columns[name] for name in asked}

    def _columns(
        self, requests: Requests, stressors: Sequence[str], coverage: float, thresholds: Thresholds
    ) -> dict[str, Floats]:
        items, numbers = requests.items, requests.numbers
        matrix = self.featurizer.both(items, elements_too=self.needs_elements)
        is_metal = matrix[: len(items), self._metal_column] == 1.0
        found = PredictionBatch(requests, matrix, is_metal, self._mondrian, coverage, thresholds)
        columns = self._pl_columns(found, numbers["bare_pl_peak_nm"])
        columns |= self._plqy_columns(found, numbers["bare_plqy_percent"])
        columns |= self._stability_columns(found, stressors, numbers["temperature_c"])
        return columns

    @cached_property
    def _metal_column(self) -> int:
        return self.featurizer.names.index("metal core")

    @cached_property
    def _mondrian(self) -> dict[str, CompositionBatch]:
        """Cores of the models' mondrian combinations."""
        names = {*self.pl.mondrian, *self.plqy.mondrian}
        read = self.featurizer.reader.read_many
        return {name: read([name.split(NAME_JOINT)[0]]) for name in names}

    def difficulties(self, items: Sequence[Combination]) -> dict[str, Floats]:
        """Return how hard the PL (eV) and the PLQY (percent) are, each of shape (n,)."""
        matrix = self.featurizer.matrix(items, elements_too=self.needs_elements)
        return {
            name: model.difficulty.of(model.prior, matrix, model.predict(matrix))
            for name, model in (("pl", self.pl), ("plqy", self.plqy))
        }

    def _pl_columns(self, found: PredictionBatch, bare_nm: Floats) -> dict[str, Floats]:
        model, anchored = self.pl, ~np.isnan(bare_nm) & ~found.is_metal
        predicted = model.predict(found.both)
        spread = found.spread(model, predicted, anchored)
        coated, bare = found.sides(predicted)
        coated = np.where(found.is_metal, model.null_value, coated)
        step = np.where(found.may_change, coated - bare, 0.0)
        start = np.where(anchored, energy_ev(bare_nm), coated - step)
        energy = np.where(anchored, found.carried(model, start, bare, coated), coated)
        start_nm = energy_ev(start)
        within, step_within = spread.half_widths(found.coverage)
        shift = nm_interval("pl_shift_nm", energy, step_within)
        columns = nm_interval("pl_peak_nm", energy, within)
        columns |= {name: column - start_nm for name, column in shift.items()}
        if found.thresholds.pl_window_nm is not None:
            first, last = map(energy_ev, found.thresholds.pl_window_nm)
            columns["pl_in_window"] = spread.cdf(first - energy) - spread.cdf(last - energy)
        return columns

    def _plqy_columns(self, found: PredictionBatch, bare_percent: Floats) -> dict[str, Floats]:
        model, anchored = self.plqy, ~np.isnan(bare_percent) & ~found.is_metal
        predicted = model.predict(found.both)
        spread = found.spread(model, predicted, anchored)
        coated, bare = found.sides(predicted)
        value = percent(np.where(found.is_metal, model.null_value, coated))
        step = np.where(found.may_change, value - percent(bare), 0.0)
        start = np.where(anchored, bare_percent, value - step)
        carried = percent(found.carried(model, start, bare, coated))
        value = np.where(anchored, carried, value)
        within, step_within = spread.half_widths(found.coverage)
        change = interval("plqy_change", value - start, step_within)
        columns = {
            name: percent(column)
            for name, column in interval("plqy_percent", value, within).items()
        } | {
            "plqy_change": change["plqy_change"],
            "plqy_change_lower": np.maximum(change["plqy_change_lower"], -start),
            "plqy_change_upper": np.minimum(change["plqy_change_upper"], 100.0 - start),
        }
        if found.thresholds.plqy_above is not None:
            columns["plqy_above"] = 1.0 - spread.cdf(found.thresholds.plqy_above - value)
        return columns

    def _stability_columns(
        self, found: PredictionBatch, stressors: Sequence[str], temperature: Floats
    ) -> dict[str, Floats]:
        level = 1.0 - found.coverage
        # A bound of little coverage is no higher than the value.
        lifetime_low = min(self.lifetime.scores.lower_quantile(level), 0.0)
        gain_bound = min(self.gain.scores.lower_quantile(level), 0.0)
        lifetimes = self._log_lifetimes(found, stressors, temperature) + math.log(_LN2)
        gains = self._log_gains(found, stressors)
        life, life_low = np.exp(lifetimes), np.exp(lifetimes + lifetime_low)
        gain = np.where(found.has_shell, np.exp(gains), 1.0)
        gain_low = np.where(found.has_shell, np.exp(gains + gain_bound), 1.0)
        unbounded = np.full(found.size, np.inf)
        gain_high = np.where(found.has_shell, np.inf, 1.0)
        columns: dict[str, Floats] = {}
        for row, stressor in enumerate(stressors):
            name = column_name(stressor)
            columns[f"half_life_h_{name}"] = life[row]
            columns[f"half_life_h_{name}_lower"] = life_low[row]
            columns[f"half_life_h_{name}_upper"] = unbounded
            columns[f"stability_gain_{name}"] = gain[row]
            columns[f"stability_gain_{name}_lower"] = gain_low[row]
            columns[f"stability_gain_{name}_upper"] = gain_high
            if found.thresholds.gain_above is not None:
                above = self.gain.floors.share_above(
                    math.log(found.thresholds.gain_above) - gains[row]
                )
                columns[f"gain_above_{name}"] = np.where(found.has_shell, above, 0.0)
        return columns

    def _log_lifetimes(
        self, found: PredictionBatch, stressors: Sequence[str], temperature: Floats
    ) -> Floats:
        """Return log lifetimes in log h, shape (n_stressors, n)."""
        if not stressors:
            return np.zeros((0, found.size))
        model = self.lifetime
        sides = np.array([model.predict_null(stressor, [False, True]) for stressor in stressors])
        null = sides[:, found.has_shell.astype(np.intp)]
        kinds, place = found.items.kinds
        distinct = [Combination(None, *kind, "unknown") for kind in kinds]
        effects = model.predict_effects(stressors, distinct)
        thin = self.is_thin(model.papers, stressors)
        full = effects[:, place] + self._lifetime_trees(found, stressors, temperature)
        return np.where(thin[:, None] | found.is_metal, null, full)

    def _lifetime_trees(
        self, found: PredictionBatch, stressors: Sequence[str], temperature: Floats
    ) -> Floats:
        """Return what the trees add to log lifetimes, shape (n_stressors, n)."""
        if not self.lifetime.has_trees:
            return np.zeros((len(stressors), found.size))
        tests = [
            self.test_columns(stressor, given) for stressor in stressors for given in temperature
        ]
        rows = with_test_columns(np.tile(found.coated, (len(stressors), 1)), tests)
        trees = self.lifetime.forest.predict(rows.take(self.lifetime.columns, axis=1))
        return trees.reshape(len(stressors), found.size)

    def test_columns(self, stressor: str, temperature: float) -> list[float]:
        """Return the test columns under a stressor; the literature's conditions where unknown."""
        if math.isnan(temperature):
            return self._usual_tests[stressor]
        usual = self.lifetime.conditions.get(stressor, {})
        return test_columns(stressor, {**usual, "temperature_c": float(temperature)})

    @cached_property
    def _usual_tests(self) -> dict[str, list[float]]:
        conditions = self.lifetime.conditions
        return {name: test_columns(name, conditions.get(name, {})) for name in STRESSORS}

    def _log_gains(self, found: PredictionBatch, stressors: Sequence[str]) -> Floats:
        """Return log gains, shape (n_stressors, n)."""
        model = self.gain
        of_shells = [model.of_shell(layers) for layers in found.items.shells]
        of_shell = np.array(of_shells)[found.items.shell]
        of_stressor = np.array([model.of_stressor(name) for name in stressors])
        unknown = self.is_thin(model.papers, stressors)[:, None] | found.is_metal
        return np.where(unknown, model.null, model.null + of_stressor[:, None] + of_shell)

    @staticmethod
    def is_thin(papers: Mapping[str, int], stressors: Sequence[str]) -> Mask:
        """Return which stressors have too few papers for more than the null model."""
        return np.array([papers.get(name, 0) < THIN_STRESSOR_PAPERS for name in stressors], bool)

    # Reasons ---------------------------------------------------------------------------------

    @cached_property
    def contributions(self) -> dict[str, ForestContributions]:
        """Contributions of the trees of each target."""
        return {
            name: ForestContributions.of(getattr(self, name).forest)
            for name in ("pl", "plqy", "lifetime")
        }

    # Evidence --------------------------------------------------------------------------------

    @cached_property
    def surroundings(self) -> DomainIndex:
        """The literature and the domains, for many requests at once."""
        return DomainIndex(self.literature, self.domains)

    @cached_property
    def verdicts(self) -> DomainFlags:
        """What is said of answers beside their numbers."""
        return DomainFlags(self.literature, self.lifetime, self.gain, self.notes)

    def _evidence(self, found: NeighbourHits, place: int, stressors: Sequence[str]) -> Evidence:
        """Return what stands beside an answer."""
        conditions = self.lifetime.conditions
        return Evidence(
            self.surroundings.neighbours(found, place),
            found.measured.get(place, []),
            {stressor: dict(conditions.get(stressor, {})) for stressor in stressors},
        )

    def outside(self, item: Combination, stressors: Sequence[str]) -> list[str]:
        """Return why a combination is outside the domain, a reason each; empty inside.

        Args:
            item: The combination.
            stressors: The stressors asked for.
        """
        reasons = [*self.surroundings.outside(item).values()]
        reasons += self.verdicts.thin(stressors, item.layers)
        return list(dict.fromkeys(reasons))

    def outside_of(self, target: str, item: Combination) -> str:
        """Return why a combination is outside the domain of a target; empty inside."""
        return self.surroundings.outside(item).get(target, "")
