"""Ask a service with several workers for everything it does, for long, and disturb it.

A few connections ask, at moderate rates, for single predictions, small and large batches, evidence,
rankings and checks of papers. Meanwhile models are promoted by `perovshell models promote`, and
workers are killed at random moments. Every prediction must be, to the last digit, that of the model
which it names; evidence and rankings must be as before. A worker that is killed may take its own
connections with it, and the service may be busy and say so; nothing else may fail, and the memory
must not grow.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from _answers import Predictions, prepare, promote
from _campaign import forget_settings
from _load import PATIENCE, free_port, get, memory_mb, running

from perovshell.workspace.folder import WorkspaceFolder

QUARTERS: Final = 4
SINGLES: Final = 300
SMALL: Final = (3, 8, 20) * 10
LARGE: Final = (700, 2500)
SPACE: Final = {
    "cores": ["CsPbBr3", "CsPbI3", "FAPbBr3"], "shells": ["SiO2", "ZnS", "TiO2", "PMMA", "ZrO2"],
    "pl_window_nm": [480, 720],
}  # fmt: skip
PAPER: Final = {
    "paper_id": "smith2026",
    "year": 2026,
    "title": "Silica on nanocrystals, an example",
    "source": "primary abstract",
    "samples": [
        {"name": "S1", "core": "CsPbBr3", "shell": "SiO2", "structure": "core/shell",
         "pl_peak_nm": "~515", "plqy_percent": "81"},
    ],
}  # fmt: skip
EVIDENCE: Final = ("?shell=SiO2&stressor=water", "?core=CsPbI3", "?stressor=heat")
RESET_SECONDS: Final = 10.0
"""How long after the death of a worker its connections may be found broken; one that was idle for
longer is not used again."""
MOST_SECONDS: Final = 15.0
"""Longest time from a promotion to the first /readyz of its model."""
MEMORY_LOOKS: Final = 200
SETTLED_MINUTES: Final = 8.0
"""Shortest campaign whose memory tells anything: processes for batches come and go."""
MOST_GROWTH: Final = 1.1


@dataclass(frozen=True)
class Kind:
    """One kind of request, and how often it is sent.

    Attributes:
        name: Its name.
        pause: Mean seconds from one to the next.
        requests: Method, path and body of each.
        fault: Says what is wrong with the answer to one of them; empty where nothing is.
    """

    name: str
    pause: float
    requests: list[tuple[str, str, bytes | None]]
    fault: Callable[[int, Any], str]


@dataclass
class Quarter:
    """What happened in a quarter of the time."""

    counts: Counter[str] = field(default_factory=Counter)
    singles_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return its figures."""
        ordered = sorted(self.singles_ms) or [0.0]
        counts = self.counts
        return {
            "requests": counts["requests"],
            "p50_ms": round(ordered[len(ordered) // 2], 2),
            "p99_ms": round(ordered[int(0.99 * len(ordered))], 2),
            **{name: counts[name] for name in ("errors", "resets", "busy", "wrong")},
            "memory_mb": round(statistics.median(self.memory_mb or [0.0]), 1),
        }


@dataclass
class Campaign:
    """A service under mixed load.

    Attributes:
        workspace: The workspace.
        seconds: How long it lasts.
        port: Where the service listens.
        quarters: What happened in each quarter.
        faults: The first of what was wrong.
    """

    workspace: WorkspaceFolder
    seconds: float
    port: int = field(default_factory=free_port)
    quarters: list[Quarter] = field(default_factory=lambda: [Quarter() for _ in range(QUARTERS)])
    faults: list[str] = field(default_factory=list)
    promotions: int = 0
    kills: int = 0
    _killed: float = -1e9
    _began: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(
        self, kinds: list[Kind], plan: list[tuple[float, str]], workers: int, log: Path
    ) -> None:
        """Serve, ask and disturb.

        Args:
            kinds: What is asked, each over a connection of its own.
            plan: Moments, and the model that is promoted or empty where a worker is killed.
            workers: Workers of the service.
            log: File of the output of the service.
        """
        command = [sys.executable, "-m", "perovshell", "serve", "--port", str(self.port)]
        command += ["--workspace", str(self.workspace.root), "--workers", str(workers)]
        with running(command, self.port, "/readyz", log) as service:
            self._began = time.monotonic()
            with self._flowing(kinds, service.pid):
                for moment, model_id in plan:
                    self._sleep_until(moment)
                    if model_id:
                        self._promote(model_id)
                    else:
                        self._kill(service.pid)
                self._sleep_until(self.seconds)

    @contextmanager
    def _flowing(self, kinds: list[Kind], service: int) -> Iterator[None]:
        works = [lambda kind=kind: self._ask(kind) for kind in kinds]
        threads = [threading.Thread(target=work) for work in (*works, lambda: self._weigh(service))]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def _sleep_until(self, moment: float) -> None:
        time.sleep(max(0.0, self._began + moment - time.monotonic()))

    def _now(self) -> Quarter:
        part = (time.monotonic() - self._began) / self.seconds
        return self.quarters[min(int(QUARTERS * part), QUARTERS - 1)]

    def _weigh(self, service: int) -> None:
        while not self._is_over.wait(self.seconds / MEMORY_LOOKS):
            weight = memory_mb(service, "Pss")
            self._now().memory_mb.append(weight)

    def _ask(self, kind: Kind) -> None:
        moments = random.Random(kind.name)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for number in itertools.cycle(range(len(kind.requests))):
            pause = moments.expovariate(1 / kind.pause)
            if self._is_over.wait(pause):
                break
            if pause > RESET_SECONDS:  # The service, or its end, may have closed it since.
                connection.close()
            method, path, body = kind.requests[number]
            headers = {"Content-Type": "application/json"} if body else {}
            began = time.monotonic()
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, HTTPException) as error:
                connection.close()
                self._count_lost(f"{kind.name}: {error!r}")
                continue
            took = time.monotonic() - began
            self._count(kind, number, took, response.status, content)
        connection.close()

    def _count_lost(self, what: str) -> None:
        with self._lock:
            if time.monotonic() - self._killed < RESET_SECONDS:
                self._now().counts["resets"] += 1
            else:
                self._fail("errors", what)

    def _count(self, kind: Kind, number: int, took: float, status: int, content: bytes) -> None:
        answer = json.loads(content)
        fault = kind.fault(number, answer) if status == HTTPStatus.OK else ""
        with self._lock:
            quarter = self._now()
            quarter.counts["requests"] += 1
            if status == HTTPStatus.OK:
                if kind.name == "single":
                    quarter.singles_ms.append(1000 * took)
                if fault:
                    self._fail("wrong", f"{kind.name}: {fault}")
            elif status == HTTPStatus.SERVICE_UNAVAILABLE and answer["type"].endswith(":busy"):
                quarter.counts["busy"] += 1
            else:
                self._fail("errors", f"{kind.name}: {status}: {content[:200]!r}")

    def _fail(self, name: str, what: str) -> None:
        self._now().counts[name] += 1
        if len(self.faults) < 20:  # noqa: PLR2004 - enough to see what it is
            self.faults.append(f"{name}: {what}")

    def _promote(self, model_id: str) -> None:
        promote(self.workspace, model_id)
        self.promotions += 1
        until = time.monotonic() + MOST_SECONDS
        while time.monotonic() < until:
            try:
                if json.loads(get(self.port, "/readyz")[1])["model"]["id"] == model_id:
                    return
            except (OSError, HTTPException) as error:
                self._count_lost(f"/readyz: {error!r}")
            time.sleep(0.1)
        self.faults.append(f"{model_id} was not served within {MOST_SECONDS:g} s of its promotion")

    def _kill(self, service: int) -> None:
        """Kill a worker: they are the only children of the process that was started."""
        children = Path(f"/proc/{service}/task/{service}/children").read_text().split()
        with self._lock:
            self._killed = time.monotonic()
            os.kill(int(random.choice(children)), signal.SIGKILL)
            self.kills += 1


def main() -> None:
    """Run the campaign, print a table and a line of JSON; exit with 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=90, help="duration")
    parser.add_argument("--workers", type=int, default=2, help="workers of the service")
    parser.add_argument("--promotions", type=int, default=20, help="number of promotions")
    parser.add_argument("--kills", type=int, default=12, help="number of killed workers")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments of kills")
    parser.add_argument("--models", type=Path, nargs="*", help="model folders; else some are made")
    options = parser.parse_args()
    forget_settings()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(prefix="mixed-") as folder:
        workspace = WorkspaceFolder(Path(folder) / "workspace")
        names = prepare(workspace, options.models)
        kinds = asked(workspace, names)
        campaign = Campaign(workspace, 60 * options.minutes)
        plan = moments(names, campaign.seconds, options.promotions, options.kills)
        campaign.run(kinds, plan, options.workers, Path(folder) / "log")
    sys.exit(report(campaign))


def moments(
    names: list[str], seconds: float, promotions: int, kills: int
) -> list[tuple[float, str]]:
    """Return when a model is promoted, at equal intervals, or a worker is killed, at random."""
    models = itertools.islice(itertools.cycle([*names[1:], names[0]]), promotions)
    step = seconds / (promotions + 1)
    regular = [(step * (1 + number), name) for number, name in enumerate(models)]
    return sorted([*regular, *((random.uniform(0.1, 0.9) * seconds, "") for _ in range(kills))])


def asked(workspace: WorkspaceFolder, names: list[str]) -> list[Kind]:
    """Return what is asked, each kind over a connection of its own."""
    sizes = {"single": [1] * SINGLES, "single too": [1] * SINGLES, "small": SMALL, "large": LARGE}
    pauses = {"single": 0.03, "single too": 0.05, "small": 0.2, "large": 2.0}
    kinds = []
    for place, (name, rows) in enumerate(sizes.items()):
        made = Predictions.of(workspace, names, rows, first=10_000 * place)
        posts = [("POST", "/v1/predict", body) for body in made.bodies]
        kinds.append(Kind(name.partition(" ")[0], pauses[name], posts, made.fault))
    ranking = json.dumps({"space": SPACE, "top": 10}).encode()
    check = json.dumps({"paper": PAPER}).encode()
    evidence = [("GET", f"/v1/evidence{query}", None) for query in EVIDENCE]
    return [
        *kinds,
        Kind("evidence", 0.5, [*evidence], Before().fault),
        Kind("ranking", 6.0, [("POST", "/v1/rank", ranking)], Before().fault),
        Kind("paper", 1.5, [("POST", "/v1/papers/check", check)], faults_of_paper),
    ]


def faults_of_paper(_: int, answer: Mapping[str, Any]) -> str:
    """Return what is wrong with the check of a paper that has no faults."""
    return str(answer["faults"] or "")


@dataclass
class Before:
    """Answers that were given before to the same requests by the same model."""

    _known: dict[tuple[int, str], Any] = field(default_factory=dict)

    def fault(self, place: int, answer: Mapping[str, Any]) -> str:
        """Return what is wrong with an answer; empty where nothing is."""
        model_id = answer.get("model", {}).get("id", "")
        if self._known.setdefault((place, model_id), answer) != answer:
            return f"request {place} is answered another way than before by {model_id or 'any'}"
        return ""


def report(campaign: Campaign) -> int:
    """Print what happened; return the exit code."""
    quarters = [quarter.figures() for quarter in campaign.quarters]
    print(" ".join(f"{name:>9}" for name in ("quarter", *quarters[0])))
    for number, figures in enumerate(quarters, 1):
        print(" ".join(f"{value:>9}" for value in (number, *figures.values())))
    growth = quarters[-1]["memory_mb"] / (quarters[1]["memory_mb"] or 1.0)
    faults = campaign.faults
    if growth > MOST_GROWTH and campaign.seconds >= 60 * SETTLED_MINUTES:
        faults.append(f"the memory grew by a factor of {growth:.2f}")
    totals = {
        name: sum(quarter[name] for quarter in quarters)
        for name in ("requests", "errors", "resets", "busy", "wrong")
    }
    figures = {"p99_ms": max(quarter["p99_ms"] for quarter in quarters)}
    disturbed = {"promotions": campaign.promotions, "kills": campaign.kills}
    print(json.dumps({**totals, **figures, "memory_growth": round(growth, 3), **disturbed}))
    if faults:
        print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    main()
