"""Commands of the trained models: models list, show, compare, promote, rollback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from perovshell.cli.options import WAIT_HINT, JsonOption, WaitOption, WorkspaceOption
from perovshell.workspace.workspace import Workspace

commands = typer.Typer(help="Look at the trained models, promote, go back.", no_args_is_help=True)


@commands.command("list")
def list_models(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the models of the workspace and of its registry: version, data, champion."""
    from perovshell.workspace.championship import known_models

    place = Workspace.locate(workspace)
    models, champion = known_models(place), place.champion_id
    if as_json:
        listed = [vars(model) for model in models]
        history = [vars(one) for one in place.promotions]
        typer.echo(json.dumps({"models": listed, "champion": champion, "promotions": history}))
        return
    if not models:
        typer.echo("No models yet; 'perovshell train' makes the first.")
    for model in models:
        typer.echo(f"{model}{'  champion' if model.model_id == champion else ''}")
        if model.verdict:
            typer.echo(f"              {model.verdict}")
    for one in place.promotions:
        typer.echo(f"{one.when}  {one.model_id} became champion: {one.why}")


@commands.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="MODEL", help="Model id, or a model folder.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The same of another model.")],
    *,
    workspace: WorkspaceOption = None,
) -> None:
    """Compare the validations of two models on the papers that both know, paired by paper.

    Nothing is fitted, and no prediction is made: models of other descriptors can be compared, too.
    """
    import numpy as np

    from perovshell.models.folder import read_validation
    from perovshell.training.promotion.check import judge
    from perovshell.training.validation.out_of_fold_scores import ValidationRecord

    place = Workspace.locate(workspace)
    folders = [
        folder if folder.is_dir() else place.models / folder for folder in (Path(one), Path(other))
    ]
    before, after = (ValidationRecord.from_arrays(read_validation(folder)) for folder in folders)
    none = {name: marks.take(np.zeros(0, dtype=np.intp)) for name, marks in before.scores.items()}
    for compared in judge(before, after, none).comparisons:
        typer.echo(compared.line())


@commands.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="Model id or version; else the champion.")
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the card of a model: its data, its validation, its limits."""
    from perovshell.model import load
    from perovshell.models.card import card_lines
    from perovshell.workspace.championship import resolve

    place = Workspace.locate(workspace)
    folder = place.models / resolve(place, name)[0] if name else None
    info = load(folder, workspace=workspace).info
    if as_json:
        typer.echo(json.dumps(vars(info)))
        return
    typer.echo(f"Model {info.model_id}")
    for line in card_lines(vars(info)):
        typer.echo(line)


@commands.command()
def promote(
    name: Annotated[str, typer.Argument(metavar="N", help="Version of the registry or model id.")],
    *,
    why: Annotated[str, typer.Option(help="The reason, which is kept.")],
    workspace: WorkspaceOption = None,
    wait: WaitOption = False,
) -> None:
    """Make a model champion, whatever a retraining said of it."""
    from perovshell.workspace import championship

    place = Workspace.locate(workspace)
    with place.locked("models", wait=wait, hint=WAIT_HINT):
        made = championship.promote(place, name, why)
    typer.echo(f"Champion: {made.model_id} (before: {made.previous})")


@commands.command()
def rollback(
    *,
    why: Annotated[str, typer.Option(help="The reason, which is kept.")] = "rolled back",
    workspace: WorkspaceOption = None,
    wait: WaitOption = False,
) -> None:
    """Make the champion before the present one champion again."""
    from perovshell.workspace import championship

    place = Workspace.locate(workspace)
    with place.locked("models", wait=wait, hint=WAIT_HINT):
        made = championship.roll_back(place, why)
    typer.echo(f"Champion: {made.model_id} again (was: {place.promotions[-2].model_id})")
