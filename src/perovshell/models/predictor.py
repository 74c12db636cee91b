"""Prediction with numpy alone: values, intervals, the shell's effect, domain, evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from perovshell.arrays import Floats
from perovshell.features.coating import CoreFacts, Flag, coating_flags
from perovshell.features.combinations import Combination, Combinations
from perovshell.features.featurizer import Featurizer
from perovshell.models.contributions import ForestContributions
from perovshell.models.domain import Domain
from perovshell.models.domain_flags import DomainFlags
from perovshell.models.domain_index import DomainIndex, NeighbourHits
from perovshell.models.domain_verdict import DomainVerdict
from perovshell.models.evidence import Literature
from perovshell.models.explain import reasons_of
from perovshell.models.outputs import (
    DEFAULT_COVERAGE,
    DEFAULT_STRESSORS,
    NO_THRESHOLDS,
    Answer,
    Behind,
    Evidence,
    Found,
    Thresholds,
    check_options,
    output_columns,
    rounded,
    unanswered,
)
from perovshell.models.point import PointModel
from perovshell.models.prediction_batch import CategoryCores, PredictionBatch
from perovshell.models.reason import Reason
from perovshell.models.requests import Requests
from perovshell.models.shell_evidence import ShellEvidence
from perovshell.models.stability_model import StabilityModel
from perovshell.models.stability_prediction import StabilityPrediction
from perovshell.targets.declared import GAIN, LIFETIME

if TYPE_CHECKING:
    from perovshell.models.product_linear import FactoredModels

ROWS_AT_ONCE = 512
"""Rows that are answered at once, so that their arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Predictor:
    """The models of all targets with their descriptors and evidence.

    Attributes:
        featurizer: Descriptors, with the tables they were trained with.
        points: Models of the PL peak and the PLQY, by target name.
        stability: Model of lifetimes and gains.
        domains: Domain of PL, PLQY and stability, by target name.
        literature: The training samples.
        notes: Notes of every answer with a shell: targets without skill.
        shell_evidence: What papers measured of shells, for the order of rankings.
    """

    featurizer: Featurizer
    points: Mapping[str, PointModel]
    stability: StabilityModel
    domains: Mapping[str, Domain]
    literature: Literature
    notes: tuple[str, ...] = ()
    shell_evidence: ShellEvidence = field(default_factory=ShellEvidence)

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: what was derived from them is derived again where it is sent."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def answer(
        self,
        rows: Sequence[Mapping[str, Any]],
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> list[Answer]:
        """Answer requests row by row; a row without an answer has the reason in `error`.

        Args:
            rows: Requests with the columns of `inputs.INPUTS`.
            stressors: Stressors to answer for, of `vocabulary.STRESSORS`.
            coverage: Coverage of the intervals, above 0 and below 1.
            thresholds: Thresholds whose probability is asked.

        Raises:
            InputError: A stressor, the coverage or the thresholds are not allowed.
        """
        return [Answer(*one) for one in self._answers(rows, stressors, coverage, thresholds)]

    def values(
        self,
        rows: Sequence[Mapping[str, Any]],
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> list[dict[str, Any]]:
        """Return the output columns of answers alone; arguments and errors as for `answer`."""
        return [values for values, *_ in self._answers(rows, stressors, coverage, thresholds)]

    def _answers(
        self,
        rows: Sequence[Mapping[str, Any]],
        stressors: Sequence[str],
        coverage: float,
        thresholds: Thresholds,
    ) -> Iterator[tuple[dict[str, Any], Behind, int]]:
        """Yield the fields of the answer to each row; the options are checked before the first."""
        check_options(stressors, coverage, thresholds)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            block = rows[start : start + ROWS_AT_ONCE]
            requests, errors = Requests.read(block, self.featurizer.reader)
            good = [row for number, row in enumerate(block) if number not in errors]
            answered = self._answered(requests, good, stressors, coverage, thresholds)
            for row in range(len(block)):
                if row in errors:
                    nothing = Found(Evidence([], [], {}, {}))
                    yield unanswered(errors[row], stressors, thresholds), nothing, 0
                else:
                    yield next(answered)

    def _answered(
        self,
        requests: Requests,
        rows: Sequence[Mapping[str, Any]],
        stressors: Sequence[str],
        coverage: float,
        thresholds: Thresholds,
    ) -> Iterator[tuple[dict[str, Any], Behind, int]]:
        """Yield the same for requests that could be read; `rows` are they before that."""
        if not len(requests):
            return
        outputs = output_columns(stressors, thresholds)
        batch = self.batch(requests)
        stability = self.stability_of(batch, stressors)
        columns = self._columns(batch, stability, coverage, thresholds)
        kinds, kind = requests.items.kinds
        signs = [self.stability.shell_side(stressors, one).signs for one in kinds]
        doubts = dict.fromkeys(range(len(requests)), thresholds.doubts) if thresholds.doubts else {}
        requests = requests.with_notes(batch.notes).with_notes(doubts)
        asked = [columns[name] for name in outputs if name in columns]
        numbers = rounded(np.concatenate(asked)).reshape(len(asked), -1).T.tolist()
        hits = self.domain_index.find(requests)
        gaps = batch.coated[:, self._gap_column]
        described = self.domain_flags.describe(requests, hits, gaps, stressors)
        # The arrays of many rows are not kept for the reasons of one.
        known = (batch, stability) if len(requests) == 1 else None
        behind = _BehindRows(self, rows, tuple(stressors), hits, known)
        of_row = zip(numbers, kind.tolist(), described, hits.papers, strict=True)
        for number, (row, one, (inside, *texts), papers) in enumerate(of_row):
            values = (*row, *signs[one], *inside, *texts, papers, "")
            yield dict(zip(outputs, values, strict=True)), behind, number

    def explain(
        self, row: Mapping[str, Any], stressors: Sequence[str] = DEFAULT_STRESSORS
    ) -> list[Reason]:
        """Return the feature contributions to the prediction of one request, one by target.

        Under each stressor there is a reason of the gain and one of the half-life.

        Raises:
            InputError: The request cannot be read, or a stressor is not allowed.
        """
        check_options(stressors, DEFAULT_COVERAGE)
        batch = self.batch(Requests.read_one(row, self.featurizer.reader))
        return reasons_of(self, batch, self.stability_of(batch, stressors))

    @cached_property
    def needs_elements(self) -> bool:
        """Whether any model looks at the element statistics of the core."""
        groups = [descriptor.group for descriptor in self.featurizer.descriptors]
        forests: list[PointModel | StabilityModel] = [*self.points.values(), self.stability]
        used = {column for model in forests for column in model.columns.tolist()}
        return any(groups[column] == "core elements" for column in used if column < len(groups))

    @cached_property
    def factored(self) -> FactoredModels:
        """The models taken apart by side: taken apart once, for any number of products."""
        from perovshell.models.product_linear import FactoredModels

        blocks = [descriptor.block for descriptor in self.featurizer.descriptors]
        return FactoredModels.of(blocks, self.points, self.stability)

    # Numbers ---------------------------------------------------------------------------------

    def columns(
        self,
        requests: Requests,
        stressors: Sequence[str],
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> dict[str, Floats]:
        """Return the numeric output columns of many requests, each of shape (n,)."""
        batch = self.batch(requests)
        stability = self.stability_of(batch, stressors)
        columns = self._columns(batch, stability, coverage, thresholds)
        asked = thresholds.columns(stressors)
        numbers = {name: column for name, column in columns.items() if name not in asked}
        return numbers | {name: columns[name] for name in asked}

    def _columns(
        self,
        batch: PredictionBatch,
        stability: StabilityPrediction,
        coverage: float,
        thresholds: Thresholds,
    ) -> dict[str, Floats]:
        numbers = batch.requests.numbers
        columns: dict[str, Floats] = {}
        for model in self.points.values():
            effect = model.target.effect
            measured = numbers[effect.anchor] if effect else np.full(batch.size, np.nan)
            prediction = batch.predict(model, measured)
            columns |= prediction.columns(coverage, thresholds.of(model.target))
        return columns | stability.columns(coverage, thresholds.of(GAIN))

    def batch(self, requests: Requests) -> PredictionBatch:
        """Compute what all targets need of requests."""
        matrix = self.featurizer.both(requests.items, elements_too=self.needs_elements)
        is_metal = matrix[: len(requests), self._metal_column] == 1.0
        return PredictionBatch(requests, matrix, is_metal, self._category_cores)

    @cached_property
    def _metal_column(self) -> int:
        return self.featurizer.names.index("metal core")

    @cached_property
    def _gap_column(self) -> int:
        return self.featurizer.names.index("bulk gap estimate")

    @cached_property
    def _category_cores(self) -> CategoryCores:
        return CategoryCores.of(self.points.values(), self.featurizer.reader)

    def difficulties(self, items: Sequence[Combination]) -> dict[str, Floats]:
        """Return the difficulty of each point target, as modelled, each of shape (n,)."""
        matrix = self.featurizer.matrix(items, elements_too=self.needs_elements)
        return {
            name: model.difficulty_of(matrix, model.predict(matrix))
            for name, model in self.points.items()
        }

    def stability_of(self, batch: PredictionBatch, stressors: Sequence[str]) -> StabilityPrediction:
        """Return log lifetimes of the combinations and of their bare cores."""
        model, items, is_metal = self.stability, batch.items, batch.is_metal
        temperature = batch.requests.numbers["temperature_c"]
        side, bare = model.linear(stressors, items, temperature)
        if model.has_trees:
            tests = model.tests(stressors, np.concatenate([temperature, temperature]))
            trees = model.trees(batch.both, tests)
            side, bare = side + trees[:, : batch.size], bare + trees[:, batch.size :]
        kinds, kind = items.kinds
        is_open = np.array([model.shell_side(stressors, one).is_open for one in kinds])
        coated = batch.has_shell
        return StabilityPrediction(
            model=model,
            stressors=tuple(stressors),
            side=model.answered(stressors, side, coated=coated, is_metal=is_metal),
            bare=model.answered(stressors, bare, coated=np.zeros_like(coated), is_metal=is_metal),
            has_shell=coated,
            side_open=is_open.reshape(len(kinds), len(stressors)).T.take(kind, axis=1),
            bare_open=model.under(stressors).bare_open[:, None],
        )

    # Reasons ---------------------------------------------------------------------------------

    @cached_property
    def contributions(self) -> dict[str, ForestContributions]:
        """Contributions of the trees of each target."""
        forests: dict[str, PointModel | StabilityModel] = dict(self.points)
        forests[LIFETIME.name] = self.stability
        return {name: ForestContributions.of(model.forest) for name, model in forests.items()}

    # Evidence --------------------------------------------------------------------------------

    @cached_property
    def domain_index(self) -> DomainIndex:
        """The literature and the domains, for many requests at once."""
        return DomainIndex(self.literature, self.domains)

    @cached_property
    def domain_flags(self) -> DomainFlags:
        """The texts of answers."""
        return DomainFlags(self.literature, self.stability, self.notes)

    def flags(self, item: Combination, stressors: Sequence[str]) -> tuple[Flag, ...]:
        """Return what speaks against a coating.

        Args:
            item: The combination.
            stressors: The stressors asked for.
        """
        literature = self.literature
        items = Combinations.of([item], self.featurizer.reader)
        rows = self.featurizer.core_block(items.cores, elements_too=False)
        fractions = literature.site_fractions(items.cores)
        facts = CoreFacts(fractions, literature.symbols, rows[:, self._gap_column])
        return coating_flags(item.layers, facts, stressors)

    def verdict(self, item: Combination, stressors: Sequence[str]) -> DomainVerdict:
        """Return which targets of a combination are out of domain, and why.

        Args:
            item: The combination.
            stressors: The stressors asked for.
        """
        return self.domain_flags.verdict(self.domain_index.outside(item), stressors)

    def outside_of(self, target: str, item: Combination) -> str:
        """Return the reason that a combination is out of a domain; empty inside."""
        return self.domain_index.outside(item).get(target, "")


@dataclass(frozen=True, eq=False)
class _BehindRows:
    """What is behind the answers to requests that were answered at once.

    Attributes:
        predictor: What answered them.
        rows: The requests as they were given.
        stressors: The stressors asked for.
        hits: What the literature knows of them.
        known: What was computed for their reasons, where it is kept.
    """

    predictor: Predictor
    rows: Sequence[Mapping[str, Any]]
    stressors: tuple[str, ...]
    hits: NeighbourHits
    known: tuple[PredictionBatch, StabilityPrediction] | None

    def evidence(self, number: int) -> Evidence:
        """Return the nearest and the measured samples, the conditions and the domain."""
        predictor, hits = self.predictor, self.hits
        conditions = predictor.stability.conditions
        return Evidence(
            predictor.domain_index.neighbours(hits, number),
            hits.measured.get(number, []),
            {stressor: dict(conditions.get(stressor, {})) for stressor in self.stressors},
            predictor.domain_flags.verdict(hits.outside.get(number, {}), self.stressors).reasons,
        )

    def reasons(self, number: int) -> list[Reason]:
        """Return how far each group of descriptors moved the predictions."""
        if self.known is None:
            return self.predictor.explain(self.rows[number], self.stressors)
        return reasons_of(self.predictor, *self.known)
