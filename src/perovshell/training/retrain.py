"""Retraining: a challenger on all data, the gate, and what follows from its verdict."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from perovshell.data.dataset import Dataset
from perovshell.model import Model
from perovshell.models.folder import read_validation
from perovshell.training.promotion.check import judge
from perovshell.training.promotion.drift import Drift, drift
from perovshell.training.promotion.report import write_promotion_report
from perovshell.training.promotion.verdict import Changes, Footprint, Judgement, Verdict
from perovshell.training.tracking import settings_tag, track
from perovshell.training.train import TrainedModel, recorded_settings, train
from perovshell.training.validation.nested import Settings
from perovshell.training.validation.out_of_fold_scores import ValidationRecord, prospective
from perovshell.workspace.championship import align, promote
from perovshell.workspace.registry import Version, is_tracked, tracking, versions
from perovshell.workspace.workspace import Workspace

_TIMED_ROWS: Final = 15
_TIMED_ROUNDS: Final = 8


@dataclass(frozen=True)
class Retraining:
    """What a retraining made.

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
        return [compared, *figures, *tested, sentence]

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


@dataclass(frozen=True)
class Watched:
    """Who is told how far a retraining is: `say` the stages, `advance` each fold of a target."""

    say: Callable[[str], None] = lambda _: None
    advance: Callable[[], None] = lambda: None


def champion_of(place: Workspace, *, follow: bool = True) -> Model:
    """Return the champion to compare with.

    Args:
        place: The workspace; the caller holds its lock `models`.
        follow: Whether to take over the champion of the registry first.

    Raises:
        WorkspaceError: There is no champion.
        ModelFolderError: It is damaged or of another format.
        TrackingError: The registry cannot be reached.
    """
    if follow:
        align(place)
    return Model.from_folder(place.champion())


def retrain(
    place: Workspace,
    dataset: Dataset,
    champion: Model,
    *,
    jobs: int = 2,
    dry_run: bool = False,
    watched: Watched | None = None,
) -> Retraining:
    """Train a challenger, compare it with the champion, and promote it if it is not worse.

    Args:
        place: The workspace; the caller holds its lock `models`.
        dataset: The dataset in use.
        champion: The champion; see `champion_of`.
        jobs: Processes; the result does not depend on it.
        dry_run: Whether nothing but the report is to be written.
        watched: Who is told how far it is.

    Raises:
        WorkspaceError: The workspace is not writable, or somebody else promoted another champion in
            the meantime: the challenger is registered and not promoted.
        TrackingError: The tracking server refused or cannot be reached; the champion is unchanged,
            and retraining again goes on.
    """
    watched = watched or Watched()
    settings = settings_of(champion, jobs)
    with _folder_for(place, dry_run=dry_run) as models:
        watched.say("training the challenger")
        challenger = train(dataset, models, settings, watched.advance)
        watched.say("comparing")
        found = compare(champion, challenger, dataset, place)
        verdict, folder = found.verdict, place.reports / f"retrain-{challenger.model_id}"
        report = write_promotion_report(folder, champion, challenger, found, dry_run=dry_run)
        version = None
        if not dry_run:
            watched.say("registering")
            known = champion.info.model_id
            version = track(challenger, place, verdict, folder, compared_with=known).version
    if version is not None and verdict.promote and challenger.model_id != place.champion_id:
        watched.say("promoting")
        over = champion.info.model_id
        promote(place, challenger.model_id, verdict.sentence, over=over)
    return Retraining(
        champion.info.model_id, challenger.model_id, verdict, found.drift, report, version
    )


def reason_not_to(place: Workspace, dataset: Dataset, champion: Model) -> str:
    """Return why a retraining would find nothing new; empty where it may.

    The same data gives the same challenger. It is the champion itself, or was compared with this
    champion before: held back, or promoted and taken back since. One that was to be promoted and
    never was, since that was interrupted, is no reason.

    Raises:
        TrackingError: The registry cannot be reached.
    """
    settings = recorded_settings(settings_of(champion))
    same_data = champion.info.dataset["hash"] == dataset.content_hash
    if same_data and champion.info.settings == _as_json(settings):
        return f"The champion {champion.info.model_id} was trained on this very data."
    known = _judged_before(place, dataset, champion.info.model_id, settings_tag(settings))
    if known is None:
        return ""
    crowned = any(one.model_id == known.model_id for one in place.promotions)
    fate = "promoted, and taken back since" if crowned else "held back"
    return (
        f"Version {known.number} ({known.model_id}) was trained on this very data, compared with "
        f"the champion {champion.info.model_id}, and {fate}. 'models promote {known.number}' makes "
        "it champion all the same."
    )


def _judged_before(
    place: Workspace, dataset: Dataset, champion_id: str, settings: str
) -> Version | None:
    if not is_tracked(place):
        return None
    asked = {
        "dataset_hash": dataset.content_hash,
        "compared_with": champion_id,
        "settings": settings,
    }
    crowned = {one.model_id for one in place.promotions}
    with tracking(place, "nothing is changed") as mlflow:
        registered = versions(mlflow)
    for one in registered:
        is_same = all(one.tags.get(key) == value for key, value in asked.items())
        if is_same and (one.tags.get("promote") != "true" or one.model_id in crowned):
            return one
    return None


def compare(
    champion: Model, challenger: TrainedModel, dataset: Dataset, place: Workspace
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
    moved = drift(dataset, challenger.problems.featurizer, altered, place.request_log)
    return Judgement(verdict, moved, new)


def settings_of(champion: Model, jobs: int = 1) -> Settings:
    """Return the settings of the champion's validation, so that both have the same splits."""
    known = champion.info.settings
    names = ("seed", "folds", "repeats", "boosters")
    return Settings(**{name: int(known[name]) for name in names}, jobs=jobs)


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
    for turn, row, place in np.ndindex(times.shape):
        start = time.perf_counter()
        models[place].predictor.answer([rows[row]])
        times[turn, row, place] = (time.perf_counter() - start) * 1000
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
def _folder_for(place: Workspace, *, dry_run: bool) -> Iterator[Path]:
    """Yield where the challenger is written: nowhere that lasts in a dry run."""
    if not dry_run:
        yield place.models
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
