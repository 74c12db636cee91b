"""Commands of the materials of a workspace: add-shell, add-ion, add-property, correct-shell, ..."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from perovshell.cli.options import JsonOption, WorkspaceOption, result
from perovshell.errors import InputError
from perovshell.texts import counted

if TYPE_CHECKING:
    from perovshell.data.materials import Materials

commands = typer.Typer(
    help="Shells, ions and properties of the workspace, beside the bundled ones.",
    no_args_is_help=True,
)
SourceOption = Annotated[str, typer.Option(help="DOI or address of what is stated.")]
AliasOption = Annotated[list[str] | None, typer.Option("--alias", help="Another name; repeatable.")]
_NEXT = "Models read it from now on; the next training learns it."
_LEARNED = (
    "The next training learns it; models that know the shell keep what they were trained with."
)


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
    as_json: JsonOption = False,
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
    lines = [f"Added: shell {row['name']}, {row['class']}", _NEXT]
    result(lines, {"row": row} if as_json else None)


@commands.command("add-ion")
def add_ion(  # noqa: PLR0913
    symbol: Annotated[str, typer.Argument(help="Abbreviation in formulas.")],
    *,
    formula: Annotated[str, typer.Option(help="Formula, such as C4H12N.")],
    charge: Annotated[int, typer.Option(help="Charge in e.")],
    source: SourceOption,
    name: Annotated[str, typer.Option(help="Name.")] = "",
    radius: Annotated[float | None, typer.Option(help="Effective ionic radius in pm.")] = None,
    alias: AliasOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
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
    lines = [f"Added: ion {row['ion']}, {row['formula']}", _NEXT]
    result(lines, {"row": row} if as_json else None)


@commands.command("add-property", context_settings={"ignore_unknown_options": True})
def add_property(
    shell: Annotated[str, typer.Argument(help="Name of the shell.")],
    name: Annotated[str, typer.Argument(help="Property, such as refractive_index.")],
    value: Annotated[str, typer.Argument(help="Its value, in the unit that the name tells.")],
    *,
    source: SourceOption,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a property of a shell, or replace the bundled one."""
    from perovshell.workbench import Workspace

    row = Workspace(workspace).materials.add_property(shell, name, value, source=source)
    lines = [f"Added: {row['name']}, {name} {row[name]}", _LEARNED]
    result(lines, {"row": row} if as_json else None)


@commands.command("correct-shell")
def correct_shell(
    shell: Annotated[str, typer.Argument(help="Name of the shell.")],
    facts: Annotated[
        list[str], typer.Argument(help="Facts as COLUMN=VALUE, such as in_water=soluble.")
    ],
    *,
    source: SourceOption,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct class, formula, behaviour in water, route, solvent, ... of a shell."""
    from perovshell.workbench import Workspace

    pairs = [fact.partition("=") for fact in facts]
    wrong = [fact for fact, (_, joint, _) in zip(facts, pairs, strict=True) if not joint]
    if wrong:
        msg = f"fact {wrong[0]!r}: write COLUMN=VALUE, such as in_water=soluble"
        raise InputError(msg)
    store = Workspace(workspace).materials
    by_column = {column: text for column, _, text in pairs}
    row = store.correct_shell(shell, source=source, **by_column)
    lines = [f"Corrected: shell {row['name']}", *_correction_lines(store.read()), _LEARNED]
    result(lines, {"row": row} if as_json else None)


def _correction_lines(materials: Materials) -> list[str]:
    """Return a line for each correction of a bundled shell."""
    sources = {row["name"]: row["source"].rpartition(";")[2] for row in materials.shells}
    return [
        f"correction of shell {name}: {what}, {sources[name]}"
        for name, what in materials.corrections.items()
    ]


@commands.command("list")
def list_materials(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the materials of the workspace, and its corrections, each with its source."""
    from perovshell.data.material_rows import property_of
    from perovshell.workbench import Workspace

    materials = Workspace(workspace).materials.read()
    lines = [
        f"shell {row['name']}, {row['class']}, {row['source']}"
        for row in materials.shells
        if row["name"] not in materials.corrections
    ]
    lines += _correction_lines(materials)
    lines += [f"ion {row['ion']}, {row['formula']}, {row['source_url']}" for row in materials.ions]
    lines += [
        f"property of {shell}: {name} {row[name]}, {row['source_url']}"
        for row in materials.shell_materials
        for shell, name in [property_of(row)]
    ]
    lines = lines or ["The workspace has no materials; 'perovshell data shells' lists the bundled."]
    content = {**materials.tables, "corrections": materials.corrections}
    result(lines, content if as_json else None)


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a shell or symbol of an ion.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
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
    lines = [f"{column}: {cell}" for row in known for column, cell in row.items() if cell]
    stated = {} if shell is None else shell.properties
    properties = {name: value for name, value in stated.items() if not math.isnan(value)}
    lines += [f"{name}: {value:g}" for name, value in properties.items()]
    result(lines, {"rows": known, "properties": properties} if as_json else None)


@commands.command()
def check(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Check the tables of the workspace."""
    from perovshell.workbench import Workspace

    materials = Workspace(workspace).materials.read()
    corrections = _correction_lines(materials)
    counts = {
        "shell": len(materials.shells) - len(corrections),
        "ion": len(materials.ions),
        "property value": len(materials.shell_materials),
        "correction": len(corrections),
    }
    stated = [counted(count, noun) for noun, count in counts.items() if count]
    lines = [f"No faults: {', '.join(stated) or 'no materials'}", *corrections]
    content = {f"{noun.replace(' ', '_')}s": count for noun, count in counts.items()}
    result(lines, content if as_json else None)
