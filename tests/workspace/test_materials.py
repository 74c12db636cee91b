"""Shells and ions of the user: added, asked for at once, learned, and moved with the workspace."""

import shutil
from pathlib import Path

import pytest

from perovshell import Workspace, rank
from perovshell.data.dataset import Dataset
from perovshell.data.material_rows import bundled, ion_row, property_row, shell_row
from perovshell.data.materials import Materials, read_materials, to_csv
from perovshell.errors import InputError
from perovshell.model import Model, load
from perovshell.workspace.folder import WorkspaceFolder

SHELLS = {
    "PVK": {
        "material_class": "polymer",
        "formula": "C14H11N",
        "aliases": ("poly(vinylcarbazole)",),
    },
    "PTFEMA": {"material_class": "polymer"},
    "LaF3O": {"material_class": "oxide", "formula": "LaOF", "in_water": "insoluble"},
    "ZIF-71x": {"material_class": "mof"},
    "glass:lead-free": {"material_class": "glass"},
}
IONS = {
    "AZR": {"formula": "C2H6N", "charge": 1, "radius_pm": 227.0, "name": "aziridinium"},
    "DIPX": {"formula": "C6H18N2", "charge": 2},
}
SOURCE = "10.1000/source"


@pytest.fixture
def home(model_folder: Path, tmp_path: Path) -> Workspace:
    """A workspace whose champion was trained before its materials were added."""
    shutil.copytree(model_folder.parent.parent, tmp_path / "home")
    workspace = Workspace(tmp_path / "home")
    for name, of_shell in SHELLS.items():
        workspace.materials.add_shell(name, source=SOURCE, **of_shell)
    for symbol, of_ion in IONS.items():
        workspace.materials.add_ion(symbol, source=SOURCE, **of_ion)
    return workspace


def rows_of_all() -> list[dict[str, str]]:
    rows = [{"core": "CsPbBr3", "shell": name} for name in SHELLS]
    return [
        *rows,
        {"core": "(AZR)PbBr3", "shell": "SiO2"},
        {"core": "(DIPX)PbBr4", "shell": "none"},
    ]


def test_all_are_answered_without_retraining(home: Workspace) -> None:
    answers = home.load().predict(rows_of_all())
    assert [answer["error"] for answer in answers] == [""] * len(answers)
    note = "shell PVK is not in the training data, predicted from its material class"
    assert note in answers[0]["notes"]
    assert [answer["in_domain"] for answer in answers[-2:]] == [False, False]


def test_what_was_known_is_answered_as_before(home: Workspace, model: Model) -> None:
    rows = [{"core": "CsPbBr3", "shell": "SiO2"}, {"core": "MAPbI3", "shell": "PMMA|SiO2"}]
    assert home.load().predict(rows) == model.predict(rows)
    assert home.load().answer(rows)[0].nearest == model.answer(rows)[0].nearest


def test_a_new_shell_of_a_class_is_predicted_as_another_of_it(home: Workspace) -> None:
    new, other = home.load().predict(
        [{"core": "CsPbBr3", "shell": "PTFEMA"}, {"core": "CsPbBr3", "shell": "polyurethane"}]
    )
    assert new["pl_peak_nm"] == pytest.approx(other["pl_peak_nm"], abs=5)


def test_the_content_hash_covers_them(home: Workspace, dataset: Dataset) -> None:
    hashes = [home.dataset().content_hash]
    home.materials.add_shell("PVKx", "polymer", source=SOURCE)
    hashes.append(home.dataset().content_hash)
    assert len({*hashes, dataset.content_hash}) == 3


def test_they_move_with_the_workspace(home: Workspace, tmp_path: Path) -> None:
    before = home.load().predict(rows_of_all())
    moved = shutil.move(home.folder.root, tmp_path / "elsewhere")
    assert load(workspace=moved).predict(rows_of_all()) == before


def test_a_paper_may_be_on_them(home: Workspace) -> None:
    paper = {
        "paper_id": "trial2026",
        "year": "2026",
        "title": "A trial",
        "samples": [
            {"name": "a", "core": "(AZR)PbBr3", "shell": "PVK", "structure": "matrix"}
            | {"pl_peak_nm": "540", "plqy_percent": "71"}
        ],
    }
    home.add(paper)
    sample = home.dataset().samples["trial2026-a"]
    assert (sample.core.formula, sample.shell) == ("AZRPbBr3", "PVK")


def test_a_workspace_without_any_reads_the_bundled_alone(tmp_path: Path) -> None:
    assert not Workspace(tmp_path).materials.read()
    assert not (tmp_path / "materials").exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"name": "SiO2", "material_class": "oxide"}, "'SiO2' is known already"),
        ({"name": "new", "material_class": "oxide", "aliases": ("silica",)}, "names both"),
        ({"name": "new", "material_class": "oxid"}, "shell class 'oxid': allowed: carbon, "),
        ({"name": "a|b", "material_class": "oxide"}, "shell name 'a|b': allowed: a name without"),
        ({"name": "None", "material_class": "oxide"}, "shell name 'None': allowed: a name without"),
        ({"name": "=A1", "material_class": "oxide"}, "name '=A1': allowed: a name without , ; | @"),
        ({"name": "a" * 201, "material_class": "oxide"}, "a': allowed: a name without , ; | @"),
        ({"name": "a\nb", "material_class": "oxide"}, "name 'a\\nb': allowed: a name without"),
        ({"name": "new", "material_class": "oxide", "aliases": ("b;c",)}, "shell alias 'b;c': all"),
        ({"name": "new", "material_class": "oxide", "formula": "TiO0"}, "'TiO0': allowed: amounts"),
        ({"name": "new", "material_class": "oxide", "formula": "Ti" + "9" * 400}, "up to 10,000"),
        ({"name": "new", "material_class": "oxide", "in_water": "wet"}, "shell in_water 'wet'"),
        ({"name": "new", "material_class": "oxide", "formula": "Qx2"}, "element symbols; not Qx"),
        ({"name": "new", "material_class": "oxide", "formula": "a-b"}, "only elements, decimals"),
        (
            {"name": "new", "material_class": "oxide", "source": "10.1/\udcff"},
            "shell source '10.1/",
        ),
        ({"name": "new", "material_class": "oxide", "source": " "}, "shell source ' ': allowed"),
    ],
)
def test_a_shell_at_fault_is_refused(tmp_path: Path, row: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        Workspace(tmp_path).materials.add_shell(**{"source": SOURCE, **row})
    assert message in str(refused.value)
    assert not (tmp_path / "materials").exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"symbol": "MA"}, "'MA' is known already"),
        ({"symbol": "Cs"}, "ion symbol 'Cs': allowed: a capital"),
        ({"symbol": "az"}, "ion symbol 'az'"),
        ({"symbol": "AZR", "charge": 0}, "ion charge 0: allowed: -2, -1, 1, 2 or 3"),
        ({"symbol": "AZR", "formula": ""}, "ion formula ''"),
        ({"symbol": "AZR", "radius_pm": 2.5}, "ion radius_pm 2.5: allowed: 50 to 1000 pm"),
        ({"symbol": "AZR", "source": ""}, "ion source ''"),
        ({"symbol": "AZR", "name": "a\nb"}, "ion name 'a\\nb': allowed: a text on one line"),
    ],
)
def test_an_ion_at_fault_is_refused(tmp_path: Path, row: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        Workspace(tmp_path).materials.add_ion(
            **{"formula": "C2H6N", "charge": 1, "source": SOURCE, **row}
        )
    assert message in str(refused.value)


def test_single_particles_are_a_fact_that_can_be_corrected(tmp_path: Path) -> None:
    materials = Workspace(tmp_path).materials
    row = materials.correct_shell("PMMA", single_particle="yes", source=SOURCE)
    assert row["single_particle"] == "yes"
    assert materials.read().corrections == {"PMMA": "single_particle (empty) -> yes"}
    with pytest.raises(InputError, match=r"single_particle 'some': allowed: yes, no, or empty"):
        materials.correct_shell("PMMA", single_particle="some", source=SOURCE)


def test_a_table_from_before_a_fact_had_a_column_is_read(tmp_path: Path) -> None:
    row = shell_row("PVK", "polymer", source="10.1000/x")
    older = {name: cell for name, cell in row.items() if name != "single_particle"}
    path = tmp_path / "shells.csv"
    path.write_text(f"{','.join(older)}\n{','.join(older.values())}\n")
    assert read_materials(tmp_path).shells == (row,)


def test_a_table_with_other_columns_is_named(tmp_path: Path) -> None:
    (tmp_path / "shells.csv").write_text("name,class\nPVK,polymer\n")
    with pytest.raises(InputError, match=r"shells.csv: columns name, class; needed: name, aliases"):
        read_materials(tmp_path)


def test_rows_of_a_model_win_over_those_of_its_workspace() -> None:
    row = shell_row("PVK", "polymer", source=SOURCE)
    ion = ion_row("AZR", formula="C2H6N", charge=1, source=SOURCE)
    tables = {"shells": [{**row, "in_water": "insoluble"}], "ions": [], "shell_materials": []}
    joined = Materials((row,), (ion,)).joined(tables)
    assert joined == {"shells": tables["shells"], "ions": [ion], "shell_materials": []}


def test_a_locked_folder_is_created_when_first_needed(tmp_path: Path) -> None:
    folder = WorkspaceFolder(tmp_path / "new")
    Workspace(folder.root).materials.add_shell("PVK", "polymer", source=SOURCE)
    assert (folder.root / "materials" / "shells.csv").is_file()


# Properties and corrections -------------------------------------------------------------------


def test_a_property_is_part_of_the_data_and_keeps_its_source(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    before = workspace.base
    workspace.materials.add_shell("PVK", "polymer", source=SOURCE)
    workspace.materials.add_property("pvk", "refractive_index", 1.68, source=SOURCE)
    workspace.materials.add_property("silica", "band_gap_ev", "8.9", source="10.1000/gap")
    shells = workspace.base.reader.shells.materials
    assert shells["PVK"].properties["refractive_index"] == 1.68
    assert shells["SiO2"].properties["band_gap_ev"] == 8.9
    known = before.reader.shells.materials["SiO2"].properties
    assert {**shells["SiO2"].properties, "band_gap_ev": known["band_gap_ev"]} == pytest.approx(
        known, nan_ok=True
    )
    assert workspace.base.content_hash != before.content_hash
    sources = [row["source_url"] for row in workspace.materials.read().shell_materials]
    assert sources == [SOURCE, "10.1000/gap"]


def test_a_property_is_replaced_by_a_later_one(tmp_path: Path) -> None:
    materials = Workspace(tmp_path).materials
    for value in (8.8, 8.9):
        materials.add_property("SiO2", "band_gap_ev", value, source=SOURCE)
    assert [row["band_gap_ev"] for row in materials.read().shell_materials] == ["8.9"]


def test_a_property_of_a_new_shell_is_read_by_models_that_are_there(home: Workspace) -> None:
    home.materials.add_property("PVK", "refractive_index", 1.68, source=SOURCE)
    shells = home.load().predictor.featurizer.reader.shells.materials
    assert shells["PVK"].properties["refractive_index"] == 1.68


def test_a_model_keeps_the_facts_it_was_trained_with(home: Workspace, model: Model) -> None:
    rows = [{"core": "CsPbBr3", "shell": "SiO2"}, {"core": "CsPbBr3", "shell": "PMMA"}]
    home.materials.correct_shell("PMMA", in_water="soluble", source=SOURCE)
    home.materials.add_property("SiO2", "band_gap_ev", 3.0, source=SOURCE)
    assert home.load().predict(rows) == model.predict(rows)


def test_a_correction_replaces_the_fact_and_names_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    before = workspace.base
    workspace.materials.correct_shell(
        "polymethyl methacrylate", in_water="reacts", route="", class_="glass", source=SOURCE
    )
    shell = workspace.base.reader.shells.materials["PMMA"]
    assert (shell.in_water, shell.route, shell.material_class) == ("reacts", "", "glass")
    assert shell.source.endswith(f";{SOURCE}")
    assert workspace.base.content_hash != before.content_hash
    assert len(workspace.base.reader.shells.materials) == len(before.reader.shells.materials)
    assert workspace.materials.read().corrections == {
        "PMMA": "class polymer -> glass, in_water insoluble -> reacts, "
        "route solution mixing -> (empty)"
    }


def test_a_correction_is_taken_back_by_the_bundled_fact(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    content_hash = workspace.base.content_hash
    for in_water in ("reacts", "insoluble"):
        workspace.materials.correct_shell("PMMA", in_water=in_water, source=SOURCE)
    assert not workspace.materials.read()
    assert workspace.base.content_hash == content_hash


def test_a_fact_of_a_shell_of_the_workspace_is_corrected_too(tmp_path: Path) -> None:
    materials = Workspace(tmp_path).materials
    materials.add_shell("PVK", "polymer", source=SOURCE)
    materials.correct_shell("PVK", in_water="insoluble", formula="C14H11N", source="10.1000/b")
    (row,) = materials.read().shells
    assert (row["in_water"], row["composition"]) == ("insoluble", "repeat unit")
    assert row["source"] == f"{SOURCE};10.1000/b"
    assert materials.read().corrections == {}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"in_water": "wet"}, "shell in_water 'wet': allowed: soluble, reacts"),
        ({"in_water": "insoluble"}, "nothing to correct"),
        ({}, "nothing to correct"),
        ({"colour": "red"}, "shell facts 'colour': allowed: class, formula, in_water"),
        ({"class_": "plastic"}, "shell class 'plastic'"),
        ({"route": "magic"}, "shell route 'magic'"),
        ({"process_temperature_c": "hot"}, "shell process_temperature_c 'hot'"),
        ({"process_temperature_c": "99999"}, "allowed: a number from -273.15 to 3000"),
        ({"in_water": "reacts", "source": " "}, "shell source ' '"),
        ({"name": "PMMMA", "in_water": "reacts"}, "'PMMMA': no such shell; nearest: PMMA"),
    ],
)
def test_a_correction_at_fault_is_refused(tmp_path: Path, facts: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        Workspace(tmp_path).materials.correct_shell(**{"name": "PMMA", "source": SOURCE, **facts})
    assert message in str(refused.value)
    assert not (tmp_path / "materials").exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("colour", 1, "property name 'colour': allowed: band_gap_ev"),
        ("band_gap_ev", "wide", "property band_gap_ev 'wide': allowed: a number from 0 to 20 eV"),
        ("water_contact_angle_deg", 200, "a number from 0 to 180 deg"),
    ],
)
def test_a_property_at_fault_is_refused(
    tmp_path: Path, name: str, value: object, message: str
) -> None:
    with pytest.raises(InputError) as refused:
        Workspace(tmp_path).materials.add_property("PMMA", name, value, source=SOURCE)
    assert message in str(refused.value)


def test_a_property_of_no_shell_in_a_table_is_refused(tmp_path: Path) -> None:
    row = property_row("nothing", "band_gap_ev", 1.0, source=SOURCE)
    (tmp_path / "shell_materials.csv").write_bytes(to_csv([row]))
    with pytest.raises(InputError, match="no shell is named 'nothing'"):
        read_materials(tmp_path)


def test_a_bundled_row_without_a_change_is_refused_in_a_table(tmp_path: Path) -> None:
    (tmp_path / "shells.csv").write_bytes(to_csv([bundled("shells")[0]]))
    with pytest.raises(InputError, match="a correction changes nothing"):
        read_materials(tmp_path)


# A blend --------------------------------------------------------------------------------------


def test_a_blend_is_predicted_and_ranked_and_a_paper_may_be_on_it(home: Workspace) -> None:
    model = home.load()
    rows = [{"core": "CsPbBr3", "shell": shell} for shell in ("PVDF+PMMA", "PMMA+PVDF", "PMMA")]
    blend, other, part = model.predict(rows)
    assert blend["error"] == ""
    assert blend["pl_peak_nm"] == other["pl_peak_nm"] == pytest.approx(part["pl_peak_nm"], abs=5)
    space = {"cores": ["CsPbBr3"], "shells": ["PVDF + PMMA", "SiO2"], "pl_window_nm": [500, 540]}
    lines = rank(space, model=model).to_frame()
    assert "PMMA+PVDF" in {*lines["shell"]}
    home.add(
        {"paper_id": "blend2026", "year": "2026", "title": "A blend"}
        | {
            "samples": [
                {"name": "a", "core": "CsPbBr3", "shell": "PVDF+PMMA", "structure": "matrix"}
                | {"pl_peak_nm": "517", "plqy_percent": "61"}
            ]
        }
    )
    assert home.dataset().samples["blend2026-a"].shell == "PMMA+PVDF"
