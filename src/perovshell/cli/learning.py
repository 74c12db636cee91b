"""Commands that learn from new papers: draft, add, retrain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from perovshell.cli.options import (
    NOT_PROMOTED,
    SOME_FAILED,
    DataOption,
    JobsOption,
    JsonOption,
    WaitOption,
    WorkspaceOption,
    note,
    print_json,
    result,
    stages,
)
from perovshell.errors import InputError
from perovshell.files import descriptor_of

commands = typer.Typer()


@commands.command()
def draft(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="TEXT",
            help="An abstract or a paper as a text file or a PDF (extra 'pdf'); - is the standard "
            "input.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PAPER.yaml", help="The paper file.")
    ],
    *,
    paper_id: Annotated[str, typer.Option(help="Its paper_id, such as smith2026.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Draft a paper file from a text, by rules; check it before 'perovshell add'."""
    from perovshell.drafting.draft import draft_file

    drafted = draft_file(source, output, paper_id=paper_id)
    is_err = descriptor_of(output) == 1
    if as_json:
        print_json({"file": str(output), **drafted.to_json()}, is_err=is_err)
    else:
        typer.echo(drafted.summary, err=is_err)


@commands.command()
def add(  # noqa: PLR0913
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A paper as YAML or JSON ('perovshell data template' prints one), or a folder "
            "with papers.csv, samples.csv and stability.csv. With --map, a table of any columns.",
        ),
    ],
    *,
    columns: Annotated[
        Path | None,
        typer.Option("--map", help="YAML file that says what the columns of a table are."),
    ] = None,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Correct a paper; its old version is kept.")
    ] = False,
    accept_outliers: Annotated[
        bool, typer.Option("--accept-outliers", help="Accept values that are reported as outliers.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a paper, show how it was understood, and add it to the data."""
    from perovshell.intake.adding import Addition
    from perovshell.workbench import Workspace

    home = Workspace(workspace, data=data)
    proposal = home.propose(source, replace=replace, columns=columns)
    for line in [] if as_json else proposal.lines():
        note(line)
    if not accept_outliers:
        proposal.refuse_outliers()
    for check in proposal.outliers:
        note(f"  accepted {check}")
    if not (dry_run or yes or as_json or _confirmed()):
        typer.echo("Nothing is added.")
        raise typer.Exit(SOME_FAILED)
    added = Addition(proposal, ()) if dry_run else home.accept(proposal, replace=replace)
    if as_json:
        print_json(added.to_json())
        return
    result(added.lines())
    if not dry_run:
        typer.echo("Run 'perovshell retrain' to update the model.")


def _confirmed() -> bool:
    typer.echo("Add this? [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        msg = "add: no confirmation received; nothing was added; --yes adds without asking"
        raise InputError(msg)
    return answer.strip().lower() in {"y", "yes"}


@commands.command()
def retrain(  # noqa: PLR0913
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    inbox: Annotated[
        Path | None, typer.Option(help="First add the paper files of this folder; for cron.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compare and report, but register nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Retrain even if this dataset was already evaluated.")
    ] = False,
    fail_if_not_promoted: Annotated[
        bool,
        typer.Option(
            "--fail-if-not-promoted",
            help=f"Exit with {NOT_PROMOTED} where the champion stays: for scripts.",
        ),
    ] = False,
    wait: WaitOption = False,
    jobs: JobsOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Train on all papers, compare with the champion, promote if not worse."""
    from perovshell.workbench import Workspace

    with stages("retrain") as show:
        retraining = Workspace(workspace, data=data).retrain(
            inbox=inbox, dry_run=dry_run, force=force, jobs=jobs, wait=wait, progress=show
        )
    for taken in retraining.inbox:
        note(str(taken))
    if as_json:
        print_json(retraining.to_json())
    else:
        result(retraining.lines())
    if any(taken.outcome == "rejected" for taken in retraining.inbox):
        raise typer.Exit(SOME_FAILED)
    if fail_if_not_promoted and not retraining.is_promoted:
        raise typer.Exit(NOT_PROMOTED)
