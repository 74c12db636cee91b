"""Structure types by the ratio of sites: known compounds, and what doping leaves as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.structure_types import NO_SALT, OTHER, STRUCTURE_TYPES, StructureTypes

READER = FormulaReader.bundled()
TYPES = StructureTypes(READER.ions, READER.species)


def types_of(*texts: str) -> list[str]:
    """Return the type of each core, empty for metals."""
    found = TYPES.of_batch(READER.read_many(texts)).tolist()
    return ["" if index == NO_SALT else STRUCTURE_TYPES[index] for index in found]


@pytest.mark.parametrize(
    ("core", "expected"),
    [
        ("CsPbBr3", "ABX3"),
        ("CsYbI3", "ABX3"),
        ("CsPb(SCN)2Br", "ABX3"),
        ("Cs0.95Ag0.05PbBr3", "ABX3"),
        ("Cs0.8Ag0.2PbBr3", "ABX3"),
        ("Cs4PbBr6", "A4BX6"),
        ("Cs4PbI6", "A4BX6"),
        ("CsPb2Br5", "AB2X5"),
        ("Cs2PbBr4", "A2BX4"),
        ("PEA2PbBr4", "A2BX4"),
        ("(Bu-DA)PbI4", "ABX4"),
        ("PEA2MAPb2I7", "A3B2X7"),
        ("BA2MA2Pb3I10", "A4B3X10"),
        ("BA2MA3Pb4I13", "A5B4X13"),
        ("Cs3Bi2I9", "A3B2X9"),
        ("MA3Sb2I9", "A3B2X9"),
        ("Cs2SnI6", "A2BX6"),
        ("Cs2ZrCl6", "A2BX6"),
        ("Cs2InCl5", "A2BX5"),
        ("Cs3Cu2I5", "A3B2X5"),
        ("CsCu2I3", "AB2X3"),
        ("Cs3MnBr5", "A3BX5"),
        ("Rb3InCl6", "A3BX6"),
        ("Cs2AgBiBr6", "A2BB'X6"),
        ("Cs2Ag0.6Na0.4InCl6", "A2BB'X6"),
        ("Cs2NaInCl6", "A2BB'X6"),
        ("Cs2NaErCl6", "A2BB'X6"),
        ("CsAgCl2", OTHER),
        ("Au", ""),
    ],
)
def test_the_ratio_of_sites_gives_the_type(core, expected):
    assert types_of(core) == [expected]


@given(st.sampled_from(["Mn", "Zn", "Yb", "Ag", "Sn"]), st.floats(0.001, 0.03))
def test_a_doped_perovskite_is_a_perovskite(ion, share):
    share = round(share, 4)
    assert types_of(f"CsPb{1 - share:.4f}{ion}{share:.4f}Br3") == ["ABX3"]


@given(st.sampled_from(["CsPbBr3", "Cs4PbBr6", "Cs3Bi2I9", "Cs2AgBiBr6", "CsPb2Br5"]))
def test_the_mixing_of_halides_leaves_the_type(core):
    halide = "Br" if "Br" in core else "I"
    head, count = core.rsplit(halide, 1)
    assert types_of(f"{head}(Cl0.5{halide}0.5){count}") == types_of(core)


def test_many_are_recognised_as_one_by_one():
    cores = ["CsPbBr3", "Au", "Cs4PbBr6", "Cs2AgInCl6", "FA0.3Cs0.7PbI3"] * 10
    assert types_of(*cores) == [kind for core in cores for kind in types_of(core)]
