"""What the literature says around many requests: nearest papers, measured values, domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.features.combinations import Combination, Combinations, Layers, Places
from perovshell.models.domain import FEW_PAPERS, METAL, MIXING_REACH, ROUNDING, Domain
from perovshell.models.evidence import N_NEAREST, Literature, Neighbour, core_differences
from perovshell.models.requests import Requests

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_MAX_REMEMBERED: Final = 10_000
_ALIKE: Final = 0.11
"""Within this distance of a sample (0.1 is another structure) core and shell may be the same."""


@dataclass(frozen=True)
class CoreHits:
    """What was found around m cores.

    Attributes:
        fractions: Their site fractions, shape (m, n_ions).
        unseen: Whether they have an ion that few papers of a domain know, in standard order, shape
            (m, n_domains, n_ions).
        reach: Largest difference in a site fraction from the nearest known core of each domain,
            shape (m, n_domains).
        summed: Summed difference from each distinct core of the literature, shape (m, n_cores).
    """

    fractions: Floats
    unseen: Mask
    reach: Floats
    summed: Floats


@dataclass(frozen=True)
class NeighbourHits:
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


class DomainIndex:
    """The literature and the domains of all targets, laid out for many requests at once.

    Args:
        literature: The samples.
        domains: Domain by target name.
    """

    def __init__(self, literature: Literature, domains: Mapping[str, Domain]) -> None:
        self._literature = literature
        self._names = list(domains)
        self._domains = list(domains.values())
        cores, self._core_of_sample = literature.distinct_cores
        place = {row.tobytes(): at for at, row in enumerate(cores.round(9))}
        # The known cores of all domains one after another, and where those of each start.
        self._cores_of = [
            place.setdefault(row.tobytes(), len(place))
            for domain in self._domains
            for row in domain.fractions.round(9)
        ]
        counts = [len(domain.fractions) for domain in self._domains]
        self._starts = np.cumsum([0, *counts[:-1]])
        others = list(place)[len(cores) :]
        extra = [np.frombuffer(row).reshape(1, -1) for row in others]
        self._known = np.concatenate([cores, *extra])
        self._faults: dict[Layers, list[str]] = {}

    @cached_property
    def _unseen(self) -> Mask:
        """Whether few papers of a domain know an ion, in standard order, (n_domains, n_ions)."""
        order = self._literature.standard_order
        papers = [[own.ion_papers.get(name, 0) for name in order] for own in self._domains]
        return np.array(papers) < FEW_PAPERS

    @cached_property
    def _order(self) -> Places:
        """Places of the ions, in standard order."""
        known = self._literature
        return np.array([known.symbols[name] for name in known.standard_order], dtype=np.intp)

    @cached_property
    def _limits(self) -> Floats:
        """Smallest size and largest distance inside each domain, shape (2, n_domains)."""
        own = self._domains
        return np.array([[one.smallest_nm for one in own], [one.reach + ROUNDING for one in own]])

    @cached_property
    def _not_measured(self) -> Floats:
        """0 for the samples that a domain's target was measured of, infinity for others."""
        measured = self._literature.measured_of
        return np.array([np.where(measured[own.target], 0.0, np.inf) for own in self._domains])

    @cached_property
    def _papers(self) -> tuple[list[str], Places, Mask]:
        """The papers, the paper of each sample, and the samples of each paper."""
        place: dict[str, int] = {}
        of_sample = np.array(
            [place.setdefault(row["paper"], len(place)) for row in self._literature.samples],
            dtype=np.intp,
        )
        return list(place), of_sample, np.arange(len(place))[:, None] == of_sample

    def find(self, requests: Requests) -> NeighbourHits:
        """Look around requests."""
        items = requests.items
        cores = self.cores(self._literature.site_fractions(items.cores))
        distances = cores.summed.take(self._core_of_sample, axis=1)[items.core]
        distances += self._apart(items)
        is_salt = np.asarray(cores.fractions.any(axis=1))
        metals = (~is_salt[items.core]).nonzero()[0].tolist()
        if metals:
            distances[metals] = np.inf
        reasons: dict[int, list[str]] = {}
        for place, _, reason in self._reasons(items, cores, distances):
            reasons.setdefault(place, []).append(reason)
        nearest, apart, papers = self._nearest(distances)
        for place in metals:
            reasons[place], papers[place] = [METAL], ""
        alike = (apart[:, 0] < _ALIKE).nonzero()[0].tolist()
        measured = self._measured(requests, [*alike, *metals])
        return NeighbourHits(nearest, apart, papers, reasons, measured)

    def cores(self, fractions: Floats) -> CoreHits:
        """Look around cores, whatever shells they have.

        Args:
            fractions: Their site fractions, shape (m, n_ions).
        """
        summed, largest = core_differences(self._known, fractions)
        unseen = (fractions.take(self._order, axis=1) > 0.0)[:, None] & self._unseen
        reach = np.minimum.reduceat(largest.take(self._cores_of, axis=1), self._starts, axis=1)
        return CoreHits(fractions, unseen, reach, summed)

    def _apart(self, items: Combinations) -> Floats:
        """Return what shell and structure add to the distances, shape (n, n_samples)."""
        kinds, place = items.kinds
        apart = [self._literature.shell_distances(shell, word) for shell, word, _ in kinds]
        return np.array(apart)[place]

    def _nearest(self, distances: Floats) -> tuple[Places, Floats, list[str]]:
        """Return samples and distances of the nearest papers, and their names; uses up its input.

        Of samples alike near, the first counts.
        """
        names, of_sample, samples_of = self._papers
        rows = np.arange(len(distances))
        found: list[Places] = []
        apart: list[Floats] = []
        for _ in range(min(N_NEAREST, len(names))):
            if found:
                np.putmask(distances, samples_of.take(of_sample.take(found[-1]), axis=0), np.inf)
            found.append(distances.argmin(axis=1))
            apart.append(distances[rows, found[-1]])
        papers = list(zip(*(of_sample[at].tolist() for at in found), strict=True))
        said = {own: ";".join(names[paper] for paper in own) for own in set(papers)}
        return np.array(found).T, np.array(apart).T, [said[own] for own in papers]

    def _measured(self, requests: Requests, places: Sequence[int]) -> dict[int, list[Neighbour]]:
        items, found = requests.items, {}
        for place in places:
            core, layers = requests.core(items.core[place]), items.shells[items.shell[place]]
            samples = self._literature.measured_of_core(core, layers)
            if samples:
                found[place] = samples
        return found

    def neighbours(self, found: NeighbourHits, place: int) -> list[Neighbour]:
        """Return the nearest sample of each of the nearest papers of a request."""
        samples, apart = found.nearest[place].tolist(), found.distances[place].tolist()
        pairs = zip(samples, apart, strict=True)
        return [self._literature.neighbour(*pair) for pair in pairs if pair[1] < math.inf]

    # Domain ----------------------------------------------------------------------------------

    def outside(self, item: Combination, distances: Floats | None = None) -> dict[str, str]:
        """Return why a combination is outside the domains, by target; none where it is inside.

        Args:
            item: The combination.
            distances: Its distances from the samples, where they are not those of
                `Literature.distances`.
        """
        if item.core is None or item.core.is_metal:
            return dict.fromkeys(self._names, METAL)
        if distances is None:
            distances = self._literature.distances(item)
        items = Combinations.of([item], self._literature.reader)
        cores = self.cores(self._literature.fractions(item.core)[None])
        reasons = self._reasons(items, cores, distances[None])
        return {self._names[at]: reason for _, at, reason in reasons}

    def _reasons(
        self, items: Combinations, cores: CoreHits, distances: Floats
    ) -> list[tuple[int, int, str]]:
        """Return why combinations are outside the domains: each, the domain, and the first reason.

        Args:
            items: n combinations of m distinct cores.
            cores: What was found around the cores.
            distances: Distances from the samples, shape (n, n_samples).
        """
        domains, order, unseen = self._domains, self._literature.standard_order, cores.unseen
        core, sizes, limits = items.core, items.contexts.sizes, self._limits
        reach = cores.reach[core]
        nearest = (distances[:, None] + self._not_measured).min(axis=2)
        shells = [self._faults_of(layers) for layers in items.shells]
        is_faulty = np.array([list(map(bool, own)) for own in shells])[items.shell]
        failed = np.array(
            [
                np.asarray(unseen.any(axis=2))[core],
                reach > MIXING_REACH + ROUNDING,
                sizes[:, None] < limits[0],
                is_faulty,
                nearest > limits[1],
            ]
        )
        if not failed.any():
            return []
        say: tuple[Callable[[int, int], str], ...] = (
            lambda row, at: domains[at].ion_said(order[unseen[core[row], at].argmax()]),
            lambda row, at: domains[at].mixing_said(float(reach[row, at])),
            lambda row, at: domains[at].size_said(float(sizes[row])),
            lambda row, at: shells[items.shell[row]][at],
            lambda row, at: domains[at].far_said(float(nearest[row, at])),
        )
        rows, places = np.nonzero(failed.any(axis=0))
        first = failed[:, rows, places].argmax(axis=0)
        return [
            (row, at, say[check](row, at))
            for row, at, check in zip(rows.tolist(), places.tolist(), first.tolist(), strict=True)
        ]

    def _faults_of(self, layers: Layers) -> list[str]:
        """Return why a shell is outside each domain, or empty texts."""
        if layers not in self._faults:
            if len(self._faults) >= _MAX_REMEMBERED:
                self._faults.clear()
            self._faults[layers] = [domain.shell_outside(layers) for domain in self._domains]
        return self._faults[layers]
