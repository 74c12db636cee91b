"""Commands of the literature dataset: data check, list, show, shells, template, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perovshell.cli.options import DataOption, WhyOption, WorkspaceOption, result
from perovshell.errors import DatasetError, InputError
from perovshell.texts import counted

commands = typer.Typer(help="Look at the literature dataset, remove papers.", no_args_is_help=True)


@commands.command()
def check(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Dataset folder; else the bundled one and the added papers."),
    ] = None,
    *,
    workspace: WorkspaceOption = None,
) -> None:
    """Check a dataset folder, or the data in use, and list all faults at once."""
    from perovshell.workbench import Workspace

    home, added = Workspace(workspace, data=folder), ""
    dataset = home.base
    if folder is None:
        merged = home.merged()
        if merged.faults:
            raise DatasetError(list(merged.faults))
        dataset = merged.dataset
        added = f", {counted(len(merged.entries), 'paper')} of the workspace"
    typer.echo(f"No faults: {dataset.counts_text}{added}; content hash {dataset.content_hash}")


@commands.command("list")
def list_papers(
    text: Annotated[str, typer.Argument(help="Part of a paper_id, a DOI, a year or a title.")] = "",
    *,
    workspace: WorkspaceOption = None,
) -> None:
    """List the papers of the data in use: paper_id, samples, year, DOI and title."""
    from perovshell.data.summary import listed_papers
    from perovshell.workbench import Workspace

    lines = listed_papers(Workspace(workspace).dataset(), text)
    if not lines:
        msg = f"no paper has {text!r} in its paper_id, DOI, year or title"
        raise InputError(msg)
    typer.echo("\n".join(lines))


@commands.command()
def show(
    paper: Annotated[str, typer.Argument(help="paper_id or DOI.")],
    *,
    workspace: WorkspaceOption = None,
) -> None:
    """Show the samples and stability tests of one paper, and its earlier versions."""
    from perovshell.data.summary import paper_lines
    from perovshell.workbench import Workspace
    from perovshell.workspace.papers import PaperStore

    home = Workspace(workspace)
    dataset, versions = home.dataset(), PaperStore(home.folder).versions(paper)
    is_gone = versions and paper not in dataset.papers
    lines = [f"{paper}: not in the data"] if is_gone else paper_lines(dataset, paper)
    typer.echo("\n".join([*lines, *(f"before: {version}" for version in versions)]))


@commands.command()
def template() -> None:
    """Print a commented example of a paper, for 'perovshell add'."""
    from perovshell.data.paper_file import template_text

    typer.echo(template_text(), nl=False)


@commands.command()
def remove(
    paper: Annotated[str, typer.Argument(help="paper_id.")],
    *,
    why: WhyOption,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
) -> None:
    """Take a paper out of the data: retracted, wrong, unwanted. Its rows are kept."""
    from perovshell.workbench import Workspace

    removal = Workspace(workspace, data=data).remove(paper, why)
    result([*removal.lines(), "Run 'perovshell retrain' to update the models."])


@commands.command()
def shells(
    text: Annotated[str, typer.Argument(help="Part of a name, an alias or a class.")] = "",
) -> None:
    """List the shells that requests and design spaces may name: class, water, other names."""
    from perovshell.data.shells import Shells
    from perovshell.data.summary import shell_lines

    lines = shell_lines(Shells.bundled(), text)
    if not lines:
        msg = f"no shell has {text!r} in its name, aliases or class"
        raise InputError(msg)
    typer.echo(f"{'name':<28} {'class':<16} {'in water':<18} other names")
    for line in lines:
        typer.echo(line)
