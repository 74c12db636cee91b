"""Commands that use a model: predict, rank."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perovshell.cli.options import (
    SOME_FAILED,
    BibtexOption,
    JobsOption,
    JsonOption,
    ModelOption,
    ReportOption,
    RisOption,
    WorkspaceOption,
    note,
    print_json,
    refuse_ignored,
    result,
    write_citations,
)
from perovshell.cli.ranking_line import RankingLine
from perovshell.errors import DesignSpaceError, InputError
from perovshell.files import descriptor_of, refuse_output, refuse_unwritable
from perovshell.models.inputs import INPUT_COLUMNS, REQUIRED
from perovshell.serve.space.preset import DEFAULT_PRESET, presets

if TYPE_CHECKING:
    from perovshell.model import Model
    from perovshell.models.outputs import Thresholds

commands = typer.Typer()
_ROWS = (
    f"Rows with {' and '.join(REQUIRED)}, and any of {', '.join(INPUT_COLUMNS[len(REQUIRED) :])}."
)


@commands.command()
def predict(  # noqa: PLR0913
    context: typer.Context,
    source: Annotated[Path | None, typer.Argument(metavar="[IN.csv]", help=_ROWS)] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.csv", help="Answers.")
    ] = None,
    *,
    core: Annotated[str, typer.Option(help="Ask for one core, without a file.")] = "",
    shell: Annotated[str, typer.Option(help="Its shell; none is the bare core.")] = "none",
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="NAME=VALUE", help="A further input, such as structure=janus."
        ),
    ] = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = None,
    stressors: Annotated[str, typer.Option(help="Joined by commas.")] = "water,light,heat",
    coverage: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.9,
    rename_clashes: Annotated[
        bool,
        typer.Option(
            "--rename-clashes", help="Keep input columns named like outputs as given_NAME."
        ),
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
        bool, typer.Option("--reasons", help="Add the feature contributions of each prediction.")
    ] = False,
    bibtex: BibtexOption = None,
    ris: RisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict PL peak, PLQY, the shell's effect and stability: of --core, or of a CSV file."""
    from perovshell.models.outputs import Thresholds
    from perovshell.serve.batch import predict_file
    from perovshell.workbench import Workspace

    if core and (source or output):
        msg = "--core asks for one combination: leave out the file and --output"
        raise InputError(msg)
    if core:
        refuse_ignored(context, "not with --core", "rename_clashes")
    else:
        refuse_ignored(context, "only with --core", "shell", "inputs", "bibtex", "ris")
    home = Workspace(workspace)
    names = [name.strip() for name in stressors.split(",") if name.strip()]
    thresholds = Thresholds(_window(pl_window), plqy_above, gain_above)
    if core:
        row = {"core": core, "shell": shell, **_pairs(inputs or ())}
        options = (names, coverage, thresholds)
        papers = _predict_one(home.load(model), row, options, reasons=reasons, as_json=as_json)
        write_citations(home, papers, bibtex, ris)
        return
    if source is None or output is None:
        msg = "predict: name IN.csv and -o OUT.csv, or --core and --shell"
        raise InputError(msg)
    loaded = home.load(model)
    rows, failed = predict_file(
        loaded,
        source,
        output,
        stressors=names,
        coverage=coverage,
        rename_clashes=rename_clashes,
        thresholds=thresholds,
        reasons=reasons,
    )
    # Answers and a summary in one stream would be no CSV.
    is_err = descriptor_of(output) == 1
    info = loaded.info
    version = home.folder.version_of(info.model_id)
    if as_json:
        summary = {"rows": rows, "failed": failed, "model_id": info.model_id, "version": version}
        print_json({**summary, "dataset_hash": info.dataset["hash"]}, is_err=is_err)
    else:
        what = f"{rows - failed} of {rows} rows answered"
        named = f"model {info.model_id}" + (f" version {version}" if version else "")
        typer.echo(f"{what} by {named} (dataset {info.dataset['hash'][:12]})", err=is_err)
        typer.echo(f"Written to {output}", err=is_err)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _pairs(inputs: Iterable[str]) -> dict[str, str]:
    """Read further inputs, written as NAME=VALUE."""
    names = INPUT_COLUMNS[len(REQUIRED) :]
    pairs: dict[str, str] = {}
    for text in inputs:
        name, sign, value = text.partition("=")
        if name in REQUIRED:
            msg = f"--input {text}: write --{name} {value}"
            raise InputError(msg)
        if not sign or name not in names:
            msg = f"--input {name}{sign}: NAME=VALUE is needed; names: {', '.join(names)}"
            raise InputError(msg)
        if name in pairs:
            msg = f"--input {text}: {name} is {pairs[name]} already"
            raise InputError(msg)
        pairs[name] = value
    return pairs


def _predict_one(
    model: Model,
    row: dict[str, str],
    options: tuple[list[str], float, Thresholds],
    *,
    reasons: bool,
    as_json: bool,
) -> tuple[str, ...]:
    """Print the answer to one combination; return the papers behind it."""
    from perovshell.models.answer_details import detailed, known_at_least
    from perovshell.models.answer_text import answer_lines
    from perovshell.models.requests import Requests

    stressors, coverage, thresholds = options
    (answer,) = model.answer([row], stressors=stressors, coverage=coverage, thresholds=thresholds)
    if answer.values["error"]:
        raise InputError(answer.values["error"])
    info, predictor = model.info, model.predictor
    if as_json:
        data = {"model_id": info.model_id, "dataset_hash": info.dataset["hash"]}
        print_json(data | detailed(predictor, row, answer, stressors))
        return answer.papers
    why = [reason.sentence for reason in answer.reasons] if reasons else []
    request = Requests.read_one(row, predictor.featurizer.reader)
    pooled = [bound.line() for bound in known_at_least(predictor, request, stressors)]
    lines = [
        f"{row['core']} / {row['shell']}",
        *answer_lines(answer, row, stressors, coverage, pooled),
        *_threshold_lines(answer.values, thresholds, stressors),
    ]
    result([*lines, *(["Why:"] if why else []), *(f"  {line}" for line in why)])
    return answer.papers


def _threshold_lines(
    values: Mapping[str, Any], thresholds: Thresholds, stressors: Sequence[str]
) -> Iterator[str]:
    """Yield the probabilities that were asked for."""
    from perovshell.serve.report.charts import chance

    window, plqy, gain = thresholds.pl_window_nm, thresholds.plqy_above, thresholds.gain_above
    asked = [] if window is None else [f"P(PL peak within {window[0]:g} to {window[1]:g} nm)"]
    asked += [] if plqy is None else [f"P(PLQY above {plqy:g} %)"]
    if gain is not None:
        asked += [f"P(stability gain under {name} above {gain:g})" for name in stressors]
    columns = thresholds.columns(stressors)
    for text, column in zip(asked, columns, strict=True):
        yield f"{text}: {chance(values[column])}"


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


@commands.command()
def rank(  # noqa: PLR0913
    context: typer.Context,
    space: Annotated[
        str | None,
        typer.Argument(
            metavar="[SPACE.yaml]",
            help=f"YAML file of a design space, or a preset: {', '.join(presets())}; else "
            f"{DEFAULT_PRESET}.",
        ),
    ] = None,
    *,
    output: ReportOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = None,
    top: Annotated[int, typer.Option(min=1, help="Lines of each list to keep.")] = 200,
    order_by: Annotated[
        str, typer.Option(help="lower-bound (what is known at least), value, or explore.")
    ] = "lower-bound",
    batch: Annotated[
        int, typer.Option(min=0, help="Also select K mutually dissimilar candidates.")
    ] = 0,
    suggest_experiments: Annotated[
        bool, typer.Option("--suggest-experiments", help="Say which experiment would help most.")
    ] = False,
    engine: Annotated[str, typer.Option(help="local or dask.")] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; else a local cluster.")
    ] = None,
    jobs: JobsOption = 2,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a stopped ranking left off.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Rank a space that takes hours.")] = False,
    bibtex: BibtexOption = None,
    ris: RisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was measured in a design space and what is worth trying; write a report."""
    from perovshell.serve.ranking import ranking as ranks
    from perovshell.serve.ranking.scoring import Options
    from perovshell.serve.report import tables
    from perovshell.serve.report.report import FILES, write_report
    from perovshell.serve.space.file import read_space
    from perovshell.workbench import Workspace

    if scheduler is not None:
        refuse_ignored(context, "not with --scheduler, which has its own workers", "jobs")
    home = Workspace(workspace)
    loaded = home.load(model)
    checked = read_space(space, loaded.predictor.featurizer.reader)
    folder = output or home.folder.reports / checked.name
    kept = folder / "ranking.part.npz"
    run = ranks.Run(engine, jobs, scheduler, kept, resume, yes)
    try:
        checked.refuse_size(yes=yes)
    except DesignSpaceError as error:
        raise DesignSpaceError(str(error).replace("yes=True", "--yes")) from error
    Options(order_by)
    evidence = home.evidence_table()
    note(f"{checked.name}: {checked.sizes}; about {ranks.MEMORY_MB} MB a process")
    refuse_unwritable(folder)
    for name in FILES:
        refuse_output(folder / name, [Path(space)] if space else [])
    with RankingLine(sys.stderr) as progress:
        ranking = ranks.rank(
            checked,
            model=loaded,
            top=top,
            order_by=order_by,
            batch=batch,
            run=run,
            progress=progress,
        )
    csv_path, html_path = write_report(ranking, folder, evidence)
    if ranking.is_complete:
        kept.unlink(missing_ok=True)
    if as_json:
        info = loaded.info
        model_name = {
            "id": info.model_id,
            "version": home.folder.version_of(info.model_id),
            "dataset_hash": info.dataset["hash"],
        }
        content = tables.ranking_json(ranking, suggest_experiments=suggest_experiments)
        paths = {"report": str(html_path), "csv": str(csv_path)}
        print_json({"model": model_name, **content, **paths})
    else:
        lines = tables.summary(ranking, suggest_experiments=suggest_experiments)
        typer.echo("\n".join([*lines, f"Both lists: {csv_path}", f"Report: {html_path}"]))
    write_citations(home, ranking.papers, bibtex, ris)
    if not ranking.is_complete:
        typer.echo("Stopped early; go on with --resume.", err=True)
        raise typer.Exit(SOME_FAILED)
