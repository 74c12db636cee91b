"""Formulas that leave amounts or the ions of a site open."""

from __future__ import annotations

import csv
from contextlib import suppress
from importlib import resources

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.open_formula import OpenFormula, OpenSite, leaves_open
from perovshell.data.paper_file import read_yaml
from perovshell.errors import DocumentError, FormulaError

READER = FormulaReader.bundled()
READ = {
    "CsPbX3": "Cs; Pb; any halide",
    "MAPbX3": "MA; Pb; any halide",
    "APbX3": "any A-site ion; Pb; any halide",
    "Cs2SnX6": "Cs; Sn; any halide",
    "CsPbBrX2": "Cs; Pb; Br, and any halide",
    "CsPb(Br/I)3": "Cs; Pb; Br and I in unstated amounts",
    "CsPb(Br,I)3": "Cs; Pb; Br and I in unstated amounts",
    "CsPb(Br, I)3": "Cs; Pb; Br and I in unstated amounts",
    "CsPb(BrxI1-x)3": "Cs; Pb; Br and I in unstated amounts",
    "CsPb(Br1\u2212xIx)3": "Cs; Pb; Br and I in unstated amounts",
    "CsPbBrxI3-x": "Cs; Pb; Br and I in unstated amounts",
    "CsPbBr3xI3(1-x)": "Cs; Pb; Br and I in unstated amounts",
    "(FA/Cs)PbBr3": "Cs and FA in unstated amounts; Pb; Br",
    "(Cs/CH3NH3)PbBr3": "Cs and MA in unstated amounts; Pb; Br",
    "(FA,MA,Cs)PbI3": "Cs, FA and MA in unstated amounts; Pb; I",
    "CsxFA1-xPbI3": "Cs and FA in unstated amounts; Pb; I",
    "CsFAPbI3": "Cs and FA in unstated amounts; Pb; I",
    "CsPbxMn1-xCl3": "Cs; Pb and Mn in unstated amounts; Cl",
    "CsPbMnX3": "Cs; Pb and Mn in unstated amounts; any halide",
    "CsPb1-x-yMnxZnyCl3": "Cs; Pb, Mn and Zn in unstated amounts; Cl",
    "CsPb1-xBixBr3": "Cs; Pb and Bi in unstated amounts; Br",
    "Cs2AgIn1-xBixCl6": "Cs; Ag, and Bi and In in unstated amounts; Cl",
    "Cs4Pb(Br/I)6": "Cs; Pb; Br and I in unstated amounts",
    "BA2MAn-1PbnBr3n+1": "MA and BA in unstated amounts; Pb; Br",
    "(PEA)2(FA)n-1PbnI3n+1": "FA and PEA in unstated amounts; Pb; I",
    "(FAPbI3)1-x(MAPbBr3)x": "FA and MA in unstated amounts; Pb; Br and I in unstated amounts",
}


@pytest.mark.parametrize(("text", "meaning"), READ.items())
def test_open_formula_names_ions_sites_and_what_is_open(text: str, meaning: str) -> None:
    formula = READER.read_open(text)
    assert str(formula) == meaning
    assert formula.definite is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("banana", "a name is no formula"),
        ("perovskite", "a name is no formula"),
        ("lead halide", "a name is no formula"),
        ("CdSe", "a shell material, not a core"),
        ("CsPbx3", "capitals count in a formula; write CsPbX3"),
        ("cspb(Br/I)3", "nearest known: CsPb(Br/I)3"),
        ("CsPb(Br/Se)3", "not neutral for any amounts"),
        ("CsPb(Br//I)3", "empty brackets"),
        ("CsPbBr2", "net charge +1"),
        ("CsPbXe", "no charge is known for 'Xe'"),
        ("L2(MA)n-1PbnBr3n+1", "'L' is neither an element nor a known ion"),
        ("TEA2SnX4", "'TEA' names one of several ions"),
        ("=CsPbX3", "spreadsheet"),
        ("X", "not a halide-perovskite core"),
        ("", "no core given"),
        ("CsPb(Br/I)3" * 30, "at most 200 are read"),
    ],
)
def test_refusal_says_why_and_what_is_near(text: str, reason: str) -> None:
    with pytest.raises(FormulaError) as error:
        READER.read_open(text)
    assert reason in str(error.value)
    assert str(error.value).startswith("core ")


@pytest.mark.parametrize("text", ["CsPbBr3", "CsPb(Br0.7I0.3)3", "PEA2MA2Pb3Br10", "FASnI3"])
def test_definite_formula_is_known_as_definite(text: str) -> None:
    assert READER.read_open(text).definite == READER.read_core(text)


def test_spellings_of_one_formula_have_one_key() -> None:
    keys = {READER.read_open(text).key for text in ("CsPb(Br/I)3", "CsPb(I,Br)3", "CsPbBrxI3-x")}
    assert len(keys) == 1
    assert READER.read_open("CsPbX3").key not in keys
    assert READER.read_open("Cs4Pb(Br/I)6").key not in keys
    assert READER.read_open("APbX3").key != READER.read_open("A4PbX6").key
    assert READER.read_open("A4PbX6").key == READER.read_open("A8Pb2X12").key
    assert READER.read_open("CsPb(Br0.7I0.3)3").key != READER.read_open("CsPb(Br0.6I0.4)3").key


def test_formula_without_an_ion_is_refused_where_it_is_made() -> None:
    with pytest.raises(FormulaError, match="names no ion"):
        OpenFormula("X", (OpenSite("X", (), has_any=True),), None, READER.read_core("CsPbBr3"))


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("CsPb(Cl/Br)3", "CsPbCl1.5Br1.5"),
        ("CsPb(BrxI1-x)3", "CsPbBr1.5I1.5"),
        ("MAPbX3", "MAPbBr3"),
        ("APbI3", "CsPbI3"),
        ("CsPb(Br0.7I0.3)3", "CsPbBr2.1I0.9"),
    ],
)
def test_stand_in_has_equal_parts_and_the_usual_ions(text: str, core: str) -> None:
    assert READER.read_open(text).stand_in.key == READER.read_core(core).key


def test_every_bundled_open_core_is_read() -> None:
    table = resources.files("perovshell.data") / "literature" / "samples.csv"
    with table.open(encoding="utf-8") as file:
        cores = [row["core"] for row in csv.DictReader(file) if row["composition"] == "open"]
    assert cores
    assert all(str(READER.read_open(core)) for core in cores)


PARTS = (
    "Cs", "FA", "Pb", "Sn", "Br", "I", "Cl", "F", "X", "A", "(", ")", "[", "/", ",", "+", "-",
    " ", ".", "0.5", ".5", "3", "x", "y", "n", "m", "δ", "1-x", "2n+1",
)  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
@example("Pb(.x)I3")
@example("CsPb(ClBr)(IF)X3")
def test_any_text_is_read_or_refused_with_a_formula_error(text: str) -> None:
    with suppress(FormulaError):
        assert {site.name for site in READER.read_open(text).sites} <= {"A", "B", "X"}
    for read in (READER.read_core, READER.read_shell):
        with suppress(FormulaError):
            read(text)


@pytest.mark.parametrize("text", ["Pb(.x)I3", "CsPb(Br.xI)3", "Cs(1-.x)PbI3"])
def test_a_point_is_no_number(text: str) -> None:
    assert not leaves_open(text)


def test_letter_of_a_site_beside_all_its_ions_is_refused() -> None:
    with pytest.raises(
        FormulaError, match="X stands for any halide, but Br, I, Cl and F are named"
    ):
        READER.read_open("CsPb(ClBr)(IF)X3")


@pytest.mark.parametrize("shell", ["CsxFA1-xPbI3", "CsPbX3", "Cs4Pb(Br/I)6"])
def test_shell_of_open_amounts_is_refused_with_the_way_to_introduce_it(shell: str) -> None:
    with pytest.raises(FormulaError) as error:
        READER.read_shell(shell)
    assert "its composition is open (Cs" in str(error.value)
    assert "introduce it as a shell of class perovskite-like" in str(error.value)


def test_shell_of_open_amounts_is_introduced_by_its_paper() -> None:
    text = """
paper_id: open2026
shells: [{name: CsxFA1-xPbI3, class: perovskite-like, source: 10.1000/x}]
samples: [{name: a, core: CsPbBr3, shell: CsxFA1-xPbI3, structure: core/shell}]
source: trial
"""
    entry = read_yaml(text, "open2026.yaml", READER)
    assert entry.shells[0]["composition"] == "open"


def test_exact_core_with_open_amounts_names_the_way_out() -> None:
    text = """
paper_id: open2026
source: trial
samples: [{name: a, core: CsPb(Br/I)3, shell: none}]
"""
    with pytest.raises(DocumentError, match="write composition: open"):
        read_yaml(text, "open2026.yaml", READER)
