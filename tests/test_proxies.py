"""nginx and Caddy with the files of deploy/ before two real services: TLS, prefix, failures."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect, sync_playwright

from perovshell.client import Client
from perovshell.serve.service import limits
from perovshell.serve.service.keys import add_key
from perovshell.serve.service.server import _IDLE_SECONDS
from perovshell.training.train import TrainedModel
from servers import Server, serving, workspace_of

UNMEASURED_PROCESSES = True

DEPLOY = Path(__file__).parents[1] / "deploy"
ROW = {"core": "CsPbBr3", "shell": "SiO2"}
PREFIXES = ["", "/perovshell"]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Proxy:
    """A proxy that runs.

    Attributes:
        port: Where it speaks TLS.
        certificate: Its certificate.
    """

    port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def client(self, **more: object) -> httpx2.Client:
        trust = ssl.create_default_context(cafile=str(self.certificate))
        return httpx2.Client(base_url=self.url, verify=trust, timeout=60, **more)  # type: ignore[arg-type]


def replaced(text: str, changes: dict[str, str]) -> str:
    """Return a text with what is of this machine; each must be in it."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(
    found: str, folder: Path, port: int, ports: tuple[int, int], pair: tuple[Path, Path]
) -> list[str]:
    changes = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443": f"listen 127.0.0.1:{port}",
        "perovshell.example.org": "localhost",
        "/etc/ssl/perovshell.pem": str(pair[0]),
        "/etc/ssl/perovshell.key": str(pair[1]),
        "127.0.0.1:8000": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:8001": f"127.0.0.1:{ports[1]}",
    }
    (folder / "site.conf").write_text(replaced((DEPLOY / "nginx.conf").read_text(), changes))
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "main.conf").write_text(
        f"{user} worker_processes 2; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    program = [found, "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/main.conf"]
    done = subprocess.run([*program, "-t"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
    return [*program, "-g", "daemon off;"]


def caddy(
    found: str, folder: Path, port: int, ports: tuple[int, int], pair: tuple[Path, Path]
) -> list[str]:
    changes = {
        "perovshell.example.org {": f"localhost:{port} {{",
        "tls /etc/ssl/perovshell.pem /etc/ssl/perovshell.key": f"tls {pair[0]} {pair[1]}",
        "127.0.0.1:8000 127.0.0.1:8001": f"127.0.0.1:{ports[0]} 127.0.0.1:{ports[1]}",
    }
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    text = replaced((DEPLOY / "Caddyfile").read_text(), changes)
    (folder / "Caddyfile").write_text(options + text)
    where = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run([found, "validate", *where], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not formatted" not in done.stderr
    return [found, "run", *where]


PROGRAMS: dict[str, Callable[..., list[str]]] = {"nginx": nginx, "caddy": caddy}


@contextmanager
def proxied(
    program: str, folder: Path, ports: tuple[int, int], pair: tuple[Path, Path]
) -> Iterator[Proxy]:
    """Run a proxy with the file of deploy/ before two ports."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    found = shutil.which(program, path=path)
    assert found is not None, f"{program} is needed: 'make tools' installs it"
    folder.mkdir()
    port = free_port()
    command = PROGRAMS[program](found, folder, port, ports, pair)
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **home}, stdout=output, stderr=output
        )
    try:
        _await(port, process, folder / "output")
        yield Proxy(port, pair[0])
    finally:
        process.terminate()
        process.wait(20)


def _await(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    for _ in range(400):
        assert process.poll() is None, output.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(output.read_text())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-out", str(made[0]), "-keyout", str(made[1]),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


@dataclass
class Services:
    """Two services that read one workspace; one of them can be killed and started again."""

    folder: Path
    workspace: Path
    key: str
    first: Server
    second: Server
    held: ExitStack = field(default_factory=ExitStack)

    @property
    def ports(self) -> tuple[int, int]:
        return self.first.port, self.second.port

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def logged(self, request: str) -> list[dict[str, Any]]:
        """Return the log lines of a request; they come after its answer."""
        for _ in range(100):
            events = [*self.first.events(), *self.second.events()]
            if found := [one for one in events if one.get("id") == request]:
                return found
            time.sleep(0.05)
        return []

    def start_second(self) -> None:
        options = ("--port", str(self.second.port))
        log = self.folder / f"again-{time.monotonic_ns()}"
        self.second = self.held.enter_context(serving(self.workspace, log, *options))
        httpx2.get(f"{self.second.url}/healthz").raise_for_status()


@pytest.fixture(scope="module")
def services(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("services")
    workspace = workspace_of(trained, folder / "workspace")
    key = add_key(workspace, "lab")
    with ExitStack() as held:
        first, second = (
            held.enter_context(serving(workspace.root, folder / name)) for name in ("a", "b")
        )
        yield Services(folder, workspace.root, key, first, second, held)


@pytest.fixture(scope="module", params=PROGRAMS)
def proxy(
    services: Services,
    pair: tuple[Path, Path],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy") / request.param
    with proxied(request.param, folder, services.ports, pair) as running:
        yield running


@pytest.mark.parametrize("prefix", PREFIXES)
def test_predictions_through_tls(
    services: Services, proxy: Proxy, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate))
    with Client(f"{proxy.url}{prefix}", key=services.key) as client:
        through = client.predict([ROW])
    with Client(services.first.url, key=services.key) as client:
        assert through == client.predict([ROW])


@pytest.mark.parametrize("prefix", PREFIXES)
def test_keys_are_asked_for_and_no_figures_are_shown(proxy: Proxy, prefix: str) -> None:
    with proxy.client() as client:
        assert client.get(f"{prefix}/healthz").json() == {"status": "ok"}
        assert client.head(f"{prefix}/readyz").status_code == 200
        assert client.post(f"{prefix}/v1/predict", json={"rows": [ROW]}).status_code == 401
        assert client.get(f"{prefix}/metrics").status_code == 404


def test_a_prefix_without_a_slash_leads_to_the_page(proxy: Proxy) -> None:
    with proxy.client() as client:
        got = client.get("/perovshell")
    assert got.is_redirect
    assert re.fullmatch(rf"({proxy.url})?/perovshell/", got.headers["location"])


def test_page_and_documentation_below_the_prefix(services: Services, proxy: Proxy) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        page = browser.new_page(
            ignore_https_errors=True,  # The certificate is checked elsewhere.
            extra_http_headers=services.headers,
        )
        missing: list[str] = []
        page.on("response", lambda got: missing.append(got.url) if got.status >= 400 else None)
        page.goto(f"{proxy.url}/perovshell/")
        expect(page.locator("article.column .verdict").first).to_be_visible()
        page.goto(f"{proxy.url}/perovshell/docs")
        page.locator('[id$="healthz_get"]').first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table .microlight").first).to_contain_text("ok")
        browser.close()
    assert missing == []


def test_the_largest_body_passes_and_a_larger_one_does_not(
    services: Services, proxy: Proxy
) -> None:
    body = json.dumps({"rows": [ROW]}).encode()
    with proxy.client(headers={**services.headers, "Content-Type": "application/json"}) as client:
        for size, status in ((limits.BODY_BYTES, 200), (limits.BODY_BYTES + 1, 413)):
            answer = client.post("/v1/predict", content=body + b" " * (size - len(body)))
            assert answer.status_code == status, answer.text


def test_a_request_keeps_the_address_of_its_client_and_its_id(
    services: Services, proxy: Proxy
) -> None:
    name = f"test-{proxy.port}"
    given = {"X-Request-ID": name, "X-Forwarded-For": "203.0.113.7"}
    with proxy.client(headers=given) as client:
        answer = client.get("/v1/model")
    assert answer.headers["x-request-id"] == name
    (event,) = services.logged(name)
    # What the client says of itself is not believed.
    assert event["client"] == "127.0.0.1"


@pytest.fixture
def fresh(
    services: Services, pair: tuple[Path, Path], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[httpx2.Client]:
    """A client through a proxy that has met no fault yet, and the second service again later."""
    program = request.param
    with (
        proxied(program, tmp_path / program, services.ports, pair) as proxy,
        proxy.client(headers=services.headers) as client,
    ):
        yield client
    services.start_second()


def predicted(client: httpx2.Client) -> int:
    return client.post("/perovshell/v1/predict", json={"rows": [ROW]}).status_code


def carded(client: httpx2.Client) -> int:
    return client.get("/v1/model").status_code


@pytest.mark.parametrize(
    ("fresh", "first"), [("nginx", predicted), ("caddy", carded)], indirect=["fresh"]
)
def test_requests_go_on_when_a_service_is_killed(
    services: Services, fresh: httpx2.Client, first: Callable[[httpx2.Client], int]
) -> None:
    assert Counter(predicted(fresh) for _ in range(20)) == {200: 20}
    services.second.process.send_signal(signal.SIGKILL)
    services.second.process.wait()
    # Caddy does not send a POST again: a GET shows it that the service is gone.
    assert Counter(first(fresh) for _ in range(20)) == {200: 20}
    assert Counter(predicted(fresh) for _ in range(20)) == {200: 20}


@pytest.mark.parametrize("fresh", ["nginx"], indirect=True)
def test_a_service_that_ends_in_order_loses_no_request(
    services: Services, fresh: httpx2.Client
) -> None:
    ended: list[int] = []

    def ask(number: int) -> int:
        if number == 40:
            ended.append(services.second.stop())
        return predicted(fresh)

    with ThreadPoolExecutor(4) as pool:
        assert Counter(pool.map(ask, range(120))) == {200: 120}
    assert ended == [0]


# What is sent twice --------------------------------------------------------------------------


class Quitter:
    """Says that it is well, and closes the connection of each request without an answer."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    asked = connection.recv(65536).split(b" HTTP")[0].decode()
                    if asked == "GET /healthz":
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    elif asked:  # Caddy makes connections beforehand.
                        self.requests.append(asked)

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize(
    ("program", "asked", "times"),
    [
        ("nginx", "POST /v1/predict", 2),
        ("nginx", "POST /perovshell/v1/predict", 2),
        ("nginx", "POST /v1/rank", 2),
        ("nginx", "POST /v1/papers/check", 2),
        ("nginx", "POST /v1/papers", 1),
        ("nginx", "POST /perovshell/v1/papers", 1),
        ("nginx", "GET /v1/model", 2),
        ("caddy", "POST /v1/predict", 1),
        ("caddy", "POST /v1/papers", 1),
    ],
)
def test_only_what_writes_nothing_is_sent_again(
    pair: tuple[Path, Path], tmp_path: Path, program: str, asked: str, times: int
) -> None:
    quitters = Quitter(), Quitter()
    method, path = asked.split()
    with (
        proxied(program, tmp_path / program, (quitters[0].port, quitters[1].port), pair) as proxy,
        proxy.client() as client,
    ):
        body = {"json": {}} if method == "POST" else {}
        assert client.request(method, path, **body).status_code == 502
    assert quitters[0].requests + quitters[1].requests == [asked] * times
    for quitter in quitters:
        quitter.close()


# What fits the service -----------------------------------------------------------------------


def test_times_and_sizes_fit_the_service() -> None:
    site, file = (DEPLOY / "nginx.conf").read_text(), (DEPLOY / "Caddyfile").read_text()
    turns = limits.RANKINGS + limits.RANKINGS_WAITING
    longest = limits.RANK_SECONDS * turns / limits.RANKINGS
    for text, name in ((site, "proxy_read_timeout"), (file, "response_header_timeout")):
        seconds = [int(number) for number in re.findall(rf"{name} (\d+)s", text)]
        assert max(seconds) > longest
    for text, name in ((site, "keepalive_timeout"), (file, "keepalive")):
        (seconds,) = [int(number) for number in re.findall(rf"\b{name} (\d+)s", text)]
        # Else a request would meet a connection that the service is closing.
        assert seconds < _IDLE_SECONDS
    assert f"client_max_body_size {limits.BODY_BYTES // 2**20}m;" in site
    assert f"max_size {limits.BODY_BYTES // 2**20}MiB" in file
