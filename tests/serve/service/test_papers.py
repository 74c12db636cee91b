"""Papers over HTTP: drafting, checking, adding, and who may add."""

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import paper_reader, read_yaml
from perovshell.drafting.draft import draft
from perovshell.serve.service import limits
from perovshell.serve.service.app import Settings, create_app
from perovshell.serve.service.keys import KeyRing, add_key
from perovshell.serve.service.paper_form import paper_form
from perovshell.serve.service.source import Champion, Source
from perovshell.training.train import TrainedModel
from perovshell.workbench import Workspace
from perovshell.workspace.folder import WorkspaceFolder
from privileges import drop_privileges
from servers import serving, workspace_of

UNMEASURED_PROCESSES = True

ABSTRACT = (
    "Silica on CsPbBr3 nanocrystals, an example\n\n"
    "The core/shell CsPbBr3@SiO2 NCs emit at 518 nm with a PLQY of 84%. After 30 d in water, "
    "CsPbBr3@SiO2 NCs kept 88% of their PL, whereas bare CsPbBr3 NCs kept 4% after 2 h."
)
UNCLEAR = "A PLQY of 70% or 80% was found for some films of CsPbBr3."
SAMPLE = {"name": "S1", "core": "CsPbBr3", "shell": "SiO2", "structure": "core/shell"}
PAPER = {
    "paper_id": "smith2026",
    "year": 2026,
    "title": "Silica on nanocrystals, an example",
    "source": "primary abstract",
    "samples": [{**SAMPLE, "pl_peak_nm": "~515", "plqy_percent": "81 \u00b1 3"}],
}
FRACTION = {**PAPER, "samples": [{**SAMPLE, "plqy_percent": "0.62"}]}


@pytest.fixture
def workspace(trained: TrainedModel, tmp_path: Path) -> WorkspaceFolder:
    return workspace_of(trained, tmp_path / "workspace")


def local(source: Source, keys: KeyRing | None = None, client: str = "127.0.0.1") -> TestClient:
    app = create_app(Champion(source), Settings(keys or KeyRing()))
    return TestClient(app, base_url="http://127.0.0.1:8000", client=(client, 50000))


@pytest.fixture
def client(workspace: WorkspaceFolder) -> Iterator[TestClient]:
    with local(Source(workspace)) as made:
        yield made


def checked(client: TestClient, paper: Any, **options: Any) -> Any:
    reply = client.post("/v1/papers/check", json={"paper": paper, **options})
    assert reply.status_code == 200, reply.text
    return reply.json()


def pointers(answer: Any) -> list[str]:
    return [fault["pointer"] for fault in answer["faults"]]


# Drafts --------------------------------------------------------------------------------------


def test_a_draft_is_that_of_the_command_line(client: TestClient) -> None:
    reply = client.post("/v1/papers/draft", json={"text": ABSTRACT})
    assert reply.status_code == 200
    drafted = reply.json()
    expected = draft(ABSTRACT)
    assert (drafted["yaml"], drafted["summary"]) == (expected.yaml, expected.summary)
    written = yaml.load(drafted["yaml"], yaml.BaseLoader)
    assert drafted["paper"] == {key: value for key, value in written.items() if value}


def test_each_value_of_a_draft_has_its_sentence(client: TestClient) -> None:
    drafted = client.post("/v1/papers/draft", json={"text": ABSTRACT}).json()
    sentences = drafted["sentences"]
    assert sentences["/samples/0/pl_peak_nm"][0].endswith("emit at 518 nm with a PLQY of 84%.")
    for key in ("coated/duration", "coated/percent", "bare/duration", "stressor"):
        assert "kept 88%" in sentences[f"/samples/0/stability/0/{key}"][0]
    assert [one["pointer"] for one in drafted["open"]] == ["/paper_id", "/doi", "/year"]


def test_what_is_not_clear_is_listed(client: TestClient) -> None:
    text = f"{ABSTRACT} The CsPbBr3@SiO2 NCs have a PLQY of 70%."
    drafted = client.post("/v1/papers/draft", json={"text": text}).json()
    (plqy,) = (one for one in drafted["open"] if one["pointer"] == "/samples/0/plqy_percent")
    assert plqy["detail"] == "84 % or 70 %?"
    assert len(drafted["sentences"]["/samples/0/plqy_percent"]) == 2
    assert drafted["unclear"] == []
    text = f"{ABSTRACT} The bare CsPbBr3 NCs have a PLQY of 62%. {UNCLEAR}"
    other = client.post("/v1/papers/draft", json={"text": text}).json()
    assert other["unclear"] == [f"plqy_percent {n} %: {UNCLEAR}" for n in (70, 80)]


def test_a_draft_knows_the_shells_of_the_workspace(
    client: TestClient, workspace: WorkspaceFolder
) -> None:
    Workspace(workspace.root).materials.add_shell("PVKX", "polymer", source="10.1000/x")
    text = "A title\n\nThe CsPbBr3@PVKX NCs emit at 518 nm."
    drafted = client.post("/v1/papers/draft", json={"text": text}).json()
    assert drafted["paper"]["samples"][0]["shell"] == "PVKX"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"text": "x" * 4_000_000}, "#/text"),
        ({"text": ""}, "#/text"),
        ({"text": 5}, "#/text"),
        ({}, "#/text"),
    ],
    ids=["4 MB", "empty", "number", "missing"],
)
def test_a_text_that_is_not_drafted(client: TestClient, body: object, where: str) -> None:
    reply = client.post("/v1/papers/draft", json=body)
    assert reply.status_code == 422
    assert [fault["pointer"] for fault in reply.json()["errors"]] == [where]


def test_the_longest_text_is_drafted(client: TestClient) -> None:
    text = (ABSTRACT * 1000)[: limits.DRAFT_TEXT // 4]
    assert client.post("/v1/papers/draft", json={"text": text}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/papers/draft", "/v1/papers/check", "/v1/papers"])
def test_a_body_that_is_not_json_in_unicode(client: TestClient, path: str) -> None:
    headers = {"content-type": "application/json"}
    assert client.post(path, content=b'{"text": "\xff"}', headers=headers).status_code == 422
    plain = client.post(path, content=b"{}", headers={"content-type": "text/plain"})
    assert plain.status_code == 415


# Checks --------------------------------------------------------------------------------------


def test_a_good_paper_is_understood_as_the_command_line_does(
    client: TestClient, workspace: WorkspaceFolder
) -> None:
    answer = checked(client, PAPER)
    assert answer["faults"] == answer["questions"] == answer["changes"] == answer["unchanged"] == []
    assert answer["understood"] == Workspace(workspace.root).propose(PAPER).lines()
    assert not list(workspace.papers.iterdir())


def test_the_file_of_a_check_is_read_as_the_paper(client: TestClient) -> None:
    paper = {**PAPER, "doi": "", "note": None, "title": 'a: "b" #c'}
    text = checked(client, paper)["yaml"]
    assert "doi" not in text
    assert "note" not in text
    entry = read_yaml(text, "a.yaml")
    assert entry.paper["title"] == 'a: "b" #c'
    assert entry.samples[0]["plqy_low"] == "78"


def test_all_faults_have_the_pointers_of_their_fields(client: TestClient) -> None:
    test = {"stressor": "rain", "coated": {"duration": "long", "percent": "80"}}
    samples = [
        {**SAMPLE, "shell": "unobtainium", "plqy_percent": ">", "stability": [test]},
        {"name": "S2", "core": "CsPbX", "shell": "SiO2", "colour": "red"},
        {},
    ]
    answer = checked(client, {"paper_id": "a b", "samples": samples})
    assert set(pointers(answer)) == {
        "/paper_id",
        "/samples/0/shell",
        "/samples/0/plqy_percent",
        "/samples/0/stability/0/stressor",
        "/samples/0/stability/0/coated/duration",
        "/samples/1/core",
        "/samples/1/structure",
        "/samples/1/colour",
        "/samples/2/name",
        "/samples/2/core",
        "/samples/2/shell",
    }
    assert all(fault["detail"] for fault in answer["faults"])
    assert answer["understood"] == []


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([{**SAMPLE, "bare": "S9"}], "/samples/0/bare"),
        ([SAMPLE, SAMPLE], "/samples/1/name"),
        ([SAMPLE, {**SAMPLE, "name": "S2", "plqy_percent": 130}], "/samples/1/plqy_percent"),
        ([{**SAMPLE, "monolayers": 3}], "/samples/0/monolayers"),
        (
            [{**SAMPLE, "stability": [{"stressor": "water", "coated": {"percent": 80}}]}],
            "/samples/0/stability/0/coated/duration",
        ),
        (
            [{**SAMPLE, "stability": [{"stressor": "water"}]}],
            "/samples/0/stability/0/coated/percent",
        ),
        ("none", "/samples"),
    ],
    ids=["bare", "same name", "plqy", "monolayers", "no duration", "no reading", "no list"],
)
def test_a_fault_of_the_values_has_its_pointer_too(
    client: TestClient, samples: object, expected: str
) -> None:
    assert pointers(checked(client, {**PAPER, "samples": samples})) == [expected]


def test_a_paper_that_is_there_is_at_its_name_with_the_way_out(client: TestClient) -> None:
    (fault,) = checked(client, {**PAPER, "paper_id": "hu2018"})["faults"]
    assert fault == {
        "pointer": "/paper_id",
        "detail": 'in the data already; a correction of it needs "replace": true',
    }
    answer = checked(client, {**PAPER, "paper_id": "hu2018"}, replace=True)
    assert answer["faults"] == []
    assert "hu2018: year 2018 -> 2026" in answer["changes"]


def test_a_doi_of_another_paper_is_refused_with_the_way_out(
    client: TestClient, dataset: Dataset
) -> None:
    (fault,) = checked(client, {**PAPER, "doi": dataset.papers["hu2018"].doi})["faults"]
    assert fault["pointer"] == "/doi"
    assert "(paper 'hu2018')" in fault["detail"]
    assert "supersedes" in fault["detail"]


def test_questions_have_the_pointers_of_their_values(client: TestClient) -> None:
    tests = [
        {"stressor": "heat", "temperature_c": 393, "bare": {"duration": "1 h", "percent": 20}},
        {"stressor": "water", "coated": {"duration": "1 h", "percent": "0.8"}},
    ]
    answer = checked(
        client,
        {
            **PAPER,
            "title": "",
            "year": "",
            "samples": [SAMPLE, {**SAMPLE, "name": "S2", "plqy_percent": 0.62, "stability": tests}],
        },
    )
    asked = {(question["pointer"], question["is_outlier"]) for question in answer["questions"]}
    assert answer["faults"] == []
    assert asked >= {
        ("/title", False),
        ("/samples/1/plqy_percent", True),
        ("/samples/1/stability/1/coated/percent", True),
        ("/samples/1/stability/0/temperature_c", False),
    }


def test_a_title_of_another_paper_is_asked_about(client: TestClient, dataset: Dataset) -> None:
    title = dataset.papers["hu2018"].title
    (question,) = checked(client, {**PAPER, "title": title})["questions"]
    assert (question["pointer"], question["is_outlier"]) == ("/title", True)
    assert "supersedes" in question["reason"]


def test_a_new_shell_is_read_with_its_paper(client: TestClient) -> None:
    shell = {"name": "PVKX", "class": "polymer", "source": "10.1000/x"}
    paper = {**PAPER, "shells": [shell], "samples": [{**SAMPLE, "shell": "PVKX"}]}
    assert "new shell: PVKX, polymer, 10.1000/x" in checked(client, paper)["understood"]
    paper["shells"] = [{**shell, "class": "cheese"}]
    assert "/shells/0" in pointers(checked(client, paper))


def test_a_paper_that_is_too_large_is_refused(client: TestClient) -> None:
    paper = {**PAPER, "note": "x" * limits.PAPER_TEXT}
    for path in ("/v1/papers/check", "/v1/papers"):
        reply = client.post(path, json={"paper": paper})
        assert reply.status_code == 413
        assert str(limits.PAPER_TEXT) in reply.json()["detail"]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
KEYS = st.sampled_from(
    [
        "paper_id", "doi", "year", "title", "source", "samples", "supersedes", "shells",
        "withdrawn", "name", "core", "shell", "structure", "plqy_percent", "pl_peak_nm", "bare",
        "stability", "stressor", "measure", "coated", "duration", "percent", "class", "sample_id",
    ]
) | st.text(max_size=6)  # fmt: skip
WORDS = st.sampled_from(
    ["smith2026", "hu2018", "CsPbBr3", "SiO2", "none", "core/shell", "water", "80", "30 d", "0.5"]
)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


def sample_like() -> st.SearchStrategy[dict[str, Any]]:
    changes = st.dictionaries(KEYS, VALUES, max_size=3)
    return changes.map(lambda change: {**SAMPLE, **change})


PAPERS = st.dictionaries(KEYS, VALUES, max_size=6) | st.lists(sample_like(), max_size=3).map(
    lambda samples: {**PAPER, "samples": samples}
)


@pytest.mark.unmeasured
@pytest.mark.parametrize("path", ["/v1/papers/check", "/v1/papers"])
def test_any_mapping_is_answered(client: TestClient, path: str) -> None:
    known = {key.name for key in paper_reader().keys}

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(paper=PAPERS)
    def ask(paper: dict[str, Any]) -> None:
        body = json.dumps({"paper": paper}).replace("NaN", "1e999").replace("Infinity", "1e999")
        headers = {"content-type": "application/json"}
        reply = client.post(path, content=body, headers=headers)
        assert reply.status_code in {200, 201, 409, 422}, reply.text
        if reply.status_code == 200 and not paper.keys() <= known:
            assert reply.json()["faults"]

    ask()


def test_halves_of_characters_are_refused_and_do_not_fail(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    text = client.post("/v1/papers/draft", content=b'{"text": "\\ud800"}', headers=headers)
    assert text.status_code in {200, 422}
    for body in (b'{"paper": {"title": "\\ud800"}}', b'{"paper": {"\\ud800": 1}}'):
        for path in ("/v1/papers/check", "/v1/papers"):
            assert client.post(path, content=body, headers=headers).status_code in {200, 422}


# Adding --------------------------------------------------------------------------------------


def test_an_added_paper_is_in_the_data(client: TestClient, workspace: WorkspaceFolder) -> None:
    reply = client.post("/v1/papers", json={"paper": PAPER})
    assert reply.status_code == 201, reply.text
    added = reply.json()
    dataset = Workspace(workspace.root).dataset()
    assert added["paper_id"] == "smith2026"
    assert added["dataset"] == {**dataset.counts, "hash": dataset.content_hash}
    assert dataset.samples["smith2026-S1"].plqy.low == 78
    assert "perovshell retrain" in added["next"]
    assert added["understood"][0] == "smith2026: understood as"


def test_faults_and_outliers_add_nothing(client: TestClient, workspace: WorkspaceFolder) -> None:
    faulty = client.post("/v1/papers", json={"paper": {**PAPER, "doi": "x", "samples": [{}]}})
    assert faulty.status_code == 422
    told = {fault["pointer"] for fault in faulty.json()["errors"]}
    assert {"#/paper/doi", "#/paper/samples/0/core"} < told
    outlier = client.post("/v1/papers", json={"paper": FRACTION})
    assert outlier.status_code == 422
    assert outlier.json()["type"].endswith("outliers")
    (question,) = outlier.json()["questions"]
    assert question["pointer"] == "/samples/0/plqy_percent"
    assert not list(workspace.papers.iterdir())
    accepted = client.post("/v1/papers", json={"paper": FRACTION, "accept_outliers": True})
    assert accepted.status_code == 201


def test_a_paper_that_is_there_is_a_conflict(client: TestClient) -> None:
    assert client.post("/v1/papers", json={"paper": PAPER}).status_code == 201
    changed = {**PAPER, "year": 2025}
    for paper in (PAPER, changed):
        again = client.post("/v1/papers", json={"paper": paper})
        assert again.status_code == 409
        assert again.json()["type"].endswith("paper-exists")
    assert checked(client, PAPER)["unchanged"] == ["smith2026"]
    assert client.post("/v1/papers", json={"paper": changed, "replace": True}).status_code == 201


def test_a_shell_with_the_name_of_another_is_a_fault(client: TestClient) -> None:
    shell = {"name": "PVKX", "class": "polymer", "source": "10.1000/x", "aliases": ["silica"]}
    paper = {**PAPER, "shells": [shell]}
    (fault,) = checked(client, paper)["faults"]
    assert "'silica' names both" in fault["detail"]
    reply = client.post("/v1/papers", json={"paper": paper})
    assert reply.status_code == 422
    assert "'silica' names both" in reply.json()["detail"]


@pytest.mark.parametrize("depth", [190, 20_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_a_deep_mapping_is_refused(client: TestClient, begin: str, end: str, depth: int) -> None:
    body = f'{{"paper": {{"samples": {begin * depth}1{end * depth}}}}}'
    reply = client.post("/v1/papers", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 422


def test_a_fault_with_another_paper_names_its_file(client: TestClient) -> None:
    first = {**PAPER, "paper_id": "a2026", "samples": []}
    assert client.post("/v1/papers", json={"paper": first}).status_code == 201
    other = {**first, "paper_id": "b2026", "title": "Another paper", "supersedes": "a2026"}
    assert client.post("/v1/papers", json={"paper": other}).status_code == 201
    circle = {**first, "supersedes": "b2026"}
    faults = checked(client, circle, replace=True)["faults"]
    assert "/supersedes" in [one["pointer"] for one in faults]
    (other_fault,) = (one for one in faults if not one["pointer"])
    assert other_fault["detail"].startswith("b2026.yaml")


def test_a_workspace_that_cannot_be_written(client: TestClient, workspace: WorkspaceFolder) -> None:
    workspace.papers.rmdir()
    workspace.papers.write_text("no folder")
    reply = client.post("/v1/papers", json={"paper": PAPER})
    assert reply.status_code == 409
    assert reply.json()["type"].endswith("no-workspace")
    assert "not writable" in reply.json()["detail"]


def test_a_service_of_a_model_folder_adds_nothing(trained: TrainedModel, tmp_path: Path) -> None:
    source = Source(WorkspaceFolder(tmp_path / "none"), str(trained.folder))
    with local(source) as made:
        assert checked(made, PAPER)["faults"] == []
        reply = made.post("/v1/papers", json={"paper": PAPER})
    assert reply.status_code == 409
    assert "model folder" in reply.json()["detail"]
    assert not (tmp_path / "none").exists()


def test_damaged_materials_are_a_problem(client: TestClient, workspace: WorkspaceFolder) -> None:
    folder = workspace.root / "materials"
    folder.mkdir()
    (folder / "shells.csv").write_text("a,b\n1,2\n")
    for path, body in (("draft", {"text": ABSTRACT}), ("check", {"paper": PAPER})):
        reply = client.post(f"/v1/papers/{path}", json=body)
        assert reply.status_code == 409
        assert "shells.csv" in reply.json()["detail"]


# Who may add ---------------------------------------------------------------------------------


def added(client: TestClient, **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = client.post("/v1/papers", json={"paper": PAPER}, headers=named)
    return reply.status_code, reply.json().get("detail", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "127.0.0.1"},
        {"x_forwarded_host": "127.0.0.1"},
        {"x_forwarded_prefix": "/lab"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
        {"x_real_ip": "127.0.0.1"},
        {"host": "rebound.example.org"},
        {"host": "127.0.0.1.example.org"},
        {"host": "[bad"},
        {"host": ""},
        {"origin": "http://evil.example.org"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8000.example.org"},
    ],
    ids=str,
)
def test_without_keys_only_this_machine_and_its_own_page_may_add(
    client: TestClient, workspace: WorkspaceFolder, headers: dict[str, str]
) -> None:
    status, detail = added(client, **headers)
    assert status == 403
    assert detail
    assert not list(workspace.papers.iterdir())


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LOCALHOST"])
def test_without_keys_the_page_of_this_machine_may_add(client: TestClient, host: str) -> None:
    assert added(client, host=host, origin=f"http://{host}".lower())[0] == 201


@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.1", "2001:db8::1", "unknown"])
def test_without_keys_another_machine_may_not_add(workspace: WorkspaceFolder, address: str) -> None:
    with local(Source(workspace), client=address) as made:
        status, detail = added(made)
    assert status == 403
    assert "perovshell keys add" in detail


@pytest.mark.parametrize("address", ["::1", "127.0.0.9", "::ffff:127.0.0.1"])
def test_this_machine_has_several_addresses(workspace: WorkspaceFolder, address: str) -> None:
    with local(Source(workspace), client=address) as made:
        assert added(made)[0] == 201


def test_with_keys_a_key_is_needed_and_enough(workspace: WorkspaceFolder) -> None:
    key = add_key(workspace, "lab")
    with local(Source(workspace), KeyRing(workspace.keys_file), "192.168.1.7") as made:
        assert added(made)[0] == 401
        assert added(made, authorization=f"Bearer {key}x")[0] == 401
        assert made.post("/v1/papers/check", json={"paper": PAPER}).status_code == 401
        # As a proxy with TLS sends it.
        proxied = {"x_forwarded_for": "1.2.3.4", "host": "lab", "origin": "https://lab.example.org"}
        assert added(made, authorization=f"Bearer {key}", **proxied)[0] == 201


def test_a_first_key_closes_the_door_at_once(workspace: WorkspaceFolder) -> None:
    with local(Source(workspace), KeyRing(workspace.keys_file)) as made:
        key = add_key(workspace, "lab")
        assert made.get("/v1/model").status_code == 200
        assert added(made)[0] == 401
        assert added(made, authorization=f"Bearer {key}")[0] == 201


# As a process --------------------------------------------------------------------------------


def test_of_several_who_add_a_paper_at_once_one_does(
    workspace: WorkspaceFolder, tmp_path: Path
) -> None:
    with (
        serving(workspace.root, tmp_path / "log") as one,
        serving(workspace.root, tmp_path / "log2") as other,
    ):

        def add(url: str, paper: dict[str, Any]) -> int:
            return httpx2.post(f"{url}/v1/papers", json={"paper": paper}, timeout=30).status_code

        urls = [one.url, other.url] * 2
        for number, name in enumerate(("a2026", "b2026", "c2026")):
            sample = {**SAMPLE, "pl_peak_nm": 510 + number}
            paper = {**PAPER, "paper_id": name, "title": f"Paper {name}", "samples": [sample]}
            papers = [{**paper, "note": str(k)} for k in range(len(urls))]
            with ThreadPoolExecutor(len(urls)) as pool:
                assert sorted(pool.map(add, urls, papers)) == [201, 409, 409, 409]
    assert {"a2026", "b2026", "c2026"} < Workspace(workspace.root).dataset().papers.keys()


def test_a_read_only_workspace_is_a_problem(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    folders = [workspace.root, *(p for p in workspace.root.rglob("*") if p.is_dir())]
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in folders}
    for folder in folders:
        folder.chmod(0o555)
    try:
        with serving(workspace.root, tmp_path / "log", preexec_fn=drop_privileges) as server:
            reply = httpx2.post(f"{server.url}/v1/papers", json={"paper": PAPER}, timeout=30)
            assert reply.status_code == 409
            assert "not writable" in reply.json()["detail"]
            drafted = httpx2.post(
                f"{server.url}/v1/papers/draft", json={"text": ABSTRACT}, timeout=30
            )
            assert drafted.status_code == 200
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)


def test_papers_load_no_training_library(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    with serving(workspace.root, tmp_path / "log") as server:
        for path, body in (("/draft", {"text": ABSTRACT}), ("", {"paper": PAPER})):
            reply = httpx2.post(f"{server.url}/v1/papers{path}", json=body, timeout=30)
            assert reply.status_code < 300
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        names = ("pandas", "xgboost", "/scipy/", "pyarrow", "matplotlib", "mlflow", "sqlalchemy")
        assert not [name for name in names if name in maps]


def test_predictions_do_not_wait_for_checks_and_too_many_are_sent_away(
    workspace: WorkspaceFolder, tmp_path: Path
) -> None:
    text = (ABSTRACT * 1000)[: limits.DRAFT_TEXT // 4]
    statuses: list[int] = []
    with serving(workspace.root, tmp_path / "log") as server:

        def ask() -> None:
            reply = httpx2.post(f"{server.url}/v1/papers/draft", json={"text": text}, timeout=120)
            statuses.append(reply.status_code)
            assert reply.status_code == 200 or reply.headers["retry-after"]

        threads = [threading.Thread(target=ask) for _ in range(limits.PAPERS_WAITING + 4)]
        for thread in threads:
            thread.start()
        rows = {"rows": [{"core": "CsPbBr3", "shell": "SiO2"}]}
        assert httpx2.post(f"{server.url}/v1/predict", json=rows, timeout=30).status_code == 200
        is_first = len(statuses) < len(threads)
        for thread in threads:
            thread.join()
    assert is_first
    assert set(statuses) == {200, 503}


def test_new_materials_are_served_without_a_restart(
    workspace: WorkspaceFolder, tmp_path: Path
) -> None:
    row = {"core": "CsPbBr3", "shell": "PVKX"}
    with serving(workspace.root, tmp_path / "log") as server:

        def error(count: int) -> str:
            reply = httpx2.post(
                f"{server.url}/v1/predict", json={"rows": [row] * count}, timeout=60
            )
            return str(reply.json()["answers"][-1]["error"])

        def shells() -> set[str]:
            answer = httpx2.get(f"{server.url}/v1/vocabulary", timeout=30)
            return {shell["name"] for shell in answer.json()["shells"]}

        tag = httpx2.get(f"{server.url}/v1/vocabulary", timeout=30).headers["etag"]
        assert "PVKX" in error(1)
        assert "PVKX" in error(600)  # By the processes for large batches.
        shell = {"name": "PVKX", "class": "polymer", "source": "10.1000/x"}
        paper = {**PAPER, "shells": [shell], "samples": [{**SAMPLE, "shell": "PVKX"}]}
        reply = httpx2.post(f"{server.url}/v1/papers", json={"paper": paper}, timeout=30)
        assert reply.status_code == 201
        _wait_for(lambda: not error(1))
        assert error(600) == ""
        assert "PVKX" in shells()
        again = httpx2.get(
            f"{server.url}/v1/vocabulary", headers={"if-none-match": tag}, timeout=30
        )
        assert again.status_code == 200
        command = "materials", "add-shell", "PVKY", "--class", "polymer", "--source", "10.1000/y"
        _run(*command, "--workspace", str(workspace.root))
        _wait_for(lambda: "PVKY" in shells())
        assert "materials changed" in [event["event"] for event in server.events()]


def _run(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "perovshell", *words], check=True, env=os.environ)


def _wait_for(what: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


# The form ------------------------------------------------------------------------------------


def test_the_form_asks_for_the_keys_of_a_paper_file() -> None:
    form = paper_form()
    keys = {key.name for key in paper_reader().keys}
    assert {field["key"] for field in form["fields"]} | {*form["lists"]} == keys - {"withdrawn"}
    sample = {field["key"]: field for field in form["lists"]["samples"]["fields"]}
    assert (sample["pl_peak_nm"]["label"], sample["pl_peak_nm"]["unit"]) == ("PL peak", "nm")
    assert sample["medium"]["words"] == ["solution", "film", "powder", "water", "unknown"]
    assert sample["medium"]["default"] == "unknown"
    assert [key for key in sample if key.endswith(("_low", "_high", "_bound"))] == []
    test = form["lists"]["samples"]["lists"]["stability"]
    sides = {name: [one["key"] for one in side["fields"]] for name, side in test["sides"].items()}
    assert sides == {"coated": ["duration", "percent"], "bare": ["duration", "percent"]}
