"""The application: routes, problems, keys, limits, hot swap; in this process."""

import asyncio
import errno
import gc
import json
import logging
import math
import re
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from perovshell.data.vocabulary import STRESSORS
from perovshell.errors import ModelFolderError, ServiceError, WorkspaceError
from perovshell.model import Model
from perovshell.models.inputs import INPUT_COLUMNS, INPUTS
from perovshell.models.outputs import NO_THRESHOLDS, Answer, bound_columns
from perovshell.serve.ranking.objectives import ORDERS
from perovshell.serve.report.orders import ORDER_TEXTS
from perovshell.serve.report.report import render
from perovshell.serve.report.tables import ranking_json
from perovshell.serve.service import batching, limits, schemas
from perovshell.serve.service.app import Settings, create_app
from perovshell.serve.service.batching import Asked, Batcher
from perovshell.serve.service.keys import KeyRing, Keys, add_key, remove_key
from perovshell.serve.service.middleware import Rate
from perovshell.serve.service.pool import Pool
from perovshell.serve.service.problems import pointer
from perovshell.serve.service.rank_schemas import RankOut
from perovshell.serve.service.server import address, listen, refuse_open_doors
from perovshell.serve.service.source import Champion, Served, Source, settle
from perovshell.targets.target import NOT_REACHED
from perovshell.training.train import TrainedModel
from perovshell.workspace.folder import WorkspaceFolder
from servers import workspace_of

ROW = {"core": "CsPbBr3", "shell": "SiO2"}


@pytest.fixture
def workspace(trained: TrainedModel, tmp_path: Path) -> WorkspaceFolder:
    """A workspace of its own with the champion of the session."""
    return workspace_of(trained, tmp_path / "workspace", "7")


@pytest.fixture(scope="module")
def client(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Of an application for tests that count and change nothing."""
    workspace = workspace_of(trained, tmp_path_factory.mktemp("service") / "workspace", "7")
    with TestClient(create_app(Champion(Source(workspace)))) as made:
        yield made


@pytest.fixture
def fresh(workspace: WorkspaceFolder) -> Iterator[TestClient]:
    """Of a new application."""
    with TestClient(create_app(Champion(Source(workspace)))) as made:
        yield made


def test_numbers_are_those_of_the_model(client: TestClient, model: Model) -> None:
    body = client.post("/v1/predict", json={"rows": [ROW]}).json()
    (answer,) = body["answers"]
    (wanted,) = model.predict([ROW])
    for name, value in wanted.items():
        if isinstance(value, float) and math.isinf(value):
            assert answer[name] is None
            assert answer[f"{name}_open"] is True
        else:
            assert answer[name] == value
    assert body["model"] == {
        "id": model.info.model_id,
        "version": "7",
        "dataset_hash": model.info.dataset["hash"],
    }


def test_options_reach_the_model(client: TestClient, model: Model) -> None:
    asked = {
        "rows": [ROW],
        "stressors": ["sonication"],
        "coverage": 0.5,
        "thresholds": {"pl_window_nm": [510, 540], "plqy_above": 40, "gain_above": 3},
    }
    (answer,) = client.post("/v1/predict", json=asked).json()["answers"]
    thresholds = schemas.ThresholdsIn(**asked["thresholds"]).read()
    (wanted,) = model.predict([ROW], stressors=["sonication"], coverage=0.5, thresholds=thresholds)
    for name in ("pl_peak_nm_lower", "half_life_h_sonication", "p_pl_in_window", "p_plqy_above"):
        assert answer[name] == wanted[name]
    assert "half_life_h_water" not in answer


def test_half_lives_and_gains_have_a_described_sign(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["components"]["schemas"]["AnswerOut"]
    kinds = described["additionalProperties"]["anyOf"]
    (allowed,) = [kind["enum"] for kind in kinds if kind.get("type") == "string"]
    assert allowed == ["", *NOT_REACHED]
    asked = {"rows": [ROW, {}], "stressors": list(STRESSORS)}
    for answer in client.post("/v1/predict", json=asked).json()["answers"]:
        assert {answer[name] for name in bound_columns(STRESSORS)} <= set(allowed)


def test_a_bad_row_does_not_spoil_the_others(client: TestClient) -> None:
    rows = [ROW, {"core": "CsPbBr3", "shell": "unobtainium"}, {**ROW, "medium": "soup"}, {}]
    reply = client.post("/v1/predict", json={"rows": rows})
    assert reply.status_code == 200
    body = reply.json()
    assert [bool(answer["error"]) for answer in body["answers"]] == [False, True, True, True]
    assert body["failed"] == 3
    first = body["problems"][0]
    assert first["pointer"] == "#/rows/1"
    assert "unobtainium" in first["detail"]
    assert body["answers"][1]["pl_peak_nm"] is None


def test_details_tell_papers_and_reasons(client: TestClient, model: Model) -> None:
    body = client.post("/v1/predict", json={"rows": [ROW, {}], "details": True}).json()
    answer, refused = body["answers"]
    (wanted,) = model.answer([ROW])
    details = answer["details"]
    assert [one["paper"] for one in details["nearest"]] == [one.paper for one in wanted.nearest]
    assert len(details["measured"]) == len(answer["measured"]) > 0
    printed = [(one["pl"], one["plqy"]) for one in details["measured"]]
    assert printed == [(one.pl, one.plqy) for one in wanted.measured]
    assert {reason["target"] for reason in details["reasons"]} >= {"pl_peak_nm", "plqy_percent"}
    lists = {key: [] for key in ("nearest", "measured", "reasons", "known_at_least")}
    assert refused["details"] == {**lists, "conditions": {}, "domain": {}}
    assert "details" not in client.post("/v1/predict", json={"rows": [ROW]}).json()["answers"][0]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"rows": []}, "#/rows"),
        ({}, "#/rows"),
        ({"rows": [{**ROW, "colour": "red"}]}, "#/rows/0/colour"),
        ({"rows": [{**ROW, "core": ["CsPbBr3"]}]}, "#/rows/0/core"),
        ({"rows": [ROW, {**ROW, "core_size_nm": {"nm": 6}}]}, "#/rows/1/core_size_nm"),
        ({"rows": [ROW], "stressors": ["boredom"]}, "#/stressors/0"),
        ({"rows": [ROW], "coverage": 1}, "#/coverage"),
        ({"rows": [ROW], "thresholds": {"gain_above": 1}}, "#/thresholds/gain_above"),
        ({"rows": [ROW], "more": 1}, "#/more"),
    ],
)
def test_a_fault_is_told_with_its_place(client: TestClient, body: object, where: str) -> None:
    reply = client.post("/v1/predict", json=body)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    told = reply.json()
    assert told["type"] == "urn:perovshell:problem:invalid-request"
    assert where in [fault["pointer"] for fault in told["errors"]]


CELLS = {
    "null": None, "true": True, "5": 5, "6.5": 6.5, "1e400": math.inf, "-1e400": -math.inf,
    "1" + "0" * 400: 10**400, "NaN": math.nan,
    **{json.dumps(text): text for text in ("6.5", " 5 ", "1_0", "\u0661\u0660", "", "nan")},
    json.dumps("x" * 1000): "x" * 1000,
}  # fmt: skip
"""Cells as JSON, and what they mean."""


def test_every_cell_is_read_by_the_model(client: TestClient, model: Model) -> None:
    meant = [{**ROW, column: cell} for column in INPUT_COLUMNS for cell in CELLS.values()]
    rows = [
        f'{json.dumps(ROW | {column: None})[:-1]}, "{column}": {text}}}'
        for column in INPUT_COLUMNS
        for text in CELLS
    ]
    body = f'{{"rows": [{", ".join(rows)}]}}'
    reply = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 200
    for answer, wanted in zip(reply.json()["answers"], model.predict(meant), strict=True):
        assert answer["error"] == wanted["error"]
        assert answer["pl_peak_nm"] == (None if wanted["error"] else wanted["pl_peak_nm"])


@pytest.mark.parametrize(
    "body",
    [
        {"rows": [ROW], "stressors": ["water", "water"]},
        {"rows": [ROW], "thresholds": {"pl_window_nm": [540, 510]}},
        {"rows": [ROW] * (limits.DETAILED_ROWS + 1), "details": True},
        {"rows": [ROW] * (limits.ROWS + 1)},
    ],
)
def test_what_cannot_be_meant_is_refused(client: TestClient, body: object) -> None:
    assert client.post("/v1/predict", json=body).status_code == 422


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"rows": [NaN]}', b"\xff"])
def test_what_is_no_json_is_a_problem(client: TestClient, body: bytes) -> None:
    reply = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert reply.status_code in {400, 422}
    assert reply.json()["status"] == reply.status_code


def test_a_large_body_is_refused(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(limits.BODY_BYTES // 2**20 + 1):
            yield b" " * 2**20

    told = client.post("/v1/predict", content=b" " * (limits.BODY_BYTES + 1))
    untold = client.post("/v1/predict", content=parts())
    assert told.status_code == untold.status_code == 413
    assert told.json()["type"] == untold.json()["type"] == "urn:perovshell:problem:body-too-large"


def test_elsewhere_there_is_nothing(client: TestClient) -> None:
    assert client.get("/v2").json()["type"] == "urn:perovshell:problem:not-found"
    assert client.get("/v1/predict").json()["type"] == "urn:perovshell:problem:method-not-allowed"


GETS = (
    "/", "/docs", "/openapi.json", "/healthz", "/readyz", "/v1/model", "/v1/vocabulary",
    "/static/main.js", "/static/page.css", "/static-offline-docs/swagger-ui.css", "/nowhere",
)  # fmt: skip


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head_is_get_without_its_body(client: TestClient, path: str, encoding: str) -> None:
    asked = {"accept-encoding": encoding, "x-request-id": "1"}
    head, get = client.head(path, headers=asked), client.get(path, headers=asked)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert dict(head.headers) == dict(get.headers)
    assert get.content


def test_head_counts_and_is_logged_as_it_was_asked(
    fresh: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "perovshell.service")
    reply = fresh.head("/metrics")
    assert int(reply.headers["content-length"]) > 0
    logged = [record.fields for record in caplog.records if record.message == "request"]
    assert [fields["method"] for fields in logged] == ["HEAD"]


def test_a_head_of_what_is_known_has_not_changed(client: TestClient) -> None:
    tag = client.head("/v1/model").headers["etag"]
    assert client.head("/v1/model", headers={"if-none-match": tag}).status_code == 304


POSTS = ("/v1/predict", "/v1/rank", "/v1/papers", "/v1/papers/draft", "/v1/papers/check")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [(path, "GET, HEAD, OPTIONS") for path in (*GETS[:-1], "/metrics")]
    + [(path, "OPTIONS, POST") for path in POSTS],
)
def test_the_allowed_methods_are_those_that_are_answered(
    client: TestClient, path: str, allowed: str
) -> None:
    options = client.options(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allowed, b"")
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
        reply = client.request(method, path)
        assert (reply.status_code == 405) == (method not in allowed)
        if reply.status_code == 405:
            assert reply.headers["allow"] == allowed
    assert client.options("/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/docs/", "/healthz/", "/v1/predict/", "/v1/model/?x=1"])
def test_a_slash_too_many_is_redirected_without_naming_the_host(
    client: TestClient, path: str
) -> None:
    reply = client.get(path, follow_redirects=False)
    assert reply.status_code == 307
    name, _, query = path.rpartition("/")
    assert reply.headers["location"] == f"../{name.rpartition('/')[2]}{query}"
    assert client.post("/v1/predict/", json={"rows": [ROW]}).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere/", "/docs//", "//elsewhere.org/", "//docs/"])
def test_what_is_nowhere_is_not_redirected(client: TestClient, path: str) -> None:
    assert client.get(f"http://testserver{path}", follow_redirects=False).status_code == 404


def test_the_card_is_sent_once(client: TestClient, model: Model) -> None:
    reply = client.get("/v1/model")
    assert reply.json()["figures"] == dict(model.info.figures)
    assert reply.json()["card"]["What has skill"]
    tag = reply.headers["etag"]
    again = client.get("/v1/model", headers={"if-none-match": tag})
    assert again.status_code == 304
    assert not again.content


@pytest.mark.parametrize("path", ["/v1/model", "/v1/vocabulary"])
def test_another_version_of_the_software_sends_them_anew(
    fresh: TestClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = fresh.get(path).headers["etag"]
    monkeypatch.setattr("perovshell.serve.service.source.version", lambda _: "99.0")
    again = fresh.get(path, headers={"if-none-match": tag})
    assert again.status_code == 200
    assert again.headers["etag"] != tag


def test_vocabulary_knows_shells_and_their_papers(client: TestClient) -> None:
    body = client.get("/v1/vocabulary").json()
    shells = {shell["name"]: shell for shell in body["shells"]}
    assert shells["SiO2"]["papers"] > shells["ZrO2"]["papers"] > 0
    assert "CsPbBr3" in body["cores"]
    assert body["numbers"]["bare_plqy_percent"] == [0, 100]


def test_long_answers_are_compressed_for_those_who_can_read_it(client: TestClient) -> None:
    asked = {"rows": [ROW] * 20}
    squeezed = client.post("/v1/predict", json=asked, headers={"accept-encoding": "gzip"})
    plain = client.post("/v1/predict", json=asked, headers={"accept-encoding": "identity"})
    assert squeezed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert squeezed.json() == plain.json()


def test_rows_have_the_columns_of_a_request(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["components"]["schemas"]["Row"]["properties"]
    assert list(described) == list(INPUT_COLUMNS)
    assert all(INPUTS[name].allowed in cell["description"] for name, cell in described.items())


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("Core", "rename it to 'core'"),
        ("core_size", "rename it to 'core_size_nm'"),
        ("size_A", "convert it from angstrom to nm and rename it to 'core_size_nm'"),
        ("note", f"allowed: {', '.join(INPUT_COLUMNS)}"),
    ],
)
def test_an_unknown_key_is_refused_with_the_input_it_nearly_is(
    client: TestClient, key: str, said: str
) -> None:
    reply = client.post("/v1/predict", json={"rows": [{**ROW, key: "x"}]})
    assert reply.status_code == 422
    (fault,) = reply.json()["errors"]
    assert fault["pointer"] == f"#/rows/0/{key}"
    assert fault["detail"] == f"not an input; {said}"


@pytest.mark.parametrize("window", [[2.3, 2.5], [0.5, 0.54], [5100, 5400], [540, 510]])
def test_a_window_in_another_unit_is_refused_with_its_own(
    client: TestClient, window: list[float]
) -> None:
    body = {"rows": [ROW], "thresholds": {"pl_window_nm": window}}
    reply = client.post("/v1/predict", json=body)
    assert reply.status_code == 422
    assert "two rising wavelengths from 200 to 2000 nm" in reply.json()["detail"]


def test_a_doubtful_threshold_is_answered_with_a_note(client: TestClient) -> None:
    body = {"rows": [ROW], "thresholds": {"plqy_above": 0.8}}
    (answer,) = client.post("/v1/predict", json=body).json()["answers"]
    assert "plqy_above 0.8 is below 1 %: a fraction?" in answer["notes"]


def test_a_number_of_thousands_of_digits_is_no_fault_of_the_service(client: TestClient) -> None:
    body = f'{{"rows": [{{"core": "CsPbBr3", "shell": "SiO2", "core_size_nm": 1{"0" * 5000}}}]}}'
    headers = {"content-type": "application/json"}
    reply = client.post("/v1/predict", content=body, headers=headers)
    assert reply.status_code in {200, 422}
    assert len(reply.text) < 6000


@pytest.mark.parametrize("text", ["none", "N/A", "-", "0", "FALSE", ""])
def test_a_word_for_nothing_is_no_treatment(client: TestClient, text: str) -> None:
    rows = [ROW, {**ROW, "ligand": text, "dopant": text}, {**ROW, "ligand": "DDAB"}]
    plain, nothing, treated = client.post("/v1/predict", json={"rows": rows}).json()["answers"]
    assert nothing == plain
    assert treated != plain


def test_pointers_escape() -> None:
    assert pointer(["rows", 3, "a/b~c"]) == "#/rows/3/a~1b~0c"


# Ranking -------------------------------------------------------------------------------------


SMALL = {
    "name": "small",
    "cores": ["CsPbBr3", "CsPb(Br0.8I0.2)3"],
    "shells": ["SiO2", "ZnS", "Al2O3"],
    "pl_window_nm": [500, 560],
    "stressor": "water",
}


def test_rank_in_a_process_of_its_own(client: TestClient, model: Model) -> None:
    import perovshell

    body = client.post("/v1/rank", json={"space": SMALL, "top": 3}).json()
    wanted = perovshell.rank(SMALL, model=model, top=3)
    for name in ("measured", "candidates"):
        lines = getattr(wanted, name)
        assert [(line["core"], line["shell"], line["score"]) for line in body[name]] == [
            (line.core, line.shell, pytest.approx(line.score, rel=1e-5)) for line in lines
        ]
        assert [line["ties"] for line in body[name]] == [list(line.ties) for line in lines]
    assert body["ranked"] == wanted.total
    first = body["measured"][0]
    assert {sample["paper"] for sample in first["samples"]} == set(first["combination_papers"])
    assert body["suggest_experiments"] == body["batch"] == []
    assert RankOut.model_validate(body).candidates


def test_a_ranking_suggests_experiments_and_a_batch(client: TestClient, model: Model) -> None:
    import perovshell

    asked = {"space": SMALL, "top": 3, "batch": 2, "suggest_experiments": True}
    body = client.post("/v1/rank", json=asked).json()
    wanted = perovshell.rank(SMALL, model=model, top=3, batch=2)
    experiments = [vars(one) for one in wanted.suggest_experiments]
    assert body["suggest_experiments"] == experiments != []
    assert [one["shell"] for one in body["batch"]] == [line.shell for line in wanted.batch]
    expected = json.loads(json.dumps(ranking_json(wanted, suggest_experiments=True)))
    assert {name: body[name] for name in expected} == expected
    assert body.keys() - expected == {"model"}


def test_named_papers_are_cited(client: TestClient) -> None:
    # By DOI and by id; each once.
    asked = {"paper": ["mozro2", "10.1021/jacs.7b11003", "hu2018"]}
    text = client.get("/v1/evidence/papers.bib", params=asked).text
    assert re.findall(r"^@\w+\{(.*),$", text, re.MULTILINE) == ["hu2018", "mozro2"]
    both = client.get("/v1/evidence/papers.ris", params={**asked, "shell": "SiO2"})
    assert both.json()["detail"] == "paper and shell: name papers or ask a query, not both"
    unknown = client.get("/v1/evidence/papers.txt", params={"paper": "nobody2026"})
    assert "'nobody2026': not in the data" in unknown.json()["detail"]
    many = {"paper": ["mozro2"] * (limits.CITED + 1)}
    assert client.get("/v1/evidence/papers.txt", params=many).status_code == 422


@pytest.mark.parametrize("option", ["shrink", "exclude_known"])
def test_a_ranking_has_no_options_of_old(client: TestClient, option: str) -> None:
    reply = client.post("/v1/rank", json={"space": SMALL, option: True})
    assert reply.status_code == 422
    assert option in reply.json()["detail"]


def test_materials_that_cannot_be_read_are_told_to_who_asks_for_papers(
    fresh: TestClient, workspace: WorkspaceFolder
) -> None:
    table = workspace.root / "materials" / "shells.csv"
    table.parent.mkdir()
    table.write_text("nothing")
    for query in ("core=CsPbBr3", "paper=10.1021/jacs.7b11003"):
        reply = fresh.get(f"/v1/evidence/papers.txt?{query}")
        assert reply.status_code == 422
        assert "shells.csv: columns nothing" in reply.json()["detail"]


def test_every_order_has_its_texts() -> None:
    assert tuple(ORDER_TEXTS) == ORDERS


def test_a_ranking_takes_no_module_from_the_current_folder(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "csv.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    assert client.post("/v1/rank", json={"space": SMALL, "top": 1}).status_code == 200


def test_rank_answers_its_report(client: TestClient, model: Model, tmp_path: Path) -> None:
    import perovshell

    asked = {"space": SMALL}
    reply = client.post("/v1/rank", json=asked, headers={"accept": "text/html"})
    assert reply.headers["content-type"].startswith("text/html")
    assert 'id="scatter"' in reply.text
    # It has the plots of the literature, as the report of the command line.
    evidence = perovshell.Workspace(tmp_path).evidence_table()
    wanted = render(perovshell.rank(SMALL, model=model, top=50), evidence)
    for kind in ("forest", "samples"):
        figure = f'<figure class="chart {kind}"'
        assert reply.text.count(figure) == wanted.count(figure) > 0


@pytest.mark.parametrize(
    ("space", "kind", "told"),
    [
        ({**SMALL, "shells": ["unobtainium"]}, "invalid-request", "unobtainium"),
        ("/etc/passwd", "invalid-request", "no such preset"),
        (
            {
                "cores": {
                    "A": {"ions": ["Cs", "FA"], "step": 0.01},
                    "B": {"ions": ["Pb", "Sn"], "step": 0.01},
                    "X": {"ions": ["Cl", "Br", "I"], "step": 0.05},
                },
                "shells": "all known",
                "pl_window_nm": [510, 540],
            },
            "space-too-large",
            "perovshell rank SPACE.yaml",
        ),
    ],
)
def test_a_space_that_cannot_be_ranked(
    client: TestClient, space: object, kind: str, told: str
) -> None:
    reply = client.post("/v1/rank", json={"space": space})
    assert reply.status_code == 422
    assert reply.json()["type"].endswith(kind)
    assert told in reply.json()["detail"]


# Keys, rates, doors --------------------------------------------------------------------------


def test_a_key_opens(workspace: WorkspaceFolder) -> None:
    key = add_key(workspace, "lab")
    with TestClient(
        create_app(Champion(Source(workspace)), Settings(KeyRing(workspace.keys_file)))
    ) as made:
        refused = made.get("/v1/model")
        wrong = made.get("/v1/model", headers={"authorization": f"Bearer {key}x"})
        taken = made.get("/v1/model", headers={"authorization": f"Bearer {key}"})
        assert [refused.status_code, wrong.status_code, taken.status_code] == [401, 401, 200]
        assert refused.headers["www-authenticate"] == "Bearer"
        assert made.get("/healthz").status_code == 200
        assert made.get("/metrics").status_code == 401
        remove_key(workspace, "lab")
        late = made.get("/v1/model", headers={"authorization": f"Bearer {key}"})
        assert late.status_code == 401


def test_keys_are_kept_as_hashes(workspace: WorkspaceFolder) -> None:
    key = add_key(workspace, "lab")
    assert key not in workspace.keys_file.read_text()
    assert workspace.keys_file.stat().st_mode & 0o077 == 0
    assert Keys.read(workspace.keys_file).name_of(key) == "lab"
    with pytest.raises(ValueError, match="it exists already"):
        add_key(workspace, "lab")


def test_keys_stay_where_a_link_leads(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    secret = tmp_path / "secrets.json"
    secret.write_text("{}")
    secret.chmod(0o640)
    workspace.keys_file.symlink_to(secret)
    add_key(workspace, "lab")
    assert workspace.keys_file.is_symlink()
    assert list(Keys.read(secret).hashes) == ["lab"]
    assert secret.stat().st_mode & 0o777 == 0o640
    with pytest.raises(ValueError, match="known: lab"):
        remove_key(workspace, "other")
    with pytest.raises(ValueError, match="letter first"):
        add_key(workspace, "../lab")


@pytest.mark.parametrize("content", ["[]", "{", '{"lab": "secret"}', '{"lab": 5}'])
def test_damaged_keys_are_refused(workspace: WorkspaceFolder, content: str) -> None:
    workspace.keys_file.write_text(content)
    with pytest.raises(WorkspaceError, match=r"api-keys\.json: cannot be read"):
        Keys.read(workspace.keys_file)


def test_keys_that_get_damaged_change_nothing(workspace: WorkspaceFolder) -> None:
    key = add_key(workspace, "lab")
    ring = KeyRing(workspace.keys_file)
    workspace.keys_file.write_text("{")
    assert ring.name_of(key) == "lab"


def test_keys_that_cannot_be_read_for_a_while_are_read_then(
    workspace: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = add_key(workspace, "lab")
    ring = KeyRing(workspace.keys_file)
    remove_key(workspace, "lab")
    with monkeypatch.context() as patch:
        # Such as by too many open files, or by a file of another user.
        patch.setattr(Path, "read_bytes", _not_allowed)
        assert [ring.name_of(key) for _ in range(3)] == ["lab"] * 3
    assert ring.name_of(key) is None
    assert len(caplog.records) == 1


def _not_allowed(path: Path) -> bytes:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_a_rate_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("perovshell.serve.service.middleware.time.monotonic", lambda: now)
    rate = Rate(2.0)
    assert [rate.seconds_to_wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rate.seconds_to_wait("b") == 0
    now += 0.5
    assert rate.seconds_to_wait("a") == 0
    assert rate.seconds_to_wait("a") == pytest.approx(0.5)


def test_too_often_is_told_when_to_come_back(workspace: WorkspaceFolder) -> None:
    with TestClient(create_app(Champion(Source(workspace)), Settings(rate=0.1))) as made:
        assert made.get("/v1/model").status_code == 200
        late = made.get("/v1/model")
        assert late.status_code == 429
        assert 1 <= int(late.headers["retry-after"]) <= 10
        assert made.get("/healthz").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_this_machine_needs_no_key(host: str) -> None:
    refuse_open_doors(host, Settings(), insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_machines_need_a_key(host: str, workspace: WorkspaceFolder) -> None:
    with pytest.raises(ServiceError, match="keys add"):
        refuse_open_doors(host, Settings(), insecure=False)
    refuse_open_doors(host, Settings(), insecure=True)
    add_key(workspace, "lab")
    refuse_open_doors(host, Settings(KeyRing(workspace.keys_file)), insecure=False)


def test_a_port_in_use_is_told() -> None:
    told = pytest.raises(ServiceError, match="another process listens there")
    with listen("127.0.0.1", 0) as taken, told:
        listen("127.0.0.1", taken.getsockname()[1])


# Hot swap ------------------------------------------------------------------------------------


def test_a_promotion_takes_its_place_and_a_broken_model_does_not(
    workspace: WorkspaceFolder,
) -> None:
    champion = Champion(Source(workspace))
    champion.open()
    first = champion.served
    broken = workspace.models / "ffffffffffff"
    shutil.copytree(first.model.folder, broken)
    (broken / "pl.npz").write_bytes(b"PK")
    workspace.set_champion(broken.name, "broken", "8")
    asyncio.run(champion.refresh())
    assert champion.served is first
    assert "pl.npz" in champion.fault
    workspace.set_champion(first.model.info.model_id, "back", "9")
    asyncio.run(champion.refresh())
    assert champion.served is not first
    assert champion.served.version == "9"
    assert champion.fault == ""


def test_a_replaced_model_leaves_the_memory(workspace: WorkspaceFolder) -> None:
    """What is loaded is left out of garbage collections, but for the swap of a model."""
    champion = Champion(Source(workspace))
    champion.open()
    settle()
    old = weakref.ref(champion.served.model)
    workspace.set_champion(champion.served.model.info.model_id, "again", "8")
    asyncio.run(champion.refresh())
    assert old() is None
    assert gc.get_freeze_count() > 0


def test_the_watch_sees_a_promotion(workspace: WorkspaceFolder) -> None:
    champion = Champion(Source(workspace))
    champion.open()

    async def look() -> None:
        watch = asyncio.create_task(champion.watch(0.01))
        workspace.set_champion(champion.served.model.info.model_id, "again", "8")
        async with asyncio.timeout(20):
            while champion.served.version != "8":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        watch.cancel()

    asyncio.run(look())


def test_the_watch_goes_on_after_a_fault(
    workspace: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = Champion(Source(workspace))
    champion.open()
    before, faults = champion.served, []

    async def no_thread(_: object) -> Served | None:
        faults.append("can't start new thread")
        raise RuntimeError(faults[-1])

    async def watch() -> None:
        watching = asyncio.create_task(champion.watch(0.01))
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "to_thread", no_thread)
            workspace.set_champion(workspace.champion().name, "again")
            while len(faults) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert "can't start new thread" in champion.fault
        while champion.served is before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(asyncio.wait_for(watch(), 10))
    assert not champion.fault


def test_the_address_of_a_version_6_host_has_brackets() -> None:
    with listen("::1", 0) as listener:
        port = listener.getsockname()[1]
        assert address("::1", listener) == f"http://[::1]:{port}"
    with listen("127.0.0.1", 0) as listener:
        assert address("127.0.0.1", listener).startswith("http://127.0.0.1:")


def test_a_given_folder_never_changes(workspace: WorkspaceFolder, trained: TrainedModel) -> None:
    source = Source(workspace, str(trained.folder))
    assert source.stamp == ()
    assert source.load().named["version"] is None
    with pytest.raises(ModelFolderError):
        Source(workspace, str(workspace.root)).load()


# Batching ------------------------------------------------------------------------------------


def test_requests_are_answered_together_and_each_gets_its_own(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "ROWS_A_TURN", 5)
    sizes = []
    real = Asked.answer

    def counted(self: Asked, rows: batching.Rows) -> list[Answer]:
        sizes.append(len(rows))
        return real(self, rows)

    monkeypatch.setattr(Asked, "answer", counted)
    served = Served(model, "1")
    cores = ["CsPbBr3", "CsPbI3", "CsPbCl3", "FAPbBr3", "XX", "MAPbI3", "CsSnI3"]
    asked = [
        (
            Asked(served, ("water",), coverage, NO_THRESHOLDS),
            [{"core": core, "shell": "SiO2"}] * count,
        )
        for core, count, coverage in zip(
            cores, [12, 1, 1, 2, 1, 1, 3], [0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.9], strict=True
        )
    ]

    async def ask() -> list[list[Answer]]:
        batcher = Batcher()
        return await asyncio.gather(*(batcher.answer(how, rows) for how, rows in asked))

    found = asyncio.run(ask())
    for (how, rows), answers in zip(asked, found, strict=True):
        wanted = real(how, rows)
        assert [repr(one.values) for one in answers] == [repr(one.values) for one in wanted]
    assert sum(sizes) == 21
    assert max(sizes) <= 5
    assert len(sizes) < 10


def test_short_requests_do_not_keep_a_long_one_waiting(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "ROWS_A_TURN", 8)
    monkeypatch.setattr(Asked, "answer", lambda _, rows: list(rows))
    how = Asked(Served(model, "1"), ("water",), 0.9, NO_THRESHOLDS)

    async def ask() -> tuple[int, list[Answer]]:
        batcher = Batcher()
        long = asyncio.create_task(batcher.answer(how, [ROW] * 20))
        short: set[asyncio.Task[list[Answer]]] = set()
        answered = 0
        while not long.done() and answered < 1000:
            # Many more of them wait than are answered in one turn.
            short |= {
                asyncio.create_task(batcher.answer(how, [ROW] * 2)) for _ in range(40 - len(short))
            }
            done, short = await asyncio.wait(short, return_when=asyncio.FIRST_COMPLETED)
            answered += len(done)
        await asyncio.gather(*short)
        return answered, await long

    answered, answers = asyncio.run(ask())
    assert answered < 200
    assert answers == [ROW] * 20


def test_a_fault_reaches_those_who_asked_alone(model: Model) -> None:
    good = Asked(Served(model, "1"), ("water",), 0.9, NO_THRESHOLDS)
    bad = Asked(Served(model, "1"), ("boredom",), 0.9, NO_THRESHOLDS)

    async def ask() -> list[object]:
        batcher = Batcher()
        asked = [batcher.answer(how, [ROW]) for how in (good, bad, good)]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert isinstance(second, ValueError)
    assert isinstance(first, list)
    assert isinstance(third, list)


def test_rows_with_a_fault_spoil_no_other_request_of_their_turn(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Asked.answer

    def faulty(self: Asked, rows: batching.Rows) -> list[Answer]:
        if any(row["core"] == "fault" for row in rows):
            raise RuntimeError
        return real(self, rows)

    monkeypatch.setattr(Asked, "answer", faulty)
    how = Asked(Served(model, "1"), ("water",), 0.9, NO_THRESHOLDS)

    async def ask() -> list[object]:
        batcher = Batcher()
        asked = [
            batcher.answer(how, [ROW | {"core": one}]) for one in ("CsPbBr3", "fault", "CsPbI3")
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert isinstance(second, RuntimeError)
    assert isinstance(first, list)
    assert isinstance(third, list)


def test_more_than_can_wait_is_asked_to_come_back(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WAITING_ROWS", 3)
    monkeypatch.setattr(limits, "BATCHES", 0)
    how = Asked(Served(model, "1"), ("water",), 0.9, NO_THRESHOLDS)

    async def ask() -> list[object]:
        batcher = Batcher()
        asked = [batcher.answer(how, [ROW] * 2) for _ in range(3)]
        return await asyncio.gather(*asked, Pool().answer(how, [ROW]), return_exceptions=True)

    *served, late, batch = asyncio.run(ask())
    assert [len(answers) for answers in served] == [2, 2]
    assert late.status == batch.status == 503
    assert late.headers == {"retry-after": "1"}


# Operations ----------------------------------------------------------------------------------


def test_figures_count(fresh: TestClient) -> None:
    rows = [ROW, {"core": "AuCu", "shell": "CsPbCl3"}, {"core": "XX", "shell": "none"}]
    fresh.post("/v1/predict", json={"rows": rows})
    fresh.get("/nowhere")
    text = fresh.get("/metrics").text
    assert "perovshell_rows_total 3.0" in text
    assert "perovshell_rows_failed_total 1.0" in text
    assert "perovshell_rows_outside_domain_total 1.0" in text
    assert 'perovshell_requests_total{path="/v1/predict",status="200"} 1.0' in text
    assert 'perovshell_requests_total{path="other",status="404"} 1.0' in text
    assert 'version="7"' in text


def test_the_request_log_is_what_a_training_reads(workspace: WorkspaceFolder) -> None:
    from perovshell.training.promotion.drift import _requests

    with TestClient(create_app(Champion(Source(workspace)))) as made:
        made.post("/v1/predict", json={"rows": [ROW, {"core": "AuCu", "shell": "CsPbCl3"}]})
        made.post("/v1/predict", json={"rows": [ROW]})
    counted = _requests(workspace.request_logs[:1])
    assert (counted.rows, counted.outside, counted.unreadable) == (3, 1, 0)


def test_a_request_has_an_id(client: TestClient) -> None:
    own = client.get("/healthz", headers={"x-request-id": "run-5.a"})
    assert own.headers["x-request-id"] == "run-5.a"
    forged = client.get("/healthz", headers={"x-request-id": 'a"b'})
    assert len(forged.headers["x-request-id"]) == 32


def test_who_is_refused_stands_in_the_log(
    workspace: WorkspaceFolder, caplog: pytest.LogCaptureFixture
) -> None:
    key = add_key(workspace, "lab")
    settings = Settings(KeyRing(workspace.keys_file), rate=1.0)
    mine = {"authorization": f"Bearer {key}"}
    caplog.set_level(logging.INFO, "perovshell.service")
    with TestClient(
        create_app(Champion(Source(workspace)), settings), client=("10.0.0.7", 5)
    ) as made:
        made.get("/v1/model")
        made.post("/v1/predict", content=b" " * (limits.BODY_BYTES + 1), headers=mine)
        for _ in range(2):
            made.get("/v1/vocabulary", headers=mine)
    logged = [record.fields for record in caplog.records if record.message == "request"]
    assert [(fields["status"], fields["client"]) for fields in logged] == [
        (401, "10.0.0.7"),
        (413, "lab"),
        (200, "lab"),
        (429, "lab"),
    ]


def test_a_failure_is_a_problem_and_stands_in_the_log(
    fresh: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        msg = "on purpose"
        raise RuntimeError(msg)

    monkeypatch.setattr(Asked, "answer", fail)
    reply = fresh.post("/v1/predict", json={"rows": [ROW]})
    assert reply.status_code == 500
    assert reply.headers["x-request-id"] in reply.json()["detail"]
    assert "on purpose" not in reply.text
    assert "on purpose" in caplog.text


def test_docs_need_no_other_address(client: TestClient) -> None:
    text = client.get("/docs").text
    assert "swagger" in text
    assert "http://" not in text.replace("http://testserver", "")
    assert "https://" not in text


SHELL = {"name": "PVK", "class": "polymer", "source": "10.1000/x", "formula": "C14H11N"}


def test_a_request_may_bring_its_shells(client: TestClient, model: Model) -> None:
    rows = [{"core": "CsPbBr3", "shell": "PVK"}, {"core": "CsPbBr3", "shell": "SiO2"}]
    reply = client.post("/v1/predict", json={"rows": rows, "shells": [SHELL], "details": True})
    assert reply.json()["failed"] == 0
    values = model.with_shells([SHELL]).predict(rows)
    assert reply.json()["answers"][0]["pl_peak_nm"] == values[0]["pl_peak_nm"]
    assert values[1] == model.predict(rows[1:])[0]
    # The next request does not know it.
    assert client.post("/v1/predict", json={"rows": rows}).json()["failed"] == 1


def test_a_ranking_may_bring_its_shells(client: TestClient) -> None:
    space = {"name": "s", "cores": ["CsPbBr3"], "shells": ["PVK"], "pl_window_nm": [500, 530]}
    space["constraints"] = {"insoluble_in_water": False}
    asked = {"space": {**space, "stressors": ["heat"]}, "shells": [SHELL]}
    reply = client.post("/v1/rank", json=asked)
    assert [line["shell"] for line in reply.json()["candidates"]] == ["PVK"]


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ({**SHELL, "class": "plast"}, "shell class 'plast': allowed: carbon, "),
        ({**SHELL, "name": "SiO2", "aliases": ["PMMA"]}, "names both"),
        ({**SHELL, "source": ""}, "source"),
    ],
)
def test_a_shell_at_fault_is_refused(client: TestClient, shell: dict, said: str) -> None:
    reply = client.post("/v1/predict", json={"rows": [ROW], "shells": [shell]})
    assert reply.status_code == 422
    assert said in reply.json()["detail"]


def test_many_rows_bring_no_shells(client: TestClient) -> None:
    reply = client.post("/v1/predict", json={"rows": [ROW] * 513, "shells": [SHELL]})
    assert reply.json()["detail"] == "513 rows with shells of their own: at most 512"
