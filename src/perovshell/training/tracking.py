"""Experiments and the model registry in MLflow."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perovshell.errors import PerovshellWarning, TrackingError
from perovshell.models.inputs import INPUTS
from perovshell.training.promotion.verdict import Verdict
from perovshell.training.runs import figures
from perovshell.training.runs.data import ROWS_FILE, added_data, training_data
from perovshell.training.runs.note import run_name, run_note, version_description
from perovshell.training.runs.view import TAG as VIEW_TAG
from perovshell.training.runs.view import saved_view
from perovshell.training.train import TrainedModel
from perovshell.training.validation.plots import write_plots
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.registry import (
    CHALLENGER,
    NAME,
    is_embedded,
    is_tracked,
    tracking,
    version_of,
)
from perovshell.workspace.version_notes import described, person

_OWNER = "perovshell.workspace"
"""Tag of a run: which workspace made it."""
_NOTE = "mlflow.note.content"
"""Tag of a run or an experiment: its note."""
_EXAMPLE = [{"core": "CsPbBr3", "shell": "SiO2", "structure": "core/shell"}]
"""Rows that a registered model shows as an example of its input."""
_RUN, _MODEL = "MLFLOW_RUN_ID", "MLFLOW_ACTIVE_MODEL_ID"


@dataclass(frozen=True)
class Registered:
    """What tracking made: the registered version and its run."""

    version: str
    run_id: str


def track(
    trained: TrainedModel,
    workspace: WorkspaceFolder,
    verdict: Verdict | None = None,
    report: Path | None = None,
    *,
    compared_with: str = "",
) -> Registered:
    """Log a training run and register its model.

    It gets the alias `challenger` where it was compared with the champion. Who is champion is
    decided elsewhere; see `workspace.championship`.

    A version is made last and in one step, with its tags, so that none is half-registered. A model
    that is registered already is not registered twice.

    Args:
        trained: What a training made.
        workspace: The workspace.
        verdict: How it compares with the champion.
        report: Folder of the comparison's report, kept with the run.
        compared_with: Model id of that champion.

    Raises:
        TrackingError: MLflow refused or cannot be reached.
    """
    with tracking(workspace, f"the model folder {trained.folder} is whole") as mlflow:
        client = mlflow.MlflowClient()
        experiment = _experiment(client, workspace)
        _end_killed_runs(client, experiment, workspace)
        verdict_tags = _verdict_tags(verdict, compared_with)
        tags = {**_version_tags(trained), **verdict_tags}
        known = version_of(mlflow, trained.model_id)
        with _run(mlflow, experiment, workspace, trained, verdict) as run:
            # The model first: mlflow reads figures that are there before it back one by one.
            uri = "" if known else _log_model(mlflow, trained)
            mlflow.set_tags({**verdict_tags, _NOTE: run_note(trained, verdict, compared_with)})
            _log(mlflow, trained, verdict, report)
        # Its end, too, is that of the training.
        client.set_terminated(run.info.run_id, end_time=_milliseconds(trained.cost.ended))
        if known is None:
            number = str(mlflow.register_model(uri, NAME, tags=tags).version)
        else:
            number = known.number
            for key, value in tags.items():
                client.set_model_version_tag(NAME, number, key, value)
        if known is None or (verdict is not None and compared_with != trained.model_id):
            about = version_description(trained, verdict, compared_with)
            before = client.get_model_version(NAME, number).description or ""
            client.update_model_version(NAME, number, described(about, before))
        if verdict is not None:
            client.set_registered_model_alias(NAME, CHALLENGER, number)
    return Registered(number, run.info.run_id)


def refuse_surroundings(workspace: WorkspaceFolder) -> None:
    """Refuse before a training what MLflow is certain to refuse after it.

    A registry that cannot be reached may be reached then.

    Args:
        workspace: The workspace.

    Raises:
        MissingExtraError: mlflow is not installed.
        TrackingError: The experiment is deleted, or the environment names a run or a model that is
            not of the registry.
    """
    try:
        experiment, run = _experiment_and_run(workspace)
    except TrackingError:
        return
    number = experiment.experiment_id if experiment else None
    if experiment is not None and experiment.lifecycle_stage == "deleted":
        msg = (
            f"experiment {NAME!r} (id {number}) is deleted in {workspace.tracking_shown}: restore "
            "it with 'mlflow experiments restore', set MLFLOW_TRACKING_URI to another registry, or "
            "leave MLflow out: Workspace.train(track=False); nothing was trained"
        )
        raise TrackingError(msg)
    if run is None or run.info.experiment_id != number:
        _refuse_variable(_RUN, f"no run of experiment {NAME!r} in {workspace.tracking_shown}")
    _refuse_variable(_MODEL, "not the model to train")
    _warn_of_other_experiments(number)


def _experiment_and_run(workspace: WorkspaceFolder) -> tuple[Any, Any]:
    """Return the experiment, deleted or not, and the run of the environment, None where missing."""
    if not is_tracked(workspace):
        return None, None
    with tracking(workspace, "", read_only=True) as mlflow:
        client, run_id = mlflow.MlflowClient(), os.environ.get(_RUN)
        run = _find_run(client, run_id) if run_id else None
        return client.get_experiment_by_name(NAME), run


def _refuse_variable(variable: str, fault: str) -> None:
    if value := os.environ.get(variable):
        msg = f"{variable}={value} in the environment: {fault}; unset it; nothing was trained"
        raise TrackingError(msg)


def _find_run(client: Any, run_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException:
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _warn_of_other_experiments(number: str | None) -> None:
    for variable, known in (("MLFLOW_EXPERIMENT_NAME", NAME), ("MLFLOW_EXPERIMENT_ID", number)):
        value = os.environ.get(variable)
        if value and value != known:
            text = (
                f"{variable}={value} in the environment has no effect: the experiment is {NAME!r}"
            )
            warnings.warn(text, PerovshellWarning, stacklevel=4)


def settings_tag(settings: Mapping[str, Any]) -> str:
    """Return what tells whether two trainings had the same settings and versions."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _run(
    mlflow: Any,
    experiment: str,
    workspace: WorkspaceFolder,
    trained: TrainedModel,
    verdict: Verdict | None,
) -> Any:
    """Start the run of a training, as at the time when that began."""
    name, info = run_name(trained, verdict), trained.info
    # The owner from the first moment on: a run killed later is identified by it, and ended.
    tags = {
        _OWNER: _owner(workspace),
        "model_id": trained.model_id,
        "dataset_hash": info["dataset"]["hash"],
        "perovshell_version": info["settings"]["versions"]["perovshell"],
    }
    if who := person():
        tags |= {"trained_by": who, "mlflow.user": who}
    # In place of the path of the program, which is of this machine alone.
    command = "train" if verdict is None else "retrain"
    tags |= {"mlflow.source.name": f"perovshell {command}", "mlflow.source.type": "LOCAL"}
    run_id = None
    if not os.environ.get(_RUN):  # Else mlflow goes on with that one.
        start = _milliseconds(trained.cost.started)
        run_id = mlflow.MlflowClient().create_run(experiment, start, tags, name).info.run_id
    return mlflow.start_run(run_id, experiment, name, tags=tags)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _log(mlflow: Any, trained: TrainedModel, verdict: Verdict | None, report: Path | None) -> None:
    """Log data, parameters and figures of a training into the active run."""
    run_id = mlflow.active_run().info.run_id
    data = training_data(trained)
    added = verdict.changes.added if verdict else ()
    inputs = [data, *([added_data(trained, added)] if added else [])]
    mlflow.MlflowClient().log_inputs(run_id, [one.as_input(run_id) for one in inputs])
    mlflow.log_text(data.rows.to_csv(index=False), ROWS_FILE)
    mlflow.log_params(figures.parameters(trained))
    mlflow.log_metrics(figures.metrics(trained, verdict), dataset=data.as_dataset(run_id))
    mlflow.log_dict(figures.document(trained, verdict), "figures.json")
    if report is not None:
        mlflow.log_artifacts(str(report), "report")
    with tempfile.TemporaryDirectory() as folder:
        for path in write_plots(trained.problems, trained.results, Path(folder)):
            mlflow.log_artifact(str(path), "plots")


def _log_model(mlflow: Any, trained: TrainedModel) -> str:
    """Log the model folder into the active run; return its address."""
    version = trained.info["settings"]["versions"]["perovshell"]
    logged = mlflow.pyfunc.log_model(
        name=NAME,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        # As a path, mlflow would read a %20 in it as a blank.
        artifacts={"folder": trained.folder.resolve().as_uri()},
        pip_requirements=[f"perovshell=={version}"],
        # With a signature, MLflow would drop columns whose name is nearly that of an input; the
        # example shows how to ask, and restricts nothing.
        signature=False,
        input_example=_EXAMPLE,
        metadata={"inputs": {name: one.allowed for name, one in INPUTS.items()}},
    )
    return str(logged.model_uri)


def _owner(workspace: WorkspaceFolder) -> str:
    """Return a name of the workspace that does not reveal its path.

    In its embedded database it has the same name wherever it is moved to.
    """
    where = f"{platform.node()} {workspace.root.resolve()}"
    where = "embedded" if is_embedded(workspace) else where
    return hashlib.sha256(where.encode()).hexdigest()[:12]


def _end_killed_runs(client: Any, experiment: str, workspace: WorkspaceFolder) -> None:
    """End the runs of this workspace that a killed process left; the caller holds its lock."""
    asked = f"attributes.status = 'RUNNING' and tags.`{_OWNER}` = '{_owner(workspace)}'"
    for run in client.search_runs([experiment], asked):
        client.set_terminated(run.info.run_id, "KILLED")


def _verdict_tags(verdict: Verdict | None, compared_with: str) -> dict[str, str]:
    if verdict is None:
        return {}
    tags = {"promote": str(verdict.promote).lower(), "verdict": verdict.sentence}
    return {**tags, **({"compared_with": compared_with} if compared_with else {})}


def _experiment(client: Any, workspace: WorkspaceFolder) -> str:
    """Return the id of the experiment, with its saved view; it is made where there is none."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(NAME)
    if experiment is None:
        artifacts = workspace.database.artifacts_uri if is_embedded(workspace) else None
        try:
            return str(client.create_experiment(NAME, artifacts, {VIEW_TAG: saved_view()}))
        except MlflowException:
            # Somebody else's first training may have made it in between.
            experiment = client.get_experiment_by_name(NAME)
            if experiment is None:
                raise
    if experiment.tags.get(VIEW_TAG) != saved_view():
        client.set_experiment_tag(experiment.experiment_id, VIEW_TAG, saved_view())
    return str(experiment.experiment_id)


def _version_tags(trained: TrainedModel) -> dict[str, str]:
    shown = ("PL MAE in nm", "PLQY MAE in points")
    known = figures.metrics(trained, None)
    return {
        "model_id": trained.model_id,
        "dataset_hash": trained.info["dataset"]["hash"],
        "settings": settings_tag(trained.info["settings"]),
        **{name: f"{known[name]:.4g}" for name in shown if name in known},
    }
