"""Commands that train on the literature and measure what is learned: train, evaluate, backtest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perovshell.cli.options import (
    DataOption,
    JobsOption,
    JsonOption,
    QuickOption,
    ReportOption,
    SeedOption,
    WorkspaceOption,
    dataset_in_use,
    progress,
)
from perovshell.workspace.workspace import Workspace

if TYPE_CHECKING:
    from perovshell.data.dataset import Dataset
    from perovshell.training.train import TrainedModel
    from perovshell.training.validation.nested import Settings

commands = typer.Typer()


@commands.command()
def train(
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    seed: SeedOption = 0,
    jobs: JobsOption = 2,
    quick: QuickOption = False,
    no_track: Annotated[bool, typer.Option("--no-track", help="Leave MLflow out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train on the literature, validate by paper, register the model."""
    from perovshell.training import train as training

    place = Workspace.locate(workspace)
    place.prepare()
    dataset = dataset_in_use(place, data)
    settings = _settings(seed, jobs, quick=quick)
    with progress("Validating by paper", settings.steps) as advance:
        trained = training.train(dataset, place.models, settings, lambda: advance(1))
    version = None
    with place.locked("models", wait=True):
        try:
            version = None if no_track else _track(trained, place)
        finally:
            # Also where tracking failed: the model folder is whole, and predictions need one.
            if place.champion_id is None:
                place.set_champion(trained.model_id, "the first model of the workspace", version)
        if version is not None:
            _follow_registry(place)
    _say_trained(trained, place, version, as_json=as_json)


@commands.command()
def evaluate(
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    output: ReportOption = None,
    seed: SeedOption = 0,
    jobs: JobsOption = 2,
    quick: QuickOption = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Only add the papers year by year and retrain.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate everything the product says, and write a report: a few minutes."""
    from perovshell.research.evaluation import evaluate as evaluation
    from perovshell.research.evaluation.report import write_evaluation

    place = Workspace.locate(workspace)
    dataset = dataset_in_use(place, data)
    if replay:
        folder = output or place.reports / "replay"
        json_path, html_path, lines = _replay(dataset, folder, seed, jobs, quick=quick)
        if as_json:
            typer.echo(json_path.read_text().rstrip())
            return
        typer.echo("\n".join([*lines, f"Report: {html_path}", f"Figures: {json_path}"]))
        return
    settings = _settings(seed, jobs, quick=quick)
    with progress("Evaluating", evaluation.STEPS) as advance:
        found = evaluation.evaluate(dataset, settings, advance)
    json_path, html_path = write_evaluation(found, output or place.reports / "evaluation")
    if as_json:
        typer.echo(json_path.read_text().rstrip())
        return
    _say_validation(found.about())
    typer.echo(f"Report: {html_path}\nFigures: {json_path}")


@commands.command()
def backtest(
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="JSON file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Rank by models of earlier years and see where later combinations stand: a minute."""
    from perovshell.files import write_file
    from perovshell.research import backtest as backtests

    place = Workspace.locate(workspace)
    dataset = dataset_in_use(place, data)
    with progress("Ranking the past", backtests.steps(dataset)) as advance:
        found = backtests.backtest(dataset, advance=lambda: advance(1))
    text = json.dumps(found.to_json(), indent=1)
    path = write_file(output or place.reports / "backtest.json", text)
    if as_json:
        typer.echo(text)
        return
    typer.echo("\n".join(found.lines()))
    typer.echo(f"Figures: {path}")


def _replay(
    dataset: Dataset, folder: Path, seed: int, jobs: int, *, quick: bool
) -> tuple[Path, Path, list[str]]:
    """Replay the past and write its report; return the paths of its figures and page, and lines."""
    from dataclasses import replace

    from perovshell.research.replay import replay as replays
    from perovshell.research.replay.report import write_replay
    from perovshell.training.train import QUICK

    settings = replace(QUICK if quick else replays.SETTINGS, seed=seed, jobs=jobs)
    with progress("Replaying the past", replays.steps(dataset, settings)) as advance:
        found = replays.replay(dataset, settings, lambda: advance(1))
    return *write_replay(found, folder), found.lines()


def _settings(seed: int, jobs: int, *, quick: bool) -> Settings:
    from dataclasses import replace

    from perovshell.training.train import QUICK
    from perovshell.training.validation.nested import Settings

    return replace(QUICK if quick else Settings(), seed=seed, jobs=jobs)


def _track(trained: TrainedModel, place: Workspace) -> str:
    from perovshell.training.tracking import track

    return track(trained, place).version


def _follow_registry(place: Workspace) -> None:
    from perovshell.workspace.championship import align

    align(place)


def _say_trained(
    trained: TrainedModel, place: Workspace, version: str | None, *, as_json: bool
) -> None:
    if as_json:
        summary = {"model_id": trained.model_id, "folder": str(trained.folder), **trained.info}
        typer.echo(json.dumps({**summary, "version": version, "champion": place.champion_id}))
        return
    _say_validation(trained.info)
    typer.echo(f"Model {trained.model_id} in {trained.folder}")
    if version is not None:
        typer.echo(f"Registered in MLflow as perovshell version {version}")
    if place.champion_id == trained.model_id:
        typer.echo("It is the champion: predict and rank use it.")
    else:
        typer.echo(f"The champion stays {place.champion_id}.")


def _say_validation(about: Mapping[str, Any]) -> None:
    """Print the sections of the model card that tell its validation."""
    from perovshell.models.card import card_sections

    for title, lines in card_sections(about)[2:4]:
        typer.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))
