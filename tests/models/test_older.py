"""Model folders that older Perovshells wrote are read: two of them, with their answers of then."""

import json
import tarfile
from pathlib import Path

import pytest

from perovshell.model import Model
from perovshell.models.folder import FORMAT
from perovshell.models.older import OLDEST
from perovshell.serve.ranking.ranking import rank
from perovshell.workspace.championship import is_outdated

STORED = Path(__file__).parent / "older"
SPACE = {"cores": ["CsPbBr3"], "shells": "all known", "pl_window_nm": [500, 535]}


@pytest.fixture(scope="module", params=range(OLDEST, FORMAT))
def version(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(scope="module")
def older(version: int, tmp_path_factory: pytest.TempPathFactory) -> Model:
    place = tmp_path_factory.mktemp("older")
    with tarfile.open(STORED / f"format-{version}.tar.xz") as archive:
        archive.extractall(place, filter="data")
    (folder,) = (path for path in place.iterdir() if path.is_dir())
    assert json.loads((folder / "manifest.json").read_text())["format"] == version
    assert not is_outdated(folder)
    return Model.from_folder(folder)


def test_the_last_two_formats_are_read() -> None:
    assert FORMAT - OLDEST == 2


def test_its_answers_are_those_of_then(older: Model, version: int) -> None:
    then = json.loads((STORED / f"format-{version}.json").read_text())
    now = older.answer(then["rows"])
    for answer, expected in zip(now, then["answers"], strict=True):
        known = {name: value for name, value in expected.items() if value is not None}
        assert len(known) > 10
        assert {name: answer.values[name] for name in known} == pytest.approx(known)


def test_it_explains_and_ranks(older: Model, version: int) -> None:
    assert older.explain({"core": "CsPbBr3", "shell": "SiO2"})
    ranking = rank(SPACE, model=older)
    assert ranking.measured
    assert all(line.shell_papers for line in ranking.measured)
    assert ranking.candidates
    lacks = any("holds nothing of what papers measured" in text for text in ranking.statements)
    assert lacks == (version == OLDEST)
