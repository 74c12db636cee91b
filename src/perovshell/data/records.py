"""The domain objects of the literature: papers, samples, stability tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from perovshell.data.composition import Composition
from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.data.targets import Interval, Reading, gain_interval


@dataclass(frozen=True)
class Paper:
    """One study: the group of every split.

    Attributes:
        paper_id: Identity.
        doi: The study's own DOI, or empty.
        via_doi: DOI of the review or data set its facts were read in, or empty.
        year: Year of publication, or None.
        title: Title, or empty.
    """

    paper_id: str
    doi: str
    via_doi: str
    year: int | None
    title: str

    @property
    def label(self) -> str:
        """The DOI where it is known, else the paper_id."""
        return self.doi or self.paper_id


@dataclass(frozen=True)
class Sample:
    """One sample of one paper; unknown numbers are NaN.

    Attributes:
        sample_id: Identity.
        paper_id: The paper it comes from.
        core_text: The core as written in the table.
        core: The composition, or None where the table leaves it open.
        layers: Shell layers from the inside out; empty for a bare core.
        structure: One of `vocabulary.STRUCTURES`.
        encapsulation: One of `vocabulary.ENCAPSULATIONS`.
        medium: One of `vocabulary.MEDIA`.
        core_size_nm: Core size in nm: edge, width of a wire, thickness of a platelet.
        shell_thickness_nm: Shell thickness in nm.
        pl_peak_nm: PL peak in nm.
        pl_bound: Bound of the PL peak, one of `vocabulary.BOUNDS`.
        plqy_percent: PL quantum yield in percent.
        plqy_bound: Bound of the PLQY.
        bare_sample_id: The uncoated sample of the same paper, or empty.
        role: What the emission is: one of `vocabulary.ROLES`.
        note: Remarks of the table.
        morphology: One of `vocabulary.MORPHOLOGIES`, as far as the note names it.
        treatments: Those of `vocabulary.TREATMENTS` that the note names.
    """

    sample_id: str
    paper_id: str
    core_text: str
    core: Composition | None
    layers: tuple[ShellMaterial, ...]
    structure: str
    encapsulation: str
    medium: str
    core_size_nm: float
    shell_thickness_nm: float
    pl_peak_nm: float
    pl_bound: str
    plqy_percent: float
    plqy_bound: str
    bare_sample_id: str
    role: str
    note: str
    morphology: str
    treatments: tuple[str, ...]

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
        return self.role == "core" and self.core is not None and not math.isnan(self.pl_peak_nm)

    @property
    def trains_plqy(self) -> bool:
        """Whether the PLQY is that of the core's band-edge emission."""
        return self.role == "core" and not math.isnan(self.plqy_percent)


@dataclass(frozen=True)
class StabilityTest:
    """One stability test of one sample.

    Attributes:
        number: Position in the table, from 0.
        sample: The sample tested (for a one-sided test of an uncoated sample, that sample).
        stressor: One of `vocabulary.STRESSORS`.
        conditions: Stated numbers by the names of `vocabulary.CONDITIONS`; NaN where unstated.
        coated: Reading with the shell.
        bare: Reading without the shell.
        shared_group: Name of the experiment this row shares with others; empty for its own.
    """

    number: int
    sample: Sample
    stressor: str
    conditions: Mapping[str, float]
    coated: Reading
    bare: Reading
    shared_group: str

    @property
    def experiment(self) -> str:
        """The experiment this row belongs to: rows of one experiment together weigh 1."""
        return self.shared_group or f"test-{self.number}"

    @property
    def is_two_sided(self) -> bool:
        """Whether both the coated and the bare side were measured."""
        return self.coated.is_given and self.bare.is_given

    def gain(self, exponent: float = 1.0) -> Interval | None:
        """Return the interval of the gain, or None for a one-sided test."""
        return gain_interval(self.coated, self.bare, exponent) if self.is_two_sided else None
