"""Bodies of requests, at both doors: what is read is read alike, what is not is named."""

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from perovshell.serve.service import limits
from perovshell.serve.service.app import create_app
from perovshell.serve.service.bodies import _in_utf8
from perovshell.serve.service.source import Champion, Source
from perovshell.training.train import TrainedModel
from servers import workspace_of

PREDICT = {"rows": [{"core": "CsPbBr3", "shell": "SiO2", "ligand": "Übung λ"}]}
RANK = {"space": {"cores": ["CsPbBr3"], "shells": ["SiO2"], "pl_window_nm": [500, 540]}}
DOORS = {"/v1/predict": PREDICT, "/v1/rank": RANK}
JSON = "application/json"


@pytest.fixture(scope="module")
def client(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    workspace = workspace_of(trained, tmp_path_factory.mktemp("bodies") / "workspace")
    with TestClient(create_app(Champion(Source(workspace)))) as made:
        yield made


def text_of(path: str) -> str:
    return json.dumps(DOORS[path], ensure_ascii=False)


def send(
    client: TestClient, path: str, body: bytes, kind: str = JSON, coding: str = ""
) -> tuple[int, str]:
    headers = {"content-type": kind, **({"content-encoding": coding} if coding else {})}
    reply = client.post(path, content=body, headers=headers)
    return reply.status_code, reply.json().get("detail", "")


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "kind",
    [
        JSON, "text/json", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"',
        "application/vnd.lab+json; v=1", "application/json; charset=",
    ],
)  # fmt: skip
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_json_is_read_under_its_names(
    client: TestClient, path: str, kind: str, mark: bytes
) -> None:
    assert send(client, path, mark + text_of(path).encode(), kind) == (200, "")


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=utf-16", "; charset=UTF-32"])
def test_unicode_is_read_in_every_encoding(
    client: TestClient, path: str, encoding: str, charset: str
) -> None:
    assert send(client, path, text_of(path).encode(encoding), JSON + charset) == (200, "")


@pytest.mark.parametrize(
    ("charset", "encoding"), [("iso-8859-1", "latin-1"), ("windows-1252", "cp1252")]
)
def test_western_encodings_are_read_where_they_are_named(
    client: TestClient, charset: str, encoding: str
) -> None:
    row = {"core": "grün", "shell": "SiO2"}
    body = json.dumps({"rows": [row]}, ensure_ascii=False).encode(encoding)
    headers = {"content-type": f"{JSON}; charset={charset}"}
    [answer] = client.post("/v1/predict", content=body, headers=headers).json()["answers"]
    assert "grün" in answer["error"]
    assert send(client, "/v1/predict", body)[0] == 422


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"]))
def test_any_json_is_the_same_in_utf8(text: str, encoding: str) -> None:
    body = json.dumps({"x": text.replace("\ud800", "")}, ensure_ascii=False)
    assert json.loads(_in_utf8(body.encode(encoding), "")) == json.loads(body)


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip", "identity", "identity, gzip", " "])
def test_a_packed_body_is_read(client: TestClient, path: str, coding: str) -> None:
    body = text_of(path).encode("utf-8-sig")
    packed = gzip.compress(body, mtime=0) if "gzip" in coding.lower() else body
    assert send(client, path, packed, coding=coding) == (200, "")


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "compress", "gzip, gzip", "gzip, br"])
def test_another_coding_is_refused_with_what_is_read(
    client: TestClient, path: str, coding: str
) -> None:
    headers = {"content-type": JSON, "content-encoding": coding}
    reply = client.post(path, content=zlib.compress(text_of(path).encode()), headers=headers)
    assert reply.status_code == 415
    assert reply.headers["accept-encoding"] == "gzip, identity"
    assert coding in reply.json()["detail"]
    assert "gzip" in reply.json()["detail"]


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"]
)
def test_another_type_is_refused_with_what_is_read(
    client: TestClient, path: str, kind: str
) -> None:
    status, detail = send(client, path, text_of(path).encode(), kind)
    assert status == 415
    assert "application/json is needed" in detail


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("charset", ["koi8-r", "utf-7", "zip", "x" * 2000])
def test_another_charset_is_refused_with_what_is_read(
    client: TestClient, path: str, charset: str
) -> None:
    status, detail = send(client, path, text_of(path).encode(), f"{JSON}; charset={charset}")
    assert status == 415
    assert "utf-8, utf-16" in detail


PACKED = gzip.compress(json.dumps(PREDICT).encode(), mtime=0)


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    ("body", "coding", "words"),
    [
        (b"", "", "empty"),
        (b"", "identity", "empty"),
        (gzip.compress(b"", mtime=0), "gzip", "empty"),
        (b"{}", "gzip", "not gzip"),
        (PACKED[:-9], "gzip", "not one complete gzip stream"),
        (PACKED + PACKED, "gzip", "not one complete gzip stream"),
        (PACKED[:20] + b"\xff" * 8 + PACKED[28:], "gzip", "gzip"),
        (b"\xff\xfe{\x00}", "", "not utf-16"),
        (b"\xef\xbb\xbf\xff", "", "not utf-8-sig"),
        (b"\xef\xbb\xbf", "", "Invalid JSON"),
    ],
)
def test_the_fault_of_a_damaged_body_is_named(
    client: TestClient, path: str, body: bytes, coding: str, words: str
) -> None:
    status, detail = send(client, path, body, coding=coding)
    assert status == 422
    assert words in detail


@pytest.mark.parametrize("path", DOORS)
def test_no_more_is_unpacked_than_may_be_sent_plain(client: TestClient, path: str) -> None:
    plain = text_of(path).encode()
    full = plain + b" " * (limits.BODY_BYTES - len(plain))
    assert send(client, path, gzip.compress(full, 1, mtime=0), coding="gzip") == (200, "")
    for more in (1, 20 * limits.BODY_BYTES):
        bomb = gzip.compress(full + b" " * more, 1, mtime=0)
        assert len(bomb) < limits.BODY_BYTES
        status, detail = send(client, path, bomb, coding="gzip")
        assert status == 413
        assert str(limits.BODY_BYTES) in detail


def test_the_fault_of_a_row_in_a_packed_body_has_its_position(client: TestClient) -> None:
    body = gzip.compress(json.dumps({"rows": [{"Core": "CsPbBr3"}]}).encode("utf-16"), mtime=0)
    status, detail = send(client, "/v1/predict", body, f"{JSON}; charset=utf-16", "gzip")
    assert status == 422
    assert "#/rows/0/Core" in detail
