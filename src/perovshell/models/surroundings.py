"""What the literature says around many requests: nearest papers, measured values, domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.features.combinations import Layers, Places
from perovshell.models.evidence import (
    FEW_PAPERS,
    METAL,
    MIXING_REACH,
    N_NEAREST,
    ROUNDING,
    Domain,
    Literature,
    Neighbour,
    core_differences,
)
from perovshell.models.requests import Requests

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_MAX_REMEMBERED: Final = 10_000
_SAME: Final = 0.01
"""Cores this close (summed, in site fraction) may be the same."""


@dataclass(frozen=True)
class Found:
    """What was found around n requests.

    Attributes:
        nearest: Sample of each of the nearest papers, shape (n, up to `N_NEAREST`).
        distances: Distances of those, infinite for the core of a metal.
        papers: The nearest papers joined by `;`, for each request.
        reasons: Why requests are outside the domain, of those that are: a text a target.
        measured: Samples of the very combination, of the requests that have some.
    """

    nearest: Places
    distances: Floats
    papers: list[str]
    reasons: dict[int, list[str]]
    measured: dict[int, list[Neighbour]]


class Surroundings:
    """The literature and the domains of all targets, laid out for many requests at once.

    The verdicts are those of `Domain.outside`.

    Args:
        literature: The samples.
        domains: Domain by target name.
    """

    def __init__(self, literature: Literature, domains: Mapping[str, Domain]) -> None:
        self._literature = literature
        self._domains = list(domains.values())
        cores, self._core_of_sample = literature.distinct_cores
        self._n_cores = len(cores)
        self._known = np.concatenate([cores, *(domain.fractions for domain in self._domains)])
        self._faults: dict[Layers, list[str]] = {}

    @cached_property
    def _unseen(self) -> list[list[str]]:
        """By domain, the ions that few papers know, in the order of a formula."""
        order = self._literature.standard_order
        return [
            [name for name in order if own.ion_papers.get(name, 0) < FEW_PAPERS]
            for own in self._domains
        ]

    @cached_property
    def _not_measured(self) -> list[Floats]:
        """By domain, 0 for the samples that its target was measured of, infinity for others."""
        measured = self._literature.measured_of
        return [np.where(measured[own.target], 0.0, np.inf) for own in self._domains]

    @cached_property
    def _papers(self) -> tuple[list[str], Places, Mask]:
        """The papers, the paper of each sample, and the samples of each paper."""
        place: dict[str, int] = {}
        of_sample = np.array(
            [place.setdefault(row["paper"], len(place)) for row in self._literature.samples],
            dtype=np.intp,
        )
        return list(place), of_sample, np.arange(len(place))[:, None] == of_sample

    def find(self, requests: Requests) -> Found:
        """Look around requests."""
        items = requests.items
        fractions = self._literature.site_fractions(items.cores)
        summed, largest = core_differences(self._known, fractions)
        is_metal = ~fractions.any(axis=1)[items.core]
        summed = summed[:, : self._n_cores]
        distances = summed.take(self._core_of_sample, axis=1)[items.core]
        distances += self._apart(requests)
        distances[is_metal] = np.inf
        reasons = self._reasons(requests, fractions, largest, distances)
        for place in np.flatnonzero(is_metal).tolist():
            reasons[place] = [METAL]
        near = (summed.min(axis=1) < _SAME)[items.core] | is_metal
        return Found(*self._nearest(distances), reasons, self._measured(requests, near))

    def _apart(self, requests: Requests) -> Floats:
        """Return what shell and structure add to the distances, shape (n, n_samples)."""
        kinds, place = requests.items.kinds
        apart = [self._literature.shell_distances(shell, word) for shell, word, _ in kinds]
        return np.array(apart)[place]

    def _nearest(self, distances: Floats) -> tuple[Places, Floats, list[str]]:
        """Return samples and distances of the nearest papers, and their names; uses up its input.

        Of samples alike near, the first counts.
        """
        names, of_sample, samples_of = self._papers
        rows = np.arange(len(distances))
        found, apart = [], []
        for _ in range(min(N_NEAREST, len(names))):
            found.append(distances.argmin(axis=1))
            apart.append(distances[rows, found[-1]])
            np.putmask(distances, samples_of[of_sample[found[-1]]], np.inf)
        said: dict[tuple[int, ...], str] = {}
        papers = [""] * len(distances)
        is_near = np.isfinite(apart[0]).tolist()
        for row, own in enumerate(zip(*(of_sample[at].tolist() for at in found), strict=True)):
            if own not in said:
                said[own] = ";".join(names[paper] for paper in own)
            papers[row] = said[own] if is_near[row] else ""
        return np.stack(found, axis=1), np.stack(apart, axis=1), papers

    def _measured(self, requests: Requests, near: Mask) -> dict[int, list[Neighbour]]:
        items, found = requests.items, {}
        for place in np.flatnonzero(near).tolist():
            core, layers = requests.core(items.core[place]), items.shells[items.shell[place]]
            samples = self._literature.measured_of_core(core, layers)
            if samples:
                found[place] = samples
        return found

    # Domain ----------------------------------------------------------------------------------

    def _reasons(
        self, requests: Requests, fractions: Floats, largest: Floats, distances: Floats
    ) -> dict[int, list[str]]:
        """Return why requests are outside, of those that are, a text a target."""
        items, sizes = requests.items, requests.items.contexts.sizes
        symbols = self._literature.symbols
        faults = [self._faults_of(layers) for layers in items.shells]
        reasons: dict[int, list[str]] = {}
        for at, domain in enumerate(self._domains):
            unseen = self._unseen[at]
            ions = fractions[:, [symbols[name] for name in unseen]]
            reach = largest[:, self._cores_of[at]].min(axis=1)
            nearest = (distances + self._not_measured[at]).min(axis=1)
            failed = np.stack(
                [
                    ions.any(axis=1)[items.core],
                    (reach > MIXING_REACH + ROUNDING)[items.core],
                    sizes < domain.smallest_nm,
                    np.array([bool(own[at]) for own in faults])[items.shell],
                    nearest > domain.reach + ROUNDING,
                ]
            )
            outside = np.flatnonzero(failed.any(axis=0))
            check = failed[:, outside].argmax(axis=0)
            core, shell = items.core[outside], items.shell[outside]
            texts = np.empty(len(outside), dtype=object)
            texts[check == 0] = [
                domain.ion_said(unseen[first])
                for first in (ions[core[check == 0]] > 0.0).argmax(axis=1).tolist()
            ]
            texts[check == 1] = [*map(domain.mixing_said, reach[core[check == 1]].tolist())]
            texts[check == 2] = [*map(domain.size_said, sizes[outside[check == 2]].tolist())]
            texts[check == 3] = [faults[own][at] for own in shell[check == 3].tolist()]
            texts[check == 4] = [*map(domain.far_said, nearest[outside[check == 4]].tolist())]
            for place, said in zip(outside.tolist(), texts.tolist(), strict=True):
                reasons.setdefault(place, []).append(said)
        return reasons

    def _faults_of(self, layers: Layers) -> list[str]:
        """Return why a shell is outside each domain, or empty texts."""
        if layers not in self._faults:
            if len(self._faults) >= _MAX_REMEMBERED:
                self._faults.clear()
            self._faults[layers] = [domain.shell_outside(layers) for domain in self._domains]
        return self._faults[layers]
