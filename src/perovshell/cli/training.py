"""Commands that train on the literature and measure what is learned: train, evaluate, backtest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perovshell.cli.options import (
    DataOption,
    JobsOption,
    JsonOption,
    QuickOption,
    ReportOption,
    SeedOption,
    WorkspaceOption,
    note,
    print_json,
    progress,
    result,
    stages,
)
from perovshell.files import descriptor_of, refuse_output, refuse_unwritable, write_file

if TYPE_CHECKING:
    from perovshell.data.dataset import Dataset
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
    from perovshell.workbench import Workspace

    with stages("train") as show:
        training = Workspace(workspace, data=data).train(
            quick=quick, seed=seed, jobs=jobs, track=not no_track, progress=show
        )
    if as_json:
        print_json(training.to_json())
    else:
        result(training.lines())


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
    """Validate everything that is predicted, and write a report: ten minutes."""
    from perovshell.models.card import validation_lines
    from perovshell.research.evaluation import evaluate as evaluation
    from perovshell.research.evaluation.report import write_evaluation
    from perovshell.workbench import Workspace

    home = Workspace(workspace, data=data)
    dataset = home.dataset()
    folder = output or home.folder.reports / ("replay" if replay else "evaluation")
    refuse_unwritable(folder)
    if replay:
        json_path, html_path, lines = _replay(dataset, folder, seed, jobs, quick=quick)
        if as_json:
            print_json(json.loads(json_path.read_text()))
            return
        typer.echo("\n".join([*lines, f"Report: {html_path}", f"Figures: {json_path}"]))
        return
    settings = _settings(seed, jobs, quick=quick)
    with progress("Evaluating", evaluation.steps_of(settings)) as advance:
        evaluated = evaluation.evaluate(dataset, settings, advance)
    json_path, html_path = write_evaluation(evaluated, folder)
    if as_json:
        print_json(json.loads(json_path.read_text()))
        return
    lines = [*validation_lines(evaluated.about()), f"Report: {html_path}", f"Figures: {json_path}"]
    typer.echo("\n".join(lines))


@commands.command()
def prospective(
    number: Annotated[int, typer.Argument(metavar="ROUND", help="The round of papers.")] = 2,
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    seed: SeedOption = 0,
    jobs: JobsOption = 2,
    quick: QuickOption = False,
    as_json: JsonOption = False,
) -> None:
    """Predict a round of papers by a model of the rounds before it: a minute."""
    from perovshell.research.prospective import record, steps
    from perovshell.workbench import Workspace

    settings = _settings(seed, jobs, quick=quick)
    dataset = Workspace(workspace, data=data).dataset()
    with progress("Training on earlier rounds", steps(dataset, number, settings)) as advance:
        result = record(dataset, number, settings, lambda: advance(1))
    if as_json:
        print_json(result.to_json())
    else:
        typer.echo("\n".join(result.lines()))


@commands.command()
def backtest(
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="JSON file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Rank with models of earlier years and look up later combinations in it: a minute."""
    from perovshell.research import backtest as backtests
    from perovshell.workbench import Workspace

    home = Workspace(workspace, data=data)
    dataset, path = home.dataset(), output or home.folder.reports / "backtest.json"
    refuse_output(path, [home.folder.papers, *([data] if data else [])])
    with progress("Ranking the past", backtests.steps(dataset)) as advance:
        result = backtests.backtest(dataset, advance=lambda: advance(1))
    write_file(path, json.dumps(result.to_json(), indent=1))
    if as_json:
        print_json(result.to_json(), is_err=descriptor_of(path) == 1)
        return
    say = note if descriptor_of(path) == 1 else typer.echo
    say("\n".join(result.lines()))
    say(f"Figures: {path}")


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
        result = replays.replay(dataset, settings, lambda: advance(1))
    return *write_replay(result, folder), result.lines()


def _settings(seed: int, jobs: int, *, quick: bool) -> Settings:
    from dataclasses import replace

    from perovshell.training.train import QUICK
    from perovshell.training.validation.nested import Settings

    return replace(QUICK if quick else Settings(), seed=seed, jobs=jobs)
