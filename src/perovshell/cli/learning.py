"""Commands that learn from new papers: add, retrain."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perovshell.cli.options import (
    SOME_FAILED,
    WAIT_HINT,
    DataOption,
    JobsOption,
    JsonOption,
    WaitOption,
    WorkspaceOption,
    champion_predictor,
    dataset_in_use,
    progress,
    read_dataset,
)
from perovshell.errors import InputError
from perovshell.workspace.workspace import Workspace

if TYPE_CHECKING:
    from perovshell.intake.adding import Proposal
    from perovshell.intake.inbox import Taken
    from perovshell.training.retrain import Retraining

commands = typer.Typer()


@commands.command()
def add(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A paper as YAML or JSON ('perovshell data template' prints one), or a folder "
            "with papers.csv, samples.csv and stability.csv.",
        ),
    ],
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Correct a paper; its old version is kept.")
    ] = False,
    accept_outlier: Annotated[
        bool, typer.Option("--accept-outlier", help="Take values that are reported as outliers.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a paper, show how it was understood, and add it to the data."""
    from perovshell.intake import adding

    place = Workspace.locate(workspace)
    base = read_dataset(data)
    proposal = adding.propose(source, place, base, champion_predictor(place), replace=replace)
    if not as_json:
        _show(proposal)
    if not accept_outlier:
        proposal.refuse_outliers(source)
    for check in proposal.outliers:
        typer.echo(f"  accepted {check}", err=True)
    if not (yes or as_json or _confirmed()):
        typer.echo("Nothing is added.")
        raise typer.Exit(SOME_FAILED)
    paths = adding.accept(proposal, place, base, replace=replace)
    if as_json:
        typer.echo(json.dumps(_said(proposal, paths)))
        return
    for path in paths:
        typer.echo(f"Added: {path}")
    counts = ", ".join(f"{count} {name}" for name, count in proposal.dataset.counts.items())
    typer.echo(f"The data has {counts}; content hash {proposal.dataset.content_hash[:12]}")
    typer.echo("Learn from it with 'perovshell retrain'.")


def _confirmed() -> bool:
    typer.echo("Add this? [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        msg = "add: nobody answered, nothing is added; --yes adds without asking"
        raise InputError(msg)
    return answer.strip().lower() in {"y", "yes"}


def _show(proposal: Proposal) -> None:
    """Say how papers were understood, on the error stream: it is talk, not the result."""
    lines = [f"not used: {fault}" for fault in proposal.left_out]
    lines += [f"{name}: in the workspace already, word for word" for name in proposal.unchanged]
    for one in proposal.reviews:
        lines.append(f"{one.paper_id}: understood as")
        lines += [f"  {line}" for line in one.understood]
        lines += [f"  known: {line}" for line in one.known]
        lines += [f"  {check}" for check in one.checks if not check.is_outlier]
    lines += [f"changed: {line}" for line in proposal.changes]
    withdrawn = [entry for entry in proposal.entries if entry.withdrawn]
    lines += [f"{entry.paper_id}: withdrawn ({entry.withdrawn})" for entry in withdrawn]
    for line in lines:
        typer.echo(line, err=True)


def _said(proposal: Proposal, paths: list[Path]) -> dict[str, object]:
    return {
        "added": [entry.paper_id for entry in proposal.entries],
        "files": [str(path) for path in paths],
        "unchanged": list(proposal.unchanged),
        "checks": [vars(check) for one in proposal.reviews for check in one.checks],
        "dataset_hash": proposal.dataset.content_hash,
    }


@commands.command()
def retrain(
    *,
    workspace: WorkspaceOption = None,
    data: DataOption = None,
    inbox: Annotated[
        Path | None,
        typer.Option(help="First take in the paper files of this folder; for cron."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compare and report, but register nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--force", help="Also where the data was learned and judged before.")
    ] = False,
    wait: WaitOption = False,
    jobs: JobsOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Train on all papers, compare with the champion, promote what is not worse."""
    from perovshell.intake.inbox import take_in
    from perovshell.training import retrain as retraining

    if dry_run and inbox is not None:
        msg = "retrain: --inbox takes papers in, --dry-run changes nothing: give one of them"
        raise InputError(msg)
    place, base = Workspace.locate(workspace), read_dataset(data)
    made, taken = None, []
    with place.locked("models", wait=wait, hint=WAIT_HINT):
        champion = retraining.champion_of(place, follow=not dry_run)
        if inbox is not None:
            taken = take_in(inbox, place, base, champion.predictor)
            _say_taken(taken)
        dataset = dataset_in_use(place, data)
        reason = "" if again else retraining.reason_not_to(place, dataset, champion)
        if not reason:
            steps = retraining.settings_of(champion).steps
            with progress("Validating by paper", steps) as advance:
                watched = retraining.Watched(_say, lambda: advance(1))
                made = retraining.retrain(
                    place, dataset, champion, jobs=jobs, dry_run=dry_run, watched=watched
                )
    if as_json:
        said = {"challenger": None, "reason": reason} if made is None else made.to_json()
        files = [vars(one) for one in taken]
        typer.echo(json.dumps({**said, "now_champion": place.champion_id, "inbox": files}))
    elif made is None:
        typer.echo(reason)
    else:
        _say_retrained(made, place, dry_run=dry_run)
    if any(one.outcome == "rejected" for one in taken):
        raise typer.Exit(SOME_FAILED)


def _say(stage: str) -> None:
    typer.echo(f"\rretrain: {stage}", err=True)


def _say_taken(taken: list[Taken]) -> None:
    for one in taken:
        typer.echo(str(one), err=True)


def _say_retrained(made: Retraining, place: Workspace, *, dry_run: bool) -> None:
    *lines, sentence = made.lines()
    for line in lines:
        typer.echo(line)
    typer.echo(f"Dry run, nothing is registered. {sentence}" if dry_run else sentence)
    if made.version is not None and not made.verdict.promote:
        typer.echo(f"'models promote {made.version} --why ...' makes it champion all the same.")
    if made.version is not None:
        typer.echo(f"Registered in MLflow as perovshell version {made.version}")
    typer.echo(f"Champion: {place.champion_id}\nReport: {made.report}")
