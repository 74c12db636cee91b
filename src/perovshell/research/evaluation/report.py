"""The evaluation on disk: evaluation.json for scripts, evaluation.html for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from perovshell.files import write_file, write_json
from perovshell.pages import card_page, environment
from perovshell.research.evaluation.evaluate import Evaluation
from perovshell.research.evaluation.plots import evaluation_plots

_TABLES: Final = {
    "random_split": (
        "A random split looks rosier",
        "Rows of one paper on both sides. Shown only to say by how much it flatters.",
    ),
    "left_out": (
        "Errors in and out of the domain",
        (
            "The same rows, with their kind in the training data (in) and without (out): all rows "
            "of the shell class, the main halide or the ion are left out, and their papers."
        ),
    ),
    "by_distance": (
        "Error by distance",
        (
            "Distance from the nearest sample of another paper: summed difference of site "
            "fractions, 0.5 for another shell of the same class, 1 for another class, 0.1 for "
            "another structure."
        ),
    ),
    "by_domain": (
        "Errors inside and outside the domain",
        "The verdict that the other papers make of each sample: what the user is told, tested.",
    ),
    "intervals": (
        "Intervals",
        (
            "K papers calibrate (a collection counts as one; bare CsPbCl3 has 58 of its own). "
            "Coverage by level, mean width, the width without the difficulty, and that of "
            "intervals about the median."
        ),
    ),
    "simulated_coverage": (
        "Do intervals calibrated by paper cover?",
        (
            "Simulated data sets whose papers have known effects: the share of a new paper's rows "
            "in its 90 % interval, calibrated on papers left out, and on rows left out at random."
        ),
    ),
    "simulated_bounds": (
        "Do lower bounds hold that were calibrated on intervals?",
        (
            "Simulated data sets whose true values are seen as intervals, as lifetimes are: how "
            "often a new paper's true value lies above its 90 % lower bound, where tests stop by "
            "chance, and where half of them stop shortly before the sample fails."
        ),
    ),
    "lower_bounds": (
        "Lower bounds of lifetime and gain by level",
        (
            "How often they hold for certain (the whole observed interval lies above) and possibly "
            "(some of it does), beside the null model's; and how far they lie above the null's "
            "(natural logarithm) when both hold for certain as often."
        ),
    ),
    "noise_floor": (
        "Noise floor",
        (
            "How far papers on one core and shell lie from each other: standard deviation, the "
            "mean error of predicting a paper by the median of the others, and the model's own "
            "on the same papers (nm, points)."
        ),
    ),
    "shell_effect": (
        "What a measured bare sample says of the coated one",
        (
            "Mean errors (nm, points) of ways to predict a coated sample whose bare one was "
            "measured in the same paper, all papers left out in turn; and the coverage of the 90 % "
            "intervals over all pairs of one core in one paper."
        ),
    ),
    "fold_deals": (
        "The same figures with the papers dealt into other folds",
        (
            "The headline's folds are fixed. Other deals say how much of a figure is their luck: "
            "the least and the most of five."
        ),
    ),
    "lifetime_models": (
        "Models of the lifetime",
        "Under the same folds; over null: censored log likelihood a paper, beside the null model.",
    ),
    "gain_models": (
        "Models of the stability gain",
        "Under the same folds; a gain below the null model's likelihood has no skill.",
    ),
    "decay_exponent": (
        "How the stability figures move with the exponent of the decay",
        "1 is first order; 0.5 a strongly stretched decay.",
    ),
    "by_year": ("By year", "Trained on all papers before the year."),
    "learning_curve": ("Learning curve", "Two draws of the training papers for each share."),
    "strange_requests": (
        "Strange requests",
        "Requests at or beyond the edge of the data, and the answers with their 90 % intervals.",
    ),
}


def write_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, Path]:
    """Write evaluation.json and evaluation.html into a folder; return their paths.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    return (
        write_json(folder / "evaluation.json", evaluation.to_json()),
        write_file(folder / "evaluation.html", render(evaluation)),
    )


def render(evaluation: Evaluation) -> str:
    """Return the report as HTML."""
    return (
        environment("perovshell.research.evaluation")
        .get_template("evaluation.html")
        .render(
            dataset=evaluation.dataset,
            card=card_page(evaluation.about()),
            plots=evaluation_plots(evaluation),
            tables=[
                (title, words, _rows(evaluation.tables[name]))
                for name, (title, words) in _TABLES.items()
            ],
        )
    )


def _rows(table: Any) -> list[dict[str, Any]]:
    return table if isinstance(table, list) else [table]
