"""What is said of answers beside their numbers: outside the domain and why, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perovshell.features.combinations import Layers
from perovshell.models.domain import papers_said
from perovshell.models.domain_index import NeighbourHits
from perovshell.models.evidence import Literature, Neighbour
from perovshell.models.gain import GainModel
from perovshell.models.lifetime import LifetimeModel
from perovshell.models.requests import Requests
from perovshell.models.stability import thin_stressors

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DomainFlags:
    """Says what stands in `in_domain` and `domain_reason`.

    Attributes:
        literature: The training samples.
        lifetime: Model of the equivalent lifetime.
        gain: Model of the stability gain.
        notes: What is said of every answer with a shell.
    """

    literature: Literature
    lifetime: LifetimeModel
    gain: GainModel
    notes: tuple[str, ...]

    def of(
        self, requests: Requests, found: NeighbourHits, stressors: Sequence[str]
    ) -> tuple[list[bool], list[str]]:
        """Return whether requests are inside the domain, and what is said of each."""
        items = requests.items
        shell = items.shell.tolist()
        thin = [self.thin(stressors, layers) for layers in items.shells]
        unseen = [
            [
                f"note: no sample has the shell {name}, its class speaks for it"
                for name in self.literature.unseen_of(layers)
            ]
            for layers in items.shells
        ]
        notes_of_shell = [f"note: {note}" for note in self.notes]
        always = [notes_of_shell if layers else [] for layers in items.shells]
        usual = ["; ".join([*a, *b, *c]) for a, b, c in zip(thin, unseen, always, strict=True)]
        inside, said = [not thin[own] for own in shell], [usual[own] for own in shell]
        noted = self._notes_of(requests)
        for place in {*found.reasons, *noted, *found.measured}:
            own = shell[place]
            reasons = dict.fromkeys([*found.reasons.get(place, ()), *thin[own]])
            inside[place] = not reasons
            notes = [*noted.get(place, ()), *unseen[own]]
            if place in found.measured:
                papers = ", ".join(map(_said_of, found.measured[place][:3]))
                notes.append(f"note: measured by {papers}")
            said[place] = "; ".join([*reasons, *notes, *always[own]])
        return inside, said

    def _notes_of(self, requests: Requests) -> dict[int, list[str]]:
        """Return what is to be said of the numbers that were given."""
        numbers = requests.numbers
        share = numbers["bare_plqy_percent"]
        notes: dict[int, list[str]] = {}
        for place in _given(numbers["shell_thickness_nm"]):
            notes[place] = ["note: shell_thickness_nm is ignored (known for too few samples)"]
        for place in ((share > 0.0) & (share < 1.0)).nonzero()[0].tolist():
            notes.setdefault(place, []).append(
                f"note: bare_plqy_percent is in percent, {share[place]:g} is below 1 %"
            )
        for place in [] if self.lifetime.has_trees else _given(numbers["temperature_c"]):
            notes.setdefault(place, []).append(
                "note: temperature_c is ignored (knowing it improves no lifetime)"
            )
        return notes

    def thin(self, stressors: Sequence[str], layers: Layers) -> list[str]:
        """Return why stressors are answered from the null model."""
        reasons = []
        thin_life = thin_stressors(self.lifetime.papers, stressors).tolist()
        thin_gain = thin_stressors(self.gain.papers, stressors).tolist()
        for stressor, is_thin, has_few_pairs in zip(stressors, thin_life, thin_gain, strict=True):
            if is_thin:
                papers = papers_said(self.lifetime.papers.get(stressor, 0))
                reasons.append(f"{stressor}: {papers}, answered from the null model")
            elif layers and has_few_pairs:
                reasons.append(f"{stressor}: too few coated/bare pairs, gain from the null model")
        return reasons


def _said_of(one: Neighbour) -> str:
    """Return a paper and what it measured."""
    values = []
    if one.pl_peak_nm is not None:
        values.append(f"PL {one.pl_peak_nm:g} nm")
    if one.plqy_percent is not None:
        values.append(f"PLQY {one.plqy_percent:g} %")
    if one.stability:
        values.append(one.stability)
    return f"{one.paper} ({', '.join(values) or 'stability'})"


def _given(numbers: Floats) -> list[int]:
    """Return the places of the numbers that are known."""
    places: list[int] = np.isfinite(numbers).nonzero()[0].tolist()
    return places
