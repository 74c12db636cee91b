"""Kill add, retrain, promote and rollback at any moment, and show that nothing is lost.

Each trial copies one workspace, starts a real command in it, kills its whole process group with
SIGKILL, and checks that papers, models, champion and registry are whole and as before or as after;
then that the command works when it is given again, and that nothing half-written is left.

A kill comes at a uniformly random moment of the command's usual duration; or shortly after a line
that tells a stage of a retraining; or, since such moments rarely hit a write, just before one of
the operations by which the command changes the workspace on disk.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from _campaign import forget_settings
from _ring import Command, Rehearsal, Ring
from _whole import Found, State, check, check_finished

from perovshell.data.columns import TABLES
from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import to_yaml
from perovshell.training.tracking import track
from perovshell.training.train import QUICK, train
from perovshell.workspace.championship import align, ensure_champion, promote
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.papers import PaperStore

SIDE_BY_SIDE: Final = 2
TURNS: Final = (
    "retrain", "add", "promote", "add", "rollback", "add", "retrain", "promote", "retrain",
    "retrain",
)  # fmt: skip
"""The order of the commands: 40 % retrain, 30 % add, 30 % promote and rollback."""
PAPERS: Final = 40
"""Papers of the small dataset: enough to train every target within seconds."""
LEARNED, WAITING, NEW, SET = "hu2018", "leng2018", "liu2023", ("chen2023", "lv2019_meyns")
"""Papers that are no part of it: learned by the champion, added but not learned yet, and those
that the trials add."""


def main() -> None:
    """Run the trials, print the table and a line of JSON; exit with 1 where anything is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="number of kills")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    asked = parser.parse_args()
    forget_settings()
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="kills-"))
    trials = campaign(folder, asked.kills, asked.seed)
    lost = [f"{one}: lost: {what}" for one in trials for what in one.found.lost]
    half = [f"{one}: half-written: {what}" for one in trials for what in one.found.half_written]
    print("\n".join([*table(trials), *lost, *half]))
    said = {"kills": len(trials), "lost": len(lost), "half_written": len(half)}
    print(json.dumps({**said, "seed": asked.seed, "seconds": round(time.monotonic() - began)}))
    if lost or half:
        print(f"the workspaces at fault are kept in {folder}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(folder)


# What is killed ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """A kill and what was found after it.

    Attributes:
        command: The command killed.
        stage: How far it was.
        is_done: Whether it had done its work.
        found: What is wrong.
    """

    command: str
    stage: str
    is_done: bool
    found: Found

    def __str__(self) -> str:
        """Say what was killed and when."""
        return f"{self.command}, {self.stage}"


def campaign(folder: Path, kills: int, seed: int) -> list[Trial]:
    """Build a workspace, rehearse the commands, and kill them as often as asked."""
    arena = Arena.built(folder)
    chosen = arena.in_turns(kills)
    # Forked, so that each has what the building imported.
    with multiprocessing.get_context("fork").Pool(SIDE_BY_SIDE) as pool:
        unlike = list(dict.fromkeys(chosen))
        rehearsed = dict(zip(unlike, pool.map(arena.rehearse, unlike, chunksize=1), strict=True))
        given = [(rehearsed[one], f"{seed}-{number}") for number, one in enumerate(chosen)]
        trials: list[Trial] = []
        for trial in pool.imap_unordered(arena.kill, given):
            trials.append(trial)
            how = "whole" if trial.found == Found() else trial.found
            print(f"{len(trials)} of {kills} kills: {trial}: {how}", file=sys.stderr, flush=True)
    return trials


def table(trials: Sequence[Trial]) -> list[str]:
    """Return what was found, a line for each command and stage."""
    heads = ("kills", "whole", "old state", "new state", "lost", "half-written")
    lines = [f"{'command':<10}{'stage at the kill':<26}" + "".join(f"{h:>13}" for h in heads)]
    groups: dict[tuple[str, str], list[Trial]] = {}
    for one in sorted(trials, key=str):
        groups.setdefault((one.command, one.stage), []).append(one)
    for (command, stage), own in [*groups.items(), (("all", ""), list(trials))]:
        counts = (
            len(own),
            sum(one.found == Found() for one in own),
            sum(not one.is_done for one in own),
            sum(one.is_done for one in own),
            sum(bool(one.found.lost) for one in own),
            sum(bool(one.found.half_written) for one in own),
        )
        lines.append(f"{command:<10}{stage:<26}" + "".join(f"{count:>13}" for count in counts))
    return lines


# The arena -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arena:
    """A workspace to copy, with a small dataset and papers to add.

    Attributes:
        root: Folder of all of it.
        before: What the workspace holds.
    """

    root: Path
    before: State

    @classmethod
    def built(cls, root: Path) -> Arena:
        """Build a workspace with two registered models, the later one champion, and a new paper."""
        bundled, workspace = Dataset.bundled(), WorkspaceFolder(root / "workspace")
        base = bundled.subset(_few_papers(bundled))
        _write_tables(root / "data", base)
        _write_tables(root / "set", bundled.subset(SET))
        learned, waiting = bundled.entry(LEARNED), bundled.entry(WAITING)
        corrected = replace(learned, paper={**learned.paper, "title": "Corrected"})
        (root / "corrected.yaml").write_text(to_yaml(corrected))
        (root / "new.yaml").write_text(to_yaml(bundled.entry(NEW)))
        workspace.prepare()
        first = train(base, workspace.models, QUICK)
        ensure_champion(workspace, first.model_id, track(first, workspace).version)
        store = PaperStore(workspace)
        store.put(learned)
        second = train(store.merged(base).dataset, workspace.models, QUICK)
        promote(workspace, track(second, workspace).version, "one paper more")
        store.put(replace(waiting, paper={**waiting.paper, "title": "As it was at first"}))
        store.put(waiting, replace=True)
        return cls(root, State.of(workspace))

    def in_turns(self, kills: int) -> list[Command]:
        """Return the commands to kill in their order, each of its variants in turn."""
        data = ("--data", str(self.root / "data"))
        known, why = ("--yes", "--accept-outliers", *data), ("--why", "a trial")
        add, retrain = "word for word", "on this very data"
        alone = Command("retrain", ("retrain", "--jobs", "1", *data), retrain)
        variants = {
            "add": [
                Command(
                    "add", ("add", str(self.root / "corrected.yaml"), "--replace", *known), add
                ),
                Command("add", ("add", str(self.root / "set"), *known), add),
                Command("add", ("add", str(self.root / "new.yaml"), *known), add),
            ],
            "retrain": [alone, alone, replace(alone, words=("retrain", "--jobs", "2", *data))],
            "promote": [Command("promote", ("models", "promote", "1", *why), "champion already")],
            "rollback": [Command("rollback", ("models", "rollback", *why), "no champion before")],
        }
        taken: Counter[str] = Counter()
        chosen = []
        for number in range(kills):
            name = TURNS[number % len(TURNS)]
            chosen.append(variants[name][taken[name] % len(variants[name])])
            taken[name] += 1
        return chosen

    def rehearse(self, command: Command) -> Rehearsal:
        """Run a command to its end."""
        ring = Ring.of(self.root)
        began = time.monotonic()
        process = ring.start(command, kill_at=-1)
        if process.wait():
            msg = f"{' '.join(command.words)} fails by itself: {ring.said}"
            raise RuntimeError(msg)
        seconds, writes = time.monotonic() - began, int(ring.log.read_text())
        after = State.of(ring.workspace)
        shutil.rmtree(ring.folder)
        return Rehearsal(command, seconds, writes, after)

    def kill(self, given: tuple[Rehearsal, str]) -> Trial:
        """Kill a command at a moment drawn with a seed; check, give it again, check again."""
        rehearsal, seed = given
        draw, ring = random.Random(seed), Ring.of(self.root)
        while not (stage := ring.killed(rehearsal, draw)):
            # It was quicker than usual and came to its end.
            shutil.rmtree(ring.folder)
            ring = Ring.of(self.root)
        command, after = rehearsal.command, rehearsal.after
        found = check(ring.workspace, self.before, after)
        is_done = _is_done(ring.workspace, self.before, after)
        ring.let_time_pass()
        if command.name in {"retrain", "promote"} and draw.random() < 1 / 2:
            align(ring.workspace)
        if ring.start(command).wait() and command.done not in ring.said:
            found.lost.append(f"it cannot be given again: {ring.said}")
        for other in (
            check(ring.workspace, self.before, after),
            check_finished(ring.workspace, after),
        ):
            found.lost += other.lost
            found.half_written += other.half_written
        if found == Found():
            shutil.rmtree(ring.folder)
        return Trial(command.name, stage, is_done, found)


def _is_done(workspace: WorkspaceFolder, before: State, after: State) -> bool:
    now = State.of(workspace)
    champion_is_new = after.champion in {now.champion, before.champion}
    return champion_is_new and dict(now.papers) == dict(after.papers)


def _few_papers(bundled: Dataset) -> list[str]:
    """Return papers that train every target: those with two-sided tests first."""
    two_sided = {
        test.sample.paper_id
        for test in bundled.tests
        if not math.isnan(test.coated.percent + test.bare.percent)
    }
    others = {LEARNED, WAITING, NEW, *SET}
    known = [k for k in bundled.papers if k not in others and not bundled.in_collection(k)]
    return sorted(known, key=lambda name: name not in two_sided)[:PAPERS]


def _write_tables(folder: Path, dataset: Dataset) -> None:
    folder.mkdir()
    for name in TABLES:
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, TABLES[name].names)
            writer.writeheader()
            writer.writerows(dataset.rows[name])


if __name__ == "__main__":
    main()
