"""The shell table: the names it reads, the facts of a row, and what an unknown name is told."""

import math

import pytest

from perovshell.data.formula import FormulaReader
from perovshell.data.shells import ROUTES, YES_NO, Shells
from perovshell.data.tables import bundled_rows
from perovshell.errors import FormulaError, InputError

READER = FormulaReader.bundled()
ROWS = bundled_rows("materials", "shells.csv")
FIRST = ROWS[0]

NAMES = {
    "PVDF-HFP": ["P(VDF-HFP)", "pvdf-hfp"],
    "SBS": ["sbs", "styrene-butadiene-styrene"],
    "SEBS": [],
    "PS-b-P2VP": [],
    "PS-b-P4VP": [],
    "PS-b-PI": ["poly(styrene-b-isoprene)"],
    "MH-b-PI-b-MH": ["maltoheptaose-b-polyisoprene-b-maltoheptaose"],
    "EVOH": ["ethylene vinyl alcohol"],
    "COC": ["coc", "cyclic olefin copolymer"],
    "POSS": ["polyhedral oligomeric silsesquioxane"],
    "phospholipid": ["lecithin", "lipid bilayer", "liposome", "DSPE"],
    "DSPE-PEG": [],
    "paraffin": ["paraffin wax"],
    "cellulose": ["nanocellulose"],
    "cellulose acetate": [],
    "cyclodextrin": ["alpha-cyclodextrin", "beta-cyclodextrin", "γ-cyclodextrin", "β-CD"],
    "silicone": ["polysiloxane"],
    "PHPS": ["perhydropolysilazane"],
    "PS": ["crosslinked polystyrene", "cross-linked polystyrene", "polystyrene microspheres"],
    "acrylate resin": ["acrylate", "acrylic resin"],
    "UV-curable resin": [],
    "Norland optical adhesive": ["NOA 63", "NOA63"],
    "PEI": ["pei", "polyethylenimine", "polyethyleneimine"],
    "PDA": ["polydopamine"],
    "PANI": ["polyaniline"],
    "PEDOT:PSS": [],
    "polythiophene": [],
    "Nafion": ["nafion"],
    "agarose": [],
    "gelatin": [],
    "chitosan": [],
    "polyisoprene": ["cis-polyisoprene"],
    "polyimide": ["Kapton"],
    "polysulfone": ["PSU", "polysulphone"],
    "COF": ["covalent organic framework"],
    "MOF": ["metal-organic framework"],
    "g-C3N4": ["graphitic carbon nitride"],
    "MXene": ["Ti3C2Tx"],
    "graphene oxide": ["GO"],
    "reduced graphene oxide": ["rGO", "RGO", "reduced GO"],
    "carbon dots": ["carbon quantum dots"],
    "CaCO3": ["calcium carbonate"],
    "zinc stearate": ["zinc distearate"],
    "lead stearate": [],
    "calcium stearate": [],
    "Cu2S": [],
    "CdZnS": ["ZnCdS", "Zn0.5Cd0.5S", "Cd0.5Zn0.5S"],
    "Ga2O3": ["gallium oxide"],
    "In2O3": [],
    "NiO": [],
    "TeO2": [],
    "SiO2-TiO2": ["silica-titania"],
    "SiO2": ["SBA-15", "MCM-41", "mesoporous silica"],
    "Al2O3": ["anodic alumina", "AAO", "anodized aluminum oxide"],
    "organosilica": ["APTES silica"],
    "LDH": ["layered double hydroxide", "hydrotalcite"],
    "silicon carbonitride": ["a-SiCxNy:H", "SiCN"],
    "glass:fluorophosphate": ["fluorophosphate glass", "FP glass"],
    "glass:borophosphate": ["borophosphate glass"],
    "glass:chalcogenide": ["chalcogenide glass", "GeS2-Sb2S3 glass"],
    "glass:borogermanate": ["borogermanate glass", "ZnO-Na2O-B2O3-GeO2 glass"],
}


def refusal(shell):
    with pytest.raises(FormulaError) as caught:
        READER.read_shell(shell)
    return str(caught.value).removeprefix(f"shell {shell!r}: ")


@pytest.mark.parametrize(
    ("spelling", "name"),
    [(text, name) for name, aliases in NAMES.items() for text in (name, *aliases)],
)
def test_a_usual_name_is_read(spelling, name):
    assert [layer.name for layer in READER.read_shell(spelling)] == [name]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_every_spelling_of_the_table_is_read_as_its_material(row):
    for spelling in (row["name"], *filter(None, row["aliases"].split(";"))):
        assert READER.read_shell(spelling)[0].name == row["name"]


def test_ammonium_bromide_is_a_neutral_halide_that_needs_no_row():
    (layer,) = READER.read_shell("NH4Br")
    assert (layer.material_class, layer.listed) == ("halide", False)


# Capitals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PBS", "may be an abbreviation; write PbS if that is meant"),
        ("SbS", "may be a formula; write SBS if that is meant"),
        ("CoC", "may be a formula; write COC if that is meant"),
        ("Pu", "may be a formula; write PU if that is meant"),
        ("CDs", "an abbreviation of two materials; write CdS or carbon dots"),
        ("PI", "an abbreviation of two materials; write polyimide or polyisoprene"),
    ],
)
def test_capitals_that_may_mean_another_material_are_refused(text, message):
    assert refusal(text) == message


# Other words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("thin SiO2 layer", "SiO2"),
        ("SiO2-coating", "SiO2"),
        ("2x SiO2", "SiO2"),
        ("core-shell SiO2", "SiO2"),
        ("PMMA film", "PMMA"),
        ("glass matrix", "glass"),
        ("zinc sulfide shell", "ZnS"),
        ("reduced graphene oxide nanocomposite", "reduced graphene oxide"),
        ("ZrO2/SiO2 bilayer", "ZrO2|SiO2"),
    ],
)
def test_words_that_say_nothing_are_left_out(text, written):
    assert refusal(text) == f"a name is needed, without other words; write {written}"


@pytest.mark.parametrize(
    "text", ["fluorinated graphene", "reduced graphene", "sulfonated PS", "doped ZnO shell"]
)
def test_no_other_word_is_left_out(text):
    assert "without other words" not in refusal(text)


# Hints by meaning ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("glass:lead silicate", "glass"),
        ("antimony glass", "glass"),
        ("ZBLAN glass-ceramic", "glass"),
        ("ZIF-62 glass", "MOF glass"),
        ("polynorbornene", "polymer"),
        ("urea resin", "polymer"),
        ("styrene copolymer", "polymer"),
        ("PMMA-b-PAN", "polymer"),
        ("PMMA-co-PAA", "polymer"),
        ("MIL-53", "MOF"),
        ("Pb-MOF", "MOF"),
        ("TpPa-COF", "COF"),
        ("ZSM-5", "zeolite"),
        ("zeolite beta", "zeolite"),
        ("wax", "paraffin"),
    ],
)
def test_an_unknown_one_of_a_kind_is_offered_its_general_name(text, name):
    assert f"general name: {name}" in refusal(text) or f"known: {name}" in refusal(text)
    assert READER.read_shell(name)


@pytest.mark.parametrize(
    "text",
    [
        "oleic acid",
        "stearic acid",
        "oleylamine",
        "Oleylamine",
        "APTES",
        "DDAB",
        "TOP",
        "octylphosphonic acid",
        "OA",
        "OAm",
        "didodecyldimethylammonium bromide",
        "didodecyldimethyl ammonium bromide",
        "octanethiol",
    ],
)
def test_a_ligand_is_called_one(text):
    assert refusal(text) == "a ligand; write it in the key or column ligand"


@pytest.mark.parametrize("text", ["polyglutamic acid", "ammonium bromide", "resin acid"])
def test_what_is_no_ligand_is_not_called_one(text):
    assert "ligand" not in refusal(text)


@pytest.mark.parametrize("text", ["LDJ", "SBx", "agar", "xyz", "fluoride thing", "WAC"])
def test_names_that_are_spelled_otherwise_are_not_offered(text):
    assert refusal(text) == "unknown shell and not a neutral halide formula"


@pytest.mark.parametrize("text", ["polycrystalline tin", "Ni-Co-LDH", "plasticine"])
def test_what_is_no_polymer_is_not_called_one(text):
    assert "polymer" not in refusal(text)


def test_a_near_spelling_is_of_the_kind_that_the_text_names():
    assert "PbF2" not in refusal("glass:fluoride")
    assert refusal("silicca").endswith("nearest known: SiO2")


# Facts ---------------------------------------------------------------------------------------

FACTS = {
    "route": "ALD",
    "solvent": "none",
    "process_temperature_c": "50",
    "electron_acceptor": "no",
    "single_particle": "yes",
    "source": "10.1000/x",
}


def test_the_facts_of_a_row_are_attributes():
    layer = Shells([{**FIRST, **FACTS}], []).materials[FIRST["name"]]
    assert (layer.route, layer.solvent, layer.process_temperature_c) == ("ALD", "none", 50.0)
    assert (layer.electron_acceptor, layer.single_particle) == ("no", "yes")
    assert layer.source == "10.1000/x"


def test_a_table_without_the_columns_has_unknown_facts():
    row = {column: text for column, text in FIRST.items() if column not in FACTS}
    layer = Shells([row], []).materials[FIRST["name"]]
    assert (layer.route, layer.solvent, layer.electron_acceptor, layer.source) == ("", "", "", "")
    assert math.isnan(layer.process_temperature_c)
    assert layer.single_particle == ""


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("in_water", "wet", "in_water 'wet'; allowed: soluble"),
        ("route", "magic", "route 'magic'; allowed: sol-gel, ALD, .*, or empty"),
        ("electron_acceptor", "maybe", "electron_acceptor 'maybe'; allowed: yes, no, or empty"),
        ("single_particle", "some", "single_particle 'some'; allowed: yes, no, or empty"),
        ("process_temperature_c", "hot", "'hot'; allowed: a number from -273.15 to 3000 deg C"),
        ("process_temperature_c", "1e9", "'1e9'; allowed: a number from -273.15 to 3000 deg C"),
        ("source", "", "electron_acceptor, single_particle without a source"),
    ],
)
def test_a_cell_that_is_not_allowed_is_refused_by_its_material_and_column(column, text, message):
    with pytest.raises(InputError, match=f"^shells.csv: SiO2: .*{message}"):
        Shells([{**FIRST, **FACTS, column: text}], [])


def test_a_single_fact_needs_a_source():
    row = {**FIRST, **dict.fromkeys(FACTS, ""), "electron_acceptor": "yes"}
    with pytest.raises(InputError, match="SiO2: electron_acceptor without a source"):
        Shells([row], [])


def test_the_bundled_facts_are_of_the_vocabulary_and_have_addresses():
    for layer in Shells.bundled().materials.values():
        assert layer.route in {*ROUTES, ""}
        assert {layer.electron_acceptor, layer.single_particle} <= {*YES_NO, ""}
        sources = filter(None, layer.source.split(";"))
        assert all(source.strip().startswith(("10.", "https://")) for source in sources)


def test_materials_with_facts_are_equal_and_of_one_hash():
    first, second = Shells.bundled(), Shells.bundled()
    assert first.materials == second.materials
    assert len({*first.materials.values(), *second.materials.values()}) == len(ROWS)
