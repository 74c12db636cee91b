"""Experiments and the model registry in MLflow."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perovshell.models.request import INPUT_NUMBERS, INPUT_WORDS
from perovshell.registry import TrackingError, artifacts_uri, connect, is_embedded
from perovshell.training.plots import write_plots
from perovshell.training.train import TrainedModel
from perovshell.workspace import Workspace

NAME = "perovshell"
"""Name of the experiment and of the registered model."""
CHAMPION = "champion"


@dataclass(frozen=True)
class Registered:
    """What tracking made: the registered version, and whether it became champion."""

    version: str
    run_id: str
    is_champion: bool


def track(trained: TrainedModel, workspace: Workspace) -> Registered:
    """Log a training run and register its model; set `champion` if there is none.

    Raises:
        TrackingError: MLflow refused or cannot be reached.
    """
    with connect(workspace) as mlflow:
        try:
            return _track(mlflow, trained, workspace)
        except Exception as error:
            msg = (
                f"tracking at {workspace.tracking_uri} failed ({error}); "
                f"the model folder {trained.folder} is whole"
            )
            raise TrackingError(msg) from error


def _track(mlflow: Any, trained: TrainedModel, workspace: Workspace) -> Registered:
    client = mlflow.MlflowClient()
    experiment = _experiment(client, workspace)
    info = trained.info
    with mlflow.start_run(experiment_id=experiment, run_name=trained.model_id) as run:
        mlflow.log_params(_parameters(info))
        mlflow.log_metrics({k: v for k, v in info["figures"].items() if v is not None})
        mlflow.set_tags({"model_id": trained.model_id, "dataset_hash": info["dataset"]["hash"]})
        mlflow.log_dict(info["dataset"], "dataset.json")
        mlflow.log_dict(info["skill"], "skill.json")
        with tempfile.TemporaryDirectory() as folder:
            for path in write_plots(trained.problems, trained.results, Path(folder)):
                mlflow.log_artifact(str(path), "plots")
        logged = mlflow.pyfunc.log_model(
            name=NAME,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"folder": str(trained.folder)},
            pip_requirements=[f"perovshell=={info['settings']['versions']['perovshell']}"],
            signature=_signature(mlflow),
            registered_model_name=NAME,
        )
    version = str(logged.registered_model_version)
    for key, value in _version_tags(trained).items():
        client.set_model_version_tag(NAME, version, key, value)
    is_champion = CHAMPION not in client.get_registered_model(NAME).aliases
    if is_champion:
        client.set_registered_model_alias(NAME, CHAMPION, version)
    return Registered(version, run.info.run_id, is_champion)


def _experiment(client: Any, workspace: Workspace) -> str:
    found = client.get_experiment_by_name(NAME)
    if found is not None:
        return str(found.experiment_id)
    if is_embedded(workspace):
        return str(client.create_experiment(NAME, artifact_location=artifacts_uri(workspace)))
    return str(client.create_experiment(NAME))


def _parameters(info: dict[str, Any]) -> dict[str, Any]:
    settings = info["settings"]
    parameters = {key: settings[key] for key in ("seed", "folds", "repeats", "boosters")}
    for target, boosters in settings["averaged"].items():
        for number, booster in enumerate(boosters, start=1):
            given = {**booster, "groups": len(booster["groups"])}
            parameters |= {f"{target}.{number}.{key}": value for key, value in given.items()}
    versions = {f"version.{name}": value for name, value in settings["versions"].items()}
    return {**parameters, **versions}


def _version_tags(trained: TrainedModel) -> dict[str, str]:
    figures = trained.info["figures"]
    shown = ("pl.paper.all.mae", "pl.paper.lead_no_cspbcl3.mae", "plqy.paper.all.mae")
    return {
        "model_id": trained.model_id,
        "dataset_hash": trained.info["dataset"]["hash"],
        **{key: f"{figures[key]:.4g}" for key in shown if figures.get(key) is not None},
    }


def _signature(mlflow: Any) -> Any:
    from mlflow.types import ColSpec, Schema

    columns = [ColSpec("string", "core"), ColSpec("string", "shell")]
    columns += [ColSpec("string", name, required=False) for name in INPUT_WORDS]
    columns += [ColSpec("double", name, required=False) for name in INPUT_NUMBERS]
    return mlflow.models.ModelSignature(inputs=Schema(columns))
