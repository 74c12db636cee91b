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
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from _campaign import forget_settings
from _load import PATIENCE, Reply, drive, free_port, post, row, running, told

from perovshell.data.dataset import Dataset
from perovshell.model import Model
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
    asked = parser.parse_args()
    forget_settings()
    with tempfile.TemporaryDirectory(prefix="swap-") as folder:
        workspace = WorkspaceFolder(Path(folder) / "workspace")
        prepare(workspace, asked.models)
        campaign = Campaign.of(workspace, Path(folder) / "log", asked.seconds, asked.promotions)
        campaign.run()
    print("\n".join(campaign.table()))
    print(json.dumps(campaign.figures()))
    if campaign.faults:
        print("\n".join(campaign.faults), file=sys.stderr)
        sys.exit(1)


def prepare(workspace: WorkspaceFolder, given: Sequence[Path] | None) -> None:
    """Fill a workspace with models, a damaged one among them; the first becomes champion."""
    workspace.prepare()
    for folder in given or ():
        shutil.copytree(folder, workspace.models / Model.from_folder(folder).info.model_id)
    if not given:
        for seed in range(MODELS):
            train(Dataset.bundled(), workspace.models, replace(QUICK, seed=seed))
    first, *others = workspace.model_ids()
    if not others:
        sys.exit("two or more unlike models are needed")
    workspace.set_champion(first, "the first")
    shutil.copytree(workspace.models / first, workspace.models / BROKEN)
    damaged = workspace.models / BROKEN / "pl.npz"
    damaged.write_bytes(damaged.read_bytes()[:-_CUT])


@dataclass
class Seen:
    """What a promotion led to.

    Attributes:
        model_id: The model.
        recorded: When it was recorded, in seconds of the system's clock.
        seconds: Time from then to the first answer of the model; for the broken one to the fault
            at /readyz; NaN where it was not seen.
    """

    model_id: str
    recorded: float
    seconds: float = math.nan


@dataclass
class Campaign:
    """One run under load.

    Attributes:
        workspace: The workspace.
        log: Where the service says what it does.
        seconds: Least duration.
        promotions: Number of promotions, without the broken one.
        models: Ids of the models in the order of their promotions.
        asked: Rows of the fixed set of requests.
        expected: Answers to them by model.
        port: Where the service listens.
        seen: What every promotion led to.
        faults: What was wrong.
        counts: Answers, those that failed, and those that are not what their model says.
        by_model: Answers by model.
    """

    workspace: WorkspaceFolder
    log: Path
    seconds: float
    promotions: int
    models: list[str]
    asked: list[list[dict[str, Any]]]
    expected: dict[str, list[list[dict[str, Any]]]]
    port: int = field(default_factory=free_port)
    seen: list[Seen] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"answers": 0, "failed": 0, "mixed": 0})
    by_model: dict[str, int] = field(default_factory=dict)
    _known: set[tuple[int, bytes]] = field(default_factory=set)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, workspace: WorkspaceFolder, log: Path, seconds: float, promotions: int) -> Campaign:
        """Make the campaign of a workspace, with the answers that its models would give."""
        names = [name for name in workspace.model_ids() if name != BROKEN]
        asked = list(fixed_requests())
        expected = {name: answers_of(workspace.models / name, asked) for name in names}
        # The first is the champion already.
        models = [*names[1:], names[0]]
        return cls(workspace, log, seconds, promotions, models, asked, expected)

    def run(self) -> None:
        """Serve, load and promote."""
        command = [sys.executable, "-m", "perovshell", "serve", "--port", str(self.port)]
        command += ["--workspace", str(self.workspace.root)]
        with running(command, self.port, "/readyz", self.log):
            promoter = threading.Thread(target=self._promote_all)
            promoter.start()
            try:
                drive(self.port, self._requests(), self._see)
            finally:
                self._is_over.set()
                promoter.join()
        self._look_at_log()
        self._judge()

    # Under load ------------------------------------------------------------------------------

    def _requests(self) -> Iterator[bytes]:
        made = [post("/v1/predict", json.dumps({"rows": rows}).encode()) for rows in self.asked]
        for request in itertools.cycle(made):
            if self._is_over.is_set():
                return
            yield request

    def _see(self, reply: Reply) -> None:
        self.counts["answers"] += 1
        if reply.status != 200:  # noqa: PLR2004
            self._fail("failed", f"{reply.status}: {reply.body[:200]!r}")
            return
        place = reply.number % len(self.asked)
        known = (place, reply.body)
        body = json.loads(reply.body)
        model_id = body["model"]["id"]
        if known not in self._known:
            if model_id not in self.expected or body["answers"] != self.expected[model_id][place]:
                self._fail("mixed", f"request {place} is not answered as {model_id} would")
                return
            self._known.add(known)
        self.by_model[model_id] = self.by_model.get(model_id, 0) + 1
        latest = self.seen[-1] if self.seen else None
        if latest and latest.model_id == model_id and math.isnan(latest.seconds):
            latest.seconds = time.time() - latest.recorded

    def _fail(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            self.faults.append(f"{kind}: {what}")

    # Promotions ------------------------------------------------------------------------------

    def _promote_all(self) -> None:
        """Promote in turns, the broken one half-way; the load ends with it."""
        began, steps = time.monotonic(), self.promotions + 1
        plan = list(itertools.islice(itertools.cycle(self.models), self.promotions))
        plan.insert(self.promotions // 2, BROKEN)
        try:
            for step, model_id in enumerate(plan):
                time.sleep(max(0.0, began + self.seconds * step / steps - time.monotonic()))
                (self._break if model_id == BROKEN else self._promote)(model_id)
            time.sleep(max(0.0, began + self.seconds - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - it is a fault of the run like others
            self.faults.append(f"promotions ended: {error!r}")
        finally:
            self._is_over.set()

    def _promote(self, model_id: str) -> None:
        command = [sys.executable, "-m", "perovshell", "models", "promote", model_id]
        command += ["--why", "a trial", "--workspace", str(self.workspace.root)]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        seen = self._record(model_id)
        self._until(lambda: not math.isnan(seen.seconds))
        if fault := told(self.port, "/readyz")["fault"]:
            self.faults.append(f"/readyz has a fault after {model_id} was promoted: {fault}")

    def _break(self, model_id: str) -> None:
        """Record the damaged model as champion, which `models promote` itself would refuse."""
        before = told(self.port, "/readyz")["model"]["id"]
        with self.workspace.locked("models", wait=True):
            self.workspace.set_champion(model_id, "a trial")
        seen = self._record(model_id)

        def is_told() -> bool:
            ready = told(self.port, "/readyz")
            if ready["model"]["id"] != before:
                self.faults.append(f"{ready['model']['id']} took the place of {before}")
            return "pl.npz is damaged" in ready["fault"]

        if self._until(is_told):
            seen.seconds = time.time() - seen.recorded

    def _record(self, model_id: str) -> Seen:
        seen = Seen(model_id, self.workspace.promotions_file.stat().st_mtime)
        self.seen.append(seen)
        return seen

    def _until(self, is_so: Any) -> bool:
        until = time.monotonic() + MOST_SECONDS
        while time.monotonic() < until:
            if is_so():
                return True
            time.sleep(0.05)
        return False

    # What is found ---------------------------------------------------------------------------

    def _look_at_log(self) -> None:
        text = self.log.read_text()
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        broken = [line for line in lines if "cannot be served" in line["event"]]
        if not any("pl.npz is damaged" in line["fault"] for line in broken):
            self.faults.append("the log does not tell of the broken model")

    def _judge(self) -> None:
        if len(self.seen) != self.promotions + 1:
            self.faults.append(f"{len(self.seen)} of {self.promotions + 1} promotions were made")
        self.faults += [
            f"{one.model_id} was not seen within {MOST_SECONDS:g} s of its promotion"
            for one in self.seen
            if not one.seconds <= MOST_SECONDS
        ]

    def table(self) -> list[str]:
        """Return a line for each promotion, with the answers of every model below."""
        lines = [f"{'promoted':<14}{'seen after':>12}"]
        for one in self.seen:
            broken = "  broken: told at /readyz" if one.model_id == BROKEN else ""
            lines.append(f"{one.model_id:<14}{one.seconds:>10.2f} s{broken}")
        lines += [f"{name} answered {count:,}" for name, count in sorted(self.by_model.items())]
        return lines

    def figures(self) -> dict[str, Any]:
        """Return the figures of the run."""
        healthy = [one.seconds for one in self.seen if one.model_id != BROKEN]
        slowest = max(healthy, default=math.nan)
        return {
            **self.counts,
            "promotions": len(healthy),
            "slowest_s": None if math.isnan(slowest) else round(slowest, 2),
            "faults": len(self.faults),
        }


def fixed_requests() -> Iterator[list[dict[str, Any]]]:
    """Return the rows of the fixed set of requests."""
    number = 0
    for size in SIZES:
        yield [row(number + one) for one in range(size)]
        number += size


def answers_of(folder: Path, asked: Sequence[Sequence[Any]]) -> list[list[dict[str, Any]]]:
    """Return the answers of the model in a folder to requests."""
    model = Model.from_folder(folder)
    return [[as_json(values) for values in model.predict(rows)] for rows in asked]


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as the service writes it."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        is_number = isinstance(value, float) and math.isfinite(value)
        made[name] = value if is_number or not isinstance(value, float) else None
        if isinstance(value, float) and math.isinf(value):
            made[f"{name}_open"] = True
    return made


if __name__ == "__main__":
    main()
