"""Commands of the literature dataset: data check, list, show, shells, template, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from perovshell.cli.options import DataOption, JsonOption, WhyOption, WorkspaceOption, result
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
    as_json: JsonOption = False,
) -> None:
    """Check a dataset folder, or the data in use, and list all faults at once."""
    from perovshell.workbench import Workspace

    home, added = Workspace(workspace, data=folder), None
    dataset = home.base
    if folder is None:
        merged = home.merged()
        if merged.faults:
            raise DatasetError(list(merged.faults))
        dataset, added = merged.dataset, len(merged.entries)
    own = "" if added is None else f", {counted(added, 'paper')} of the workspace"
    line = f"No faults: {dataset.counts_text}{own}; content hash {dataset.content_hash}"
    content = {**dataset.counts, "of_workspace": added, "hash": dataset.content_hash}
    result([line], content if as_json else None)


@commands.command("list")
def list_papers(
    text: Annotated[str, typer.Argument(help="Part of a paper_id, a DOI, a year or a title.")] = "",
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the papers of the data in use: paper_id, samples, year, DOI and title."""
    from perovshell.data.summary import listed_papers, paper_line
    from perovshell.workbench import Workspace

    papers = listed_papers(Workspace(workspace).dataset(), text)
    if not papers:
        msg = f"no paper has {text!r} in its paper_id, DOI, year or title"
        raise InputError(msg)
    result([*map(paper_line, papers)], {"papers": papers} if as_json else None)


@commands.command()
def show(
    paper: Annotated[str, typer.Argument(help="paper_id or DOI.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the samples and stability tests of one paper, and its earlier versions."""
    from perovshell.data.summary import paper_lines, paper_named
    from perovshell.workbench import Workspace
    from perovshell.workspace.papers import PaperStore

    home = Workspace(workspace)
    dataset, versions = home.dataset(), PaperStore(home.folder).versions(paper)
    content: dict[str, Any] = {"paper": None, "samples": [], "tests": []}
    if versions and paper not in dataset.papers:
        lines = [f"{paper}: not in the data"]
    else:
        known = paper_named(dataset, paper)
        entry, lines = dataset.entry(known.paper_id), paper_lines(dataset, known)
        content = {"paper": entry.paper, "samples": entry.samples, "tests": entry.tests}
    content["before"] = [{"file": str(one.path), "why": one.what} for one in versions]
    lines += [f"before: {version}" for version in versions]
    result(lines, content if as_json else None)


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
    as_json: JsonOption = False,
) -> None:
    """Take a paper out of the data: retracted, wrong, unwanted. Its rows are kept."""
    from perovshell.workbench import Workspace

    removal = Workspace(workspace, data=data).remove(paper, why)
    lines = [*removal.lines(), "Run 'perovshell retrain' to update the models."]
    result(lines, removal.to_json() if as_json else None)


@commands.command()
def shells(
    text: Annotated[str, typer.Argument(help="Part of a name, an alias or a class.")] = "",
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the known shells, those of the workspace too: class, behaviour in water, other names."""
    from perovshell.data.summary import listed_shells, shell_line
    from perovshell.workbench import Workspace

    rows = listed_shells(Workspace(workspace).base.reader.shells, text)
    if not rows:
        msg = f"no shell has {text!r} in its name, aliases or class"
        raise InputError(msg)
    head = f"{'name':<28} {'class':<16} {'in water':<18} other names"
    result([head, *map(shell_line, rows)], {"shells": rows} if as_json else None)
