"""Command of the evidence: what papers measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perovshell.cli.options import (
    BibtexOption,
    DataOption,
    JsonOption,
    RisOption,
    WorkspaceOption,
    note,
    print_json,
    refuse_ignored,
    result,
    write_citations,
)
from perovshell.errors import InputError
from perovshell.files import write_file
from perovshell.texts import counted

commands = typer.Typer()
_PICTURES = (".svg", ".png")


@commands.command()
def evidence(  # noqa: PLR0913
    context: typer.Context,
    *,
    core: Annotated[str, typer.Option(help="Formula of the core.")] = "",
    family: Annotated[str, typer.Option(help="lead, tin or lead-free.")] = "",
    halide: Annotated[str, typer.Option(help="Cl, Br or I: the main halide.")] = "",
    shell: Annotated[str, typer.Option(help="Shell by name, layers joined by |, or a class.")] = "",
    stressor: Annotated[str, typer.Option(help="Such as water, light, heat.")] = "",
    medium: Annotated[str, typer.Option(help="Medium of the emission measurement.")] = "",
    structure: Annotated[str, typer.Option(help="Such as core/shell, matrix.")] = "",
    quality: Annotated[str, typer.Option(help="How a number was stated, such as printed.")] = "",
    since: Annotated[int | None, typer.Option(help="First year of publication.")] = None,
    until: Annotated[int | None, typer.Option(help="Last year of publication.")] = None,
    bibtex: BibtexOption = None,
    ris: RisOption = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write plots as .svg or .png.")
    ] = None,
    show: Annotated[
        str,
        typer.Option(
            help="What --plot shows: stability (forest plots), pl (by composition and size) or "
            "plqy (by shell)."
        ),
    ] = "stability",
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what papers measured, pooled over papers and test by test."""
    from perovshell.evidence.drawing import png_page, svg_page
    from perovshell.evidence.pictures import pictures
    from perovshell.workbench import Workspace

    if plot is not None and plot.suffix not in _PICTURES:
        msg = f"--plot {plot}: a file that ends with {' or '.join(_PICTURES)} is needed"
        raise InputError(msg)
    if plot is None:
        refuse_ignored(context, "only with --plot", "show")
    home = Workspace(workspace, data=data)
    table = home.evidence_table(
        core=core, family=family, halide=halide, shell=shell, stressor=stressor, medium=medium,
        structure=structure, quality=quality, since=since, until=until,
    )  # fmt: skip
    # What cannot be plotted is refused before anything is printed or written.
    plots = [] if plot is None else pictures(table, show)
    if as_json:
        print_json(table.to_json())
    else:
        result(table.lines())
    write_citations(home, table.paper_ids, bibtex, ris)
    if plot is not None:
        write_file(plot, png_page(plots) if plot.suffix == ".png" else svg_page(plots))
        note(f"{counted(len(plots), 'plot')} in {plot}")
