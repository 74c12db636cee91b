"""The client: against a real service, and against a small server that is busy on purpose."""

import json
import math
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from perovshell import Thresholds
from perovshell.client import Client, connection
from perovshell.errors import DesignSpaceError, InputError, MissingExtraError, ServiceError
from perovshell.model import Model
from perovshell.models.evidence import Neighbour
from perovshell.models.folder import read_folder, write_folder
from perovshell.models.inputs import INPUT_COLUMNS
from perovshell.serve.service import limits
from perovshell.serve.service.keys import add_key
from perovshell.training.train import TrainedModel
from perovshell.workbench import Workspace
from perovshell.workspace.folder import WorkspaceFolder
from servers import serving, workspace_of

ROW = {"core": "CsPbBr3", "shell": "SiO2"}
NO_SERVICE = "not the answer of a Perovshell service of this version"
FEW = {"rows": 3, "detailed_rows": 2, "rows_with_shells": 1}
SPACE = {"name": "two", "cores": ["CsPbBr3"], "shells": ["SiO2", "ZnS"], "pl_window_nm": [500, 540]}


def same(answers: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether answers are alike in values, types and order; NaN is NaN."""
    return repr(answers) == repr(expected)


# Against the service -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    return workspace_of(trained, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def url(served: WorkspaceFolder) -> Iterator[str]:
    with serving(served.root, served.root / "log") as server:
        yield server.url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as opened:
        yield opened


ODD_CELLS: list[Any] = [
    None, math.nan, pd.NA, pd.NaT, np.nan, "", "  ", math.inf, -math.inf, 1e400, 10**400, -0.0,
    True, False, 5, 6.5, "6.5", " 5 ", "5.", "1e1", "+7", "1_0", "\u0661\u0660", "nan", "inf",
    "None", "null", b"5", np.float32(6.1), np.float64(6.1), np.int64(6), np.bool_(True),
    np.str_(" film "), Decimal("6.25"), datetime(2026, 1, 2, tzinfo=UTC), [5], {"a": 1},
    np.array([1, 2]), 20000, -1,
    "none", "soup", "film", "water", "bare", "CsPbBr4", "CsPbBr3@SiO2", "SiO2|PMMA", "\x00", "é",
    "x" * 201, "(" * 1000, "CsPbBr3@" + "@".join(["SiO2"] * 100), '"\\\n', "\u202e", "\U0001d4b3",
]  # fmt: skip
ROWS: list[dict[str, Any]] = [
    ROW,
    {**ROW, "core_size_nm": "six", "core": "CsPbBr4"},
    {**ROW, "core": " CsPbBr3 ", "shell": "PMMA|SiO2", "my note": object(), "error": "none"},
    {"core": "CsPbBr3@SiO2"},
    {"core": "CsPbBr3"},
    {"core": "AuCu", "shell": "none"},
    {"shell": "none", "structure": "bare"},
    {},
]


@pytest.mark.parametrize("column", INPUT_COLUMNS)
def test_every_cell_is_read_as_the_model_reads_it(
    client: Client, model: Model, column: str
) -> None:
    rows = [{**ROW, column: cell} for cell in ODD_CELLS]
    rows += [{"core": "CsPbI3", "shell": "none", column: cell} for cell in ODD_CELLS]
    assert same(client.predict(rows), model.predict(rows))


def test_rows_are_answered_as_the_model_answers_them(client: Client, model: Model) -> None:
    assert same(client.predict(ROWS), model.predict(ROWS))


def test_options_reach_the_model(client: Client, model: Model) -> None:
    options: dict[str, Any] = {
        "stressors": ("polar-solvent", "light"),
        "coverage": np.float64(0.8),
        "thresholds": Thresholds([510, np.float64(2000)], np.int64(40), 3),
    }
    answers = client.predict(ROWS, **options)
    assert same(answers, model.predict(ROWS, **options))
    assert 0 < answers[0]["p_pl_in_window"] < 1


def test_what_the_model_refuses_is_refused_before_it_is_sent(model: Model) -> None:
    calls: list[tuple[Any, dict[str, Any]]] = [
        ([{**ROW, "Medium": "film", "core_size": 8}], {}),
        (pd.DataFrame([ROW]).rename(columns={"core": "Core"}), {}),
        (pd.DataFrame([ROW]).iloc[0], {}),
        ([("CsPbBr3", "SiO2")], {}),
        ([ROW], {"stressors": "water"}),
        ([ROW], {"thresholds": {"plqy_above": 80}}),
        ([ROW], {"coverage": "0.9"}),
    ]
    with Client("http://127.0.0.1:9", retries=0) as client:
        for rows, options in calls:
            with pytest.raises(InputError) as wanted:
                model.predict(rows, **options)
            with pytest.raises(InputError, match=re.escape(str(wanted.value))):
                client.predict(rows, **options)


def test_doubts_and_cells_that_json_cannot_hold_come_back_as_from_the_model(
    client: Client, model: Model
) -> None:
    rows = [{**ROW, name: 10**5000} for name in ("core", "core_size_nm", "medium", "ligand")]
    rows += [{**ROW, "bare_pl_peak_nm": 703}, {"core": "CsPbBr3/SiO2"}]
    options = {"thresholds": Thresholds(plqy_above=0.8)}
    answers = client.predict(rows, **options)
    assert same(answers, model.predict(rows, **options))
    assert "plqy_above 0.8 is below 1 %: a fraction?" in answers[-1]["notes"]


def test_a_data_frame_comes_back_as_the_model_gives_it(client: Client, model: Model) -> None:
    rows = [row for row in ROWS if row]
    frame = pd.DataFrame(rows, index=[f"row {number}" for number in range(len(rows))])
    frame["core_size_nm"] = pd.array([6, None] * 3 + [7], dtype="Int64")
    frame["medium"] = pd.Categorical(["film", None, "soup"] * 2 + ["water"])
    pd.testing.assert_frame_equal(client.predict(frame), model.predict(frame))
    empty = frame.iloc[:0]
    pd.testing.assert_frame_equal(client.predict(empty), model.predict(empty))


def test_details_are_those_of_the_model(client: Client, model: Model) -> None:
    client._limits = FEW
    answers = client.answer(ROWS)
    for answer, expected in zip(answers, model.answer(ROWS), strict=True):
        assert repr(answer.to_json()) == repr(expected.to_json())
        assert answer.nearest == expected.nearest
        assert answer.measured == expected.measured
    assert answers[0].nearest
    assert answers[0].measured


def test_half_a_surrogate_pair_is_the_fault_of_its_row(client: Client, model: Model) -> None:
    rows = [{**ROW, "core": "Cs\ud800"}, {**ROW, "ligand": "DDAB\ud800"}, ROW]
    first, *others = client.predict(rows)
    assert same(others, model.predict(rows[1:]))
    assert first["error"].startswith("core 'Cs\ufffd': '\ufffd' is neither")


def test_no_rows_need_no_service() -> None:
    with Client("http://127.0.0.1:1") as client:
        assert client.predict([]) == client.answer([]) == []


def test_many_rows_go_in_parts_and_come_back_in_order(client: Client, model: Model) -> None:
    rows = [{**ROW, "core_size_nm": 4 + number} for number in range(8)]
    rows[5] = {"core": "CsPbBr4", "shell": "SiO2"}
    rows[6] = {**ROW, "core_size_nm": -1}
    client._limits = FEW
    assert same(client.predict(rows), model.predict(rows))


def test_the_service_says_how_many_rows_a_request_may_have(client: Client) -> None:
    client.predict([ROW])
    assert client._limits["rows"] == limits.ROWS
    assert client._limits["detailed_rows"] == limits.DETAILED_ROWS


def test_rows_that_are_too_large_together_are_sent_in_halves(client: Client, model: Model) -> None:
    long = {**ROW, "ligand": "l" * (limits.BODY_BYTES // 3)}
    rows = [long, ROW, long, long, ROW]
    assert same(client.predict(rows), model.predict(rows))


def test_a_row_that_is_too_large_alone_is_an_error(client: Client) -> None:
    with pytest.raises(ServiceError, match=r"/v1/predict: status 413: .*16") as found:
        client.predict([ROW, {**ROW, "ligand": "l" * limits.BODY_BYTES}])
    assert found.value.status == 413


def test_model_vocabulary_and_ranking(client: Client, model: Model) -> None:
    card = client.model()
    assert card["model"]["id"] == model.info.model_id
    assert "SiO2" in {shell["name"] for shell in client.vocabulary()["shells"]}
    ranking = client.rank({**SPACE, "pl_window_nm": (500, 540)})
    assert (ranking["space"], ranking["ranked"]) == ("two", len(ranking["candidates"]))
    lines = [*ranking["measured"], *ranking["candidates"]]
    assert {line["core"] for line in lines} == {"CsPbBr3"}
    assert sorted(line["shell"] for line in lines) == ["SiO2", "ZnS"]
    assert ranking["suggest_experiments"] == []


SHELL = {"name": "PVKX", "class": "polymer", "source": "10.1000/x"}


def test_shells_that_no_table_has_are_sent_along(client: Client, model: Model) -> None:
    rows = [{**ROW, "shell": "PVKX"}, ROW]
    expected = model.with_shells([SHELL])
    client._limits = FEW
    assert same(client.predict(rows, shells=[SHELL]), expected.predict(rows))
    assert client.answer(rows, shells=[SHELL])[0].to_json()["error"] == ""
    space = {**SPACE, "shells": ["PVKX", "ZnS"], "constraints": {"insoluble_in_water": False}}
    ranking = client.rank(space, shells=[SHELL])
    lines = [*ranking["measured"], *ranking["candidates"]]
    assert {line["shell"] for line in lines} == {"PVKX", "ZnS"}
    with pytest.raises(DesignSpaceError, match="PVKX"):
        client.rank(space)
    with pytest.raises(InputError, match="class"):
        client.predict(rows, shells=[{**SHELL, "class": "cheese"}])


def test_a_paper_is_drafted_checked_and_added(client: Client, served: WorkspaceFolder) -> None:
    drafted = client.draft("A title\n\nThe core/shell CsPbBr3@SiO2 NCs emit at 519 nm.")
    paper = {**drafted["paper"], "year": np.int64(2026)}
    (fault,) = client.check(paper)["faults"]
    assert fault["pointer"] == "/paper_id"
    with pytest.raises(InputError, match="#/paper/paper_id: missing"):
        client.add(paper)
    added = client.add({**paper, "paper_id": "client2026"})
    assert "client2026" in Workspace(served.root).dataset().papers
    assert added["dataset"]["hash"] == Workspace(served.root).dataset().content_hash
    with pytest.raises(ServiceError, match="status 409") as found:
        client.add({**paper, "paper_id": "client2026"})
    assert found.value.status == 409
    wrong = {**paper, "paper_id": "wrong2026", "title": "Another"}
    wrong["samples"] = [{**paper["samples"][0], "plqy_percent": 0.62}]
    with pytest.raises(InputError, match=r"accept_outliers.*a fraction\?"):
        client.add(wrong)
    client.add({**wrong, "paper_id": "client2026"}, accept_outliers=True, replace=True)
    with pytest.raises(InputError, match="paper: it must be JSON"):
        client.check({"note": object()})


def test_the_example_runs(url: str) -> None:
    example = Path(__file__).parents[1] / "examples" / "client.py"
    done = subprocess.run(
        [sys.executable, str(example), url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no answer: core 'CsPbBr4': not neutral" in done.stdout
    assert "known shells" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stressors": ["rain"]}, "stressor 'rain': allowed: water"),
        ({"coverage": 1.5}, "coverage 1.5: a number above 0"),
        ({"coverage": math.nan}, "coverage nan: a number above 0"),
        ({"stressors": ["water", "water"]}, "name each once"),
    ],
)
def test_a_wrong_option_is_the_error_of_the_model(
    client: Client, model: Model, options: Any, message: str
) -> None:
    for either in (client, model):
        with pytest.raises(InputError, match=message):
            either.predict([ROW], **options)


@pytest.mark.parametrize("rows", [pd.DataFrame({"core": ["CsPbBr3"]}), ROW])
def test_rows_of_the_wrong_form_are_the_error_of_the_model(
    client: Client, model: Model, rows: Any
) -> None:
    with pytest.raises(InputError) as expected:
        model.predict(rows)
    with pytest.raises(InputError) as found:
        client.predict(rows)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ("nothing", {}, "no such preset; allowed: blue-emitter"),
        (SPACE, {"order_by": "luck"}, "^#/order_by: .*'lower-bound', 'value' or 'explore'"),
        ({**SPACE, "colour": 1}, {}, "colour"),
        ({**SPACE, "weight": math.nan}, {}, "must be JSON"),
        ({**SPACE, "weight": object()}, {}, "must be JSON"),
    ],
)
def test_a_wrong_design_space_is_named(
    client: Client, space: Any, options: Any, message: str
) -> None:
    with pytest.raises(DesignSpaceError, match=message):
        client.rank(space, **options)


def test_a_design_space_may_hold_numbers_of_numpy(client: Client) -> None:
    ranking = client.rank({**SPACE, "pl_window_nm": np.array([500.0, 540.0])})
    assert len(ranking["measured"]) + len(ranking["candidates"]) == 2


def test_keys_open_the_service(
    trained: TrainedModel, served: WorkspaceFolder, tmp_path: Path
) -> None:
    guarded = WorkspaceFolder(tmp_path / "workspace")
    shutil.copytree(served.models, guarded.models)
    key = add_key(guarded, "lab")
    with serving(guarded.root, tmp_path / "log") as server:
        with Client(server.url, key=key) as client:
            assert len(client.predict([ROW])) == 1
        with (
            Client(server.url) as client,
            pytest.raises(ServiceError, match="status 401: Send a key") as found,
        ):
            client.predict([ROW])
    assert found.value.status == 401


# A prepared service ---------------------------------------------------------------------------


@dataclass
class Busy:
    """A server that gives prepared answers, the last one again and again, and notes requests."""

    answers: list[tuple[int, dict[str, str], bytes]]
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def busy() -> Iterator[Busy]:
    prepared = Busy([])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            prepared.headers.append({name.lower(): value for name, value in self.headers.items()})
            prepared.bodies.append(self.rfile.read(int(self.headers.get("content-length", 0))))
            prepared.paths.append(self.path)
            left = prepared.answers
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.close_connection = "connection" in headers
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    prepared.url = f"http://127.0.0.1:{server.server_port}"
    yield prepared
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(status: int, detail: str = "Busy.", **headers: str) -> tuple[int, Any, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps({"status": status, "detail": detail}).encode()


GOOD = (200, {}, b'{"all": "well"}')
LIMITS = {"rows": 10, "detailed_rows": 10}
NAMED = {"id": "abc", "version": None, "dataset_hash": "def"}
NEAR = {
    "sample_id": "s1", "paper": "p1", "distance": 0.0, "core": "CsPbBr3", "shell": "SiO2",
    "pl_peak_nm": None, "plqy_percent": 50.0,
}  # fmt: skip
DETAILED: dict[str, Any] = {
    "pl_peak_nm": 517.0, "error": "",
    "details": {"nearest": [NEAR], "measured": [], "conditions": {}, "domain": {}, "reasons": []},
}  # fmt: skip


def json_answer(content: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps(content).encode()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which are not made."""
    seconds: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", seconds.append)
    return seconds


# One model -----------------------------------------------------------------------------------


def another_model(workspace: WorkspaceFolder) -> str:
    """Make a model that carries a measured bare PL peak otherwise; return its id."""
    predictor, info = read_folder(workspace.champion())
    pl = predictor.points["pl"]
    pl = replace(pl, residual_share=pl.residual_share / 2)
    other = replace(predictor, points={**predictor.points, "pl": pl})
    named = {name: value for name, value in vars(info).items() if name != "model_id"}
    folder = workspace.root / "another"
    model_id = write_folder(folder, other, named, {}, {})
    folder.rename(workspace.models / model_id)
    return model_id


def test_a_promotion_between_the_parts_mixes_no_models(
    trained: TrainedModel, model: Model, tmp_path: Path
) -> None:
    workspace = workspace_of(trained, tmp_path / "workspace")
    other = another_model(workspace)
    rows = [{**ROW, "bare_pl_peak_nm": 480.0 + number} for number in range(7)]
    with serving(workspace.root, tmp_path / "log") as server, Client(server.url) as client:
        client._limits = FEW
        ask, models = client._connection.ask, []

        def ask_and_promote(*request: Any) -> dict[str, Any]:
            answer = ask(*request)
            models.append(answer["model"]["id"])
            if len(models) == 1:
                workspace.set_champion(other, "better")
                while ask("GET", "/v1/model")["model"]["id"] != other:
                    pass
            return answer

        client._connection.ask = ask_and_promote  # type: ignore[method-assign]
        answers = client.predict(rows)
    assert models == [trained.model_id, *[other] * 5]
    assert same(answers, Model.from_folder(workspace.models / other).predict(rows))
    assert not same(answers, model.predict(rows))


def test_models_that_change_without_end_are_an_error(busy: Busy) -> None:
    busy.answers = [
        json_answer({"model": {"id": number}, "answers": [DETAILED]}) for number in range(10)
    ]
    with Client(busy.url) as client:
        client._limits = {"rows": 1}
        with pytest.raises(ServiceError, match="its model changed 5 times within one call"):
            client.predict([ROW, ROW])
    assert len(busy.bodies) == 10


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(busy: Busy, pauses: list[float], status: int) -> None:
    busy.answers = [refusal(status), refusal(status), GOOD]
    with Client(busy.url) as client:
        assert client.model() == {"all": "well"}
    assert len(busy.headers) == 3
    assert 0.1 <= pauses[0] <= 1.1
    assert 0.2 <= pauses[1] <= 1.2


def test_it_is_not_asked_before_the_time_it_names(busy: Busy, pauses: list[float]) -> None:
    busy.answers = [refusal(429, retry_after="7"), GOOD]
    with Client(busy.url) as client:
        client.model()
    (pause,) = pauses
    assert 7 <= pause <= 8


@pytest.mark.parametrize("asked_for", ["soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_time_that_is_no_number_of_seconds_is_not_looked_at(
    busy: Busy, pauses: list[float], asked_for: str
) -> None:
    busy.answers = [refusal(503, retry_after=asked_for), GOOD]
    with Client(busy.url) as client:
        client.model()
    assert pauses[0] <= 1.1


@pytest.mark.parametrize(("retries", "tries"), [(0, 1), (2, 3), (4, 5)])
def test_tries_are_bounded(busy: Busy, pauses: list[float], retries: int, tries: int) -> None:
    busy.answers = [refusal(503, "5 rankings wait.", x_request_id="abc")]
    with Client(busy.url, retries=retries) as client, pytest.raises(ServiceError) as found:
        client.model()
    assert len(busy.headers) == tries
    assert found.value.status == 503
    often = f" (tried {tries} times)" if tries > 1 else ""
    where = f"service at {busy.url}, /v1/model"
    assert str(found.value) == f"{where}: status 503: 5 rankings wait. (request abc){often}"


def test_the_time_of_all_tries_is_bounded(
    busy: Busy, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    busy.answers = [refusal(429, retry_after="121")]
    with Client(busy.url) as client:
        with pytest.raises(ServiceError, match="status 429"):
            client.model()
        monkeypatch.setattr(connection, "PATIENCE_SECONDS", 1e-9)
        busy.answers = [refusal(429)]
        with pytest.raises(ServiceError, match="status 429"):
            client.model()
    assert len(busy.headers) == 2
    assert pauses == []


@pytest.mark.parametrize("status", [401, 404, 413, 500, 502])
def test_what_will_not_change_is_asked_once(busy: Busy, status: int) -> None:
    busy.answers = [refusal(status, "No.", x_request_id="abc")]
    with (
        Client(busy.url) as client,
        pytest.raises(ServiceError, match=rf"/v1/model: status {status}: No\. \(request abc\)$"),
    ):
        client.model()
    assert len(busy.headers) == 1


def test_a_request_that_is_refused_as_a_whole_is_an_input_error(busy: Busy) -> None:
    busy.answers = [refusal(422, "#/rows: too many")]
    with Client(busy.url) as client, pytest.raises(InputError, match=r"^#/rows: too many$"):
        client.vocabulary()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, {}, b"<html>Hello"), "no JSON object but '<html>Hello'"),
        ((200, {}, b"[1]"), r"no JSON object but '\[1\]'"),
        ((502, {}, b"<html>Bad"), "status 502: no JSON but '<html>Bad'"),
        ((422, {}, b"<html>Bad"), "status 422: no JSON but '<html>Bad'"),
        ((404, {}, b"[]"), r"status 404: no JSON but '\[\]'"),
        ((301, {}, b""), "status 301: no JSON but ''"),
    ],
)
def test_what_is_no_service_is_named(busy: Busy, answer: Any, message: str) -> None:
    busy.answers = [answer]
    with Client(busy.url) as client, pytest.raises(ServiceError, match=message):
        client.model()


def test_without_a_space_the_service_takes_its_default(busy: Busy) -> None:
    busy.answers = [GOOD]
    with Client(busy.url) as client:
        client.rank(top=3)
        client.rank("red-emitter")
    first, second = (json.loads(body) for body in busy.bodies)
    assert "space" not in first
    assert (first["top"], second["space"]) == (3, "red-emitter")


def test_only_input_columns_are_sent(busy: Busy) -> None:
    busy.answers = [json_answer({"limits": LIMITS}), refusal(422)]
    with Client(busy.url) as client, pytest.raises(InputError):
        client.predict([{**ROW, "note": 1, "core_size_nm": "6", "medium": math.nan}])
    (row,) = json.loads(busy.bodies[1])["rows"]
    assert row == {**ROW, "core_size_nm": "6", "medium": None}


# Another service, or one of another version --------------------------------------------------


@pytest.mark.parametrize(
    "card",
    [
        {"all": "well"},
        {"limits": [1, 2]},
        {"limits": {**LIMITS, "rows": "many"}},
        {"limits": {**LIMITS, "rows": 0}},
        {"limits": {"detailed_rows": 10}},
    ],
)
def test_the_card_of_another_service_is_an_error(busy: Busy, card: Any) -> None:
    busy.answers = [json_answer(card)]
    with Client(busy.url) as client, pytest.raises(ServiceError, match=NO_SERVICE) as found:
        client.predict([ROW])
    assert busy.url in str(found.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"all": "well"},
        {"model": "abc", "answers": [DETAILED]},
        {"model": NAMED, "answers": []},
        {"model": NAMED, "answers": ["CsPbBr3"]},
        {"model": NAMED, "answers": [{"error": ""}]},
        {"model": NAMED, "answers": [{**DETAILED, "details": {"nearest": []}}]},
    ],
)
def test_the_answer_of_another_service_is_an_error(busy: Busy, answer: Any) -> None:
    busy.answers = [json_answer({"limits": LIMITS}), json_answer(answer)]
    with Client(busy.url) as client, pytest.raises(ServiceError, match=NO_SERVICE) as found:
        client.answer([ROW])
    assert "/v1/predict" in str(found.value)


def test_what_a_later_service_adds_is_left_out(busy: Busy) -> None:
    near = {**NEAR, "year": 2031}
    details = {**DETAILED["details"], "nearest": [near], "measured": [near], "more": 1}
    answer = {**DETAILED, "details": details}
    busy.answers = [
        json_answer({"limits": {**LIMITS, "more": 1}}),
        json_answer({"model": {**NAMED, "more": 1}, "answers": [answer], "more": 1}),
    ]
    with Client(busy.url) as client:
        (found,) = client.answer([ROW])
    assert found.nearest == found.measured == [Neighbour(**NEAR)]
    assert found.to_json()["pl_peak_nm"] == 517.0


# Connections ---------------------------------------------------------------------------------


def test_a_service_that_cannot_be_reached_is_tried_again_and_named(pauses: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        message = rf"127\.0\.0\.1:{port}, /v1/model: cannot be reached .*run\? \(tried 3 times\)"
        with (
            Client(f"http://127.0.0.1:{port}", retries=2) as client,
            pytest.raises(ServiceError, match=message) as found,
        ):
            client.model()
    assert found.value.status is None
    assert len(pauses) == 2


def test_a_service_that_does_not_answer_is_named_and_not_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Client(url, timeout=0.1) as client,
            pytest.raises(ServiceError, match=r"no answer within 0\.1 s$"),
        ):
            client.model()


def test_a_connection_that_ends_is_tried_again(busy: Busy, pauses: list[float]) -> None:
    cut_off = (200, {"content-length": "99", "connection": "close"}, b"{")
    busy.answers = [cut_off, GOOD]
    with Client(busy.url) as client:
        assert client.model() == {"all": "well"}
    busy.answers = [cut_off]
    with (
        Client(busy.url, retries=1) as client,
        pytest.raises(ServiceError, match=r"the connection failed .*\(tried 2 times\)"),
    ):
        client.model()


def test_this_machine_is_reached_without_a_proxy(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    busy.answers = [GOOD]
    for url in (busy.url, busy.url.replace("127.0.0.1", "localhost")):
        with Client(url, key="pvs_abc") as client:
            client.model()
    assert {headers["authorization"] for headers in busy.headers} == {"Bearer pvs_abc"}


def test_a_service_may_be_below_a_path(busy: Busy) -> None:
    busy.answers = [GOOD]
    for url in (f"{busy.url}/below", f"{busy.url}/below/"):
        with Client(url) as client:
            client.model()
    assert busy.paths == ["/below/v1/model"] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "127.0.0.1:8000"}, "url '127.0.0.1:8000': an address such as"),
        ({"url": "ftp://here"}, "an address such as"),
        ({"url": None}, "url None: an address such as"),
        ({"url": "http://..:8000"}, "an address such as"),
        ({"key": 5}, "key: not as"),
        ({"retries": None}, "retries None: a number from 0 up"),
        ({"timeout": None}, "timeout None: seconds above 0"),
        ({"timeout": float("nan")}, "timeout nan: seconds above 0"),
        ({"url": "http://"}, "an address such as"),
        ({"url": "http://here:port"}, "an address such as"),
        ({"url": "http://here/?x=1"}, "an address such as"),
        ({"key": ""}, "key: not as"),
        ({"key": "pvs_\n"}, "key: not as"),
        ({"key": "schlüssel"}, "key: not as"),
        ({"retries": -1}, "retries -1"),
    ],
)
def test_an_impossible_client_is_refused(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as found:
        Client(**{"url": "http://127.0.0.1:1", **options})
    assert "schlüssel" not in str(found.value)


def test_the_client_is_light_to_import() -> None:
    code = (
        "import sys, perovshell.client\n"
        "heavy = ('httpx2', 'stamina', 'pandas', 'fastapi', 'pydantic', 'scipy', 'xgboost')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("package", ["httpx2", "stamina"])
def test_without_a_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}: pip install 'perovshell\[client\]'"):
        Client("http://127.0.0.1:1")
