"""What commands share: options, exit codes, opening a model or a dataset, a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perovshell.workspace.workspace import Workspace

if TYPE_CHECKING:
    from perovshell.data.dataset import Dataset
    from perovshell.model import Model
    from perovshell.models.predictor import Predictor

FAULT, SOME_FAILED = 2, 1
"""Exit codes: the command was refused; some rows failed, or a ranking stopped early."""

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(help="Workspace folder; else PEROVSHELL_HOME, else ./perovshell-workspace."),
]
ModelOption = Annotated[
    str | None, typer.Option(help="Model folder or MLflow URI; else the workspace's champion.")
]
DataOption = Annotated[Path | None, typer.Option(help="Dataset folder; else the bundled one.")]
ReportOption = Annotated[Path | None, typer.Option("-o", "--output", help="Report folder.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the models.")]
JobsOption = Annotated[int, typer.Option(min=1, help="Processes; the result is the same.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A small validation, for trying.")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for another process that changes the models.")
]
WAIT_HINT = "give --wait"
"""Said where another process changes the models, by commands with that option."""
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def load_model(model: str | None, workspace: Path | None) -> Model:
    """Load the model of `--model`, else the champion of the workspace.

    Raises:
        PerovshellError: The model is missing, damaged or of a newer format.
    """
    from perovshell.model import load

    return load(model, workspace=workspace)


def read_dataset(folder: Path | None) -> Dataset:
    """Read the dataset of a folder, else the bundled one.

    Raises:
        DatasetError: The files break the rules; all faults are listed.
        InputError: The folder does not exist.
    """
    from perovshell.data.dataset import Dataset

    return Dataset.bundled() if folder is None else Dataset.from_folder(folder)


def dataset_in_use(place: Workspace, folder: Path | None) -> Dataset:
    """Read the dataset of a folder, else the bundled one, with the papers of the workspace.

    Papers that are damaged or break a rule are named on the error stream and left out.

    Raises:
        DatasetError: The dataset itself breaks the rules; all faults are listed.
        InputError: The folder does not exist.
    """
    from perovshell.workspace.papers import PaperStore

    in_use = PaperStore(place).in_use(read_dataset(folder))
    for fault in in_use.faults:
        typer.echo(f"not used: {place.papers / fault.file}: {fault}", err=True)
    return in_use.dataset


def champion_predictor(place: Workspace) -> Predictor | None:
    """Return the champion's predictor, or None where there is no champion.

    Raises:
        PerovshellError: The champion is damaged or of another format.
    """
    from perovshell.model import Model

    return Model.from_folder(place.champion()).predictor if place.champion_id else None


@contextmanager
def progress(label: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on the error stream; yield what takes the number of steps done."""
    with typer.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield bar.update
