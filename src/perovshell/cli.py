"""The command line: each command parses, calls the library and prints."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perovshell.errors import InputError, PerovshellError
from perovshell.workspace import Workspace, refuse_unwritable

if TYPE_CHECKING:
    from perovshell.model import Model
    from perovshell.training.train import TrainedModel

app = typer.Typer(
    name="perovshell",
    help="Predict, from published papers, what a shell does to a halide-perovskite nanocrystal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Look at the literature dataset.", no_args_is_help=True)
models_app = typer.Typer(help="Look at the trained models.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(models_app, name="models")

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(help="Workspace folder; else PEROVSHELL_HOME, else ./perovshell-workspace."),
]
ModelOption = Annotated[
    str | None, typer.Option(help="Model folder or MLflow URI; else the workspace's champion.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
FAULT, SOME_FAILED = 2, 1


def main() -> None:
    """Run the command line; an error of Perovshell is one clear line and exit code 2."""
    try:
        app()
    except PerovshellError as error:
        typer.echo(f"perovshell: {error}", err=True)
        sys.exit(FAULT)


@app.callback(invoke_without_command=True)
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        import perovshell

        typer.echo(perovshell.__version__)
        raise typer.Exit


# Train ---------------------------------------------------------------------------------------


@app.command()
def train(
    *,
    workspace: WorkspaceOption = None,
    data: Annotated[Path | None, typer.Option(help="Dataset folder; else the bundled one.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the models.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the result is the same.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A small validation, for trying.")] = False,
    no_track: Annotated[bool, typer.Option("--no-track", help="Leave MLflow out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train on the literature, validate by paper, register the model."""
    from dataclasses import replace

    from perovshell.data.dataset import Dataset
    from perovshell.training import train as training
    from perovshell.training.nested import FITTED, Settings

    place = Workspace.locate(workspace)
    place.prepare()
    dataset = Dataset.bundled() if data is None else Dataset.from_folder(data)
    settings = replace(training.QUICK if quick else Settings(), seed=seed, jobs=jobs)
    steps = settings.folds * len(FITTED)
    with typer.progressbar(length=steps, label="Validating by paper", file=sys.stderr) as bar:
        trained = training.train(dataset, place.models, settings, lambda: bar.update(1))
    if place.champion_id is None:
        place.set_champion(trained.model_id)
    version = None if no_track else _track(trained, place)
    _say_trained(trained, place, version, as_json=as_json)


def _track(trained: TrainedModel, place: Workspace) -> str:
    from perovshell.training.tracking import track

    return track(trained, place).version


def _say_trained(
    trained: TrainedModel, place: Workspace, version: str | None, *, as_json: bool
) -> None:
    if as_json:
        summary = {"model_id": trained.model_id, "folder": str(trained.folder), **trained.info}
        typer.echo(json.dumps({**summary, "version": version, "champion": place.champion_id}))
        return
    from perovshell.models.card import card_sections

    for title, lines in card_sections(trained.info)[2:4]:
        typer.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))
    typer.echo(f"Model {trained.model_id} in {trained.folder}")
    if version is not None:
        typer.echo(f"Registered in MLflow as perovshell version {version}")
    if place.champion_id == trained.model_id:
        typer.echo("It is the champion: predict and rank use it.")
    else:
        typer.echo(f"The champion stays {place.champion_id}.")


@app.command()
def evaluate(
    *,
    workspace: WorkspaceOption = None,
    data: Annotated[Path | None, typer.Option(help="Dataset folder; else the bundled one.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Report folder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the models.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the result is the same.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A small validation, for trying.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate everything the product says, and write a report: a few minutes."""
    from dataclasses import replace

    from perovshell.data.dataset import Dataset
    from perovshell.models.card import card_sections
    from perovshell.training import evaluate as evaluation
    from perovshell.training.evaluation_report import write_evaluation
    from perovshell.training.nested import Settings
    from perovshell.training.train import QUICK

    place = Workspace.locate(workspace)
    dataset = Dataset.bundled() if data is None else Dataset.from_folder(data)
    settings = replace(QUICK if quick else Settings(), seed=seed, jobs=jobs)
    steps = evaluation.STEPS
    with typer.progressbar(length=steps, label="Evaluating", file=sys.stderr) as bar:
        found = evaluation.evaluate(dataset, settings, bar.update)
    json_path, html_path = write_evaluation(found, output or place.reports / "evaluation")
    if as_json:
        typer.echo(json_path.read_text().rstrip())
        return
    for title, lines in card_sections(found.about())[2:4]:
        typer.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))
    typer.echo(f"Report: {html_path}\nFigures: {json_path}")


@app.command()
def backtest(
    *,
    workspace: WorkspaceOption = None,
    data: Annotated[Path | None, typer.Option(help="Dataset folder; else the bundled one.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="JSON file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Rank by models of earlier years and see where later combinations stand: a minute."""
    from perovshell import backtest as backtests
    from perovshell.data.dataset import Dataset
    from perovshell.workspace import write_file

    place = Workspace.locate(workspace)
    dataset = Dataset.bundled() if data is None else Dataset.from_folder(data)
    steps = backtests.steps(dataset)
    with typer.progressbar(length=steps, label="Ranking the past", file=sys.stderr) as bar:
        found = backtests.backtest(dataset, advance=lambda: bar.update(1))
    text = json.dumps(found.to_json(), indent=1)
    path = write_file(output or place.reports / "backtest.json", text)
    if as_json:
        typer.echo(text)
        return
    typer.echo("\n".join(found.lines()))
    typer.echo(f"Figures: {path}")


# Use -----------------------------------------------------------------------------------------


@app.command()
def predict(  # noqa: PLR0913
    source: Annotated[Path, typer.Argument(metavar="IN.csv", help="Rows with core and shell.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.csv", help="Answers.")],
    *,
    model: ModelOption = None,
    workspace: WorkspaceOption = None,
    stressors: Annotated[str, typer.Option(help="Joined by commas.")] = "water,light,heat",
    coverage: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.9,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep columns named like outputs as given_NAME.")
    ] = False,
    pl_window: Annotated[
        str | None, typer.Option(help="Ask P(PL in a window), such as 510-540 (nm).")
    ] = None,
    plqy_above: Annotated[
        float | None, typer.Option(help="Ask P(PLQY above this percent).")
    ] = None,
    gain_above: Annotated[
        float | None, typer.Option(help="Ask P(stability gain above this), from 2 up.")
    ] = None,
    reasons: Annotated[
        bool, typer.Option("--reasons", help="Say what moved each prediction.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Predict PL peak, PLQY, the shell's effect and stability of the rows of a CSV file."""
    from perovshell.models.outputs import Wishes
    from perovshell.serve.batch import predict_file

    loaded = _load(model, workspace)
    names = [name.strip() for name in stressors.split(",") if name.strip()]
    rows, failed = predict_file(
        loaded,
        source,
        output,
        stressors=names,
        coverage=coverage,
        keep=keep,
        wishes=Wishes(_window(pl_window), plqy_above, gain_above),
        reasons=reasons,
    )
    info = loaded.info
    if as_json:
        summary = {"rows": rows, "failed": failed, "model_id": info.model_id}
        typer.echo(json.dumps({**summary, "dataset_hash": info.dataset["hash"]}))
    else:
        what = f"{rows - failed} of {rows} rows answered"
        typer.echo(f"{what} by model {info.model_id} (dataset {info.dataset['hash'][:12]})")
        typer.echo(f"Written to {output}")
    if failed:
        raise typer.Exit(SOME_FAILED)


def _window(text: str | None) -> tuple[float, float] | None:
    """Read a window of wavelengths such as 510-540."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError as error:
        msg = f"--pl-window {text!r}: two wavelengths in nm, such as 510-540"
        raise InputError(msg) from error
    return low, high


@app.command()
def rank(  # noqa: PLR0913
    space: Annotated[
        str | None,
        typer.Argument(
            metavar="[SPACE.yaml]",
            help="Design space, or a preset: green-emitter (the default), red-emitter, "
            "blue-emitter, lead-free. docs/ranking.md says what a space may hold.",
        ),
    ] = None,
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Report folder.")] = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = None,
    top: Annotated[int, typer.Option(min=1, help="Lines to keep.")] = 200,
    by: Annotated[
        str, typer.Option(help="best (lower bound), value, or explore (expected improvement).")
    ] = "best",
    raw: Annotated[
        bool, typer.Option("--raw", help="Order by predictions as they are, noise included.")
    ] = False,
    novel: Annotated[
        bool, typer.Option("--novel", help="Leave out combinations of the literature.")
    ] = False,
    batch: Annotated[int, typer.Option(min=0, help="Choose so many unlike one another.")] = 0,
    measure_next: Annotated[
        bool, typer.Option("--measure-next", help="Say which experiment would help most.")
    ] = False,
    engine: Annotated[str, typer.Option(help="local or dask.")] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; else a local cluster.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the result is the same.")] = 2,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a stopped ranking left off.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Rank a space that takes hours.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Rank the core/shell combinations of a design space and write a report."""
    from perovshell.serve import ranking as ranks
    from perovshell.serve import tables
    from perovshell.serve.report import write_report
    from perovshell.serve.scoring import Options
    from perovshell.serve.space import DesignSpace

    place = Workspace.locate(workspace)
    loaded = _load(model, workspace)
    checked = DesignSpace.from_yaml(space, loaded.predictor.featurizer.reader)
    folder = output or place.reports / checked.name
    kept = folder / "ranking.part.npz"
    run = ranks.Run(engine, jobs, scheduler, kept, resume, yes)
    checked.refuse_size(yes=yes)
    Options(by)
    told = f"{checked.name}: {checked.sizes}; about {ranks.MEMORY_MB} MB a process"
    typer.echo(told, err=True)
    refuse_unwritable(folder)
    with _rate_bar(checked.size) as advance:
        ranking = ranks.rank(
            checked,
            model=loaded,
            top=top,
            by=by,
            raw=raw,
            novel=novel,
            batch=batch,
            run=run,
            advance=advance,
        )
    csv_path, html_path = write_report(ranking, folder)
    if ranking.is_complete:
        kept.unlink(missing_ok=True)
    if as_json:
        said = {
            "report": str(html_path),
            "csv": str(csv_path),
            "complete": ranking.is_complete,
            "ranked": ranking.total,
            "removed": dict(ranking.removed),
            "statements": list(ranking.statements),
            "lines": tables.json_lines(ranking),
        }
        if measure_next:
            said["measure_next"] = [vars(one) for one in ranking.measure_next]
        typer.echo(json.dumps(said))
    else:
        for text in tables.summary(ranking, measure_next=measure_next):
            typer.echo(text)
        typer.echo(f"All {len(ranking.candidates)} lines: {csv_path}\nReport: {html_path}")
    if not ranking.is_complete:
        typer.echo("Stopped early; go on with --resume.", err=True)
        raise typer.Exit(SOME_FAILED)


@contextmanager
def _rate_bar(size: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar with rate and time left."""
    start, done = time.monotonic(), 0
    with typer.progressbar(length=size, label="Ranking", file=sys.stderr) as bar:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            rate = done / max(time.monotonic() - start, 1e-3)
            if sys.stderr.isatty():
                bar.label = f"Ranking ({rate / 1e6:.2f} million/s)"
            bar.update(count)

        yield advance


def _load(model: str | None, workspace: Path | None) -> Model:
    from perovshell.model import load

    return load(model, workspace=workspace)


# Look ----------------------------------------------------------------------------------------


@data_app.command("check")
def data_check(
    folder: Annotated[Path | None, typer.Argument(help="Dataset folder; else the bundled.")] = None,
) -> None:
    """Check a dataset folder and list all faults at once."""
    from perovshell.data.dataset import Dataset

    dataset = Dataset.bundled() if folder is None else Dataset.from_folder(folder)
    counts = ", ".join(f"{count} {name}" for name, count in dataset.counts.items())
    typer.echo(f"No faults: {counts}; content hash {dataset.content_hash}")


@data_app.command("show")
def data_show(
    paper: Annotated[str, typer.Argument(help="paper_id or DOI.")],
) -> None:
    """Show the samples and stability tests of one paper of the bundled dataset."""
    from perovshell.data.dataset import Dataset
    from perovshell.data.summary import paper_lines

    for line in paper_lines(Dataset.bundled(), paper):
        typer.echo(line)


@data_app.command("shells")
def data_shells(
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


@models_app.command("list")
def models_list(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the model folders of the workspace; the champion is marked."""
    place = Workspace.locate(workspace)
    champion = place.champion_id
    if as_json:
        typer.echo(json.dumps({"models": place.model_ids(), "champion": champion}))
        return
    for name in place.model_ids():
        typer.echo(f"{name}{'  champion' if name == champion else ''}")


@models_app.command("show")
def models_show(
    name: Annotated[str | None, typer.Argument(help="Model id; else the champion.")] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the card of a model: its data, its validation, its limits."""
    from perovshell.model import load
    from perovshell.models.card import card_lines

    place = Workspace.locate(workspace)
    info = load(place.models / name if name else None, workspace=workspace).info
    if as_json:
        typer.echo(json.dumps(vars(info)))
        return
    typer.echo(f"Model {info.model_id}")
    for line in card_lines(vars(info)):
        typer.echo(line)
