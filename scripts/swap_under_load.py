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
import math
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from _answers import Predictions, prepare, promote
from _campaign import forget_settings
from _load import CONNECTIONS, PATIENCE, free_port, get, running

from perovshell.workspace.folder import WorkspaceFolder

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
    parser.add_argument("--workers", type=int, default=1, help="workers of the service")
    parser.add_argument("--models", type=Path, nargs="*", help="model folders; else some are made")
    options = parser.parse_args()
    forget_settings()
    with tempfile.TemporaryDirectory(prefix="swap-") as folder:
        workspace = WorkspaceFolder(Path(folder) / "workspace")
        names = prepare(workspace, options.models)
        shutil.copytree(workspace.models / names[0], workspace.models / BROKEN)
        damaged = workspace.models / BROKEN / "pl.npz"
        damaged.write_bytes(damaged.read_bytes()[:-_CUT])
        plan = list(itertools.islice(itertools.cycle([*names[1:], names[0]]), options.promotions))
        plan.insert(options.promotions // 2, BROKEN)
        traffic = Traffic(Predictions.of(workspace, names, SIZES), free_port())
        campaign = Campaign(workspace, traffic)
        campaign.run(plan, Path(folder) / "log", options.seconds, options.workers)
    for model_id, seconds in campaign.seconds:
        broken = ", broken: told at /readyz" if model_id == BROKEN else ""
        print(f"{model_id} seen after {seconds:.2f} s{broken}")
    for model_id, count in sorted(traffic.by_model.items()):
        print(f"{model_id} answered {count:,}")
    faults = campaign.faults + traffic.faults
    slowest = max((s for name, s in campaign.seconds if name != BROKEN), default=0.0)
    promotions = sum(name != BROKEN for name, _ in campaign.seconds)
    figures = {
        "promotions": promotions,
        "slowest_s": round(slowest, 2),
        "late_ms": round(1000 * traffic.latest, 1),
        "faults": len(faults),
    }
    names = ("answers", "failed", "mixed")
    print(json.dumps({**{name: traffic.counts[name] for name in names}, **figures}))
    if faults:
        print("\n".join(faults), file=sys.stderr)
        sys.exit(1)


@dataclass
class Traffic:
    """Connections over which a fixed set of requests is sent again and again.

    Attributes:
        predictions: The requests.
        port: Where the service listens.
        counts: Answers, those that failed, and those that are not what their model says.
        by_model: Answers by model.
        last: When a model answered last, in seconds of the system's clock.
        promoted: The model that was promoted last.
        latest: Longest time from the first answer of a promoted model to the beginning of a request
            that another one answered.
        faults: The first fault of each kind.
    """

    predictions: Predictions
    port: int
    counts: Counter[str] = field(default_factory=Counter)
    by_model: Counter[str] = field(default_factory=Counter)
    last: dict[str, float] = field(default_factory=dict)
    promoted: str = ""
    latest: float = 0.0
    faults: list[str] = field(default_factory=list)
    _asked: float = 0.0
    _first: float = math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def promote(self, model_id: str) -> None:
        """Take note of a promotion."""
        with self._lock:
            self.promoted, self._asked, self._first = model_id, time.time(), math.inf

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
            place = number % len(self.predictions.bodies)
            began = time.time()
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/v1/predict", self.predictions.bodies[place], headers)
                response = connection.getresponse()
                self._check(place, began, response.status, response.read())
            except (OSError, HTTPException) as error:
                self._check(place, began, 0, repr(error).encode())
                connection.close()

    def _check(self, place: int, began: float, status: int, body: bytes) -> None:
        answer = json.loads(body) if status == HTTPStatus.OK else None
        fault = self.predictions.fault(place, answer) if answer else ""
        with self._lock:
            self.counts["answers"] += 1
            if answer is None:
                self._fail("failed", f"{status}: {body[:200]!r}")
            elif fault:
                self._fail("mixed", fault)
            else:
                self._note(answer["model"]["id"], began)

    def _note(self, model_id: str, began: float) -> None:
        now = time.time()
        self.by_model[model_id] += 1
        self.last[model_id] = now
        if model_id == self.promoted:
            # Not a request of the time before it was replaced.
            if began > self._asked:
                self._first = min(self._first, now)
        else:
            self.latest = max(self.latest, began - self._first)

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

    def run(self, plan: Sequence[str], log: Path, seconds: float, workers: int) -> None:
        """Serve the workspace, ask the service and promote models in turns.

        Args:
            plan: The models to promote.
            log: File of the output of the service.
            seconds: Least duration.
            workers: Workers of the service.
        """
        command = [sys.executable, "-m", "perovshell", "serve", "--port", str(self.traffic.port)]
        command += ["--workspace", str(self.workspace.root), "--workers", str(workers)]
        with running(command, self.traffic.port, "/readyz", log), self.traffic.flowing():
            began = time.monotonic()
            for step, model_id in enumerate([*plan, ""]):
                time.sleep(max(0.0, began + seconds * step / len(plan) - time.monotonic()))
                if model_id == BROKEN:
                    self.promote_broken()
                elif model_id:
                    self.promote(model_id)
        events = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
        told = [event for event in events if "pl.npz is damaged" in event.get("fault", "")]
        if len(told) != 1:
            self.faults.append(f"the log tells {len(told)} times of the broken model")

    def promote(self, model_id: str) -> None:
        """Promote a model, and wait for its first answer."""
        self.traffic.promote(model_id)
        promote(self.workspace, model_id)
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
