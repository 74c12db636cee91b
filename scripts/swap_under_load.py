"""Promote models while the service is under load, and show that no answer is lost or mixed.

A real service is asked over eight connections, by a fixed set of requests, while `perovshell models
promote` makes one model after another champion. Half-way a damaged model becomes champion: the
service must go on with the one before and say so at /readyz and in its log, until the next
promotion heals it. Every answer must be, to the last digit, that of the model which it names; large
requests, which are computed in several turns, too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from _campaign import forget_settings
from _load import CONNECTIONS, PATIENCE, free_port, get, row, running

from perovshell.data.dataset import Dataset
from perovshell.model import Model
from perovshell.serve.service.writing import write
from perovshell.training.train import QUICK, train
from perovshell.workspace.folder import WorkspaceFolder

MODELS: Final = 3
SIZES: Final = (*[1] * 40, 3, 8, 700)
"""Rows of the requests of the fixed set, over and over; the last takes several turns."""
MOST_SECONDS: Final = 10.0
"""Longest time from a promotion to the first answer of its model."""
BROKEN: Final = "0badbadbadba"
_CUT = 100


def main() -> None:
    """Run the campaign, print the table and a line of JSON; exit with 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="least duration")
    parser.add_argument("--promotions", type=int, default=5, help="number, without the broken one")
    parser.add_argument("--models", type=Path, nargs="*", help="model folders; else some are made")
    options = parser.parse_args()
    forget_settings()
    with tempfile.TemporaryDirectory(prefix="swap-") as folder:
        workspace = WorkspaceFolder(Path(folder) / "workspace")
        prepare(workspace, options.models)
        log = Path(folder) / "log"
        campaign = run(workspace, log, options.seconds, options.promotions)
    traffic = campaign.traffic
    for model_id, seconds in campaign.seconds:
        broken = ", broken: told at /readyz" if model_id == BROKEN else ""
        print(f"{model_id} seen after {seconds:.2f} s{broken}")
    for model_id, count in sorted(traffic.by_model.items()):
        print(f"{model_id} answered {count:,}")
    faults = campaign.faults + traffic.faults
    slowest = max((s for name, s in campaign.seconds if name != BROKEN), default=0.0)
    promotions = sum(name != BROKEN for name, _ in campaign.seconds)
    figures = {"promotions": promotions, "slowest_s": round(slowest, 2), "faults": len(faults)}
    names = ("answers", "failed", "mixed")
    print(json.dumps({**{name: traffic.counts[name] for name in names}, **figures}))
    if faults:
        print("\n".join(faults), file=sys.stderr)
        sys.exit(1)


def prepare(workspace: WorkspaceFolder, folders: Sequence[Path] | None) -> None:
    """Fill a workspace with models, a damaged one among them; the first becomes champion."""
    workspace.prepare()
    for folder in folders or ():
        shutil.copytree(folder, workspace.models / Model.from_folder(folder).info.model_id)
    if not folders:
        for seed in range(MODELS):
            train(Dataset.bundled(), workspace.models, replace(QUICK, seed=seed))
    first, *others = workspace.model_ids()
    if not others:
        sys.exit("two or more different models are needed")
    workspace.set_champion(first, "the first")
    shutil.copytree(workspace.models / first, workspace.models / BROKEN)
    damaged = workspace.models / BROKEN / "pl.npz"
    damaged.write_bytes(damaged.read_bytes()[:-_CUT])


def run(workspace: WorkspaceFolder, log: Path, seconds: float, promotions: int) -> Campaign:
    """Serve a workspace, ask the service and promote its models in turns."""
    first, *others = (name for name in workspace.model_ids() if name != BROKEN)
    plan = list(itertools.islice(itertools.cycle([*others, first]), promotions))
    plan.insert(promotions // 2, BROKEN)
    traffic = Traffic.of(workspace, [first, *others], free_port())
    campaign = Campaign(workspace, traffic)
    command = [sys.executable, "-m", "perovshell", "serve", "--port", str(traffic.port)]
    command += ["--workspace", str(workspace.root)]
    with running(command, traffic.port, "/readyz", log), traffic.flowing():
        began = time.monotonic()
        for step, model_id in enumerate([*plan, ""]):
            time.sleep(max(0.0, began + seconds * step / len(plan) - time.monotonic()))
            if model_id == BROKEN:
                campaign.promote_broken()
            elif model_id:
                campaign.promote(model_id)
    events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    if not any("pl.npz is damaged" in event.get("fault", "") for event in events):
        campaign.faults.append("the log does not tell of the broken model")
    return campaign


@dataclass
class Traffic:
    """Connections over which a fixed set of requests is sent again and again.

    Attributes:
        port: Where the service listens.
        bodies: The requests.
        expected: Answers to them by model.
        counts: Answers, those that failed, and those that are not what their model says.
        by_model: Answers by model.
        last: When a model answered last, in seconds of the system's clock.
        faults: The first fault of each kind.
    """

    port: int
    bodies: list[bytes]
    expected: dict[str, list[Any]]
    counts: Counter[str] = field(default_factory=Counter)
    by_model: Counter[str] = field(default_factory=Counter)
    last: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, workspace: WorkspaceFolder, names: Sequence[str], port: int) -> Traffic:
        """Make the requests, and the answers that the models of a workspace give to them."""
        numbers = itertools.count()
        requests = [[row(next(numbers)) for _ in range(size)] for size in SIZES]
        models = {name: Model.from_folder(workspace.models / name) for name in names}
        expected = {
            name: [json.loads(b"[%b]" % write(model.answer(rows)).answers) for rows in requests]
            for name, model in models.items()
        }
        return cls(port, [json.dumps({"rows": rows}).encode() for rows in requests], expected)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send requests for as long as a block runs."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            connections = [threads.submit(self._ask, first) for first in range(CONNECTIONS)]
            try:
                yield
            finally:
                self._is_over.set()
        for connection in connections:
            connection.result()

    def _ask(self, first: int) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for number in itertools.count(first, CONNECTIONS):
            if self._is_over.is_set():
                connection.close()
                return
            place = number % len(self.bodies)
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/v1/predict", self.bodies[place], headers)
                response = connection.getresponse()
                self._check(place, response.status, response.read())
            except (OSError, HTTPException) as error:
                self._check(place, 0, repr(error).encode())
                connection.close()

    def _check(self, place: int, status: int, body: bytes) -> None:
        answer = json.loads(body) if status == HTTPStatus.OK else {"model": {"id": ""}}
        model_id = answer["model"]["id"]
        with self._lock:
            self.counts["answers"] += 1
            if status != HTTPStatus.OK:
                self._fail("failed", f"{status}: {body[:200]!r}")
            elif model_id not in self.expected:
                self._fail("mixed", f"request {place} is answered by {model_id}")
            elif answer["answers"] != self.expected[model_id][place]:
                self._fail("mixed", f"request {place} is not answered as {model_id} would")
            else:
                self.by_model[model_id] += 1
                self.last[model_id] = time.time()

    def _fail(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            self.faults.append(f"{kind}: {what}")


@dataclass
class Campaign:
    """Promotions under load.

    Attributes:
        workspace: The workspace.
        traffic: The load.
        seconds: Each promotion, and the time to the first answer of its model; for the broken
            model to the fault at /readyz.
        faults: What was wrong.
    """

    workspace: WorkspaceFolder
    traffic: Traffic
    seconds: list[tuple[str, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def promote(self, model_id: str) -> None:
        """Promote a model, and wait for its first answer."""
        command = [sys.executable, "-m", "perovshell", "models", "promote", model_id]
        command += ["--why", "a trial", "--workspace", str(self.workspace.root)]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        recorded = self.workspace.promotions_file.stat().st_mtime
        self._await(model_id, recorded, lambda: self.traffic.last.get(model_id, 0) > recorded)
        if fault := self._ready()["fault"]:
            self.faults.append(f"/readyz has a fault after {model_id} was promoted: {fault}")

    def promote_broken(self) -> None:
        """Record the damaged model as champion, which `models promote` itself would refuse."""
        before = self._ready()["model"]["id"]
        with self.workspace.locked("models", wait=True):
            self.workspace.set_champion(BROKEN, "a trial")
        recorded = self.workspace.promotions_file.stat().st_mtime
        self._await(BROKEN, recorded, lambda: "pl.npz is damaged" in self._ready()["fault"])
        if (now := self._ready()["model"]["id"]) != before:
            self.faults.append(f"{now} took the place of {before}")

    def _ready(self) -> Any:
        return json.loads(get(self.traffic.port, "/readyz")[1])

    def _await(self, model_id: str, recorded: float, is_seen: Callable[[], bool]) -> None:
        while time.time() - recorded < MOST_SECONDS:
            if is_seen():
                self.seconds.append((model_id, time.time() - recorded))
                return
            time.sleep(0.05)
        self.faults.append(f"{model_id} was not seen within {MOST_SECONDS:g} s of its promotion")


if __name__ == "__main__":
    main()
