"""Below a path: behind proxies that strip their prefix, name it, or pass it on; with a browser."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from perovshell.client import Client
from perovshell.errors import ServiceError
from perovshell.serve.service.app import Settings, create_app
from perovshell.serve.service.keys import KeyRing, add_key
from perovshell.serve.service.prefix import check_prefix, route_path, under_prefix
from perovshell.serve.service.source import Champion, Source
from perovshell.training.train import TrainedModel
from servers import Server, serving, workspace_of

UNMEASURED_PROCESSES = True

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
PREFIX = "/tools/shell"
ROW = {"core": "CsPbBr3", "shell": "SiO2"}
PROXIES = {
    "strips": (True, False),
    "strips and names": (True, True),
    "passes on and names": (False, True),
}
"""Whether a proxy strips the prefix from the path, and names it in `X-Forwarded-Prefix`."""


@contextmanager
def proxy(service: str, *, strips: bool, names: bool) -> Iterator[str]:
    """Show a service below a prefix; elsewhere there is nothing. Yields the proxy's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path
            if not path.startswith(PREFIX):
                self.send_error(404)
                return
            if strips:
                rest = path.removeprefix(PREFIX)
                path = rest if rest.startswith("/") else f"/{rest}"
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {**self.headers, **({"X-Forwarded-Prefix": PREFIX} if names else {})}
            connection = http.client.HTTPConnection(service.removeprefix("http://"), timeout=30)
            connection.request(self.command, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def server(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("prefix")
    workspace = workspace_of(trained, folder / "workspace")
    with serving(workspace.root, folder / "log") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        yield browser
        browser.close()


@pytest.fixture(params=PROXIES.values(), ids=PROXIES)
def address(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    strips, names = request.param
    with proxy(server.url, strips=strips, names=names) as url:
        yield url


@pytest.mark.parametrize("end", ["", "/", "?c=CsPbI3/ZrO2"])
def test_the_page_works_below_a_prefix(browser: Browser, address: str, end: str) -> None:
    page, missing = browser.new_page(), []
    page.on("response", lambda got: missing.append(got.url) if got.status >= 400 else None)
    page.goto(f"{address}{PREFIX}{end}")
    expect(page.locator("article.column .verdict").first).to_be_visible()
    assert page.url.startswith(f"{address}{PREFIX}/")
    first = page.locator('article.column [name="core"]').first
    assert first.input_value() == ("CsPbI3" if "CsPbI3" in end else "CsPbBr3")
    # Before the slash is added, the browser may have asked for scripts of the folder above.
    above = f"{address}/tools/static"
    assert [url for url in missing if not url.startswith(above)] == []
    page.close()


@pytest.mark.parametrize("end", ["", "/"])
def test_the_documentation_works_below_a_prefix(browser: Browser, address: str, end: str) -> None:
    page = browser.new_page()
    missing: list[str] = []
    page.on("response", lambda got: missing.append(got.url) if got.status >= 400 else None)
    page.goto(f"{address}{PREFIX}/docs{end}")
    page.locator('[id$="healthz_get"]').first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .microlight").first).to_contain_text("ok")
    assert missing == []
    page.close()


def test_scripts_work_below_a_prefix(address: str) -> None:
    with Client(f"{address}{PREFIX}") as client:
        assert client.predict([ROW])[0]["error"] == ""
    got = httpx2.get(f"{address}{PREFIX}/healthz/", follow_redirects=True)
    assert (got.status_code, got.url.path) == (200, f"{PREFIX}/healthz")


def test_a_prefix_without_a_slash_leads_to_the_page_where_it_is_known(server: Server) -> None:
    with proxy(server.url, strips=False, names=True) as address:
        got = httpx2.get(f"{address}{PREFIX}?s=water")
    assert got.status_code == 307
    assert got.headers["location"] == f"{PREFIX}/?s=water"


# In this process -----------------------------------------------------------------------------


@pytest.fixture
def champion(trained: TrainedModel, tmp_path: Path) -> Champion:
    return Champion(Source(workspace_of(trained, tmp_path / "workspace")))


@pytest.mark.parametrize("path", ["/healthz", f"{PREFIX}/healthz"])
def test_a_configured_prefix_may_be_stripped_or_not(champion: Champion, path: str) -> None:
    with TestClient(create_app(champion, Settings(root_path=PREFIX))) as client:
        assert client.get(path).json() == {"status": "ok"}
        assert client.get(PREFIX, follow_redirects=False).headers["location"] == f"{PREFIX}/"
        assert client.get(f"{PREFIX}x/healthz").status_code == 404


def test_an_application_may_be_mounted_in_another(champion: Champion) -> None:
    champion.open()
    outer = Starlette(routes=[Mount(PREFIX, create_app(champion))])
    client = TestClient(outer)
    assert client.get(f"{PREFIX}/healthz").json() == {"status": "ok"}
    assert "openapi.json" in client.get(f"{PREFIX}/docs").text
    assert client.get(f"{PREFIX}/static/main.js").status_code == 200


@pytest.mark.parametrize("named", ["", PREFIX, "/v1", "/x/..", "//elsewhere"])
@pytest.mark.parametrize("path", ["/v1/model", f"{PREFIX}/v1/model", "/v1/v1/model"])
def test_a_prefix_opens_no_door(champion: Champion, named: str, path: str) -> None:
    workspace = champion.source.workspace
    add_key(workspace, "lab")
    settings = Settings(KeyRing(workspace.keys_file))
    with TestClient(create_app(champion, settings)) as client:
        assert client.get(path, headers={"x-forwarded-prefix": named}).status_code in {401, 404}


@pytest.mark.parametrize("prefix", ["shell", "/shell/", "/", "//shell", "/a/../b", "/a b", "/a?b"])
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ServiceError, match="root_path"):
        check_prefix(prefix)


@pytest.mark.parametrize(
    ("header", "path", "seen"),
    [
        ("", "/docs", ("/docs", "/docs", "")),
        ("/a", "/docs", ("/a/docs", "/docs", "/a")),
        ("/a", "/a/docs", ("/a/docs", "/docs", "/a")),
        ("/a", "/ab/docs", ("/a/ab/docs", "/ab/docs", "/a")),
        ("/a", "/a", ("/a", "", "/a")),
        ("/a/, /b", "/docs", ("/a/b/docs", "/docs", "/a/b")),
        ("//elsewhere.org", "/docs", ("/docs", "/docs", "")),
        ("/..", "/docs", ("/docs", "/docs", "")),
    ],
)
def test_stripped_or_passed_on_the_path_is_the_same(
    header: str, path: str, seen: tuple[str, str, str]
) -> None:
    scope = {"type": "http", "path": path, "headers": [(b"x-forwarded-prefix", header.encode())]}
    found = under_prefix(scope, "")
    assert (found["path"], route_path(found), found["root_path"]) == seen
