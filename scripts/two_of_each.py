"""Two services and two retrainings on one workspace at once, with additions and promotions beside.

Two real services answer requests from one workspace. In each round two `retrain`s start together,
and beside them two `add`s of different papers and a promotion. Shown is that no paper and no
promotion is lost, that every answer is that of the model which it names, that who finds a lock
taken is told so in one line, and that both services arrive at the same champion within seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import orjson
from _campaign import forget_settings
from _load import PATIENCE, free_port, get, row, running
from _small import few_papers, write_tables

from perovshell.data.dataset import Dataset
from perovshell.data.paper_writing import to_yaml
from perovshell.model import Model
from perovshell.serve.service.writing import write
from perovshell.training.train import QUICK, train
from perovshell.workbench import Workspace
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.papers import PaperStore

SERVICES: Final = 2
REQUESTS: Final = 20
PAUSE_SECONDS: Final = 0.05
"""Between two requests to a service: the load is light."""
ARRIVE_SECONDS: Final = 10.0
"""Longest time until both services answer as the champion."""
LOCKED: Final = "another process is changing its models; wait until it is done, or give --wait"
DONE_ALREADY: Final = ("is the champion already", "has become champion since")


def main() -> None:
    """Run the campaign, print the table and a line of JSON; exit with 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="least duration")
    parser.add_argument("--patience", type=float, default=ARRIVE_SECONDS, help="to arrive, in s")
    asked = parser.parse_args()
    forget_settings()
    with tempfile.TemporaryDirectory(prefix="two-") as folder:
        campaign = run(Path(folder), asked.minutes * 60, asked.patience)
    for outcome, count in sorted(campaign.outcomes.items()):
        print(f"{outcome:<50}{count:>6}")
    print(json.dumps(campaign.figures()))
    if campaign.faults:
        print("\n".join(campaign.faults), file=sys.stderr)
        sys.exit(1)


def run(folder: Path, seconds: float, patience: float) -> Campaign:
    """Prepare a workspace, start the services and work on it for some time."""
    bundled, workspace = Dataset.bundled(), WorkspaceFolder(folder / "workspace")
    base = bundled.subset(few_papers(bundled))
    write_tables(folder / "data", base)
    workspace.prepare()
    workspace.set_champion(train(base, workspace.models, QUICK).model_id, "the first")
    new = [k for k in bundled.papers if k not in base.papers and not bundled.in_collection(k)]
    callers = [Caller(free_port()) for _ in range(SERVICES)]
    campaign = Campaign(folder, bundled, new, callers, patience)
    logs = [folder / f"service-{number}.log" for number in range(SERVICES)]
    with ExitStack() as stack:
        for caller, log in zip(callers, logs, strict=True):
            command = [sys.executable, "-m", "perovshell", "serve", "--port", str(caller.port)]
            command += ["--no-access-log", "--workspace", str(workspace.root)]
            stack.enter_context(running(command, caller.port, "/readyz", log))
            stack.enter_context(caller.calling())
        until = time.monotonic() + seconds
        while campaign.rounds == 0 or time.monotonic() < until:
            campaign.round()
    campaign.judge()
    campaign.faults += [f"{log.name}: traceback" for log in logs if "raceback" in log.read_text()]
    return campaign


class Caller:
    """Asks one service the same requests again and again.

    Args:
        port: Where it listens.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: defaultdict[tuple[str, int], set[bytes]] = defaultdict(set)
        self.answers = 0
        self.failed: list[str] = []
        self._is_over = threading.Event()

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Send requests for as long as a block runs."""
        thread = threading.Thread(target=self._call)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _call(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for place in itertools.cycle(range(REQUESTS)):
            if self._is_over.wait(PAUSE_SECONDS):
                connection.close()
                return
            try:
                headers = {"Content-Type": "application/json"}
                body = json.dumps({"rows": [row(place)]})
                connection.request("POST", "/v1/predict", body, headers)
                response = connection.getresponse()
                self._keep(place, response.status, response.read())
            except (OSError, HTTPException) as error:
                self._keep(place, 0, repr(error).encode())
                connection.close()

    def _keep(self, place: int, status: int, body: bytes) -> None:
        self.answers += 1
        if status != HTTPStatus.OK:
            self.failed.append(f"{status}: {body[:200]!r}")
            return
        answer = orjson.loads(body)
        self.seen[answer["model"]["id"], place].add(_digest(answer["answers"]))


@dataclass
class Campaign:
    """Rounds of commands on one workspace, and what was found.

    Attributes:
        folder: Where the workspace and its dataset are.
        bundled: Where the papers come from.
        waiting: Names of papers that are not added yet.
        callers: Who asks the services.
        patience: Seconds within which both services are to answer as the champion.
        rounds: Rounds so far.
        added: Papers that were said to be added.
        outcomes: How the commands ended.
        arrived: Seconds until both services had the champion, of each round.
        mixed: Answers that are not those of the model they name.
        promotions: Promotions in the end.
        faults: What is wrong.
    """

    folder: Path
    bundled: Dataset
    waiting: list[str]
    callers: list[Caller]
    patience: float
    rounds: int = 0
    added: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    arrived: list[float] = field(default_factory=list)
    mixed: int = 0
    promotions: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> WorkspaceFolder:
        """The workspace."""
        return WorkspaceFolder(self.folder / "workspace")

    def round(self) -> None:
        """Start all commands together, wait for them, and look at what they left."""
        self.rounds += 1
        before = self.workspace.promotions
        # In every second round those who find the models locked wait.
        wait = ["--wait"] if self.rounds % 2 else []
        data = ["--data", str(self.folder / "data")]
        words = [["retrain", "--jobs", "1", *data, *wait] for _ in range(SERVICES)]
        papers, self.waiting = self.waiting[:SERVICES], self.waiting[SERVICES:]
        for name in papers:
            path = self.folder / f"{name}.yaml"
            path.write_text(to_yaml(self.bundled.entry(name)))
            words.append(["add", str(path), "--yes", "--accept-outliers", *data])
        others = sorted({*self.workspace.model_ids()} - {self.workspace.champion_id})
        if others:
            one = others[self.rounds % len(others)]
            words.append(["models", "promote", one, "--why", "a trial", *wait])
        started = [self._start(*one) for one in words]
        ended = [self._ended(one, process) for one, process in zip(words, started, strict=True)]
        adds = ended[SERVICES : SERVICES + len(papers)]
        self.added |= {name for name, how in zip(papers, adds, strict=True) if how == "done"}
        self._check(before)
        self._await()

    def _start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "perovshell", *words]
        return subprocess.Popen(
            [*command, "--workspace", str(self.workspace.root)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def _ended(self, words: list[str], process: subprocess.Popen[str]) -> str:
        said, _ = process.communicate()
        name = " ".join(words[:2]) if words[0] == "models" else words[0]
        refusals = [line for line in said.splitlines() if line.startswith("perovshell: ")]
        last = refusals[-1] if refusals else ""
        how = "done"
        if LOCKED in last:
            how = "told that the models are locked"
        elif any(text in last for text in DONE_ALREADY):
            how = "told that another champion came first"
        elif process.returncode == 2 and name == "add":  # noqa: PLR2004
            how = "refused: the paper needs a person"
        elif process.returncode not in (0, 3):
            how = "failed"
        if how == "failed" or len(refusals) > 1 or "Traceback" in said:
            self.faults.append(f"{' '.join(words)}: {process.returncode}: {said[-1500:]}")
        self.outcomes[f"{name}: {how}"] += 1
        return how

    def _check(self, before: tuple[Any, ...]) -> None:
        """Nothing that was there is lost."""
        stored = PaperStore(self.workspace).stored()
        names = {entry.paper_id for entry in stored.entries}
        if names != self.added or stored.faults:
            self.faults.append(f"papers {names ^ self.added} {stored.faults}")
        promotions = self.workspace.promotions
        if promotions[: len(before)] != before:
            self.faults.append("a promotion is lost")
        if [one.when for one in promotions] != sorted(one.when for one in promotions):
            self.faults.append("the promotions are not in the order of their times")
        in_use = Workspace(self.workspace.root, data=self.folder / "data").dataset().papers
        if missing := self.added - set(in_use):
            self.faults.append(f"{missing} are no longer in the data")

    def _await(self) -> None:
        """Wait until both services answer as the champion."""
        began, champion = time.monotonic(), self.workspace.champion_id
        while time.monotonic() - began < self.patience:
            ready = [json.loads(get(caller.port, "/readyz")[1]) for caller in self.callers]
            if all(one["model"]["id"] == champion and not one["fault"] for one in ready):
                self.arrived.append(time.monotonic() - began)
                return
            time.sleep(0.05)
        self.faults.append(f"round {self.rounds}: not both services are at {champion}: {ready}")

    def judge(self) -> None:
        """Compare every answer with that of the model that it names."""
        self.promotions, models = len(self.workspace.promotions), dict[str, Model]()
        for caller in self.callers:
            self.faults += caller.failed[:1]
            for (name, place), digests in caller.seen.items():
                if name not in models:
                    models[name] = Model.from_folder(self.workspace.models / name)
                written = write(models[name].predict([row(place)])).answers
                if digests != {_digest(orjson.loads(b"[%b]" % written))}:
                    self.mixed += 1
                    self.faults.append(f"request {place} is not answered as {name} would")

    def figures(self) -> dict[str, Any]:
        """Return the figures of the last line."""
        served = {name for caller in self.callers for name, _ in caller.seen}
        return {
            "rounds": self.rounds, "commands": self.outcomes.total(), "papers": len(self.added),
            "promotions": self.promotions,
            "models_served": len(served), "answers": sum(one.answers for one in self.callers),
            "failed": sum(len(one.failed) for one in self.callers), "mixed": self.mixed,
            "slowest_s": round(max(self.arrived, default=0), 2), "faults": len(self.faults),
        }  # fmt: skip


def _digest(answers: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(answers)).digest()


if __name__ == "__main__":
    main()
