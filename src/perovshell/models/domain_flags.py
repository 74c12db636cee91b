"""Domain flags and notes of answers: out of domain and why, ignored inputs, measured values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perovshell.arrays import Floats
from perovshell.features.combinations import Layers
from perovshell.models.domain import few_papers
from perovshell.models.domain_index import NeighbourHits
from perovshell.models.evidence import Literature, Neighbour
from perovshell.models.gain import GainModel
from perovshell.models.lifetime import LifetimeModel
from perovshell.models.requests import Requests
from perovshell.models.stability import thin_stressors

_N_MEASURED = 3
"""Measured samples that a note names."""


@dataclass(frozen=True)
class DomainFlags:
    """Writes `in_domain` and `domain_reason`.

    Attributes:
        literature: The training samples.
        lifetime: Model of the equivalent lifetime.
        gain: Model of the stability gain.
        notes: Notes of every answer with a shell.
    """

    literature: Literature
    lifetime: LifetimeModel
    gain: GainModel
    notes: tuple[str, ...]

    def describe(
        self, requests: Requests, hits: NeighbourHits, stressors: Sequence[str]
    ) -> tuple[list[bool], list[str]]:
        """Return whether requests are in domain, and the reasons and notes of each."""
        shells, shell = requests.items.shells, requests.items.shell.tolist()
        thin = [self.thin(stressors, layers) for layers in shells]
        unseen = [self._unseen_shells(layers) for layers in shells]
        general = [[f"note: {note}" for note in self.notes] if layers else [] for layers in shells]
        # Most requests differ in their shell only: their text is made once per shell.
        texts = ["; ".join([*a, *b, *c]) for a, b, c in zip(thin, unseen, general, strict=True)]
        in_domain, described = [not thin[k] for k in shell], [texts[k] for k in shell]
        input_notes = self._input_notes(requests)
        for row in {*hits.reasons, *input_notes, *hits.measured}:
            k = shell[row]
            reasons = dict.fromkeys([*hits.reasons.get(row, ()), *thin[k]])
            notes = [*input_notes.get(row, ()), *unseen[k]]
            if row in hits.measured:
                papers = ", ".join(map(_describe, hits.measured[row][:_N_MEASURED]))
                notes.append(f"note: measured by {papers}")
            in_domain[row] = not reasons
            described[row] = "; ".join([*reasons, *notes, *general[k]])
        return in_domain, described

    def _unseen_shells(self, layers: Layers) -> list[str]:
        return [
            f"note: shell {name} is not in the training data, predicted from its material class"
            for name in self.literature.unseen_of(layers)
        ]

    def _input_notes(self, requests: Requests) -> dict[int, list[str]]:
        """Return notes about the inputs of requests, by row."""
        numbers = requests.numbers
        notes = {row: [f"note: {text}" for text in texts] for row, texts in requests.notes.items()}
        for row in _known(numbers["shell_thickness_nm"]):
            notes.setdefault(row, []).append(
                "note: shell_thickness_nm is ignored (known for too few samples)"
            )
        for row in [] if self.lifetime.has_trees else _known(numbers["temperature_c"]):
            notes.setdefault(row, []).append(
                "note: temperature_c is ignored (it improves no lifetime prediction)"
            )
        return notes

    def thin(self, stressors: Sequence[str], layers: Layers) -> list[str]:
        """Return the stressors with baseline predictions, and why."""
        reasons = []
        thin_lifetime = thin_stressors(self.lifetime.papers, stressors).tolist()
        thin_gain = thin_stressors(self.gain.papers, stressors).tolist()
        for stressor, no_lifetime, no_gain in zip(stressors, thin_lifetime, thin_gain, strict=True):
            if no_lifetime:
                papers = few_papers(self.lifetime.papers.get(stressor, 0))
                reasons.append(f"{stressor}: baseline prediction ({papers})")
            elif layers and no_gain:
                reasons.append(f"{stressor}: baseline gain (few coated/bare pairs)")
        return reasons


def _describe(sample: Neighbour) -> str:
    """Return a paper and its measured values."""
    values = []
    if sample.pl_peak_nm is not None:
        values.append(f"PL {sample.pl_peak_nm:g} nm")
    if sample.plqy_percent is not None:
        values.append(f"PLQY {sample.plqy_percent:g} %")
    if sample.stability:
        values.append(sample.stability)
    return f"{sample.paper} ({', '.join(values) or 'stability'})"


def _known(numbers: Floats) -> list[int]:
    """Return the rows of the numbers that are known."""
    rows: list[int] = np.isfinite(numbers).nonzero()[0].tolist()
    return rows
