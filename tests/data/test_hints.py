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
        ("Mn:CsPbCl3", "none", "write core CsPbCl3 and Mn in the column dopant"),
        ("CsPbCl3:Mn2+", "none", "write core CsPbCl3 and Mn in the column dopant"),
        ("CsPbCl3: Mn", "none", "write core CsPbCl3 and Mn in the column dopant"),
        ("Mn-doped CsPbCl3", "none", "write core CsPbCl3 and Mn in the column dopant"),
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
        ("Cs+PbBr3", "none", "'Cs+' has a charge; write the symbol of the ion alone"),
        ("СsPbBr3", "none", "'С' is CYRILLIC CAPITAL LETTER ES, not a Latin letter"),
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
    "text", ["γ-CsPbI3", "Mn:CsPbCl3", "CsPbBr3 | CsPb2Br5", "SiO2", "CsPb", "CsPbBr3 NCs"]
)
@pytest.mark.parametrize("copies", [1, 40])
def test_the_bulk_path_says_the_same(text, copies):
    with pytest.raises(FormulaError) as caught:
        READER.read_core(text)
    errors = READER.read_many([text] * copies).errors
    assert {str(error) for error in errors.values()} == {str(caught.value)}
    assert len(errors) == copies


@pytest.mark.parametrize("shell", ["bare", "Bare", "uncoated", "none", " NONE "])
def test_words_for_no_shell(shell):
    assert READER.read_shell(shell) == ()


@pytest.mark.parametrize("shell", ["PbS", "pbs", "SIO2", "sio2", "PMMA", "pmma", "Al2O3", "AL2O3"])
def test_names_in_any_case_that_are_no_abbreviation(shell):
    assert READER.read_shell(shell)[0].name.casefold() == shell.casefold()
