"""Commands of the trained models: models list, show, compare, promote, rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from perovshell.cli.options import (
    JsonOption,
    WaitOption,
    WhyOption,
    WorkspaceOption,
    print_json,
    result,
)
from perovshell.files import jsonable

commands = typer.Typer(
    help="List and compare trained models, promote one, go back.", no_args_is_help=True
)


@commands.command("list")
def list_models(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the models of the workspace and of its registry: version, data, champion."""
    from perovshell.workbench import Workspace

    home = Workspace(workspace)
    models, champion, promotions = home.models(), home.folder.champion_id, home.promotions
    if as_json:
        listed = [model.to_json() for model in models]
        history = [promotion.to_json() for promotion in promotions]
        print_json({"models": listed, "champion": champion, "promotions": history})
        return
    if not models:
        result(["No models yet; Workspace.train() makes the first."])
    for model in models:
        typer.echo(f"{model}{'  champion' if model.model_id == champion else ''}")
        if model.verdict:
            typer.echo(f"              {model.verdict}")
    for promotion in promotions:
        typer.echo(str(promotion))


@commands.command()
def compare(
    before: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model id, version, or model folder.")
    ],
    after: Annotated[str, typer.Argument(metavar="OTHER", help="The same of another model.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the validations of two models on the papers in both training sets, paired by paper.

    Nothing is fitted, and no prediction is made: models with other descriptors can be compared,
    too.
    """
    from perovshell.workbench import Workspace

    comparisons = Workspace(workspace).compare(before, after)
    content = {"comparisons": jsonable(comparisons)} if as_json else None
    result([one.line() for one in comparisons], content)


@commands.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(help="Model id, version, model folder or MLflow URI; else the champion."),
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the card of a model: its data, its validation, its limits."""
    from perovshell.models.card import card_lines
    from perovshell.workbench import Workspace

    info = Workspace(workspace).load(name).info
    if as_json:
        print_json(vars(info))
        return
    typer.echo("\n".join([f"Model {info.model_id}", *card_lines(vars(info))]))


@commands.command()
def promote(
    name: Annotated[str, typer.Argument(metavar="N", help="Version of the registry or model id.")],
    *,
    why: WhyOption,
    workspace: WorkspaceOption = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a model champion, whatever the result of the promotion check."""
    from perovshell.workbench import Workspace

    promotion = Workspace(workspace).promote(name, why, wait=wait)
    line = f"Champion: {promotion.model_id} (before: {promotion.previous})"
    result([line], promotion.to_json() if as_json else None)


@commands.command()
def rollback(
    *,
    why: WhyOption = "rolled back",
    workspace: WorkspaceOption = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the previous champion the champion again."""
    from perovshell.workbench import Workspace

    home = Workspace(workspace)
    promotion = home.rollback(why, wait=wait)
    line = f"Champion: {promotion.model_id} again (was: {home.promotions[-2].model_id})"
    result([line], promotion.to_json() if as_json else None)
