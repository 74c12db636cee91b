"""Send spoiled bodies to a real service, and show that nothing makes it fail.

Valid bodies of every route are changed at random, though the same for the same seed: bits, types,
numbers, signs, keys, encodings, depth, chemistry. They are sent over eight connections that stay
open. Every answer must be a 2xx, a 4xx or a stated 503; be JSON of the described kind; and come
within some seconds. Between them, valid requests must get the right answers. In the end the log has
no traceback, and the memory of the service, at its least in the last tenth, is within 10 % of its
least in the second to the fifth tenth: in between, it holds what large bodies need.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from _bodies import Mutator, Request, post
from _campaign import forget_settings
from _load import CONNECTIONS, free_port, memory_mb, row, running

from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import template_text
from perovshell.model import Model
from perovshell.serve.service.writing import write
from perovshell.training.train import QUICK, train
from perovshell.workspace.folder import WorkspaceFolder

PROBE_EVERY: Final = 250
"""Spoiled bodies of a connection between two valid ones."""
TOLD_EVERY_S: Final = 60.0
TENTHS: Final = 10
EARLY: Final = range(1, 5)
MOST_GROWTH: Final = 0.10
SETTLED: Final = 50_000
"""Bodies from which on the growth of the memory means something."""
BUSY: Final = int(HTTPStatus.SERVICE_UNAVAILABLE)
_SHOWN: Final = 300
_MOST_FAULTS: Final = 20
_KEYS: Final = {
    "/v1/predict": {"model", "failed", "problems", "answers"},
    "/v1/rank": {"model", "ranked", "removed"},
    "/v1/papers/draft": set(),
    "/v1/papers/check": set(),
    "/v1/papers": set(),
    "/v1/evidence": set(),
}
"""What the JSON of an answer has."""
_PROBLEM: Final = {"type", "title", "status", "detail"}
TEXT: Final = (
    "Silica-coated perovskite nanocrystals\\nCsPbBr3 nanocrystals were coated with SiO2. The "
    "CsPbBr3/SiO2 nanocrystals emit at 517 nm with a PLQY of 78%. After 7 days in water they kept "
    "80% of their PL intensity, bare CsPbBr3 18%. CsPbI3@ZrO2 films lost 20 % within 3 months"
)


def main() -> None:
    """Run the campaign, print the table and a line of JSON; exit with 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=1_000_000, help="number of bodies")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bodies")
    parser.add_argument("--model", type=Path, help="model folder; else one is trained")
    parser.add_argument("--patience", type=float, default=10.0, help="longest time of an answer, s")
    asked = parser.parse_args()
    forget_settings()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        campaign = run(Path(folder), asked)
    for (route, status), count in sorted(campaign.counts.items()):
        print(f"{route:<20}{status:>5}{count:>12,}")
    print(json.dumps(campaign.figures()))
    if campaign.faults:
        print("\n".join(campaign.faults), file=sys.stderr)
        sys.exit(1)


def run(folder: Path, asked: argparse.Namespace) -> Campaign:
    """Serve a model in a workspace of its own and send the bodies."""
    workspace = WorkspaceFolder(folder / "workspace")
    workspace.prepare()
    if asked.model is None:
        model_id = train(Dataset.bundled(), workspace.models, QUICK).model_id
    else:
        model_id = Model.from_folder(asked.model).info.model_id
        shutil.copytree(asked.model, workspace.models / model_id)
    workspace.set_champion(model_id, "the first")
    port, log = free_port(), folder / "log"
    command = [sys.executable, "-m", "perovshell", "serve", "--port", str(port)]
    command += ["--no-access-log", "--workspace", str(workspace.root)]
    campaign = Campaign(port, Probes.of(Model.from_folder(workspace.models / model_id)))
    with running(command, port, "/readyz", log) as service:
        campaign.run(asked.bodies, asked.seed, asked.patience, service.pid)
        if service.poll() is not None:
            campaign.fault(f"the service ended with {service.returncode}")
    text = log.read_text(errors="replace")
    if "traceback" in text.lower():
        campaign.fault(f"the log has a traceback: {text[text.lower().index('traceback') :][:2000]}")
    return campaign


@dataclass(frozen=True)
class Probes:
    """Valid requests and the answers to them."""

    requests: list[bytes]
    expected: list[Any]

    @classmethod
    def of(cls, model: Model) -> Probes:
        """Make some, and answer them by a model."""
        rows = [[row(number)] for number in range(0, 500, 9)]
        bodies = [json.dumps({"rows": one}).encode() for one in rows]
        answers = [json.loads(b"[%b]" % write(model.predict(one)).answers) for one in rows]
        return cls([post("/v1/predict", body) for body in bodies], answers)


@dataclass
class Campaign:
    """What was sent and found.

    Attributes:
        port: Where the service listens.
        probes: The valid requests in between.
        counts: Answers by route and status.
        probed: Valid requests with the right answer.
        slowest: Longest time of an answer in s.
        seconds: How long all took.
        memory: Least MB of the service in each tenth of the bodies.
        faults: What is wrong; the first ones.
    """

    port: int
    probes: Probes
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    probed: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    memory: dict[int, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, bodies: int, seed: int, patience: float, service: int) -> None:
        """Send so many bodies over all connections."""
        if bodies >= SETTLED:
            self._prime(patience)
        began = time.monotonic()
        paper = yaml.safe_load(template_text())
        shares = [bodies // CONNECTIONS + (k < bodies % CONNECTIONS) for k in range(CONNECTIONS)]
        threads = [
            threading.Thread(
                target=self._send, args=(Mutator(f"{seed}-{k}", paper, TEXT), share, patience)
            )
            for k, share in enumerate(shares)
        ]
        for thread in threads:
            thread.start()
        told = began
        while any(thread.is_alive() for thread in threads):
            time.sleep(1.0)
            self._note_memory(min(TENTHS * self.sent // bodies, TENTHS - 1), service)
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                rate = self.sent / (told - began)
                said = (
                    f"{self.sent:,} of {bodies:,} bodies, {rate:,.0f}/s, {len(self.faults)} faults"
                )
                print(f"{said}, {memory_mb(service):.0f} MB", file=sys.stderr, flush=True)
        self.seconds = time.monotonic() - began
        early = min((mb for tenth, mb in self.memory.items() if tenth in EARLY), default=0.0)
        late = self.memory[max(self.memory)]
        if bodies >= SETTLED and late > early * (1 + MOST_GROWTH):
            self.fault(f"the memory of the service grew from {early:.0f} to {late:.0f} MB")

    def _note_memory(self, tenth: int, service: int) -> None:
        now = memory_mb(service)
        self.memory[tenth] = min(now, self.memory.get(tenth, now))

    def _prime(self, patience: float) -> None:
        """Ask for more evidence than is kept, since spoiled queries would do so only in hours."""
        connection = Connection(self.port, patience)
        for year, stressor in itertools.product(range(1990, 2024), ("water", "light", "heat")):
            query = f"/v1/evidence?since={year}&stressor={stressor}"
            status, _, _ = connection.ask(
                f"GET {query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
            )
            if status != HTTPStatus.OK:
                self.fault(f"{query}: {status}")

    @property
    def sent(self) -> int:
        """Bodies that were answered."""
        return sum(self.counts.values())

    def figures(self) -> dict[str, Any]:
        """Return the figures of the last line."""
        return {
            "bodies": self.sent, "per_second": round(self.sent / self.seconds),
            "server_errors": sum(n for (_, status), n in self.counts.items() if is_fault(status)),
            "busy": sum(n for (_, status), n in self.counts.items() if status == BUSY),
            "probes": self.probed,
            "slowest_s": round(self.slowest, 2),
            "memory_mb": [round(mb) for _, mb in sorted(self.memory.items())],
            "faults": len(self.faults), "seconds": round(self.seconds),
        }  # fmt: skip

    def fault(self, what: str) -> None:
        """Write down a fault."""
        with self._lock:
            if len(self.faults) < _MOST_FAULTS:
                self.faults.append(what)

    def _send(self, mutator: Mutator, bodies: int, patience: float) -> None:
        connection = Connection(self.port, patience)
        requests = mutator.requests()
        for number in range(bodies):
            if len(self.faults) >= _MOST_FAULTS:
                return
            if number % PROBE_EVERY == 0:
                self._probe(connection, number // PROBE_EVERY)
            request = next(requests)
            began = time.monotonic()
            try:
                status, kind, content = connection.ask(request.content)
            except (OSError, ValueError) as error:
                self.fault(f"{shown(request)}: {error!r}")
                connection = Connection(self.port, patience)
                continue
            seconds = time.monotonic() - began
            why = fault_of(request.route, status, kind, content)
            if why or seconds > patience:
                self.fault(f"{shown(request)}: {why or f'{seconds:.1f} s'}")
            with self._lock:
                self.counts[request.route, status] += 1
                self.slowest = max(self.slowest, seconds)

    def _probe(self, connection: Connection, number: int) -> None:
        place = number % len(self.probes.requests)
        status, _, content = connection.ask(self.probes.requests[place])
        if status == BUSY:
            return
        if (
            status != HTTPStatus.OK
            or orjson.loads(content)["answers"] != self.probes.expected[place]
        ):
            self.fault(f"valid request {place}: {status} {content[:_SHOWN]!r}")
        with self._lock:
            self.probed += 1


class Connection:
    """A connection that stays open; made anew where the service closes it.

    Args:
        port: Where to.
        patience: Seconds that an answer may take.
    """

    def __init__(self, port: int, patience: float) -> None:
        self._port, self._patience = port, patience
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> tuple[int, str, bytes]:
        """Return status, content type and body of the answer.

        Raises:
            OSError: There is none.
            ValueError: It is no HTTP.
        """
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), self._patience * 2)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        data = bytearray()
        while (end := data.find(b"\r\n\r\n")) < 0:
            self._more(data)
        status_line, *lines = data[:end].decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(headers["content-length"])
        while len(data) < end + 4 + length:
            self._more(data)
        if headers.get("connection") == "close":
            self._socket.close()
            self._socket = None
        kind = headers.get("content-type", "")
        return int(status_line.split()[1]), kind, bytes(data[end + 4 : end + 4 + length])

    def _more(self, data: bytearray) -> None:
        part = self._socket.recv(1 << 18) if self._socket else b""
        if not part:
            msg = f"the connection was closed after {bytes(data[:100])!r}"
            raise ConnectionError(msg)
        data += part


def is_fault(status: int) -> bool:
    """Whether a status says that the service failed."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != BUSY


def fault_of(route: str, status: int, kind: str, content: bytes) -> str:
    """Say what is wrong with an answer; nothing where nothing is."""
    if is_fault(status):
        return f"{status} {content[:_SHOWN]!r}"
    try:
        answer = orjson.loads(content)
    except ValueError as error:
        return f"{status}, no JSON ({error}): {content[:_SHOWN]!r}"
    is_problem = status >= HTTPStatus.BAD_REQUEST
    needed = _PROBLEM if is_problem else _KEYS[route]
    expected = "application/problem+json" if is_problem else "application/json"
    if not isinstance(answer, dict) or not needed <= answer.keys():
        return f"{status}, not as described: {content[:_SHOWN]!r}"
    if kind.partition(";")[0] != expected:
        return f"{status} of type {kind!r}"
    if is_problem and answer["status"] != status:
        return f"{status}, but its problem says {answer['status']}"
    return ""


def shown(request: Request) -> str:
    """Return a request on one line, cut."""
    return f"{request.route}: {request.content[:1500]!r}"


if __name__ == "__main__":
    main()
