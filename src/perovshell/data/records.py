"""The domain objects of the literature: papers, samples, stability tests."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

from perovshell.data.composition import Composition
from perovshell.data.open_formula import OpenFormula
from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.data.targets import Interval, Reading, gain_interval
from perovshell.data.vocabulary import PLATELET, TREATMENTS
from perovshell.unknown import EqualUnknowns

MONOLAYER_NM: Final = 0.59
"""Thickness of one layer of octahedra: the lattice of CsPbBr3 (10.1021/jacs.5b12124)."""


@dataclass(frozen=True)
class Paper:
    """One study: the group of every split.

    Attributes:
        paper_id: Identity.
        doi: DOI of the study, or empty.
        via_doi: DOI of the review or data set its facts were read in, or empty.
        year: Year of publication, or None.
        title: Title, or empty.
        authors: Authors as "Family, Given; Family, Given", or empty.
        journal: Journal, or empty.
        round: Collection it was bundled with, from 1, or None for a paper of a workspace.
    """

    paper_id: str
    doi: str
    via_doi: str
    year: int | None
    title: str
    authors: str
    journal: str
    round: int | None

    @property
    def label(self) -> str:
        """The DOI where it is known, else the paper_id."""
        return self.doi or self.paper_id


@dataclass(frozen=True, eq=False)
class Measurement(EqualUnknowns):
    """A number of a sample as it was printed; NaN where it is unknown.

    Attributes:
        value: The value; the middle of a printed range.
        bound: One of `vocabulary.BOUNDS`.
        low: Lower end of a printed range, or NaN.
        high: Upper end of a printed range, or NaN.
        quality: One of `vocabulary.QUALITIES` but the empty text.
    """

    value: float = math.nan
    bound: str = ""
    low: float = math.nan
    high: float = math.nan
    quality: str = "printed"

    @property
    def is_given(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)


@dataclass(frozen=True, eq=False)
class Sample(EqualUnknowns):
    """One sample of one paper.

    Attributes:
        sample_id: Identity.
        paper_id: The paper it comes from.
        core_text: The core as written in the table.
        core: The composition, or None where the paper leaves it open.
        open_core: What is known of a core whose composition is open; None of an exact one.
        layers: Shell layers from the inside out; empty for a bare core.
        structure: One of `vocabulary.STRUCTURES`.
        encapsulation: One of `vocabulary.ENCAPSULATIONS`.
        medium: One of `vocabulary.MEDIA`.
        morphology: One of `vocabulary.MORPHOLOGIES`.
        core_size: Core size in nm: edge, width of a wire, thickness of a platelet.
        monolayers: Layers of octahedra of a platelet; NaN where unknown.
        shell_thickness: Shell thickness in nm.
        ligand: A special ligand or post-treatment, or empty.
        dopant: A dopant that the formula does not hold, or empty.
        pl_peak: PL peak in nm.
        fwhm: Full width at half maximum of the emission in nm.
        plqy: PL quantum yield in percent.
        bare_sample_id: The uncoated sample of the same paper, or empty.
        role: What the emission is: one of `vocabulary.ROLES`.
        note: Remarks of the table.
    """

    sample_id: str
    paper_id: str
    core_text: str
    core: Composition | None
    open_core: OpenFormula | None
    layers: tuple[ShellMaterial, ...]
    structure: str
    encapsulation: str
    medium: str
    morphology: str
    core_size: Measurement
    monolayers: float
    shell_thickness: Measurement
    ligand: str
    dopant: str
    pl_peak: Measurement
    fwhm: Measurement
    plqy: Measurement
    bare_sample_id: str
    role: str
    note: str

    @property
    def core_key(self) -> Hashable:
        """The core, equal for all spellings of it."""
        if self.core is not None:
            return self.core.key
        return None if self.open_core is None else self.open_core.key

    @property
    def described_core(self) -> Composition | None:
        """The core that descriptors see: of an open one, its stand-in composition."""
        return self.core if self.open_core is None else self.open_core.stand_in

    @property
    def core_size_nm(self) -> float:
        """The core size in nm: as stated, or by the monolayers of a platelet; NaN where unknown."""
        if self.core_size.is_given or self.morphology != PLATELET:
            return self.core_size.value
        return self.monolayers * MONOLAYER_NM

    @property
    def shell_thickness_nm(self) -> float:
        """The shell thickness in nm; NaN where unknown."""
        return self.shell_thickness.value

    @property
    def pl_peak_nm(self) -> float:
        """The PL peak in nm; NaN where unknown."""
        return self.pl_peak.value

    @property
    def pl_bound(self) -> str:
        """The bound of the PL peak."""
        return self.pl_peak.bound

    @property
    def fwhm_nm(self) -> float:
        """The full width at half maximum in nm; NaN where unknown."""
        return self.fwhm.value

    @property
    def plqy_percent(self) -> float:
        """The PL quantum yield in percent; NaN where unknown."""
        return self.plqy.value

    @property
    def plqy_bound(self) -> str:
        """The bound of the PL quantum yield."""
        return self.plqy.bound

    @property
    def treatments(self) -> tuple[str, ...]:
        """Those of `vocabulary.TREATMENTS` that it had."""
        return tuple(kind for kind in TREATMENTS if getattr(self, kind))

    @property
    def is_bare(self) -> bool:
        """Whether it has no shell."""
        return not self.layers

    @property
    def shell(self) -> str:
        """The layers joined by `|`, or `none`."""
        return shell_text(self.layers)

    @property
    def trains_pl(self) -> bool:
        """Whether the PL peak is a band-edge value of a definite core."""
        return self.role == "core" and self.core is not None and self.pl_peak.is_given

    @property
    def trains_plqy(self) -> bool:
        """Whether the PLQY is that of the core's band-edge emission."""
        return self.role == "core" and self.plqy.is_given


@dataclass(frozen=True)
class StabilityTest:
    """One stability test of one sample.

    Attributes:
        number: Position in the table, from 0.
        sample: The sample tested (for a one-sided test of an uncoated sample, that sample).
        stressor: One of `vocabulary.STRESSORS`.
        condition: The conditions in the paper's words.
        conditions: Stated numbers by the names of `vocabulary.CONDITIONS`; NaN where unstated.
        coated: Reading with the shell.
        bare: Reading without the shell.
        quality: One of `vocabulary.QUALITIES` but the empty text.
        shared_group: Name of the experiment this row shares with others; empty if there are none.
    """

    number: int
    sample: Sample
    stressor: str
    condition: str
    conditions: Mapping[str, float]
    coated: Reading
    bare: Reading
    quality: str
    shared_group: str

    @property
    def experiment(self) -> str:
        """The experiment this row belongs to: rows of one experiment together weigh 1."""
        # Two papers may use the same name, such as "water".
        group = f"{self.sample.paper_id}:{self.shared_group}"
        return group if self.shared_group else f"test-{self.number}"

    @property
    def is_two_sided(self) -> bool:
        """Whether both the coated and the bare side were measured."""
        return self.coated.is_given and self.bare.is_given

    def gain(self, exponent: float = 1.0) -> Interval | None:
        """Return the interval of the gain, or None for a one-sided test."""
        return gain_interval(self.coated, self.bare, exponent) if self.is_two_sided else None
