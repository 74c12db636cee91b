"""Commands of the literature dataset: data check, show, shells, template, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perovshell.cli.options import DataOption, WorkspaceOption, dataset_in_use, read_dataset
from perovshell.errors import DatasetError, InputError
from perovshell.workspace.workspace import Workspace

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
    from perovshell.workspace.papers import PaperStore

    if folder is None:
        in_use = PaperStore(Workspace.locate(workspace)).in_use(read_dataset(None))
        if in_use.faults:
            raise DatasetError(list(in_use.faults))
        dataset, added = in_use.dataset, f", {len(in_use.entries)} papers of the workspace"
    else:
        dataset, added = read_dataset(folder), ""
    counts = ", ".join(f"{count} {name}" for name, count in dataset.counts.items())
    typer.echo(f"No faults: {counts}{added}; content hash {dataset.content_hash}")


@commands.command()
def show(
    paper: Annotated[str, typer.Argument(help="paper_id or DOI.")],
    *,
    workspace: WorkspaceOption = None,
) -> None:
    """Show the samples and stability tests of one paper, and what it said before."""
    from perovshell.data.summary import paper_lines
    from perovshell.workspace.papers import PaperStore

    place = Workspace.locate(workspace)
    dataset, versions = dataset_in_use(place, None), PaperStore(place).versions(paper)
    if paper in dataset.papers or not versions:
        for line in paper_lines(dataset, paper):
            typer.echo(line)
    else:
        typer.echo(f"{paper}: not in the data")
    for version in versions:
        typer.echo(f"before: {version}")


@commands.command()
def template() -> None:
    """Print a commented example of a paper, for 'perovshell add'."""
    from perovshell.data.paper_file import template_text

    typer.echo(template_text(), nl=False)


@commands.command()
def remove(
    paper: Annotated[str, typer.Argument(help="paper_id.")],
    *,
    why: Annotated[str, typer.Option(help="The reason, which is kept.")],
    workspace: WorkspaceOption = None,
    data: DataOption = None,
) -> None:
    """Take a paper out of the data: retracted, wrong, not wanted. What it said is kept."""
    from perovshell.workspace.papers import PaperStore

    place, base = Workspace.locate(workspace), read_dataset(data)
    store = PaperStore(place)
    before = store.in_use(base).dataset.digests
    with place.locked("papers", wait=True):
        kept = store.remove(paper, why, base)
    after = store.in_use(base).dataset.digests
    for name in sorted(before.keys() - after.keys()):
        typer.echo(f"Out of the data: {name}")
    for name in sorted(after.keys() - before.keys()):
        typer.echo(f"In the data again, since nothing replaces it any more: {name}")
    for name in sorted(k for k in before.keys() & after.keys() if before[k] != after[k]):
        typer.echo(f"As it was before it was corrected: {name}")
    typer.echo(f"Kept: {kept}\nThe models follow with 'perovshell retrain'.")


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
