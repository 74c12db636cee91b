"""What the notes of the tables say of a sample."""

import math

import pytest

from perovshell.data import notes
from perovshell.data.dataset import Dataset


@pytest.mark.parametrize(
    ("note", "morphology"),
    [
        ("nanoplatelets; blue end of the series", "nanoplatelet"),
        ("ligand:oleylammonium fluoride; nanoplates n=3", "nanoplatelet"),
        ("nanosheets, solid state", "nanoplatelet"),
        ("few-unit-cell wires, after heat treatment", "nanowire"),
        ("Nanowires", "nanowire"),
        ("flower-like microspheres", "nanocrystal"),
        ("wired to an electrode", "nanocrystal"),
        ("", "nanocrystal"),
    ],
)
def test_morphology(note: str, morphology: str) -> None:
    assert notes.morphology(note) == morphology


@pytest.mark.parametrize(
    ("note", "nm"),
    [
        ("nanoplates n=3", 3 * 0.59),
        ("nanoplatelets of 4 ML", 4 * 0.59),
        ("nanoplatelets, 5 monolayers", 5 * 0.59),
        ("nanoplatelets", math.nan),
        ("30 ML of solvent", math.nan),
    ],
)
def test_monolayers_give_the_thickness_of_a_platelet(note: str, nm: float) -> None:
    assert notes.platelet_thickness_nm(note) == pytest.approx(nm, nan_ok=True)


def test_treatments_are_those_named() -> None:
    assert notes.treatments("ligand:chloride surface; dopant:Sr; abstract") == ("ligand", "dopant")
    assert notes.treatments("authors call it a ligand shell") == ()


def test_the_samples_carry_what_their_notes_say(dataset: Dataset) -> None:
    sample = dataset.samples["oamf2025-CsPbBr3-NPL-3ML"]
    assert (sample.morphology, sample.treatments) == ("nanoplatelet", ("ligand",))
    assert sample.core_size_nm == pytest.approx(1.77)
    treated = [s for s in dataset.samples.values() if s.trains_plqy and "ligand" in s.treatments]
    assert len(treated) == 25
