"""The literature of a model: nearest samples, measured values, distances."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import Composition, CompositionBatch, CompositionKey
from perovshell.data.formula import FormulaReader
from perovshell.data.ions import SITES
from perovshell.data.records import Measurement
from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.data.structure_types import StructureTypes
from perovshell.data.summary import measured_text
from perovshell.data.vocabulary import MORPHOLOGIES, QUALITIES, TREATMENTS, WORDS
from perovshell.features.combinations import Combination
from perovshell.remembered import Remembered
from perovshell.targets.declared import DOMAINS

N_NEAREST = 3
"""Number of nearest papers of a prediction."""
NAME_JOINT = " / "
"""Separator of core and shell in the name of a combination."""
_TINY = 1e-300
_ROWS_AT_ONCE = 128
"""Cores that are compared at once: their block fits a processor's cache."""


@dataclass(frozen=True)
class Neighbour:
    """One literature sample near a request.

    Attributes:
        sample_id: The sample.
        paper: DOI, or the paper_id where the DOI is not known.
        distance: 0 for the same core, shell and structure.
        core: Standard formula of its core.
        shell: Its layers joined by `|`.
        pl_peak_nm: Measured PL peak in nm (role core), or None.
        plqy_percent: Measured PLQY in percent (role core), or None.
        pl: The PL peak as it was printed, with sign, range and quality, such as `~515 nm`; empty
            if unknown.
        plqy: The PLQY as it was printed, such as `>90 %`; empty if unknown.
        stability: Results of its stability tests, in words; empty if there is none.
        medium: Medium of its emission measurement.
        morphology: Its shape.
        core_size_nm: Its core size in nm, or None.
        core_size: The core size as it was printed, or that of its monolayers; empty if unknown.
    """

    sample_id: str
    paper: str
    distance: float
    core: str
    shell: str
    pl_peak_nm: float | None
    plqy_percent: float | None
    pl: str = ""
    plqy: str = ""
    stability: str = ""
    medium: str = "unknown"
    morphology: str = MORPHOLOGIES[0]
    core_size_nm: float | None = None
    core_size: str = ""

    @property
    def results(self) -> list[str]:
        """What was measured of it, each number as it was printed, as texts."""
        optics = {"PL": self.pl, "PLQY": self.plqy}
        texts = [f"{name} {text}" for name, text in optics.items() if text]
        return [*texts, self.stability] if self.stability else texts


def combination_name(item: Combination) -> str:
    """Return core and shell as one name; empty if the core is unknown."""
    return f"{item.core.formula}{NAME_JOINT}{shell_text(item.layers)}" if item.core else ""


class Literature:
    """The samples of the training data that evidence and domain use.

    Args:
        samples: JSON data, one dictionary per sample with an exact core (see
            `training.fit.domains.literature_rows`).
        reader: Formula reader.
    """

    def __init__(self, samples: Sequence[dict[str, Any]], reader: FormulaReader) -> None:
        self.samples = list(samples)
        self.reader = reader
        self._cores = [reader.read_core(row["core"]) for row in self.samples]
        self._shells = [reader.read_shell(row["shell"]) for row in self.samples]

    @cached_property
    def _fractions(self) -> Floats:
        return np.array([self.fractions(core) for core in self._cores])

    @cached_property
    def _classes(self) -> list[frozenset[str]]:
        return [_classes_of(shell) for shell in self._shells]

    @cached_property
    def shell_names(self) -> npt.NDArray[np.str_]:
        """Shell of each sample, layers joined by `|`."""
        return np.array([row["shell"] for row in self.samples])

    @cached_property
    def _structures(self) -> npt.NDArray[np.str_]:
        return np.array([row["structure"] for row in self.samples])

    @cached_property
    def symbols(self) -> dict[str, int]:
        """The ions, with their columns in site fractions."""
        return {symbol: column for column, symbol in enumerate(self.reader.ions.by_symbol)}

    @cached_property
    def standard_order(self) -> list[str]:
        """The ions in the order of a standard formula: A, B, X."""
        ions = self.reader.ions.by_symbol
        return sorted(ions, key=lambda symbol: SITES.index(ions[symbol].site))

    def fractions(self, core: Composition) -> Floats:
        """Return site fractions over the ion table, shape (n_ions,); 0 for metal cores."""
        row = np.zeros(len(self.symbols))
        for symbol, share in core.fractions.items():
            row[self.symbols[symbol]] = share
        return row

    # Nearest ---------------------------------------------------------------------------------

    def nearest(self, distance: Floats) -> list[Neighbour]:
        """Return the nearest sample of each of the nearest `N_NEAREST` papers."""
        if not len(distance):
            return []
        by_paper: dict[str, Neighbour] = {}
        for row in np.argsort(distance, kind="stable").tolist():
            paper = self.samples[row]["paper"]
            if paper not in by_paper:
                by_paper[paper] = self.neighbour(row, float(distance[row]))
            if len(by_paper) == N_NEAREST:
                break
        return list(by_paper.values())

    def neighbour(self, row: int, distance: float) -> Neighbour:
        """Return the sample of a row, at a distance."""
        return _neighbour(self.samples[row], distance)

    def nearest_of(self, target: str, distance: Floats) -> float:
        """Return the distance to the nearest sample with a measured value of a target."""
        return float(distance[self.measured_of[target]].min()) if len(distance) else math.inf

    @cached_property
    def measured_of(self) -> dict[str, Mask]:
        """Which samples have a measured value, by target."""
        return {
            label: np.array([row[rule.measured] not in {None, False} for row in self.samples])
            for label, rule in DOMAINS.items()
        }

    def distances(self, item: Combination) -> Floats:
        """Return the distance of a combination from each sample, shape (n,); empty for metals.

        The summed difference of site fractions, plus 0.5 for another shell of a common class or
        1 without, plus 0.1 for another structure.
        """
        if item.core is None or item.core.is_metal:
            return np.zeros(0)
        known, core_of = self.distinct_cores
        gaps = core_differences(known, self.fractions(item.core)[None])[0]
        return np.asarray(gaps[0, core_of] + self.shell_distances(item.layers, item.structure))

    def apart(self, first: Combination, second: Combination) -> float:
        """Return the distance of two combinations, measured as in `distances`; inf for metals."""
        if any(item.core is None or item.core.is_metal for item in (first, second)):
            return math.inf
        cores = [
            self.fractions(item.core)[None] for item in (first, second) if item.core is not None
        ]
        shells = [(shell_text(item.layers), _classes_of(item.layers)) for item in (first, second)]
        structures = 0.1 * (first.structure != second.structure)
        return float(core_differences(*cores)[0][0, 0]) + _shells_apart(*shells) + structures

    def site_fractions(self, batch: CompositionBatch) -> Floats:
        """Return site fractions over the ion table, shape (n, n_ions); 0 for metals and padding."""
        sites, ions = self._of_species
        rows = np.arange(len(batch.species))[:, None]
        site = sites.take(batch.species) + rows * len(SITES)
        # Summed in order, so that the width of the padding changes no rounding.
        totals = np.bincount(site.ravel(), batch.amounts.ravel(), len(rows) * len(SITES))
        is_salt = totals[SITES.index("X") :: len(SITES), None] > 0.0
        fractions = np.zeros((len(rows), len(self.symbols) + 1))
        share = batch.amounts / np.maximum(totals.take(site), _TINY)
        fractions[rows, ions.take(batch.species)] = share * is_salt
        return fractions[:, :-1]

    def structure_types(self, batch: CompositionBatch) -> Indices:
        """Return the indices of structure types in `STRUCTURE_TYPES`, shape (n,)."""
        return self._structure_types.of_batch(batch)

    @cached_property
    def _structure_types(self) -> StructureTypes:
        return StructureTypes(self.reader.ions, self.reader.species)

    @cached_property
    def _of_species(self) -> tuple[Indices, Indices]:
        """Indices of the site and of the ion of each species; the last is that of the padding."""
        ions, species = self.reader.ions.by_symbol, self.reader.species
        sites = [SITES.index(ions[name].site) if name in ions else 0 for name in species]
        columns = [self.symbols.get(name, len(self.symbols)) for name in species]
        return np.array([*sites, 0]), np.array([*columns, len(self.symbols)])

    def shell_distances(self, layers: Sequence[ShellMaterial], structure: str) -> Floats:
        """Return the part of shell and structure in the distance from each sample, shape (n,)."""
        key = (shell_text(layers), _classes_of(layers), structure)
        return self._shell_distances.made(key, self._distances_of)

    @cached_property
    def _shell_distances(self) -> Remembered[tuple[str, frozenset[str], str], Floats]:
        return Remembered()

    def _distances_of(self, key: tuple[str, frozenset[str], str]) -> Floats:
        shell, classes, structure = key
        others = zip(self.shell_names.tolist(), self._classes, strict=True)
        of_shell = np.array([_shells_apart((shell, classes), other) for other in others])
        distances: Floats = of_shell + 0.1 * (self._structures != structure)
        return distances

    @cached_property
    def distinct_cores(self) -> tuple[Floats, Indices]:
        """The distinct site fractions of the samples, and their index for each sample."""
        rounded = np.round(self._fractions, 9)
        _, first, index = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
        return self._fractions[first], np.asarray(index.ravel(), dtype=np.intp)

    def unseen_layers(self, item: Combination) -> list[str]:
        """Return the layers of a shell that are in no sample."""
        return self.unseen_of(item.layers)

    def unseen_of(self, layers: Sequence[ShellMaterial]) -> list[str]:
        """Return the layers that are in no sample."""
        return [layer.name for layer in layers if layer.name not in self._layer_names]

    @cached_property
    def _layer_names(self) -> frozenset[str]:
        return frozenset(layer.name for shell in self._shells for layer in shell)

    def measured(self, item: Combination) -> list[Neighbour]:
        """Return the samples of the same core and shell."""
        return [] if item.core is None else self.samples_of(item.core.key, item.layers)

    def samples_of(self, core: CompositionKey, layers: Sequence[ShellMaterial]) -> list[Neighbour]:
        """Return the samples of a core, by its `Composition.key`, with a shell."""
        return self._by_combination.get((core, shell_text(layers)), [])

    def item(self, row: Mapping[str, Any]) -> Combination:
        """Return the combination of a sample, in the context it was measured in."""
        size = row["core_size_nm"]
        return Combination(
            core=self.reader.read_core(row["core"]),
            layers=self.reader.read_shell(row["shell"]),
            core_size_nm=math.nan if size is None else size,
            treatments=tuple(kind for kind in TREATMENTS if row[kind]),
            **{name: row[name] for name in WORDS},
        )

    def combinations(self) -> Iterator[tuple[Composition, str, list[Neighbour]]]:
        """Yield each distinct core and shell with its samples."""
        seen = set()
        for core, shell in zip(self._cores, self.shell_names.tolist(), strict=True):
            if (core.key, shell) not in seen:
                seen.add((core.key, shell))
                yield core, shell, self._by_combination[core.key, shell]

    @cached_property
    def _by_combination(self) -> dict[tuple[object, str], list[Neighbour]]:
        samples: dict[tuple[object, str], list[Neighbour]] = {}
        for row, core in zip(self.samples, self._cores, strict=True):
            samples.setdefault((core.key, row["shell"]), []).append(_neighbour(row, 0.0))
        return samples


def core_differences(known: Floats, fractions: Floats) -> tuple[Floats, Floats]:
    """Return the summed and the largest difference of site fractions, shape (n, n_known) each.

    Args:
        known: Site fractions of known cores, shape (n_known, n_ions).
        fractions: Site fractions of n cores, shape (n, n_ions).
    """
    if len(fractions) > _ROWS_AT_ONCE:
        starts = range(0, len(fractions), _ROWS_AT_ONCE)
        parts = [core_differences(known, fractions[at : at + _ROWS_AT_ONCE]) for at in starts]
        summed, largest = zip(*parts, strict=True)
        return np.concatenate(summed), np.concatenate(largest)
    # Ions that no core has are skipped. Sums run over the ions in order, so that an additional
    # zero, for another row of the block, changes no rounding.
    ions = np.flatnonzero(known.any(axis=0) | fractions.any(axis=0))
    apart = np.abs(fractions.T.take(ions, axis=0)[:, :, None] - known.T.take(ions, axis=0)[:, None])
    return apart.sum(axis=0), apart.max(axis=0)


def _classes_of(layers: Sequence[ShellMaterial]) -> frozenset[str]:
    return frozenset(layer.material_class for layer in layers)


def _shells_apart(first: tuple[str, frozenset[str]], second: tuple[str, frozenset[str]]) -> float:
    """Return the distance of two shells, each given by its name and its classes."""
    return 0.0 if first[0] == second[0] else 0.5 if first[1] & second[1] else 1.0


def printed_text(row: Mapping[str, Any], name: str, unit: str) -> str:
    """Return a number of a literature sample as it was printed; empty if unknown.

    Args:
        row: The sample, see `training.fit.domains.literature_rows`.
        name: `pl_peak_nm`, `plqy_percent` or `core_size_nm`.
        unit: Its unit.
    """
    if row[name] is None:
        return ""
    stem = name.rpartition("_")[0]
    # Only a number that was printed as a range has ends; folders of before have sizes alone.
    low, high = (row.get(f"{stem}_{end}", math.nan) for end in ("low", "high"))
    bound, quality = row.get(f"{stem}_bound", ""), row.get(f"{stem}_quality", QUALITIES[1])
    return measured_text(Measurement(row[name], bound, low, high, quality), unit)


def _neighbour(row: dict[str, Any], distance: float) -> Neighbour:
    return Neighbour(
        sample_id=row["sample_id"],
        paper=row["paper"],
        distance=distance,
        core=row["core"],
        shell=row["shell"],
        pl_peak_nm=row["pl_peak_nm"],
        plqy_percent=row["plqy_percent"],
        pl=printed_text(row, "pl_peak_nm", "nm"),
        plqy=printed_text(row, "plqy_percent", "%"),
        stability=row["stability"],
        medium=row["medium"],
        morphology=row["morphology"],
        core_size_nm=row["core_size_nm"],
        core_size=printed_text(row, "core_size_nm", "nm"),
    )
