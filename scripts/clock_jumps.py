"""Put the clock forward and back between commands and under a running service.

A real service and real commands run by a clock that `faketime` shifts (Debian package `faketime`);
files that a command writes get the time of that clock, too. After each jump papers are added, keys
made and removed, models promoted and rolled back, a ranking resumed and, unless left out, a model
retrained. Shown is that every promotion is kept in its order and the newest champion stays the
newest, here, in the registry and in the service; that keys and limits hold at once; that answers
are the same; and that what killed processes left half-written is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from _campaign import forget_settings
from _load import PATIENCE, free_port, get, row, running
from _ring import Ring
from _whole import OUTPUTS, State, check, check_finished
from kills import Arena

from perovshell.data.dataset import Dataset
from perovshell.data.paper_writing import to_yaml
from perovshell.workspace.folder import WorkspaceFolder

JUMPS: Final = (1.0, -1.0, 24.0, -24.0, 365 * 24.0, -48.0)
"""Hours by which the clock differs from that of the machine."""
RATE: Final = 5
ASKED: Final = 40
SEEN_SECONDS: Final = 10.0


def main() -> None:
    """Run the campaign, print the table and a line of JSON; exit with 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=JUMPS, help="the jumps")
    parser.add_argument("--no-retrain", action="store_true", help="leave retraining out")
    parser.add_argument("--patience", type=float, default=SEEN_SECONDS, help="to be seen, in s")
    parser.add_argument("--folder", type=Path, help="where the workspace is made, once, and kept")
    asked = parser.parse_args()
    forget_settings()
    library = faketime_library()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="clock-"))
    arena = Arena.at(folder)
    ring = Ring.of(arena.root)
    campaign = Campaign(arena, ring, Clock(ring.side / "offset", library), asked.patience)
    campaign.run(asked.hours, retrain=not asked.no_retrain)
    ring.remove()
    if asked.folder is None:
        shutil.rmtree(folder)
    for what, count in sorted(campaign.done.items()):
        print(f"{what:<30}{count:>6}")
    figures = {"jumps": len(asked.hours), "commands": campaign.done.total()}
    print(json.dumps({**figures, "faults": len(campaign.faults)}))
    if campaign.faults:
        print("\n".join(campaign.faults), file=sys.stderr)
        sys.exit(1)


def faketime_library() -> Path:
    """Return the library that shifts the clock of a process."""
    found = sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))
    if not found:
        sys.exit("faketime is needed: the Debian package of that name")
    return found[0]


@dataclass(frozen=True)
class Clock:
    """A clock that jumps.

    Attributes:
        file: Says by how much it differs from the machine's.
        library: What shifts the clock of a process.
    """

    file: Path
    library: Path

    def jump(self, hours: float) -> None:
        """Let it differ from the machine's."""
        self.file.write_text(f"{hours * 3600:+.0f}\n")

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that runs by it; only the time of day jumps."""
        return {
            "LD_PRELOAD": str(self.library), "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        }  # fmt: skip


@dataclass
class Campaign:
    """Commands after each jump, and what was found.

    Attributes:
        arena: What the workspace was made from.
        ring: A copy of it to work on.
        clock: The clock.
        patience: Seconds within which a service must see a change.
        done: Commands by name.
        faults: What is wrong.
    """

    arena: Arena
    ring: Ring
    clock: Clock
    patience: float
    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    _key: str = ""
    _first: str = ""

    @property
    def workspace(self) -> WorkspaceFolder:
        """The workspace."""
        return self.ring.workspace

    def run(self, jumps: list[float], *, retrain: bool) -> None:
        """Start the service and work through the jumps."""
        self.clock.jump(0)
        self._first = self.workspace.champion_id or ""
        self._key = self._command(0, "keys", "add", "caller").split()[-1]
        bundled = Dataset.bundled()
        inside = set(Dataset.from_folder(self.arena.root / "data").papers)
        new = [k for k in bundled.papers if k not in inside and not bundled.in_collection(k)]
        port, log = free_port(), self.ring.side / "log"
        command = [sys.executable, "-m", "perovshell", "serve", "--port", str(port), "--rate"]
        command += [str(RATE), "--workspace", str(self.workspace.root)]
        with running(command, port, "/readyz", log, **self.clock.environment):
            first = self._answer(port)
            for hours, name in zip(jumps, new, strict=False):
                path = self.ring.side / f"{name}.yaml"
                path.write_text(to_yaml(bundled.entry(name)))
                self.clock.jump(hours)
                self._work(hours, path, retrain=retrain)
                self._look(port, first)
        if "raceback" in (text := log.read_text()):
            self.faults.append(f"the log of the service has a traceback: {text[-1500:]}")

    def _work(self, hours: float, paper: Path, *, retrain: bool) -> None:
        """Give every kind of command once; what was promoted before is promoted again."""
        # The ranking that is resumed is of the first champion.
        if self.workspace.champion_id != self._first:
            self._command(hours, "models", "promote", self._first, "--why", f"{hours} h")
        before, data = self.workspace.promotions, ("--data", str(self.arena.root / "data"))
        self._leave_half_written(hours)
        self._command(hours, "add", str(paper), "--yes", "--accept-outliers", *data)
        self._command(hours, "keys", "add", "another")
        self._command(hours, "keys", "remove", "another")
        part = Path("reports") / "small" / "ranking.part.npz"
        (self.workspace.root / part).parent.mkdir(exist_ok=True)
        shutil.copy(self.arena.root / "workspace" / part, self.workspace.root / part)
        other = min({*self.workspace.model_ids()} - {self.workspace.champion_id})
        self._command(hours, "models", "promote", other, "--why", f"{hours} h")
        self._command(hours, "models", "rollback", "--why", f"{hours} h")
        self._command(hours, "rank", str(self.arena.root / "space.yaml"), "--resume")
        self._command(hours, "predict", str(self.arena.root / "in.csv"), "-o", f"{OUTPUTS}/out.csv")
        if retrain:
            self._command(hours, "retrain", "--jobs", "1", *data)
        now = self.workspace.promotions
        if now[: len(before)] != before or [one.model_id for one in now[len(before) :]][:2] != [
            other, before[-1].model_id,
        ]:  # fmt: skip
            self.faults.append(f"{hours} h: promotions {now}")

    def _leave_half_written(self, hours: float) -> None:
        """Leave what a killed process leaves, with the time of the clock."""
        folder = self.workspace.models / ".writing-a0b1c2d3"
        folder.mkdir()
        (self.workspace.papers / ".hu2018.yaml-a0b1c2d3").write_text("#")
        (self.ring.folder / OUTPUTS / ".out.csv-a0b1c2d3").write_text("#")
        self._age(hours)

    def _age(self, hours: float, since: float = 0.0) -> None:
        """Give files that were written since some time the time of the clock."""
        for path in self.ring.folder.rglob("*"):
            if path.stat().st_ctime >= since and not path.is_symlink():
                then = time.time() + hours * 3600
                os.utime(path, (then, then))

    def _command(self, hours: float, *words: str) -> str:
        began, command = time.time(), [sys.executable, "-m", "perovshell", *words]
        ended = subprocess.run(
            [*command, "--workspace", str(self.workspace.root)], cwd=self.ring.folder,
            env={**os.environ, **self.clock.environment}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self._age(hours, began)
        name = " ".join(words[:2]) if words[0] in {"keys", "models"} else words[0]
        self.done[name] += 1
        # 3: a challenger that is not promoted.
        if ended.returncode not in (0, 3) or "Traceback" in ended.stderr:
            self.faults.append(f"{hours} h, {name}: {ended.returncode}: {ended.stderr[-1500:]}")
        return ended.stdout

    # The service -----------------------------------------------------------------------------

    def _look(self, port: int, first: Any) -> None:
        """Look at the workspace, and whether the service has seen what was changed."""
        state = State.of(self.workspace)
        for found in (check(self.workspace, state, state), check_finished(self.workspace, state)):
            self.faults += [*found.lost, *found.half_written]
        until = time.monotonic() + self.patience
        while json.loads(get(port, "/readyz")[1])["model"]["id"] != self.workspace.champion_id:
            if time.monotonic() > until:
                self.faults.append(f"the service does not serve {self.workspace.champion_id}")
                return
            time.sleep(0.05)
        answer = self._answer(port)
        if answer["model"] == first["model"] and answer["answers"] != first["answers"]:
            self.faults.append(f"{answer} instead of {first}")
        self._check_rate(port)

    def _answer(self, port: int) -> Any:
        while True:
            status, body = self._ask(port)
            if status == HTTPStatus.OK:
                return json.loads(body)
            if status != HTTPStatus.TOO_MANY_REQUESTS:
                msg = f"{status}: {body!r}"
                raise RuntimeError(msg)
            time.sleep(1)

    def _check_rate(self, port: int) -> None:
        """As many requests as may be are answered, whatever the clock says."""
        began = time.monotonic()
        statuses = Counter(self._ask(port)[0] for _ in range(ASKED))
        most = (2 + time.monotonic() - began) * RATE + 1
        if not 1 <= statuses[HTTPStatus.OK] <= most or statuses.keys() - {200, 429}:
            self.faults.append(f"of {ASKED} requests at once: {dict(statuses)}")
        time.sleep(1)
        if self._ask(port)[0] != HTTPStatus.OK:
            self.faults.append("the limit of requests lasts longer than it says")

    def _ask(self, port: int) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        connection.request("POST", "/v1/predict", json.dumps({"rows": [row(1)]}), headers)
        response = connection.getresponse()
        status, body = response.status, response.read()
        connection.close()
        return status, body


if __name__ == "__main__":
    main()
