"""Texts of answers: why they are out of domain, flags, notes, measured samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from perovshell.arrays import Floats
from perovshell.features.coating import CoreFacts, Flag, row_flags
from perovshell.features.combinations import Layers
from perovshell.models.domain import few_papers
from perovshell.models.domain_index import NeighbourHits
from perovshell.models.domain_verdict import DomainVerdict
from perovshell.models.evidence import Literature, Neighbour
from perovshell.models.requests import Requests
from perovshell.models.stability import thin_stressors
from perovshell.models.stability_model import StabilityModel


class DomainTexts(NamedTuple):
    """Verdicts of an answer and its texts, a list each.

    Attributes:
        inside: Which targets are in domain; see `DomainVerdict.values`.
        reasons: Why others are not; empty in domain.
        flags: What speaks against the coating; see `features.coating`.
        notes: Inputs that are ignored, shells that are not in the training data, targets without
            skill.
        measured: The measured samples of the combination with their papers.
    """

    inside: tuple[bool, ...]
    reasons: list[str]
    flags: list[str]
    notes: list[str]
    measured: list[str]


@dataclass(frozen=True)
class DomainFlags:
    """Writes verdicts, reasons, flags, notes and measured samples of answers.

    Attributes:
        literature: The training samples.
        stability: Model of lifetimes and gains.
        notes: Notes of every answer with a shell.
    """

    literature: Literature
    stability: StabilityModel
    notes: tuple[str, ...]

    def describe(
        self, requests: Requests, hits: NeighbourHits, gaps: Floats, stressors: Sequence[str]
    ) -> list[DomainTexts]:
        """Return verdicts, reasons, flags, notes and measured samples of each request.

        Args:
            requests: n requests.
            hits: What the literature knows of them.
            gaps: Estimated bulk gap of each core in eV, NaN where unknown, shape (n,).
            stressors: The stressors asked for.
        """
        # Most requests differ in their shell only: what a shell says is put together once, and
        # so is the verdict on all requests that are inside.
        inside = self.verdict({}, stressors)
        verdicts = [(inside.values, inside.texts)] * len(requests)
        for row, outside in hits.outside.items():
            verdict = DomainVerdict(outside, inside.thin, inside.stressors)
            verdicts[row] = (verdict.values, verdict.texts)
        of_shell = [self._shell_notes(layers) for layers in requests.items.shells]
        of_input, sample_texts = self._input_notes(requests), self._sample_texts
        flags, shell_of = (
            self._flags(requests, hits, gaps, stressors),
            requests.items.shell.tolist(),
        )
        # Each answer has new lists: what a caller does with them changes no other answer.
        texts = [
            DomainTexts(
                values, reasons.copy(), [flag.text for flag in of_row], of_shell[shell].copy(), []
            )
            for (values, reasons), of_row, shell in zip(verdicts, flags, shell_of, strict=True)
        ]
        for row, notes in of_input.items():
            texts[row].notes[:0] = notes
        for row, samples in hits.measured.items():
            texts[row].measured.extend(sample_texts[sample.sample_id] for sample in samples)
        return texts

    def _flags(
        self, requests: Requests, hits: NeighbourHits, gaps: Floats, stressors: Sequence[str]
    ) -> list[tuple[Flag, ...]]:
        """Return the flags of each request."""
        items = requests.items
        gap_of_core = np.full(len(hits.fractions), np.nan)
        gap_of_core[items.core] = gaps
        cores = CoreFacts(hits.fractions, self.literature.symbols, gap_of_core)
        return row_flags(items.shells, items.shell, cores, items.core, stressors)

    @cached_property
    def _sample_texts(self) -> dict[str, str]:
        """Papers and measured values of all samples, by `sample_id`."""
        combinations = self.literature.combinations()
        return {row.sample_id: _describe(row) for _, _, rows in combinations for row in rows}

    def _shell_notes(self, layers: Layers) -> list[str]:
        """Return notes about a shell; a bare core has none."""
        unseen = [
            f"shell {name} is not in the training data, predicted from its material class"
            for name in self.literature.unseen_of(layers)
        ]
        return [*unseen, *self.notes] if layers else []

    def _input_notes(self, requests: Requests) -> dict[int, list[str]]:
        """Return notes about the inputs of requests, by row."""
        numbers = requests.numbers
        notes = {row: list(texts) for row, texts in requests.notes.items()}
        for row in _known(numbers["shell_thickness_nm"]):
            notes.setdefault(row, []).append(
                "shell_thickness_nm is ignored (known for too few samples)"
            )
        return notes

    def verdict(self, outside: Mapping[str, str], stressors: Sequence[str]) -> DomainVerdict:
        """Return the verdict on a combination.

        Args:
            outside: Why it is out of domains, by their labels.
            stressors: The stressors asked for.
        """
        papers = self.stability.papers
        thin = {
            stressor: f"{stressor}: baseline prediction ({few_papers(papers.get(stressor, 0))})"
            for stressor, is_thin in zip(stressors, thin_stressors(papers, stressors), strict=True)
            if is_thin
        }
        return DomainVerdict(outside, thin, tuple(stressors))


def _describe(sample: Neighbour) -> str:
    """Return a paper and its measured values."""
    return f"{sample.paper} ({', '.join(sample.results) or 'stability'})"


def _known(numbers: Floats) -> list[int]:
    """Return the rows of the numbers that are known."""
    rows: list[int] = np.isfinite(numbers).nonzero()[0].tolist()
    return rows
