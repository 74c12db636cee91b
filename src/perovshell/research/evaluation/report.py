"""Reports of an evaluation: evaluation.json for scripts, evaluation.html for readers."""

from __future__ import annotations

from pathlib import Path

from perovshell.files import write_file, write_json
from perovshell.pages import card_page, environment
from perovshell.research.evaluation.evaluate import Evaluation
from perovshell.research.evaluation.plots import evaluation_plots


def write_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, Path]:
    """Write evaluation.json and evaluation.html into a folder; return their paths.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    template = environment("perovshell.research.evaluation").get_template("evaluation.html")
    page = template.render(
        dataset=evaluation.dataset,
        settings=evaluation.settings,
        card=card_page(evaluation.about()),
        plots=evaluation_plots(evaluation),
        tables=evaluation.tables,
    )
    return (
        write_json(folder / "evaluation.json", evaluation.to_json()),
        write_file(folder / "evaluation.html", page),
    )
