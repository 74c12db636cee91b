"""Commands of the materials of a workspace: materials add-shell, add-ion, list, show, check."""

from __future__ import annotations

from typing import Annotated

import typer

from perovshell.cli.options import WorkspaceOption, result
from perovshell.errors import InputError
from perovshell.texts import counted

commands = typer.Typer(
    help="Shells and ions of the workspace, beside the bundled ones.", no_args_is_help=True
)
SourceOption = Annotated[str, typer.Option(help="DOI or address of what is stated.")]
AliasOption = Annotated[list[str] | None, typer.Option("--alias", help="Another name; repeatable.")]
_NEXT = "Models read it from now on; the next training learns it."


@commands.command("add-shell")
def add_shell(
    name: Annotated[str, typer.Argument(help="Standard name.")],
    *,
    material_class: Annotated[str, typer.Option("--class", help="Class, such as polymer.")],
    source: SourceOption,
    formula: Annotated[str, typer.Option(help="Formula or repeat unit; empty is open.")] = "",
    alias: AliasOption = None,
    in_water: Annotated[str, typer.Option(help="Behaviour in water, such as insoluble.")] = "",
    workspace: WorkspaceOption = None,
) -> None:
    """Add a shell material of a known class."""
    from perovshell.workbench import Workspace

    store = Workspace(workspace).materials
    row = store.add_shell(
        name,
        material_class,
        source=source,
        formula=formula,
        aliases=alias or (),
        in_water=in_water,
    )
    result([f"Added: shell {row['name']}, {row['class']}", _NEXT])


@commands.command("add-ion")
def add_ion(
    symbol: Annotated[str, typer.Argument(help="Abbreviation in formulas.")],
    *,
    formula: Annotated[str, typer.Option(help="Formula, such as C4H12N.")],
    charge: Annotated[int, typer.Option(help="Charge in e.")],
    source: SourceOption,
    name: Annotated[str, typer.Option(help="Name.")] = "",
    radius: Annotated[float | None, typer.Option(help="Effective ionic radius in pm.")] = None,
    alias: AliasOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Add an ion of several atoms."""
    from perovshell.workbench import Workspace

    store = Workspace(workspace).materials
    row = store.add_ion(
        symbol,
        formula=formula,
        charge=charge,
        source=source,
        name=name,
        radius_pm=radius,
        aliases=alias or (),
    )
    result([f"Added: ion {row['ion']}, {row['formula']}", _NEXT])


@commands.command("list")
def list_materials(*, workspace: WorkspaceOption = None) -> None:
    """List the materials of the workspace: table, name, class or formula, source."""
    from perovshell.workbench import Workspace

    materials = Workspace(workspace).materials.read()
    lines = [f"shell {row['name']}, {row['class']}, {row['source']}" for row in materials.shells]
    lines += [f"ion {row['ion']}, {row['formula']}, {row['source_url']}" for row in materials.ions]
    result(lines or ["The workspace has no materials; 'perovshell data shells' lists the bundled."])


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a shell or symbol of an ion.")],
    *,
    workspace: WorkspaceOption = None,
) -> None:
    """Show what is known of a material, bundled or of the workspace."""
    from perovshell.workbench import Workspace

    reader = Workspace(workspace).base.reader
    shell = reader.shells.find(name)
    key, rows = ("name", reader.shells.shell_rows) if shell else ("symbol", reader.ions.rows)
    known = [row for row in rows if row[key] == (shell.name if shell else name)]
    if not known:
        msg = f"no shell and no ion is named {name!r}"
        raise InputError(msg)
    result([f"{column}: {cell}" for row in known for column, cell in row.items() if cell])


@commands.command()
def check(*, workspace: WorkspaceOption = None) -> None:
    """Check the tables of the workspace."""
    from perovshell.workbench import Workspace

    materials = Workspace(workspace).materials.read()
    counts = {"shell": len(materials.shells), "ion": len(materials.ions)}
    result([f"No faults: {', '.join(counted(count, noun) for noun, count in counts.items())}"])
