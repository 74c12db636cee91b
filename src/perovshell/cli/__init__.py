"""The command line: each command parses, calls the library and prints.

A module of this package holds the commands of one subject on a `typer.Typer` named `commands`;
they are put together here.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Annotated, TextIO

import typer

from perovshell.cli import data, evidence, learning, materials, models, serving, training, use
from perovshell.cli.options import FAULT, in_options, note, unknown_settings
from perovshell.cli.ranking_line import ERASE_LINE
from perovshell.errors import PerovshellError, PerovshellWarning

app = typer.Typer(
    name="perovshell",
    help="Predict, from published papers, what a shell does to a halide-perovskite nanocrystal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Without a name, commands stand at the top level; `--help` lists them in this order.
app.add_typer(training.commands)
app.add_typer(learning.commands)
app.add_typer(use.commands)
app.add_typer(evidence.commands)
app.add_typer(serving.commands)
app.add_typer(data.commands, name="data")
app.add_typer(materials.commands, name="materials")
app.add_typer(models.commands, name="models")


def main() -> None:
    """Run the command line; an error of Perovshell or of the disk is one line and exit code 2."""
    _open_closed_streams()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", PerovshellWarning)
            warnings.showwarning = _show_warning
            app()
    except PerovshellError as error:
        typer.echo(f"perovshell: {in_options(str(error))}", err=True)
        sys.exit(FAULT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(
            f"perovshell: {where}{error.strerror or error or type(error).__name__}", err=True
        )
        sys.exit(FAULT)
    finally:
        # All is done: an interrupt while the interpreter ends would make it look undone.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _open_closed_streams() -> None:
    """Let standard streams that whoever started the command has closed be empty."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,
) -> None:
    """Print a warning of Perovshell as one line, and others as Python does."""
    if issubclass(category, PerovshellWarning):
        if sys.stderr.isatty():
            typer.echo(ERASE_LINE, nl=False, err=True)  # That of a running command.
        note(str(message))
    else:
        typer.echo(
            warnings.formatwarning(message, category, filename, lineno, line), nl=False, err=True
        )


@app.callback(invoke_without_command=True)
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    for line in unknown_settings(os.environ):
        note(line)
    if version:
        import perovshell

        typer.echo(perovshell.__version__)
        raise typer.Exit
