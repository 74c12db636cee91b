"""Kill every command that writes, at any moment, and show that nothing is lost.

Each trial copies one workspace, starts a real command in it, kills its whole process group with
SIGKILL, and checks that papers, models, champion, registry, materials, keys, reports and outputs
are whole and as before or as after; then that the command works when it is given again, and that
nothing half-written is left.

First, each command is killed once just before each of the operations by which it changes the disk:
a file opened for writing, renamed or removed, a folder made, a transaction of the database. The
other kills come at random moments: uniformly within the command's usual duration, or shortly after
a line that tells a stage of a retraining.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from _campaign import forget_settings
from _ring import Command, Rehearsal, Ring, import_all
from _small import few_papers, write_tables
from _whole import KEPT_KEY, OUTPUTS, Found, State, check, check_finished

from perovshell.data.dataset import Dataset
from perovshell.data.paper_writing import to_yaml
from perovshell.model import Model
from perovshell.serve.ranking.checkpoint import Checkpoint
from perovshell.serve.ranking.scoring import Options, Scorer
from perovshell.serve.service.keys import add_key
from perovshell.serve.space.file import read_space
from perovshell.training.tracking import track
from perovshell.training.train import QUICK, train
from perovshell.workspace.championship import align, ensure_champion, promote
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.materials import MaterialStore
from perovshell.workspace.papers import PaperStore

SIDE_BY_SIDE: Final = 2
FORKING: Final = multiprocessing.get_context("fork")
"""So that each process has what the first one has imported."""
LEARNED, WAITING, NEW, SET = "hu2018", "leng2018", "liu2023", ("chen2023", "lv2019_meyns")
"""Papers that are no part of the small dataset: learned by the champion, added but not learned yet,
and those that the trials add."""
OTHERS: Final = {LEARNED, WAITING, NEW, *SET}
SWEPT: Final = 3 / 4
"""Share of the kills before disk operations where there are too few for all of them."""
SPACE: Final = """\
name: small
cores: [CsPbBr3, CsPbI3]
shells: [SiO2, ZrO2, PMMA]
pl_window_nm: [500, 700]
"""
TEXT: Final = """\
Silica-coated perovskite nanocrystals
CsPbBr3 nanocrystals were coated with SiO2. The CsPbBr3/SiO2 nanocrystals emit at 517 nm with a
PLQY of 78%. After 7 days in water they kept 80% of their PL intensity, bare CsPbBr3 18%.
"""


def main() -> None:
    """Run the trials, print the table and a line of JSON; exit with 1 where anything is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="number of kills")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--only", nargs="+", help="commands to kill; else all")
    parser.add_argument("--folder", type=Path, help="where the workspace is made, once, and kept")
    asked = parser.parse_args()
    forget_settings()
    began, folder = time.monotonic(), asked.folder or Path(tempfile.mkdtemp(prefix="kills-"))
    import_all()
    trials, operations = campaign(Arena.at(folder), asked.kills, asked.seed, asked.only)
    lost = [f"{one}: lost: {what}" for one in trials for what in one.found.lost]
    half = [f"{one}: half-written: {what}" for one in trials for what in one.found.half_written]
    print("\n".join([*table(trials), *lost, *half]))
    said = {"kills": len(trials), "lost": len(lost), "half_written": len(half)}
    hit = {(one.command, one.at) for one in trials if one.at}
    said |= {"operations": operations, "operations_hit": len(hit)}
    print(json.dumps({**said, "seed": asked.seed, "seconds": round(time.monotonic() - began)}))
    if lost or half:
        print(f"the workspaces at fault are kept in {folder}", file=sys.stderr)
        sys.exit(1)
    if asked.folder is None:
        shutil.rmtree(folder)


# What is killed ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """A kill and what was found after it.

    Attributes:
        command: The command killed.
        stage: How far it was.
        at: Number of the disk operation before which it was killed; 0 is a random moment.
        is_done: Whether it had done its work.
        found: What is wrong.
    """

    command: Command
    stage: str
    at: int
    is_done: bool
    found: Found

    def __str__(self) -> str:
        """Say what was killed and when."""
        return f"{self.command.name}, {self.stage}{f' {self.at}' if self.at else ''}"


def campaign(
    arena: Arena, kills: int, seed: int, only: Sequence[str] | None
) -> tuple[list[Trial], int]:
    """Rehearse the commands, and kill them as often as asked.

    Returns:
        The trials, and the number of disk operations of the commands.
    """
    commands = arena.commands(only)
    random.Random(seed).shuffle(commands)
    with ProcessPoolExecutor(SIDE_BY_SIDE, FORKING) as pool:
        rehearsed = list(pool.map(arena.rehearse, commands[:kills]))
        for one in rehearsed:
            told = f"{one.writes} disk operations, {one.seconds:.1f} s"
            print(f"{' '.join(one.command.words)}: {told}", file=sys.stderr, flush=True)
        trials: list[Trial] = []
        waiting = [
            pool.submit(arena.kill, rehearsal, at, f"{seed}-{number}")
            for number, (rehearsal, at) in enumerate(plan(rehearsed, kills, seed))
        ]
        for done in as_completed(waiting):
            trials.append(done.result())
            found = trials[-1].found
            how = "whole" if found == Found() else found
            print(
                f"{len(trials)} of {kills} kills: {trials[-1]}: {how}", file=sys.stderr, flush=True
            )
    return trials, len(turns(rehearsed, seed))


def plan(rehearsed: Sequence[Rehearsal], kills: int, seed: int) -> list[tuple[Rehearsal, int]]:
    """Return what is killed and before which operation; 0 is a random moment."""
    swept = turns(rehearsed, seed)
    if len(swept) > kills:
        swept = swept[: math.ceil(kills * SWEPT)]
    moments = [(one, 0) for one in itertools.islice(itertools.cycle(rehearsed), kills - len(swept))]
    return [*swept, *moments]


def turns(rehearsed: Sequence[Rehearsal], seed: int) -> list[tuple[Rehearsal, int]]:
    """Return every disk operation of all commands, the commands taking turns."""
    draw = random.Random(seed)
    swept = [one for one in rehearsed if one.command.is_swept]
    sweeps = [[(one, at) for at in range(1, one.writes + 1)] for one in swept]
    for sweep in sweeps:
        draw.shuffle(sweep)
    return [one for turn in itertools.zip_longest(*sweeps) for one in turn if one is not None]


def table(trials: Sequence[Trial]) -> list[str]:
    """Return what was found, a line for each command and stage."""
    heads = ("kills", "whole", "old state", "new state", "lost", "half-written")
    lines = [f"{'command':<24}{'moment of the kill':<38}" + "".join(f"{h:>13}" for h in heads)]
    groups: dict[tuple[str, str], list[Trial]] = {}
    for one in sorted(trials, key=str):
        groups.setdefault((one.command.name, one.stage), []).append(one)
    for (command, stage), own in [*groups.items(), (("all", ""), list(trials))]:
        counts = (
            len(own),
            sum(one.found == Found() for one in own),
            sum(not one.is_done for one in own),
            sum(one.is_done for one in own),
            sum(bool(one.found.lost) for one in own),
            sum(bool(one.found.half_written) for one in own),
        )
        lines.append(f"{command:<24}{stage:<38}" + "".join(f"{count:>13}" for count in counts))
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
    def at(cls, root: Path) -> Arena:
        """Return what stands in a folder, and build it where nothing does."""
        # In another process, since the threads that fit a model do not outlive a fork.
        with ProcessPoolExecutor(1, FORKING) as builder:
            is_built = (root / OUTPUTS).is_dir()
            return builder.submit(cls._read if is_built else cls._built, root).result()

    @classmethod
    def _read(cls, root: Path) -> Arena:
        return cls(root, State.of(WorkspaceFolder(root / "workspace")))

    @classmethod
    def _built(cls, root: Path) -> Arena:
        """Build a workspace with two registered models, the later one champion, and a new paper."""
        root.mkdir(exist_ok=True)
        bundled, workspace = Dataset.bundled(), WorkspaceFolder(root / "workspace")
        base = bundled.subset(few_papers(bundled, OTHERS))
        write_tables(root / "data", base)
        write_tables(root / "set", bundled.subset(SET))
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
        _prepare_others(root, workspace)
        return cls._read(root)

    def commands(self, only: Sequence[str] | None = None) -> list[Command]:
        """Return the commands that write, or those of some names; some have variants."""
        return [one for one in self._commands() if only is None or one.name in only]

    def _commands(self) -> list[Command]:
        home = ("--workspace", "workspace")
        data, source = ("--data", str(self.root / "data")), ("--source", "10.1000/test", *home)
        known, why = ("--yes", "--accept-outliers", *data, *home), ("--why", "a trial", *home)
        again, gone, here = "word for word", "not in the data", "is known already"
        retrain, train = (
            ("retrain", *data, *home),
            ("train", "--quick", "--seed", "1", *data, *home),
        )
        evidence = ("evidence", *data, *home)
        predict = ("predict", str(self.root / "in.csv"), *home)
        rank = ("rank", str(self.root / "space.yaml"), "--jobs", "1", *home)
        cited = ("--bibtex", f"{OUTPUTS}/cited.bib", "--ris", f"{OUTPUTS}/new.ris")
        shell, ion = ("add-shell", "Newglass", "--class", "oxide"), ("add-ion", "NEWA")
        return [
            Command("add", ("add", str(self.root / "corrected.yaml"), "--replace", *known), again),
            Command("add", ("add", str(self.root / "set"), *known), again),
            Command("add", ("add", str(self.root / "new.yaml"), *known), again),
            Command("data remove", ("data", "remove", LEARNED, *data, *why), gone),
            Command("data remove", ("data", "remove", self.bundled, *data, *why), "this reason"),
            Command("materials add-shell", ("materials", *shell, *source), here),
            Command(
                "materials add-ion",
                ("materials", *ion, "--formula", "C7H16N", "--charge", "1", *source), here,
            ),
            Command(
                "materials add-property",
                ("materials", "add-property", "SiO2", "refractive_index", "1.5", *source),
            ),
            Command(
                "materials correct-shell",
                ("materials", "correct-shell", "ZnS", "in_water=soluble", *source),
                "these already",
            ),
            Command("keys add", ("keys", "add", "another", *home), "exists already"),
            Command("keys remove", ("keys", "remove", "gone", *home), "there is none"),
            Command("rank", (*rank, "-o", f"{OUTPUTS}/ranked", *cited)),
            Command("rank --resume", (*rank, "--resume"), "nothing to go on from"),
            Command("predict", (*predict, "-o", f"{OUTPUTS}/out.csv")),
            Command("predict", (*predict, "-o", f"{OUTPUTS}/new.csv")),
            Command(
                "predict",
                ("predict", "--core", "CsPbBr3", "--shell", "SiO2", *cited, *home),
            ),
            Command("evidence", (*evidence, *cited, "--plot", f"{OUTPUTS}/plot.svg")),
            Command("evidence", (*evidence, "--plot", f"{OUTPUTS}/plot.png")),
            Command("draft", ("draft", str(self.root / "text.txt"), "-o", f"{OUTPUTS}/paper.yaml")),
            Command("train", (*train, "--jobs", "1")),
            Command("retrain", (*retrain, "--jobs", "1"), "on this very data"),
            Command("retrain", (*retrain, "--jobs", "2"), "on this very data", is_swept=False),
            Command("promote", ("models", "promote", "1", *why), "champion already"),
            Command("rollback", ("models", "rollback", *why), "no champion before"),
        ]  # fmt: skip

    @property
    def bundled(self) -> str:
        """A paper of the dataset, not of the workspace."""
        return few_papers(Dataset.bundled(), OTHERS)[0]

    def rehearse(self, command: Command) -> Rehearsal:
        """Run a command to its end."""
        ring = Ring.of(self.root)
        began = time.monotonic()
        if ring.start(command, -1).wait():
            msg = f"{' '.join(command.words)} fails by itself: {ring.said}"
            raise RuntimeError(msg)
        seconds, writes = time.monotonic() - began, int(ring.log.read_text())
        after = State.of(ring.workspace)
        ring.remove()
        return Rehearsal(command, seconds, writes, after)

    def kill(self, rehearsal: Rehearsal, at: int, seed: str) -> Trial:
        """Kill a command at a moment drawn with a seed; check, give it again, check again."""
        draw, ring = random.Random(seed), Ring.of(self.root)
        while not (stage := ring.killed(rehearsal, draw, at)):
            # It was quicker than usual and came to its end.
            ring.remove()
            ring = Ring.of(self.root)
        command, after = rehearsal.command, rehearsal.after
        found = check(ring.workspace, self.before, after)
        is_done = _is_done(ring.workspace, self.before, after)
        if command.name in {"retrain", "promote"} and draw.random() < 1 / 2:
            align(ring.workspace)
        if ring.start(command).wait() and (not command.done or command.done not in ring.said):
            found.lost.append(f"it cannot be given again: {ring.said}")
        for other in (
            check(ring.workspace, self.before, after),
            check_finished(ring.workspace, after),
        ):
            found.lost += other.lost
            found.half_written += other.half_written
        if found == Found():
            ring.remove()
        return Trial(command, stage, at, is_done, found)


def _is_done(workspace: WorkspaceFolder, before: State, after: State) -> bool:
    now = State.of(workspace)
    champion_is_new = after.champion in {now.champion, before.champion}
    # What a trial makes alone, such as a model or a registered version, is not looked at.
    return champion_is_new and (now.papers, now.files) == (after.papers, after.files)


def _prepare_others(root: Path, workspace: WorkspaceFolder) -> None:
    """Write what is neither paper nor model: keys, materials, a stopped ranking, old outputs."""
    for name in (KEPT_KEY, "gone"):
        add_key(workspace, name)
    MaterialStore(workspace).add_shell("Oldglass", "oxide", source="10.1000/old")
    (root / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\nCsPbI3,none\n")
    (root / "text.txt").write_text(TEXT)
    (root / "space.yaml").write_text(SPACE)
    (root / OUTPUTS).mkdir()
    for name in ("out.csv", "cited.bib", "paper.yaml"):
        (root / OUTPUTS / name).write_text("what was here before\n")
    model = Model.from_folder(workspace.champion())
    space = read_space(root / "space.yaml", model.predictor.featurizer.reader)
    scorer = Scorer(space, model, Options())
    begun = Checkpoint(scorer, workspace.reports / "small" / "ranking.part.npz", resume=False)
    begun.add([0], scorer.run_task(0))
    begun.save()


if __name__ == "__main__":
    main()
