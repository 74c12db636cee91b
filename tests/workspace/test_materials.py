"""Shells and ions of the user: added, asked for at once, learned, and moved with the workspace."""

import shutil
from pathlib import Path

import pytest

from perovshell import Workspace
from perovshell.data.dataset import Dataset
from perovshell.data.materials import Materials, ion_row, read_materials, shell_row
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
        ({"name": "new", "material_class": "oxide", "in_water": "wet"}, "shell in_water 'wet'"),
        ({"name": "new", "material_class": "oxide", "formula": "Qx2"}, "element symbols; not Qx"),
        ({"name": "new", "material_class": "oxide", "formula": "a-b"}, "only elements, decimals"),
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
    ],
)
def test_an_ion_at_fault_is_refused(tmp_path: Path, row: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        Workspace(tmp_path).materials.add_ion(
            **{"formula": "C2H6N", "charge": 1, "source": SOURCE, **row}
        )
    assert message in str(refused.value)


def test_a_table_with_other_columns_is_named(tmp_path: Path) -> None:
    (tmp_path / "shells.csv").write_text("name,class\nPVK,polymer\n")
    with pytest.raises(InputError, match=r"shells.csv: columns name, class; needed: name, aliases"):
        read_materials(tmp_path)


def test_rows_of_a_model_win_over_those_of_its_workspace() -> None:
    row = shell_row("PVK", "polymer", source=SOURCE)
    ion = ion_row("AZR", formula="C2H6N", charge=1, source=SOURCE)
    tables = {"shells": [{**row, "in_water": "insoluble"}], "ions": []}
    joined = Materials((row,), (ion,)).joined(tables)
    assert joined == {"shells": tables["shells"], "ions": [ion]}


def test_a_locked_folder_is_created_when_first_needed(tmp_path: Path) -> None:
    folder = WorkspaceFolder(tmp_path / "new")
    Workspace(folder.root).materials.add_shell("PVK", "polymer", source=SOURCE)
    assert (folder.root / "materials" / "shells.csv").is_file()
