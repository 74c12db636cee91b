"""Retraining: a challenger on all data, the promotion check, and what follows from its verdict."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np

from perovshell.data.dataset import Dataset
from perovshell.model import Model
from perovshell.models.folder import read_validation
from perovshell.training.promotion.check import judge
from perovshell.training.promotion.drift import Drift, drift
from perovshell.training.promotion.report import write_promotion_report
from perovshell.training.promotion.verdict import (
    Changes,
    Comparison,
    Footprint,
    Judgement,
    Verdict,
)
from perovshell.training.tracking import settings_tag, track
from perovshell.training.train import (
    TrainedModel,
    recorded_settings,
    train,
    validation_steps,
)
from perovshell.training.validation.nested import Settings
from perovshell.training.validation.out_of_fold_scores import ValidationRecord, prospective
from perovshell.workspace.championship import align, promote
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.registry import Version, is_tracked, tracking, versions

_TIMED_ROWS: Final = 15
_TIMED_ROUNDS: Final = 8
Progress = Callable[[str, int, int], None]
"""Called with the stage of the work, the number of its steps that are done, and that of all."""


@dataclass(frozen=True)
class Challenge:
    """A challenger and its comparison with the champion.

    Attributes:
        champion: Model id of the champion it was compared with.
        challenger: Model id of the challenger.
        verdict: Whether it is promoted, and why.
        drift: How the new papers differ from the known ones.
        report: The report as HTML.
        version: The challenger's version in the registry; None of a dry run.
    """

    champion: str
    challenger: str
    verdict: Verdict
    drift: Drift
    report: Path
    version: str | None

    def lines(self) -> list[str]:
        """Return the verdict with its figures as lines of text."""
        tested = self.drift.lines()
        *figures, sentence = self.verdict.lines()
        compared = f"Challenger {self.challenger} against champion {self.champion}"
        lines = [compared, *figures, *tested]
        if self.version is None:
            return [*lines, f"Dry run, nothing is registered. {sentence}"]
        lines.append(sentence)
        if not self.verdict.promote:
            lines.append(_all_the_same(self.version))
        return [*lines, f"Registered in MLflow as perovshell version {self.version}"]

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "version": self.version,
            "verdict": self.verdict.to_json(),
            "drift": self.drift.to_json(),
            "report": str(self.report),
        }


def champion_of(workspace: WorkspaceFolder, *, follow: bool = True) -> Model:
    """Return the champion to compare with.

    Args:
        workspace: The workspace; the caller holds its lock `models`.
        follow: Whether to take over the champion of the registry first.

    Raises:
        WorkspaceError: There is no champion.
        ModelFolderError: It is damaged or of another format.
        TrackingError: The registry cannot be reached.
    """
    if follow:
        align(workspace)
    return Model.from_folder(workspace.champion())


def retrain(
    workspace: WorkspaceFolder,
    dataset: Dataset,
    champion: Model,
    progress: Progress,
    *,
    jobs: int = 2,
    dry_run: bool = False,
) -> Challenge:
    """Train a challenger, compare it with the champion, and promote it if it is not worse.

    Args:
        workspace: The workspace; the caller holds its lock `models`.
        dataset: The dataset in use.
        champion: The champion; see `champion_of`.
        progress: Called as each stage begins, and after each fit of the validation.
        jobs: Processes; the result does not depend on it.
        dry_run: Whether nothing but the report is to be written.

    Raises:
        WorkspaceError: The workspace is not writable, or somebody else promoted another champion in
            the meantime: the challenger is registered and not promoted.
        TrackingError: The tracking server refused or cannot be reached; the champion is unchanged,
            and retraining again goes on.
    """
    settings, known = settings_of(champion, jobs), champion.info.model_id
    with _folder_for(workspace, dry_run=dry_run) as models:
        advance = counted(progress, validation_steps(dataset, settings))
        challenger = train(dataset, models, settings, advance)
        progress("comparing", 0, 1)
        judgement = compare(champion, challenger, dataset, workspace)
        verdict, folder = judgement.verdict, workspace.reports / f"retrain-{challenger.model_id}"
        report = write_promotion_report(folder, champion, challenger, judgement, dry_run=dry_run)
        version = None
        if not dry_run:
            progress("registering", 0, 1)
            version = track(challenger, workspace, verdict, folder, compared_with=known).version
    if version is not None and verdict.promote and challenger.model_id != workspace.champion_id:
        progress("promoting", 0, 1)
        promote(workspace, challenger.model_id, verdict.sentence, over=known)
    return Challenge(known, challenger.model_id, verdict, judgement.drift, report, version)


def counted(progress: Progress, steps: int) -> Callable[[], None]:
    """Return what counts the steps of a validation for a callback, starting with 0."""
    numbers = count(1)
    progress("validating", 0, steps)
    return lambda: progress("validating", next(numbers), steps)


def reason_not_to(workspace: WorkspaceFolder, dataset: Dataset, champion: Model) -> str:
    """Return why a retraining would find nothing new; empty where it may.

    The same data gives the same challenger. It is the champion itself, or was compared with this
    champion before: not promoted, or promoted and taken back since. One that was to be promoted and
    never was, since that was interrupted, is no reason.

    Raises:
        TrackingError: The registry cannot be reached.
    """
    settings = recorded_settings(settings_of(champion))
    same_data = champion.info.dataset["hash"] == dataset.content_hash
    if same_data and champion.info.settings == _as_json(settings):
        return f"The champion {champion.info.model_id} was trained on this very data."
    known = _judged_before(workspace, dataset, champion.info.model_id, settings_tag(settings))
    if known is None:
        return ""
    promoted = known.model_id in {entry.model_id for entry in workspace.promotions}
    fate = "promoted, and taken back since" if promoted else "not promoted"
    return (
        f"Version {known.number} ({known.model_id}) was trained on this very data, compared with "
        f"the champion {champion.info.model_id}, and {fate}. {_all_the_same(known.number)}"
    )


def _all_the_same(version: str) -> str:
    return f"Workspace.promote('{version}', why=...) makes it champion all the same."


def _judged_before(
    workspace: WorkspaceFolder, dataset: Dataset, champion_id: str, settings: str
) -> Version | None:
    if not is_tracked(workspace):
        return None
    asked = {
        "dataset_hash": dataset.content_hash,
        "compared_with": champion_id,
        "settings": settings,
    }
    promoted = {entry.model_id for entry in workspace.promotions}
    with tracking(workspace, "nothing is changed") as mlflow:
        registered = versions(mlflow)
    for version in registered:
        is_same = all(version.tags.get(key) == value for key, value in asked.items())
        if is_same and (version.tags.get("promote") != "true" or version.model_id in promoted):
            return version
    return None


def compare(
    champion: Model, challenger: TrainedModel, dataset: Dataset, workspace: WorkspaceFolder
) -> Judgement:
    """Judge a challenger and say how its new papers differ."""
    known = ValidationRecord.from_arrays(read_validation(champion.folder))
    changes = Changes.between(known.digests, challenger.validated.digests, dataset.older)
    added = set(changes.added)
    new = prospective(dataset, challenger.problems, champion.predictor, added)
    other = Model.from_folder(challenger.folder)
    costs = footprints(champion, other)
    verdict = judge(known, challenger.validated, new, costs, changes)
    altered = added | set(changes.replaced)
    moved = drift(dataset, challenger.problems.featurizer, altered, workspace.request_logs)
    return Judgement(verdict, moved, new)


def compare_validations(before: Path, after: Path) -> tuple[Comparison, ...]:
    """Compare the validations of two model folders on the papers of both training sets.

    Raises:
        ModelFolderError: A folder is missing, foreign, of another format or damaged.
    """
    first, second = (
        ValidationRecord.from_arrays(read_validation(folder)) for folder in (before, after)
    )
    nothing = np.zeros(0, dtype=np.intp)
    return judge(
        first, second, {name: scores.take(nothing) for name, scores in first.scores.items()}
    ).comparisons


def settings_of(champion: Model, jobs: int = 1) -> Settings:
    """Return the settings of the champion's validation, so that both have the same splits."""
    known = champion.info.settings
    names = ("seed", "folds", "repeats", "boosters", "baseline_trees")
    years = int(known.get("years", 0))  # Of older models: all.
    return Settings(**{name: int(known[name]) for name in names}, years=years, jobs=jobs)


def footprints(champion: Model, challenger: Model) -> tuple[Footprint, Footprint]:
    """Return what both models cost, timed in turns on the same rows."""
    models = (champion, challenger)
    rows = [
        {"core": row["core"], "shell": row["shell"]}
        for row in models[0].predictor.literature.samples[:_TIMED_ROWS]
    ]
    # Each model answers each row in turn, and the fastest of its answers counts: what else the
    # machine does then slows both alike, or neither.
    times = np.full((_TIMED_ROUNDS, len(rows), len(models)), np.inf)
    for turn, row, model in np.ndindex(times.shape):
        start = time.perf_counter()
        models[model].predictor.answer([rows[row]])
        times[turn, row, model] = (time.perf_counter() - start) * 1000
    first, second = times.min(axis=0).mean(axis=0).tolist()
    return (
        Footprint(first, _megabytes(champion.folder)),
        Footprint(second, _megabytes(challenger.folder)),
    )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


def _as_json(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as they come back from a model folder."""
    return json.loads(json.dumps(settings))  # type: ignore[no-any-return]


@contextmanager
def _folder_for(workspace: WorkspaceFolder, *, dry_run: bool) -> Iterator[Path]:
    """Yield where the challenger is written: nowhere that lasts in a dry run."""
    if not dry_run:
        yield workspace.models
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
