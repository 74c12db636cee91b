"""What commands share: options, exit codes, a progress bar, messages in the words of options."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from perovshell.errors import InputError
from perovshell.files import write_file
from perovshell.texts import counted

if TYPE_CHECKING:
    from perovshell.workbench import Progress, Workspace

FAULT, SOME_FAILED, NOT_PROMOTED = 2, 1, 3
"""Exit codes: the command was refused; a part failed or was stopped; the champion stays."""
SETTINGS: Final = (
    "PEROVSHELL_HOME",
    "PEROVSHELL_HOST",
    "PEROVSHELL_PORT",
    "PEROVSHELL_MODEL",
    "PEROVSHELL_WORKERS",
    "PEROVSHELL_RATE",
    "PEROVSHELL_ROOT_PATH",
    "PEROVSHELL_INSECURE",
    "PEROVSHELL_LOG_LEVEL",
    "PEROVSHELL_ACCESS_LOG",
)
"""Settings by environment: the workspace of all commands, and options of `serve`."""
SCHEMA_VERSION: Final = 1
"""Version of the keys of `--json`; of content that has none itself."""

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(help="Workspace folder; else PEROVSHELL_HOME, else ./perovshell-workspace."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(help="Model id, version, model folder or MLflow URI; else the champion."),
]
DataOption = Annotated[Path | None, typer.Option(help="Dataset folder; else the bundled one.")]
ReportOption = Annotated[Path | None, typer.Option("-o", "--output", help="Report folder.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the models.")]
JobsOption = Annotated[int, typer.Option(min=1, help="Processes; the result is the same.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A small validation, for trying.")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for another process that changes the models.")
]
WhyOption = Annotated[str, typer.Option(help="The reason, which is kept.")]
BibtexOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the papers behind it as BibTeX.")
]
RisOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the papers behind it as RIS.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_COMMANDS = {
    "promote": "models promote",
    "rollback": "models rollback",
    "dataset": "data list",
    "remove": "data remove",
}
"""Commands that are not named as the methods of `Workspace`."""


def in_options(message: str) -> str:
    """Return a message of the library with options for arguments and commands for methods.

    >>> in_options("values need accept_outliers=True")
    'values need --accept-outliers'
    >>> in_options("make one with Workspace.train()")
    "make one with 'perovshell train'"
    >>> in_options("leave MLflow out: Workspace.train(track=False)")
    "leave MLflow out: 'perovshell train --no-track'"
    >>> in_options("Workspace.promote('3', why=...) makes it champion")
    "'perovshell models promote 3 --why ...' makes it champion"
    """
    message = re.sub(r"\b([a-z]\w*)=False\b", r"--no-\1", message)
    message = re.sub(r"Workspace\.(\w+)\((.*?)\)(?:\.\w+)?", _command, message)
    return re.sub(r"\b([a-z]\w*)=True\b", lambda match: _option(match[1]), message)


def _command(match: re.Match[str]) -> str:
    words = re.sub(r"\b([a-z]\w*)=", lambda argument: f"{_option(argument[1])} ", match[2])
    words = re.sub(r"[,']", "", words)
    return f"'{f'perovshell {_COMMANDS.get(match[1], match[1])} {words}'.rstrip()}'"


def _option(argument: str) -> str:
    return f"--{argument.replace('_', '-')}"


def refuse_ignored(context: typer.Context, why: str, *names: str) -> None:
    """Refuse options that were set, though the command would not read them.

    Args:
        context: The command as it was called.
        why: When it reads them, or why not, such as `only with --core`.
        names: Parameters of the command.

    Raises:
        InputError: Any of them was set.
    """
    options = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and _is_set(context, parameter.name)
    ]
    if options:
        msg = f"{', '.join(options)}: {why}"
        raise InputError(msg)


def _is_set(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def unknown_settings(environment: Iterable[str]) -> list[str]:
    """Return a line for each variable that looks like a setting and is none.

    >>> unknown_settings(["PEROVSHELL_PROT", "PEROVSHELL_PORT", "HOME"])
    ['PEROVSHELL_PROT in the environment is no setting; the nearest is PEROVSHELL_PORT']
    """
    names = sorted(name for name in environment if name.startswith("PEROVSHELL_"))
    return [
        f"{name} in the environment is no setting; the nearest is {_nearest(name)}"
        for name in names
        if name not in SETTINGS
    ]


def _nearest(name: str) -> str:
    return difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.0)[0]


def note(line: str) -> None:
    """Print a line that is not the result on the error stream."""
    typer.echo(in_options(line), err=True)


def write_citations(
    home: Workspace, papers: Sequence[str], bibtex: Path | None, ris: Path | None
) -> None:
    """Write papers into the files of the options `--bibtex` and `--ris`."""
    for form, path in (("bibtex", bibtex), ("ris", ris)):
        if path is not None:
            write_file(path, home.citations(papers, form))
            note(f"{counted(len(papers), 'paper')} in {path}")


def print_json(content: Mapping[str, Any], *, is_err: bool = False) -> None:
    """Print a result as one line of JSON, with the version of its keys first."""
    data = {"schema_version": SCHEMA_VERSION, **content}
    typer.echo(json.dumps(data, ensure_ascii=False), err=is_err)


def result(lines: Sequence[str], content: Mapping[str, Any] | None = None) -> None:
    """Print a result: its content as JSON where that is given, else its lines."""
    if content is not None:
        print_json(content)
    else:
        typer.echo(in_options("\n".join(lines)))


@contextmanager
def progress(label: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on the error stream; yield what takes the number of steps done."""
    with typer.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield bar.update


@contextmanager
def stages(command: str) -> Iterator[Progress]:
    """Show a progress bar for the validation, and a line for each other stage."""
    with ExitStack() as stack:
        advance: list[Callable[[int], None]] = []

        def show(stage: str, done: int, total: int) -> None:
            if done == 0:
                note(f"\r{command}: {stage}")
            if stage == "validating" and done == 0:
                advance.append(stack.enter_context(progress("Validating by paper", total)))
            elif stage == "validating":
                advance[0](1)

        yield show
