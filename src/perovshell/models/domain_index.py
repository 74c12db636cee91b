"""Nearest papers, measured values and applicability domain of many requests at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.structure_types import STRUCTURE_TYPES
from perovshell.features.combinations import Combination, Combinations, Layers
from perovshell.models.domain import FEW_PAPERS, METAL, MIXING_REACH, ROUNDING, Domain
from perovshell.models.evidence import N_NEAREST, Literature, Neighbour, core_differences
from perovshell.models.requests import Requests
from perovshell.remembered import Remembered

_MEASURED_WITHIN: Final = 0.11
"""Within this distance of a sample (0.1 is another structure) core and shell may be the same."""


@dataclass(frozen=True)
class CoreHits:
    """What the literature knows of m cores.

    Attributes:
        fractions: Their site fractions, shape (m, n_ions).
        unseen: Whether they have an ion that few papers of a domain know, in standard order, shape
            (m, n_domains, n_ions).
        types: Index of their structure types in `STRUCTURE_TYPES`, shape (m,).
        is_odd_type: Whether few papers of a domain know their structure type, shape (m, n_domains).
        reach: Largest difference in a site fraction from the nearest known core of each domain,
            shape (m, n_domains).
        summed: Summed difference from each distinct core of the literature, shape (m, n_cores).
    """

    fractions: Floats
    unseen: Mask
    types: Indices
    is_odd_type: Mask
    reach: Floats
    summed: Floats


@dataclass(frozen=True)
class NeighbourHits:
    """What the literature knows of n requests.

    Attributes:
        fractions: Site fractions of the m distinct cores, 0 for metals, shape (m, n_ions).
        nearest: Sample of each of the nearest papers, shape (n, up to `N_NEAREST`).
        distances: Distances of those, infinite for the core of a metal.
        papers: The nearest papers joined by `;`, for each request.
        outside: Why requests are out of domain, of those that are, by label of the domain.
        measured: Samples of the same combination, of the requests that have some.
    """

    fractions: Floats
    nearest: Indices
    distances: Floats
    papers: list[str]
    outside: dict[int, dict[str, str]]
    measured: dict[int, list[Neighbour]]


class DomainIndex:
    """The literature and the domains of all targets, laid out for many requests at once.

    Args:
        literature: The samples.
        domains: Domain by its label.
    """

    def __init__(self, literature: Literature, domains: Mapping[str, Domain]) -> None:
        self._literature = literature
        self._labels = list(domains)
        self._domains = list(domains.values())
        cores, self._core_of_sample = literature.distinct_cores
        # The distinct cores of the literature come first, then those that a domain alone knows, so
        # that one pass over all known cores serves the neighbours and every domain.
        number = {row.tobytes(): index for index, row in enumerate(cores.round(9))}
        self._cores_of_domains = [
            number.setdefault(row.tobytes(), len(number))
            for domain in self._domains
            for row in domain.fractions.round(9)
        ]
        counts = [len(domain.fractions) for domain in self._domains]
        self._domain_starts = np.cumsum([0, *counts[:-1]])
        extra = [np.frombuffer(row).reshape(1, -1) for row in list(number)[len(cores) :]]
        self._known_cores = np.concatenate([cores, *extra])
        self._shell_reasons: Remembered[Layers, list[str]] = Remembered()

    @cached_property
    def _unseen(self) -> Mask:
        """Whether few papers of a domain know an ion, in standard order, (n_domains, n_ions)."""
        order = self._literature.standard_order
        papers = [[domain.ion_papers.get(ion, 0) for ion in order] for domain in self._domains]
        return np.array(papers) < FEW_PAPERS

    @cached_property
    def _odd_types(self) -> Mask:
        """Whether few papers of a domain know a structure type, shape (n_types, n_domains)."""
        papers = [
            [domain.type_papers.get(name, 0) for domain in self._domains]
            for name in STRUCTURE_TYPES
        ]
        return np.array(papers) < FEW_PAPERS

    @cached_property
    def _order(self) -> Indices:
        """Columns of the ions in site fractions, in standard order."""
        literature = self._literature
        columns = [literature.symbols[ion] for ion in literature.standard_order]
        return np.array(columns, dtype=np.intp)

    @cached_property
    def _limits(self) -> Floats:
        """Smallest size and largest distance in each domain, shape (2, n_domains)."""
        sizes = [domain.smallest_nm for domain in self._domains]
        return np.array([sizes, [domain.reach + ROUNDING for domain in self._domains]])

    @cached_property
    def _measured_samples(self) -> tuple[Indices, Indices]:
        """Samples with a measured value of each domain, one domain after another, and its first."""
        measured = self._literature.measured_of
        samples = [measured[label].nonzero()[0] for label in self._labels]
        return np.concatenate(samples), np.cumsum([0, *map(len, samples[:-1])])

    @cached_property
    def _ion_reasons(self) -> list[list[str]]:
        """The reason that few papers of a domain have an ion, by domain and standard order."""
        order = self._literature.standard_order
        return [[domain.describe_ion(ion) for ion in order] for domain in self._domains]

    @cached_property
    def _papers(self) -> tuple[list[str], Indices, Mask]:
        """The papers, the paper of each sample, and the samples of each paper."""
        number: dict[str, int] = {}
        of_sample = np.array(
            [number.setdefault(row["paper"], len(number)) for row in self._literature.samples],
            dtype=np.intp,
        )
        return list(number), of_sample, np.arange(len(number))[:, None] == of_sample

    def find(self, requests: Requests) -> NeighbourHits:
        """Find the nearest papers, measured values and domain reasons of requests."""
        items = requests.items
        cores = self.cores(items.cores)
        # The distance of a combination is a sum: what the cores differ by, plus what shell and
        # structure differ by. Each part is computed once per distinct core or shell.
        distances = cores.summed.take(self._core_of_sample, axis=1)[items.core]
        distances += self._shell_distances(items)
        is_salt = np.asarray(cores.fractions.any(axis=1))
        metals = (~is_salt[items.core]).nonzero()[0].tolist()
        if metals:
            distances[metals] = np.inf
        outside: dict[int, dict[str, str]] = {}
        for row, domain, reason in self._reasons(items, cores, distances):
            outside.setdefault(row, {})[self._labels[domain]] = reason
        nearest, nearest_distances, papers = self._nearest(distances)
        for row in metals:
            outside[row], papers[row] = dict.fromkeys(self._labels, METAL), ""
        close = (nearest_distances[:, 0] < _MEASURED_WITHIN).nonzero()[0].tolist()
        measured = self._measured(requests, [*close, *metals])
        return NeighbourHits(cores.fractions, nearest, nearest_distances, papers, outside, measured)

    def cores(self, batch: CompositionBatch) -> CoreHits:
        """Compare cores with all known ones, independent of their shells."""
        fractions = self._literature.site_fractions(batch)
        types = self._literature.structure_types(batch)
        summed, largest = core_differences(self._known_cores, fractions)
        unseen = (fractions.take(self._order, axis=1) > 0.0)[:, None] & self._unseen
        # Columns in the order of the domains, so that a minimum over each run is one call.
        of_domains = largest.take(self._cores_of_domains, axis=1)
        reach = np.minimum.reduceat(of_domains, self._domain_starts, axis=1)
        return CoreHits(fractions, unseen, types, self._odd_types[types], reach, summed)

    def _shell_distances(self, items: Combinations) -> Floats:
        """Return what shell and structure add to the distances, shape (n, n_samples)."""
        kinds, kind = items.kinds
        parts = [self._literature.shell_distances(shell, word) for shell, word, _ in kinds]
        return np.array(parts)[kind]

    def _nearest(self, distances: Floats) -> tuple[Indices, Floats, list[str]]:
        """Return samples and distances of the nearest papers, and their names; uses up its input.

        Of samples at the same distance, the first counts.
        """
        names, of_sample, samples_of = self._papers
        rows = np.arange(len(distances))
        nearest: list[Indices] = []
        nearest_distances: list[Floats] = []
        for _ in range(min(N_NEAREST, len(names))):
            if nearest:
                # All samples of the paper that was just taken are out for the next one.
                taken = samples_of.take(of_sample.take(nearest[-1]), axis=0)
                np.putmask(distances, taken, np.inf)
            nearest.append(distances.argmin(axis=1))
            nearest_distances.append(distances[rows, nearest[-1]])
        papers = list(zip(*(of_sample[column].tolist() for column in nearest), strict=True))
        joined = {group: ";".join(names[paper] for paper in group) for group in set(papers)}
        texts = [joined[group] for group in papers]
        return np.array(nearest).T, np.array(nearest_distances).T, texts

    def _measured(self, requests: Requests, rows: Sequence[int]) -> dict[int, list[Neighbour]]:
        items, measured, symbols = requests.items, {}, requests.reader.species
        for row in rows:
            core = items.cores.key(items.core[row], symbols)
            samples = self._literature.samples_of(core, items.shells[items.shell[row]])
            if samples:
                measured[row] = samples
        return measured

    def neighbours(self, hits: NeighbourHits, row: int) -> list[Neighbour]:
        """Return the nearest sample of each of the nearest papers of a request."""
        samples, distances = hits.nearest[row].tolist(), hits.distances[row].tolist()
        pairs = zip(samples, distances, strict=True)
        return [self._literature.neighbour(*pair) for pair in pairs if pair[1] < math.inf]

    # Domain ----------------------------------------------------------------------------------

    def outside(self, item: Combination, distances: Floats | None = None) -> dict[str, str]:
        """Return why a combination is out of the domains, by label; empty where it is inside.

        Args:
            item: The combination.
            distances: Its distances from the samples, where they are not those of
                `Literature.distances`.
        """
        if item.core is None or item.core.is_metal:
            return dict.fromkeys(self._labels, METAL)
        if distances is None:
            distances = self._literature.distances(item)
        items = Combinations.of([item], self._literature.reader)
        reasons = self._reasons(items, self.cores(items.cores), distances[None])
        return {self._labels[domain]: reason for _, domain, reason in reasons}

    def _reasons(
        self, items: Combinations, cores: CoreHits, distances: Floats
    ) -> list[tuple[int, int, str]]:
        """Return why combinations are out of the domains: row, domain and the first reason.

        Args:
            items: n combinations of m distinct cores.
            cores: What the literature knows of the cores.
            distances: Distances from the samples, shape (n, n_samples).
        """
        core, sizes, limits = items.core, items.contexts.sizes, self._limits
        reach = cores.reach[core]
        measured, starts = self._measured_samples
        nearest = np.minimum.reduceat(distances.take(measured, axis=1), starts, axis=1)
        made, reasons_of = self._shell_reasons.made, self._reasons_of_shell
        shells = [made(layers, reasons_of) for layers in items.shells]
        is_odd = np.array([list(map(bool, reasons)) for reasons in shells])[items.shell]
        # One check per leading entry, in the order in which reasons are stated: (6, n, n_domains).
        failed = np.array(
            [
                cores.is_odd_type[core],
                np.asarray(cores.unseen.any(axis=2))[core],
                reach > MIXING_REACH + ROUNDING,
                sizes[:, None] < limits[0],
                is_odd,
                nearest > limits[1],
            ]
        )
        if not failed.any():
            return []
        of_core, ion, domains = core.tolist(), cores.unseen.argmax(axis=2), self._domains
        describe: tuple[Callable[[int, int], str], ...] = (
            lambda row, at: domains[at].describe_type(STRUCTURE_TYPES[cores.types[core[row]]]),
            lambda row, at: self._ion_reasons[at][ion[of_core[row], at]],
            lambda row, at: domains[at].describe_mixing(float(reach[row, at])),
            lambda row, at: domains[at].describe_size(float(sizes[row])),
            lambda row, at: shells[items.shell[row]][at],
            lambda row, at: domains[at].describe_distance(float(nearest[row, at])),
        )
        rows, columns = np.nonzero(failed.any(axis=0))
        first = failed[:, rows, columns].argmax(axis=0)
        failures = zip(rows.tolist(), columns.tolist(), first.tolist(), strict=True)
        return [(row, domain, describe[check](row, domain)) for row, domain, check in failures]

    def _reasons_of_shell(self, layers: Layers) -> list[str]:
        """Return why a shell is out of each domain, or empty texts."""
        return [domain.describe_shell(layers) for domain in self._domains]
