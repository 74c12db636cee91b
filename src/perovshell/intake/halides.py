"""Whether a PL peak can be that of a lead halide at all, independent of any model.

A photon of the band edge has the energy of the bulk gap, and more by confinement. How far it lies
from the gap is limited, so that a peak outside indicates another halide than the one stated. The
limits were read off the 247 bundled peaks of lead cores (role core), with the gap of end
members and their bowing: the photon lies -0.056 eV (CsPbCl3 at 424 nm) to +0.56 eV
(MAPbBr3 of 2.8 nm at 436 nm) from it, 90 % of them +0.01 to +0.27 eV. Cores of 6 nm or more lie up
to +0.23 eV (MAPbCl3 at 399 nm), nanocrystals without a stated size up to +0.46 eV (EAPbBr3),
platelets and wires up to +0.52 eV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from perovshell.data.composition import Composition
from perovshell.data.formula import FormulaReader
from perovshell.data.records import Sample
from perovshell.data.tables import bundled_rows
from perovshell.data.targets import ev_to_nm, nm_to_ev
from perovshell.features.crystal import CrystalTable, core_descriptors
from perovshell.features.gaps import BulkGaps
from perovshell.models.prior import PL_PRIOR

RED_EV: Final = 0.15
"""How far below the bulk gap a photon may lie; 0.1 eV further than any bundled one."""
UNSTATED_SIZE_EV: Final = 0.55
"""How far above it may lie for a nanocrystal of unstated size; 0.09 eV further than any bundled."""
THIN_EV: Final = 0.85
"""The same for platelets and wires: one layer of CsPbBr3 emits at 400 nm, 0.74 eV above the gap.
No nanocrystal may lie further either."""
LARGE_EV: Final = 0.25
CONFINEMENT_EV_NM2: Final = 9.0
"""A nanocrystal of stated size d may lie LARGE_EV + this / d2 above: a cube of CsPbBr3 is confined
by 9 eV nm2 / d2 before the attraction of electron and hole (see the prior of the PL)."""
USUAL_EV: Final = (-0.06, 0.2)
"""Where nine of ten bundled photons lie: the range that a peak is compared with."""
_PEROVSKITE: Final = {"A per B": 1.0, "X per B": 3.0}
_RATIO_WITHIN: Final = 0.03
_GAP: Final = "bulk gap estimate"
_EFFECTS: Final = {term.name: term.mean for term in PL_PRIOR.terms}
HALIDES: Final = {"Cl": "chloride", "Br": "bromide", "I": "iodide"}
"""By falling gap."""


@dataclass(frozen=True)
class HalideWindow:
    """Where the PL peak of a lead core may lie.

    Attributes:
        low_nm: Shortest wavelength in nm; 0 where the blue end is not known.
        high_nm: Longest wavelength in nm.
    """

    low_nm: float
    high_nm: float

    def __str__(self) -> str:
        """Say the window in nm."""
        if self.low_nm == 0.0:
            return f"at most {self.high_nm:.0f} nm by the bulk gap of the stated halide"
        return f"{self.low_nm:.0f} to {self.high_nm:.0f} nm by the bulk gap of the stated halide"


class Halides:
    """Windows of the PL peaks of lead cores, by the bundled bulk gaps.

    Args:
        reader: The reader that read the cores.
    """

    def __init__(self, reader: FormulaReader) -> None:
        self._reader = reader
        cores, measured = (bundled_rows("materials", f"{name}.csv") for name in ("cores", "gaps"))
        self._table = CrystalTable(reader, BulkGaps.fit(reader, cores, measured))
        self._names = [descriptor.name for descriptor in core_descriptors()]

    def window(self, sample: Sample) -> HalideWindow | None:
        """Return where the PL peak of a sample may lie.

        Returns:
            None where it is unknown: an open core, one that is not of lead alone, or one whose
            bulk gap is unknown.
        """
        core = sample.core
        if core is None or core.is_metal or set(core.site_fractions("B")) != {"Pb"}:
            return None
        facts = self._facts(core.amounts)
        gap = facts[_GAP]
        if math.isnan(gap):
            return None
        high_nm = ev_to_nm(gap - RED_EV)
        if any(abs(facts[name] - ratio) > _RATIO_WITHIN for name, ratio in _PEROVSKITE.items()):
            # Lead halides with less connected octahedra have a wider gap, which is not tabulated.
            return HalideWindow(0.0, high_nm)
        # An ion of unknown gap on A widens the gap by a guess, so it moves the blue end only.
        guessed = facts["A guessed as Cs"] * _EFFECTS["A guessed as Cs"]
        return HalideWindow(ev_to_nm(gap + guessed + _blue_ev(sample)), high_nm)

    def fitting(self, core: Composition, peak_nm: float) -> str:
        """Return which halide with the same cations has a peak there, such as `an iodide`."""
        energy = nm_to_ev(peak_nm)
        gaps = {symbol: self._gap_with(core, symbol) for symbol in HALIDES}
        low, high = USUAL_EV
        for symbol, gap in gaps.items():
            if gap + low <= energy <= gap + high:
                return f"{'an' if symbol == 'I' else 'a'} {HALIDES[symbol]}"
        for wide, narrow in (("Cl", "Br"), ("Br", "I")):
            if gaps[narrow] < energy < gaps[wide]:
                other = "another" if stated_halides(core) == {wide, narrow} else "a"
                return f"{other} mixture of {HALIDES[wide]} and {HALIDES[narrow]}"
        return "no halide of these cations"

    def _gap_with(self, core: Composition, halide: str) -> float:
        """Return the bulk gap in eV of a core with all its anions replaced by one halide."""
        anions = core.site_fractions("X")
        kept = tuple((ion, amount) for ion, amount in core.amounts if ion not in anions)
        replaced = sum(amount for ion, amount in core.amounts if ion in anions)
        return self._facts((*kept, (halide, replaced)))[_GAP]

    def _facts(self, amounts: tuple[tuple[str, float], ...]) -> dict[str, float]:
        row = self._table.matrix(self._reader.batch([amounts]))[0]
        return dict(zip(self._names, row.tolist(), strict=True))


def stated_halides(core: Composition) -> set[str]:
    """Return the symbols of the ions on the X site of a core."""
    return set(core.site_fractions("X"))


def said_of_halides(core: Composition) -> str:
    """Return the stated halides in words, such as `the stated halides are bromide and iodide`."""
    names = [HALIDES.get(symbol, symbol) for symbol in core.site_fractions("X")]
    if len(names) == 1:
        return f"the stated halide is {names[0]}"
    return f"the stated halides are {', '.join(names[:-1])} and {names[-1]}"


def _blue_ev(sample: Sample) -> float:
    """Return how far above the bulk gap the photon of a sample may lie, in eV."""
    if sample.morphology != "nanocrystal":
        # The stated size of a platelet may be that of its face, which does not confine.
        return THIN_EV
    if math.isnan(sample.core_size_nm):
        return UNSTATED_SIZE_EV
    return min(LARGE_EV + CONFINEMENT_EV_NM2 / sample.core_size_nm**2, THIN_EV)
