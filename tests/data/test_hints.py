"""Texts of real tables that are no formula: the message says what was seen and what to write."""

import pytest

from perovshell.data.formula import FormulaReader
from perovshell.errors import FormulaError

READER = FormulaReader.bundled()


@pytest.mark.parametrize(
    ("core", "shell", "reason"),
    [
        ("γ-CsPbI3", "none", "phase 'γ' is no part of a formula; write CsPbI3"),
        ("α-FAPbI3", "none", "phase 'α' is no part of a formula; write FAPbI3"),
        ("cubic CsPbBr3", "none", "phase 'cubic' is no part of a formula; write CsPbBr3"),
        ("Mn:CsPbCl3", "none", "write core CsPbCl3, and Mn as its dopant"),
        ("CsPbCl3:Mn2+", "none", "write core CsPbCl3, and Mn as its dopant"),
        ("CsPbCl3: Mn", "none", "write core CsPbCl3, and Mn as its dopant"),
        ("Mn-doped CsPbCl3", "none", "write core CsPbCl3, and Mn as its dopant"),
        ("(PEA)2(MA)n-1PbnI3n+1", "none", "n is left open; write each amount as a number"),
        ("CsPb(Br1I5.5e-17)3", "none", "amount '5.5e-17' has an exponent"),
        ("CsPb(Br1.0I0.0)3", "none", "amount 0 of I; leave out an ion that is not there"),
        ("CsPbBr3-SiO2", "", "two materials; write core CsPbBr3 and shell SiO2"),
        ("CsPbBr3–SiO2", "", "two materials; write core CsPbBr3 and shell SiO2"),
        ("CsPbBr3⊂ZIF-8", "", "two materials; write core CsPbBr3 and shell ZIF-8"),
        ("CsPbBr3 in SiO2", "", "two materials; write core CsPbBr3 and shell SiO2"),
        ("CsPbBr3 | CsPb2Br5", "none", "two materials; write core CsPbBr3 and shell CsPb2Br5"),
        ("SiO2@CsPbBr3", "", "the core comes first; write core CsPbBr3 and shell SiO2"),
        ("SiO2/CsPbBr3", "", "the core comes first; write core CsPbBr3 and shell SiO2"),
        ("SiO2", "none", "a shell material, not a core; write it in the shell cell"),
        ("δ-CsPbI3", "none", "phase 'δ' is no perovskite and not answered"),
        ("yellow CsPbI3", "none", "phase 'yellow' is no perovskite and not answered"),
        ("CsSn(II)I3", "none", "'(II)' is an oxidation state; leave it out"),
        ("CsPbIIBr3", "none", "'II' is an oxidation state; leave it out"),
        ("Cs2Au(I)Au(III)I6", "none", "'(I)' is an oxidation state; leave it out"),
        ("CsPbBr3:Cs4PbBr6", "none", "two materials; write core CsPbBr3 and shell Cs4PbBr6"),
        ("CsPbBr3→SiO2", "", "two materials; write core CsPbBr3 and shell SiO2"),
        ("Cs4 Pb4 Br12", "none", "no part of a formula; write Cs4Pb4Br12"),
        ("CsPbBr<sub>3</sub>", "none", "no part of a formula; write CsPbBr3"),
        ("$CsPbBr_{3}$", "none", "no part of a formula; write CsPbBr3"),
        ("CsPbBr³", "none", "no part of a formula; write CsPbBr3"),
        ("'CsPbBr3", "none", "no part of a formula; write CsPbBr3"),
        ("CsPbBr3\u200b", "none", "no part of a formula; write CsPbBr3"),
        ("cspbbr3", "none", "capitals count in a formula; write CsPbBr3"),
        ("CsPbBr3 NCs", "none", "a formula is needed, without other words; write CsPbBr3"),
        ("Cs+PbBr3", "none", "'Cs+' has a charge; write the symbols of a neutral core alone"),
        ("СsPbBr3", "none", "'С' is CYRILLIC CAPITAL LETTER ES, not a Latin letter"),
        ("CsPbI3 (yellow phase)", "none", "phase 'yellow' is no perovskite and not answered"),
        ("CsPbBr3:Yb3+,Er3+", "none", "write core CsPbBr3, and Yb, Er as its dopant"),
        ("CsPbI3 doped with Zn", "none", "write core CsPbI3, and Zn as its dopant"),
        ("Zn-alloyed CsPbI3", "none", "an alloy; write each ion with its amount"),
        ("CsPb1-xMnxCl3 (x = 0.05)", "none", "put x in, and write each amount as a number"),
        ("CsPb(Br60%I40%)3", "none", "amounts are no percentages; write decimals"),
        ("FA.83Cs.17PbI3", "none", "amount '.83' begins with a point; write 0.83"),
        ("[PbBr6]4-", "none", "has a charge; write the symbols of a neutral core alone"),
        ("mp-567629", "none", "an identifier of a database; write the formula"),
        ("CsPbBr3·DMF", "none", "'DMF' is beside the core; write CsPbBr3"),
        ("MA4PbI6·2H2O", "none", "'2H2O' is beside the core; write MA4PbI6"),
        ("Cs-Pb-Br3", "none", "signs that are no part of a formula; write CsPbBr3"),
        ("CsPbBr3;", "none", "signs that are no part of a formula; write CsPbBr3"),
        ("cesium lead bromide", "none", "a name is no formula; write the formula"),
        ("CsPbBr3-NCs", "none", "a formula is needed, without other words; write CsPbBr3"),
        ("CsPbBr3 NPLs", "none", "write CsPbBr3, and morphology nanoplatelet"),
        ("CsPbI3 nanowires", "none", "write CsPbI3, and morphology nanowire"),
        ("2D-(PEA)2PbBr4", "none", "without other words; write (PEA)2PbBr4"),
        ("CsPbBr3–PMMA composite", "", "two materials; write core CsPbBr3 and shell PMMA"),
        ("CsPbBr3 core / SiO2 shell", "", "two materials; write core CsPbBr3 and shell SiO2"),
        ("SiO2-coated CsPbBr3", "", "two materials; write core CsPbBr3 and shell SiO2"),
        ("CsPbBr3 embedded in glass", "", "two materials; write core CsPbBr3 and shell glass"),
        ("CsPbBr3-in-Cs4PbBr6", "", "two materials; write core CsPbBr3 and shell Cs4PbBr6"),
        ("CsPbBr3@SiO2 NCs", "", "a name is needed, without other words; write SiO2"),
        ("CsPbBr3", "SiO2, PMMA", "write layers from the inside out, as SiO2|PMMA"),
        ("CsPbBr3", "silica, then alumina", "from the inside out, as SiO2|Al2O3"),
        ("CsPbBr3", "ZrO2/SiO2 bilayer", "without other words; write ZrO2|SiO2"),
        ("n-BA2PbI4", "none", "ion 'n-BA' is read in brackets only; write (n-BA)"),
        ("enPbI4", "none", "ion 'en' is read in brackets only; write (en)"),
        ("(CHA)2PbBr4", "none", "'CHA' is neither an element nor a known ion; nearest known"),
        ("(5AVA)2PbI4", "none", "'5AVA' is neither an element nor a known ion; nearest known"),
        ("(DABCO)PbI4", "none", "'DABCO' is neither an element nor a known ion"),
        ("(HIS)PbI4", "none", "'HIS' is neither an element nor a known ion"),
        ("CsPb", "none", "a metal with an A-site ion but no halide"),
        ("Cs0.5Au0.5", "none", "a metal with an A-site ion but no halide"),
        ("CsPbBr3", "CdS/ZnS", "write layers from the inside out, as CdS|ZnS"),
        ("CsPbBr3", "SiO2@PMMA", "write layers from the inside out, as SiO2|PMMA"),
        ("CsPbBr3", "-", "write 'none' for a bare core"),
        ("CsPbBr3", "n/a", "write 'none' for a bare core"),
        ("CsPbBr3", "FALSE", "write 'none' for a bare core"),
        ("CsPbBr3", "PBS", "may be an abbreviation; write PbS if that is meant"),
        ("CsPbBr3", "PT", "may be an abbreviation; write Pt if that is meant"),
        ("CsPbBr3", "ZNO", "may be an abbreviation; write ZnO if that is meant"),
    ],
)
def test_what_was_seen_and_what_to_write(core, shell, reason):
    with pytest.raises(FormulaError) as caught:
        READER.read_sample(core, shell)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["γ-CsPbI3", "Mn:CsPbCl3", "CsPbBr3 | CsPb2Br5", "SiO2", "CsPb", "CsPbBr3 NCs", "(HIS)PbI4"],
)
@pytest.mark.parametrize("copies", [1, 40])
def test_the_bulk_path_says_the_same(text, copies):
    with pytest.raises(FormulaError) as caught:
        READER.read_core(text)
    errors = READER.read_many([text] * copies).errors
    assert {str(error) for error in errors.values()} == {str(caught.value)}
    assert len(errors) == copies


@pytest.mark.parametrize(
    "shell",
    ["bare", "Bare", "uncoated", "none", " NONE ", "naked", "core only", "no shell", "None (bare)"],
)
def test_words_for_no_shell(shell):
    assert READER.read_shell(shell) == ()


def test_a_word_that_may_be_part_of_a_material_is_not_dropped():
    with pytest.raises(FormulaError, match="unknown shell"):
        READER.read_shell("fluorinated graphene")


@pytest.mark.parametrize("text", ["i-BA2PbI4", "iso-BA2PbI4", "R-CsPbBr3", "t-CsPbBr3"])
def test_a_prefix_that_may_be_part_of_a_name_is_not_dropped(text):
    with pytest.raises(FormulaError) as caught:
        READER.read_core(text)
    assert "without other words" not in str(caught.value)


@pytest.mark.parametrize("shell", ["PbS", "pbs", "SIO2", "sio2", "PMMA", "pmma", "Al2O3", "AL2O3"])
def test_names_in_any_case_that_are_no_abbreviation(shell):
    assert READER.read_shell(shell)[0].name.casefold() == shell.casefold()


@pytest.mark.parametrize(
    ("shell", "advice"),
    [
        ("ZnS:Mn", "'Mn' is a dopant of the shell; write ZnS"),
        ("NaYF4:Yb,Er", "'Yb,Er' is a dopant of the shell; write NaYF4"),
    ],
)
def test_a_dopant_of_a_shell_is_told_apart(shell, advice):
    with pytest.raises(FormulaError, match=advice):
        READER.read_shell(shell)


def test_water_in_brackets_is_told_apart():
    with pytest.raises(FormulaError, match="'H2O' is beside the core; write Cs2InCl5"):
        READER.read_core("Cs2InCl5(H2O)")


def test_a_long_word_is_answered_at_once() -> None:
    with pytest.raises(FormulaError):
        READER.read_core("a" * 190 + "1")
