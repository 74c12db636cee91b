"""The client: against a real service, and against a small server that is busy on purpose."""

import asyncio
import json
import math
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from perovshell import Thresholds
from perovshell.client import AsyncClient, Client, RefusedError
from perovshell.client.plans import Call, Planner, Reply, Retries
from perovshell.client.rows import Limits, parts_of, written
from perovshell.errors import DesignSpaceError, InputError, MissingExtraError, ServiceError
from perovshell.model import Model
from perovshell.models.evidence import Neighbour
from perovshell.models.folder import read_folder, write_folder
from perovshell.serve.service.keys import add_key
from perovshell.training.train import TrainedModel
from perovshell.workspace.folder import WorkspaceFolder
from servers import serving, workspace_of

ROW = {"core": "CsPbBr3", "shell": "SiO2"}
NO_SERVICE = "is no Perovshell service of this version"
FEW = Limits(rows=3, detailed_rows=2, text=200, body_bytes=2**20)
SPACE = {"name": "two", "cores": ["CsPbBr3"], "shells": ["SiO2", "ZnS"], "pl_window_nm": [500, 540]}
both = pytest.mark.parametrize("kind", [Client, AsyncClient])


def ask(kind: Any, url: str, use: Callable[[Any], Any], **options: Any) -> Any:
    """Return what a client of either kind finds; it notes its pauses instead of waiting."""
    naps = options.pop("naps", [])

    async def run() -> Any:
        async def nap(seconds: float) -> None:
            naps.append(seconds)

        async with AsyncClient(url, **options) as client:
            client._sleep = nap
            return await use(client)

    if kind is AsyncClient:
        return asyncio.run(run())
    with Client(url, **options) as client:
        client._sleep = naps.append
        return use(client)


def same(found: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Whether answers are alike in values, types and order; NaN is NaN."""
    return repr(found) == repr(wanted)


# Against the service -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workspace(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    return workspace_of(trained, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def url(workspace: WorkspaceFolder) -> Iterator[str]:
    with serving(workspace.root, workspace.root / "log") as server:
        yield server.url


CELLS: list[dict[str, Any]] = [
    ROW,
    {**ROW, "bare_pl_peak_nm": "517", "core_size_nm": " 6.5 ", "bare_plqy_percent": 60},
    {**ROW, "core_size_nm": np.float32(6.1), "bare_pl_peak_nm": np.int64(517)},
    {**ROW, "core_size_nm": Decimal("6.25"), "temperature_c": math.nan, "medium": None},
    {**ROW, "core_size_nm": "six"},
    {**ROW, "core_size_nm": True},
    {**ROW, "core_size_nm": 20000},
    {**ROW, "core_size_nm": math.inf},
    {**ROW, "core_size_nm": "six", "core": "CsPbBr4"},
    {**ROW, "core_size_nm": "six", "core": "Q\u0106"},
    {"core": "CsPbBr4", "shell": "x" * 201},
    {**ROW, "core_size_nm": "six", "medium": "soup"},
    {**ROW, "structure": "bare", "medium": "soup" * 60},
    {**ROW, "shell": "none", "core_size_nm": 6, "medium": "soup" * 60},
    {**ROW, "core": " CsPbBr3 ", "shell": "PMMA|SiO2", "my note": object(), "error": "none"},
    {**ROW, "core": "C" * 201},
    {**ROW, "shell": "x" * 201},
    {**ROW, "core": 5, "shell": False},
    {**ROW, "medium": "soup"},
    {**ROW, "medium": "soup" * 60},
    {**ROW, "ligand": "l" * 300, "dopant": "\ud800"},
    {**ROW, "structure": "bare"},
    {"core": "CsPbBr3@SiO2"},
    {"core": "CsPbBr3"},
    {"core": "AuCu", "shell": "none"},
    {},
]


@both
def test_answers_are_those_of_the_model_whatever_the_cells(
    kind: Any, url: str, model: Model
) -> None:
    found = ask(kind, url, lambda client: client.predict(CELLS))
    assert same(found, model.predict(CELLS))


@both
def test_options_reach_the_model(kind: Any, url: str, model: Model) -> None:
    options: dict[str, Any] = {
        "stressors": ("polar-solvent", "light"),
        "coverage": np.float64(0.8),
        "thresholds": Thresholds((510, math.inf), np.int64(40), 3),
    }
    found = ask(kind, url, lambda client: client.predict(CELLS, **options))
    assert same(found, model.predict(CELLS, **options))
    assert 0 < found[0]["pl_in_window"] < 1


@both
def test_a_data_frame_comes_back_as_the_model_gives_it(kind: Any, url: str, model: Model) -> None:
    sendable = [row for row in CELLS if row]
    given = pd.DataFrame(sendable, index=[f"row {number}" for number in range(len(sendable))])
    found = ask(kind, url, lambda client: client.predict(given))
    pd.testing.assert_frame_equal(found, model.predict(given))
    empty = given.iloc[:0]
    found = ask(kind, url, lambda client: client.predict(empty))
    pd.testing.assert_frame_equal(found, model.predict(empty))


@both
def test_details_are_those_of_the_model(kind: Any, url: str, model: Model) -> None:
    def use(client: Any) -> Any:
        client._planner._limits = FEW
        return client.answer(CELLS)

    found = ask(kind, url, use)
    for one, wanted in zip(found, model.answer(CELLS), strict=True):
        assert repr(one.to_json()) == repr(wanted.to_json())
        assert one.nearest == wanted.nearest
        assert one.measured == wanted.measured
    assert found[0].nearest
    assert found[0].measured


@both
def test_text_that_is_no_text_is_the_fault_of_its_row(kind: Any, url: str, model: Model) -> None:
    rows = [{**ROW, "core": "Cs\ud800"}, {**ROW, "medium": "\ud800"}, ROW]
    found = ask(kind, url, lambda client: client.predict(rows))
    wanted = model.predict(rows)
    assert same(found[1:], wanted[1:])
    # Which core is nearest hangs on those that the model knows.
    assert found[0]["error"].split(";")[0] == wanted[0]["error"].split(";")[0]


@both
def test_a_whole_sample_that_is_too_long_is_told(kind: Any, url: str) -> None:
    long = {"core": "CsPbBr3@" + "@".join(["SiO2"] * 39) + "@SiO2 "}
    layers = long["core"].count("SiO2")
    assert layers == 40
    (found,) = ask(kind, url, lambda client: client.predict([long]))
    assert found["error"] == "core 'CsPbBr3@SiO2@SiO2@Si'...: too long for the service"


@both
def test_no_rows_need_no_service(kind: Any) -> None:
    assert ask(kind, "http://127.0.0.1:1", lambda client: client.predict([])) == []


@both
def test_many_rows_go_in_parts_and_come_back_in_order(kind: Any, url: str, model: Model) -> None:
    rows = [{**ROW, "core_size_nm": 4 + number} for number in range(8)]
    rows[5] = {"core": "CsPbBr4", "shell": "SiO2"}
    rows[6] = {**ROW, "core_size_nm": -1}

    def use(client: Any) -> Any:
        client._planner._limits = FEW
        return client.predict(rows)

    assert same(ask(kind, url, use), model.predict(rows))


@both
def test_model_vocabulary_and_ranking(kind: Any, url: str, model: Model) -> None:
    said = ask(kind, url, lambda client: client.model())
    assert said["model"]["id"] == model.info.model_id
    assert said["limits"]["rows"] == 10_000
    words = ask(kind, url, lambda client: client.vocabulary())
    assert "SiO2" in {shell["name"] for shell in words["shells"]}
    ranked = ask(kind, url, lambda client: client.rank({**SPACE, "pl_window_nm": (500, 540)}))
    assert (ranked["space"], ranked["ranked"]) == ("two", 2)
    assert ranked["lines"][0]["core"] == "CsPbBr3"


def test_the_example_runs(url: str) -> None:
    example = Path(__file__).parents[1] / "examples" / "client.py"
    done = subprocess.run(
        [sys.executable, str(example), url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no answer: core 'CsPbBr4': not neutral" in done.stdout
    assert "known shells" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stressors": ["rain"]}, "stressor 'rain': allowed: water"),
        ({"coverage": 1.5}, "coverage 1.5: a number above 0"),
        ({"coverage": math.nan}, "coverage nan: a number above 0"),
        ({"stressors": ["water", "water"]}, "name each once"),
    ],
)
def test_a_wrong_option_is_the_error_of_the_model(
    url: str, model: Model, options: Any, said: str
) -> None:
    for predict in (model.predict, lambda *a, **k: ask(Client, url, lambda c: c.predict(*a, **k))):
        with pytest.raises(InputError, match=said):
            predict([ROW], **options)


def test_a_missing_column_is_the_error_of_the_model(url: str, model: Model) -> None:
    frame = pd.DataFrame({"core": ["CsPbBr3"]})
    with pytest.raises(InputError) as wanted:
        model.predict(frame)
    with pytest.raises(InputError) as found:
        ask(Client, url, lambda client: client.predict(frame))
    assert str(found.value) == str(wanted.value)


@pytest.mark.parametrize(
    ("space", "options", "said"),
    [
        ("nothing", {}, "no such preset; allowed: blue-emitter"),
        (SPACE, {"order_by": "luck"}, "'lower-bound', 'value' or 'explore'"),
        ({**SPACE, "colour": 1}, {}, "colour"),
        ({**SPACE, "wish": math.nan}, {}, "must be JSON"),
        ({**SPACE, "wish": object()}, {}, "must be JSON"),
    ],
)
def test_a_wrong_design_space_is_named(url: str, space: Any, options: Any, said: str) -> None:
    with pytest.raises(DesignSpaceError, match=said):
        ask(Client, url, lambda client: client.rank(space, **options))


def test_a_design_space_may_hold_numbers_of_numpy(url: str) -> None:
    window = np.array([500.0, 540.0])
    ranked = ask(Client, url, lambda client: client.rank({**SPACE, "pl_window_nm": window}))
    assert ranked["ranked"] == 2


# One model -----------------------------------------------------------------------------------


def another_model(workspace: WorkspaceFolder) -> str:
    """Make a model that carries a measured bare PL peak otherwise; return its id."""
    predictor, info = read_folder(workspace.champion())
    other = replace(
        predictor, pl=replace(predictor.pl, residual_share=predictor.pl.residual_share / 2)
    )
    told = {name: value for name, value in vars(info).items() if name != "model_id"}
    folder = workspace.root / "another"
    model_id = write_folder(folder, other, told, {}, {})
    folder.rename(workspace.models / model_id)
    return model_id


def test_a_promotion_between_the_parts_mixes_no_models(
    trained: TrainedModel, model: Model, tmp_path: Path
) -> None:
    workspace = workspace_of(trained, tmp_path / "workspace")
    other = another_model(workspace)
    rows = [{**ROW, "bare_pl_peak_nm": 480.0 + number} for number in range(7)]
    with serving(workspace.root, tmp_path / "log") as server, Client(server.url) as client:
        client._planner._limits = FEW
        send, answered = client._send, []

        def send_and_promote(call: Call) -> Reply:
            reply = send(call)
            answered.append(json.loads(reply.body)["model"]["id"])
            if len(answered) == 1:
                workspace.set_champion(other, "better")
                while client.model()["model"]["id"] != other:
                    time.sleep(0.05)
            return reply

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(client, "_send", send_and_promote)
            client.model = lambda: json.loads(send(Call("GET", "/v1/model")).body)
            found = client.predict(rows)
    wanted = Model.from_folder(workspace.models / other).predict(rows)
    assert answered == [trained.model_id, other, other, other]
    assert same(found, wanted)
    assert not same(found, model.predict(rows))


def test_models_that_change_without_end_are_an_error() -> None:
    planner = Planner("http://service", Retries(0))
    planner._limits = FEW
    plan = planner._of_one_model([Call("POST", "/v1/predict")] * 2)
    next(plan)
    replies = [Reply(200, {}, b'{"model": {"id": "%d"}}' % number) for number in range(6)]
    for reply in replies[:-1]:
        plan.send(reply)
    with pytest.raises(ServiceError, match="its model changed 5 times within one call"):
        plan.send(replies[-1])


# Parts ---------------------------------------------------------------------------------------


def test_parts_are_cut_by_rows_and_by_bytes() -> None:
    rows = [(place, b"12345") for place in range(7)]
    assert [len(part) for part in parts_of(rows, 3, 1000)] == [3, 3, 1]
    assert [len(part) for part in parts_of(rows, 100, 12)] == [2, 2, 2, 1]
    assert [place for part in parts_of(rows, 3, 12) for place, _ in part] == list(range(7))
    assert list(parts_of([], 3, 12)) == []


def test_only_what_the_service_knows_is_sent() -> None:
    row = {**ROW, "note": 1, "ligand": "a secret", "core_size_nm": "6", "medium": math.nan}
    assert json.loads(written(row, FEW).content) == {**ROW, "ligand": "used", "core_size_nm": 6.0}


# A busy service ------------------------------------------------------------------------------


@dataclass
class Busy:
    """A server that gives prepared answers, the last one again and again, and notes requests."""

    answers: list[tuple[int, dict[str, str], bytes]]
    heard: list[dict[str, str]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def busy() -> Iterator[Busy]:
    found = Busy([])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.heard.append({name.lower(): value for name, value in self.headers.items()})
            found.sent.append(self.rfile.read(int(self.headers.get("content-length", 0))))
            left = found.answers
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
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
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(status: int, detail: str = "Busy.", **headers: str) -> tuple[int, Any, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps({"status": status, "detail": detail}).encode()


GOOD = (200, {}, b'{"all": "well"}')


@both
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(kind: Any, busy: Busy, status: int) -> None:
    naps: list[float] = []
    busy.answers = [refusal(status), refusal(status), GOOD]
    assert ask(kind, busy.url, lambda client: client.model(), naps=naps) == {"all": "well"}
    assert len(busy.heard) == 3
    assert len(naps) == 2
    assert 0 <= naps[0] <= 0.5
    assert 0 <= naps[1] <= 1.0


@both
def test_it_is_not_asked_before_the_time_it_names(kind: Any, busy: Busy) -> None:
    naps: list[float] = []
    busy.answers = [refusal(429, retry_after="7"), GOOD]
    ask(kind, busy.url, lambda client: client.model(), naps=naps)
    assert len(naps) == 1
    assert 7 <= naps[0] <= 7.5


@both
@pytest.mark.parametrize(("retries", "tries"), [(0, 1), (2, 3)])
def test_tries_are_bounded(kind: Any, busy: Busy, retries: int, tries: int) -> None:
    busy.answers = [refusal(503, "5 rankings wait.", x_request_id="abc")]
    with pytest.raises(RefusedError, match="status 503: 5 rankings wait") as found:
        ask(kind, busy.url, lambda client: client.model(), retries=retries)
    assert len(busy.heard) == tries
    assert (found.value.status, found.value.request_id) == (503, "abc")


def test_the_time_of_all_pauses_is_bounded(busy: Busy) -> None:
    naps: list[float] = []
    busy.answers = [refusal(429, retry_after="50")]
    with pytest.raises(RefusedError, match="status 429"):
        ask(Client, busy.url, lambda client: client.model(), retries=9, naps=naps)
    assert len(naps) == 2
    assert sum(naps) <= 120


@pytest.mark.parametrize("asked_for", ["", "soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_pauses_grow_to_a_limit_and_are_spread(asked_for: str) -> None:
    retries = Retries(9)
    for tried, most in [(0, 0.5), (2, 2.0), (20, 10.0)]:
        pauses = [retries.pause(tried, asked_for) for _ in range(200)]
        assert 0.9 * most < max(pauses) <= most
        assert 0 <= min(pauses) < 0.1 * most


@both
@pytest.mark.parametrize("status", [401, 404, 413, 500, 502])
def test_what_is_no_matter_of_time_is_asked_once(kind: Any, busy: Busy, status: int) -> None:
    busy.answers = [refusal(status, "No.", x_request_id="abc")]
    with pytest.raises(RefusedError, match=rf"/v1/model: status {status}: No\. \(request abc\)"):
        ask(kind, busy.url, lambda client: client.model())
    assert len(busy.heard) == 1


@both
def test_a_request_that_is_not_as_it_must_be_is_an_input_error(kind: Any, busy: Busy) -> None:
    busy.answers = [refusal(422, "#/rows: too many")]
    with pytest.raises(InputError, match=r"^#/rows: too many$"):
        ask(kind, busy.url, lambda client: client.vocabulary())


@pytest.mark.parametrize(
    "answer", [(200, {}, b"<html>Hello"), (502, {}, b"<html>Bad"), (301, {}, b"")]
)
def test_what_is_no_service_is_named(busy: Busy, answer: Any) -> None:
    busy.answers = [answer]
    with pytest.raises(
        RefusedError, match=rf"status {answer[0]}: no JSON but '{answer[2].decode()}"
    ):
        ask(Client, busy.url, lambda client: client.model())


@both
def test_without_a_space_the_service_takes_its_default(kind: Any, busy: Busy) -> None:
    busy.answers = [GOOD]
    ask(kind, busy.url, lambda client: client.rank(top=3))
    ask(kind, busy.url, lambda client: client.rank("red-emitter"))
    first, second = (json.loads(one) for one in busy.sent)
    assert "space" not in first
    assert (first["top"], second["space"]) == (3, "red-emitter")


# Another service, or one of another version --------------------------------------------------

LIMITS = {"rows": 10, "detailed_rows": 10, "text": 200, "body_bytes": 2**20}
NAMED = {"id": "abc", "version": None, "dataset_hash": "def"}
NEAR = {
    "sample_id": "s1", "paper": "p1", "distance": 0.0, "core": "CsPbBr3", "shell": "SiO2",
    "pl_peak_nm": None, "plqy_percent": 50.0,
}  # fmt: skip
DETAILED = {
    "pl_peak_nm": 517.0, "error": "", "nearest": [NEAR], "measured": [], "conditions": {},
    "reasons": [],
}  # fmt: skip


def said(content: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps(content).encode()


@both
@pytest.mark.parametrize(
    "card",
    [
        {"all": "well"},
        {"limits": [1, 2]},
        {"limits": {**LIMITS, "rows": "many"}},
        {"limits": {name: value for name, value in LIMITS.items() if name != "text"}},
    ],
)
def test_a_card_of_another_service_is_told(kind: Any, busy: Busy, card: Any) -> None:
    busy.answers = [said(card)]
    with pytest.raises(ServiceError, match=NO_SERVICE) as found:
        ask(kind, busy.url, lambda client: client.predict([ROW]))
    assert busy.url in str(found.value)
    assert "/v1/model" in str(found.value)


@both
@pytest.mark.parametrize(
    "answer",
    [
        {"all": "well"},
        {"model": "abc", "answers": [DETAILED]},
        {"model": NAMED, "answers": []},
        {"model": NAMED, "answers": ["CsPbBr3"]},
        {"model": NAMED, "answers": [{"error": ""}]},
        {"model": NAMED, "answers": [{**DETAILED, "nearest": [{"sample_id": "s1"}]}]},
    ],
)
def test_an_answer_of_another_service_is_told(kind: Any, busy: Busy, answer: Any) -> None:
    busy.answers = [said({"limits": LIMITS}), said(answer)]
    with pytest.raises(ServiceError, match=NO_SERVICE) as found:
        ask(kind, busy.url, lambda client: client.answer([ROW]))
    assert "/v1/predict" in str(found.value)


@both
def test_what_a_later_service_tells_besides_is_left_out(kind: Any, busy: Busy) -> None:
    near = {**NEAR, "year": 2031}
    answer = {**DETAILED, "nearest": [near], "measured": [near]}
    busy.answers = [
        said({"limits": {**LIMITS, "more": 1}}),
        said({"model": {**NAMED, "more": 1}, "answers": [answer], "more": 1}),
    ]
    (found,) = ask(kind, busy.url, lambda client: client.answer([ROW]))
    assert found.nearest == found.measured == [Neighbour(**NEAR)]
    assert found.to_json()["pl_peak_nm"] == 517.0


# Connections ---------------------------------------------------------------------------------


@both
def test_what_cannot_be_reached_is_told_and_not_tried_again(kind: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        naps: list[float] = []
        with pytest.raises(ServiceError, match=rf"127\.0\.0\.1:{port}: cannot be reached .*run\?"):
            ask(kind, f"http://127.0.0.1:{port}", lambda client: client.model(), naps=naps)
    assert naps == []


@both
def test_a_service_that_does_not_answer_is_told(kind: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServiceError, match=r"no answer within 0\.1 s"):
            ask(kind, url, lambda client: client.model(), timeout=0.1)


@both
def test_a_connection_that_ends_is_told(kind: Any, busy: Busy) -> None:
    busy.answers = [(200, {"content-length": "99"}, b"{")]
    with pytest.raises(ServiceError, match="the connection failed"):
        ask(kind, busy.url, lambda client: client.model(), timeout=2)
    assert len(busy.heard) == 1


def test_nothing_is_squeezed_on_the_way_to_this_machine(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    busy.answers = [GOOD]
    ask(Client, busy.url, lambda client: client.model(), key="pvs_abc")
    (heard,) = busy.heard
    assert heard["accept-encoding"] == "identity"
    assert heard["authorization"] == "Bearer pvs_abc"
    with Client("https://example.org/below/") as far:
        request = far._client.build_request("GET", "/v1/model")
    assert request.headers["accept-encoding"] == "gzip"
    assert str(request.url) == "https://example.org/below/v1/model"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "127.0.0.1:8000"}, "url '127.0.0.1:8000': an address such as"),
        ({"url": "ftp://here"}, "an address such as"),
        ({"url": "http://"}, "an address such as"),
        ({"url": "http://here:port"}, "an address such as"),
        ({"url": "http://here/?x=1"}, "an address such as"),
        ({"key": ""}, "key: not as"),
        ({"key": "pvs_\n"}, "key: not as"),
        ({"key": "schlüssel"}, "key: not as"),
        ({"retries": -1}, "retries -1"),
    ],
)
def test_an_impossible_client_is_refused(options: Any, said: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(InputError, match=said) as found:
            kind(**{"url": "http://127.0.0.1:1", **options})
        assert "schlüssel" not in str(found.value)


def test_keys_open_the_service(
    trained: TrainedModel, workspace: WorkspaceFolder, tmp_path: Path
) -> None:
    guarded = WorkspaceFolder(tmp_path / "workspace")
    shutil.copytree(workspace.models, guarded.models)
    key = add_key(guarded, "lab")
    with serving(guarded.root, tmp_path / "log") as server:
        assert len(ask(Client, server.url, lambda client: client.predict([ROW]), key=key)) == 1
        with pytest.raises(RefusedError, match="status 401: Send a key"):
            ask(Client, server.url, lambda client: client.predict([ROW]))


def test_the_client_is_light_to_import() -> None:
    code = (
        "import sys, perovshell.client\n"
        "heavy = ('httpx', 'httpx2', 'pandas', 'fastapi', 'pydantic', 'scipy', 'xgboost')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_httpx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    for kind in (Client, AsyncClient):
        with pytest.raises(MissingExtraError, match=r"pip install 'perovshell\[client\]'"):
            kind("http://127.0.0.1:1")
