"""Fill the disk while commands write, and show that nothing is lost and that they say so.

Each trial copies one workspace onto a small disk of its own (a tmpfs, which needs root), starts a
real command in it, and fills the disk to the last byte just before one of the operations by which
the command changes the disk. It must end with exit code 2 and one line that says what could not be
written and why, or have needed no more room; papers, models, champion, registry, materials, keys,
reports and outputs must be whole and as before or as after. With room again, the command must work,
and nothing half-written be left.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from _campaign import forget_settings
from _ring import Command, Rehearsal, Ring, import_all
from _whole import Found, check, check_finished
from kills import FORKING, SIDE_BY_SIDE, Arena, turns

DISK_MB: Final = 200
FAULT: Final = 2
_FULL: Final = re.compile(r"No space left on device|disk is full|disk I/O error")
_PATH: Final = re.compile(r"workspace|\bout/")


def main() -> None:
    """Run the trials, print the table and a line of JSON; exit with 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=0, help="number of trials; 0 is all")
    parser.add_argument("--seed", type=int, default=0, help="seed of their order")
    parser.add_argument("--only", nargs="+", help="commands; else all")
    parser.add_argument("--folder", type=Path, help="where the workspace is made, once, and kept")
    asked = parser.parse_args()
    forget_settings()
    began, folder = time.monotonic(), asked.folder or Path(tempfile.mkdtemp(prefix="full-disk-"))
    import_all()
    trials = campaign(Arena.at(folder), asked)
    counts = Counter((one.command.name, one.outcome) for one in trials)
    for (command, outcome), count in sorted(counts.items()):
        print(f"{command:<24}{outcome:<34}{count:>6}")
    faults = [
        f"{one.command.name}, before operation {one.at}: {f}" for one in trials for f in one.faults
    ]
    said = {"trials": len(trials), "faults": len(faults), "seed": asked.seed}
    print("\n".join(faults))
    print(json.dumps({**said, "seconds": round(time.monotonic() - began)}))
    if asked.folder is None:
        shutil.rmtree(folder)
    sys.exit(bool(faults))


@dataclass(frozen=True)
class Trial:
    """A disk that got full, and what was found after it.

    Attributes:
        command: The command.
        at: The operation before which it got full.
        outcome: How the command ended.
        faults: What is wrong.
    """

    command: Command
    at: int
    outcome: str
    faults: list[str] = field(default_factory=list)


def campaign(arena: Arena, asked: argparse.Namespace) -> list[Trial]:
    """Rehearse the commands, and fill the disk before their operations."""
    commands = arena.commands(asked.only)
    random.Random(asked.seed).shuffle(commands)
    trials: list[Trial] = []
    with ProcessPoolExecutor(SIDE_BY_SIDE, FORKING) as pool:
        rehearsed = list(pool.map(arena.rehearse, commands))
        planned = turns(rehearsed, asked.seed)[: asked.trials or None]
        waiting = [pool.submit(trial, arena, *one) for one in planned]
        for done in as_completed(waiting):
            trials.append(one := done.result())
            told = f"{len(trials)} of {len(planned)}: {one.command.name}, {one.at}: {one.outcome}"
            print(told, *one.faults, sep="\n  ", file=sys.stderr, flush=True)
    return trials


def trial(arena: Arena, rehearsal: Rehearsal, at: int) -> Trial:
    """Fill the disk before an operation of a command; check, make room, give it again, check."""
    command, ring = rehearsal.command, Ring.of(arena.root, DISK_MB)
    code = ring.start(command, at, fill=True).wait()
    outcome, faults = _judged(code, ring.said)
    found = [check(ring.workspace, arena.before, rehearsal.after)]
    ring.ballast.unlink(missing_ok=True)
    if ring.start(command).wait() and (not command.done or command.done not in ring.said):
        faults.append(f"it cannot be given again: {ring.said}")
    found.append(check(ring.workspace, arena.before, rehearsal.after))
    found.append(check_finished(ring.workspace, rehearsal.after))
    faults += [str(one) for one in found if one != Found()]
    ring.remove()
    return Trial(command, at, outcome, faults)


def _judged(code: int | None, said: str) -> tuple[str, list[str]]:
    """Say how a command ended, and what is wrong with it."""
    told = [line for line in said.splitlines() if line.startswith("perovshell: ")]
    if code == 0 and not told:
        return "needed no more room", []
    faults = []
    if code != FAULT or len(told) != 1 or "Traceback" in said:
        faults.append(f"exit code {code}: {said}")
    elif not _FULL.search(told[0]) or not _PATH.search(told[0]):
        faults.append(f"does not say what could not be written and why: {told[0]}")
    return "refused in one line" if not faults else "wrong", faults


if __name__ == "__main__":
    main()
