"""Make the figures of the documentation: `make figures`, about ten minutes.

Runs the whole validation and writes the plots, the figures of the headline and the model card.
"""

import re
from pathlib import Path
from typing import Any

from perovshell.data.dataset import Dataset
from perovshell.files import write_file, write_json
from perovshell.models.card import FORWARD, card_sections
from perovshell.research.evaluation.evaluate import Evaluation, evaluate, steps_of
from perovshell.research.evaluation.plots import evaluation_plots
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.training.validation.nested import Settings

DOCS = Path(__file__).parent.parent / "docs"
GENERATED = "Made by `make figures` from the bundled data, content hash {hash}. {what}"
TABLES = (
    "fold_assignments", "without_trees", "by_kind", "learning_curve", "ceiling",
    f"{LIFETIME.name}_models", f"{GAIN.name}_models",
)  # fmt: skip
"""Tables of the evaluation that pages of the documentation quote."""
ABOUT = {
    "n": "rows", "papers": "papers", "mae": "MAE", "median": "median absolute error", "r2": "R2",
    "coverage": "coverage", "width": "mean width", "concordance": "concordance",
    "concordance_within": "within a stressor", "concordance_coated": "coated against coated",
}  # fmt: skip


def main() -> None:
    """Evaluate, and write the files."""
    done, settings = 0, Settings()

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        print(f"{done} of {steps_of(settings)}", flush=True)

    evaluation = evaluate(Dataset.bundled(), settings, advance)
    for caption, svg in evaluation_plots(evaluation).items():
        write_file(DOCS / "figures" / f"{slug(caption)}.svg", svg)
    kept = {name: value for name, value in evaluation.figures.items() if is_shown(name)}
    about = {key: value for key, value in evaluation.about().items() if key != "figures"}
    tables = {name: evaluation.tables[name] for name in TABLES}
    write_json(DOCS / "figures" / "evaluation.json", {**about, "figures": kept, "tables": tables})
    write_file(DOCS / "model-card.md", card(evaluation))
    write_file(DOCS / "reference" / "figures.md", figures_page(evaluation))


def is_shown(name: str) -> bool:
    """Return whether a figure is of papers left out, or forward in time."""
    return ".paper." in name or f".{FORWARD}." in name


def slug(caption: str) -> str:
    """Return a caption as a file name."""
    return re.sub(r"\W+", "-", caption.lower()).strip("-")


def card(evaluation: Evaluation) -> str:
    """Return the model card of a training with the bundled data as a page."""
    about = {"model_id": "of the bundled data", **evaluation.about()}
    note = "`perovshell models show` prints the card of any model, reports and the service show it."
    lines = ["# Model card", "", GENERATED.format(hash=evaluation.dataset["hash"], what=note)]
    for title, entries in card_sections(about):
        lines += ["", f"## {title}", "", *(f"- {escaped(entry.strip())}" for entry in entries)]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Escape brackets, stars and underscores for Markdown."""
    return re.sub(r"([\[\]*_])", r"\\\1", text)


def figures_page(evaluation: Evaluation) -> str:
    """Return all figures of the headline as a page of tables."""
    what = (
        "Folds by paper, means over ten assignments of papers to folds; `time` is forward in "
        "time; brackets are 90 % intervals of a bootstrap over papers. Errors are in nm "
        "and points. Keys are those of `evaluation.json`; [what they mean]"
        "(../explanation/validation.md)."
    )
    lines = ["# Figures", "", GENERATED.format(hash=evaluation.dataset["hash"], what=what)]
    for prefix in dict.fromkeys(name.rpartition(".")[0] for name in evaluation.figures):
        if not is_shown(f"{prefix}."):
            continue
        lines += ["", f"## {prefix}", "", "| figure | | |", "|---|---|---|"]
        lines += list(rows_of(prefix, evaluation.figures))
    return "\n".join(lines)


def rows_of(prefix: str, figures: dict[str, Any]) -> list[str]:
    """Return the figures of a prefix as lines of a table, each with its interval."""
    names = [name for name in figures if name.rpartition(".")[0] == prefix]
    rows = []
    for name in names:
        figure = name.rpartition(".")[2]
        if figure.endswith(("_lo", "_hi")):
            continue
        ends = [figures.get(f"{name}_{end}") for end in ("lo", "hi")]
        interval = "" if None in ends else f"[{ends[0]:.4g}, {ends[1]:.4g}]"
        value = figures[name]
        text = "-" if value is None else f"{value:.4g}"
        rows.append(f"| {ABOUT.get(figure, figure.replace('_', ' '))} | {text} | {interval} |")
    return rows


if __name__ == "__main__":
    main()
