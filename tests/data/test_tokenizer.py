"""Organic ions by their abbreviations and formulas: read, or refused for the true reason."""

import csv
import re
from pathlib import Path

import pytest

from perovshell.data.formula import FormulaReader
from perovshell.data.ions import Ions
from perovshell.errors import FormulaError

READER = FormulaReader.bundled()
IONS = Ions.bundled()


@pytest.mark.parametrize(
    ("text", "standard"),
    [
        ("(GABA)0.05MA0.95PbI3", "MA0.95(GABA)0.05PbI3"),
        ("(FPEA)2PbI4", "(FPEA)2PbI4"),
        ("(IBA)0.02FA0.98PbBr3", "FA0.98(IBA)0.02PbBr3"),
        ("[mFPEA]2PbI4", "(mFPEA)2PbI4"),
        ("(4-FBzA)2PbI4", "(4FBzA)2PbI4"),
        ("(NH4)2SnI6", "(NH4)2SnI6"),
        ("NH4PbBr3", "(NH4)PbBr3"),
        ("GUPbI3", "GAPbI3"),
        ("(PhEA)2PbI4", "PEA2PbI4"),
        ("(n-C4H9NH3)2PbBr4", "BA2PbBr4"),
        ("(C6H13NH3)2PbI4", "(n-HA)2PbI4"),
        ("DMAPbI3", "DMAPbI3"),
        ("CsPbI2(SCN)", "CsPbI2SCN"),
        ("(FA)(K)Pb2I6", "K0.5FA0.5PbI3"),
        ("ＣｓＰｂＢｒ３", "CsPbBr3"),
        ("CsYbI3", "CsYbI3"),
        ("Cs2Au2I6", "CsAuI3"),
        ("Cs2AgScCl6", "Cs2AgScCl6"),
        ("K2SiF6", "K2SiF6"),
    ],
)
def test_an_ion_is_read_by_its_name_and_written_so_that_it_is_read_again(text, standard):
    core = READER.read_core(text)
    assert core.formula == standard
    assert READER.read_core(standard).key == core.key
    batch = READER.read_many([text] * 30)
    assert batch.errors == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("GABA0.05MA0.95PbI3", "unclear whether 'GABA' is one ion or several; write (GABA) for"),
        ("FPEA2PbI4", "unclear whether 'FPEA' is one ion or several"),
        ("FAMAPb2I6", "'FAMA' is no known ion, and unclear as FA and MA"),
        ("CsPbISCN2", "'ISCN' is no known ion"),
        ("(XPEA)2PbI4", "'XPEA' is neither an element nor a known ion; nearest known ions: "),
        ("(MBA)2PbI4", "'MBA' is neither an element nor a known ion"),
        ("(C2H8N)PbBr3", "one of several ions: EA (ethylammonium, C2H8N) or DMA"),
        ("(C4H12N)2PbBr4", "'C4H12N' names one of several ions: BA"),
        ("(C3H10N)2PbBr4", "'C3H10N' names one of several ions: "),
        ("(C8H12N)2PbI4", "'C8H12N' names one of several ions: PEA"),
        ("(C9H9N)2PbI4", "'C9H9N' is no known organic ion"),
        ("(HA)2PbI4", "one of several ions: n-HA (hexylammonium, C6H16N) or HIA"),
        ("(BDA)PbI4", "write APA or (Bu-DA)"),
        ("CPbI3", "no charge is known for 'C'"),
        ("CH3NH30.5Cs0.5PbI3", "unclear where CH3NH3 ends and its amount begins"),
    ],
)
def test_what_is_unclear_is_refused_with_the_choices(text, reason):
    with pytest.raises(FormulaError) as caught:
        READER.read_core(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize("symbol", [ion.symbol for ion in IONS.by_symbol.values() if ion.name])
def test_every_named_ion_is_read_and_printed(symbol):
    ion = IONS.by_symbol[symbol]
    name, metal = ion.written.strip("()"), {1: "AgCl2", 2: "PbCl4", 3: "BiCl6"}
    text = f"({name}){metal[ion.charges[0]]}" if ion.site == "A" else f"CsPbBr2({name})"
    core = READER.read_core(text)
    assert ion in core.ions
    assert READER.read_core(core.formula).key == core.key


def test_an_ion_says_what_it_is():
    assert str(IONS.by_symbol["PEA"]) == "PEA (2-phenylethylammonium, C8H12N)"
    assert str(IONS.by_symbol["Cs"]) == "Cs"


def test_two_hundred_strings_of_public_ions_are_read_or_refused_for_the_true_reason():
    """Mixed, layered and double perovskites composed of a public list of ions.

    The table leaves out the ions whose formula and structure contradict each other in that list.
    """
    with (Path(__file__).parent / "ion_strings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 200
    for row in rows:
        if row["standard"]:
            assert READER.read_core(row["core"]).formula == row["standard"]
        else:
            with pytest.raises(FormulaError, match=re.escape(row["reason"])):
                READER.read_core(row["core"])
    assert sum(row["reason"] == "" for row in rows) == 166
