"""What a run and a version say of themselves: the name of a run, its note, the description."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from perovshell.data.records import Paper
from perovshell.evidence.citations import plain
from perovshell.models.card import FORWARD, POINT_TARGETS, card_sections
from perovshell.targets.declared import GAIN, LIFETIME, TARGETS
from perovshell.texts import counted
from perovshell.training.promotion.verdict import Verdict
from perovshell.training.runs.figures import is_quick
from perovshell.training.train import TrainedModel

_LONGEST: Final = 8000
"""Characters of a note that MLflow stores."""
_LISTED: Final = 12
"""New papers that a note lists."""


def run_name(trained: TrainedModel, verdict: Verdict | None) -> str:
    """Return the name of a run: what it learned from, and what became of its model."""
    quick = " (quick)" if is_quick(trained.info["settings"]) else ""
    if verdict is None:
        return f"train: {counted(trained.info['dataset']['papers'], 'paper')}{quick}"
    # The verdict first: lists show the beginning.
    fate = "promoted" if verdict.promote else "not promoted"
    return f"{fate}: {_changes(verdict)}{quick}"


def _changes(verdict: Verdict) -> str:
    """Return what changed in the data, in few words: a single paper by name."""
    signs = (("+", verdict.changes.added), ("-", verdict.changes.gone))
    parts = [
        f"{sign}{papers[0] if len(papers) == 1 else counted(len(papers), 'paper')}"
        for sign, papers in signs
        if papers
    ]
    if corrected := verdict.changes.replaced:
        parts.append(f"{len(corrected)} corrected")
    return " ".join(parts) or "same papers"


def run_note(trained: TrainedModel, verdict: Verdict | None, compared_with: str) -> str:
    """Return the note of a run as Markdown: data, figures, verdict, how to load it, limits.

    Args:
        trained: The model.
        verdict: Its comparison with the champion; None where it was not compared.
        compared_with: Model id of that champion.
    """
    limits = dict(card_sections(trained.info))["Limits"]
    sections = [
        _sentence(verdict, compared_with),
        _data(trained, verdict),
        f"### Validation by paper\n\n{_figures(trained.info)}",
        *([f"### Promotion check\n\n{_comparison(verdict)}"] if verdict else []),
        f"### How to use it\n\n{_usage(trained.model_id)}",
        f"### Limits\n\n{_bullets(limits)}",
    ]
    text = "\n\n".join(sections)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def version_description(trained: TrainedModel, verdict: Verdict | None, compared_with: str) -> str:
    """Return why a version is or is not promoted, and what it is, as Markdown."""
    return "\n\n".join(
        [
            _sentence(verdict, compared_with),
            f"Trained on {trained.dataset.counts_text}.",
            _figures(trained.info),
        ]
    )


def _sentence(verdict: Verdict | None, compared_with: str) -> str:
    if verdict is None:
        return "Not compared with a champion: `perovshell retrain` does so."
    against = f" against champion {compared_with}" if compared_with else ""
    return f"Promotion check{against}: **{verdict.sentence}**"


def _comparison(verdict: Verdict) -> str:
    _, title, *lines, _ = verdict.lines()
    return f"{title}\n\n{_bullets(lines)}"


def _data(trained: TrainedModel, verdict: Verdict | None) -> str:
    dataset = trained.dataset
    total = f"Trained on {dataset.counts_text}; content hash `{dataset.content_hash}`."
    if verdict is None:
        return total
    changes = verdict.changes
    blocks = []
    if changes.added:
        title = f"New: {counted(len(changes.added), 'paper')}"
        blocks.append(f"{title}\n\n{_papers(trained, changes.added)}")
    if changes.replaced:
        blocks.append(f"Corrected: {', '.join(changes.replaced)}")
    if changes.gone:
        blocks.append(f"No longer in the data: {', '.join(changes.gone)}")
    return "\n\n".join([*(blocks or ["The papers are those of the champion."]), total])


def _papers(trained: TrainedModel, names: Collection[str]) -> str:
    papers: list[Paper] = [trained.dataset.papers[name] for name in names]
    lines = [f"`{paper.paper_id}`: {plain([paper]).strip()}" for paper in papers[:_LISTED]]
    rest = len(papers) - _LISTED
    return _bullets([*lines, f"and {rest} more"] if rest > 0 else lines)


def _figures(info: Mapping[str, Any]) -> str:
    """Return the headline as a table: a target a row."""
    figures, units = info["figures"], info["settings"][POINT_TARGETS]
    quick = "A quick validation, for trying: its figures are not those of a full one.\n\n"
    rows = [
        "| target | figure [90 % interval over papers] | coverage | forward in time | skill |",
        "|---|---|---|---|---|",
    ]
    for name, known in units.items():
        unit = known["error_unit"]
        cells = [
            f"MAE {_ends(figures, f'{name}.paper.all.mae')} {unit}",
            _number(figures, f"{name}.paper.all.coverage"),
            f"MAE {_number(figures, f'{name}.{FORWARD}.all.mae')} {unit}",
        ]
        rows.append(_row(known["title"], cells, info, name))
    for name in (LIFETIME.name, GAIN.name):
        key = f"null.{name}.paper.all.log_likelihood_difference"
        later = f"null.{name}.{FORWARD}.all.log_likelihood_difference"
        lowest, highest = (
            _number(figures, f"{name}.paper.all.coverage_{end}") for end in ("certain", "possible")
        )
        cells = [
            f"log likelihood over the null model {_ends(figures, key)}",
            f"{lowest} to {highest}",
            _number(figures, later),
        ]
        rows.append(_row(TARGETS[name].title, cells, info, name))
    return (quick if is_quick(info["settings"]) else "") + "\n".join(rows)


def _row(title: str, cells: list[str], info: Mapping[str, Any], name: str) -> str:
    skill = info["skill"][name]["sentence"].partition(":")[0]
    return f"| {' | '.join([title, *cells, skill])} |"


def _usage(model_id: str) -> str:
    return (
        "```python\n"
        "import perovshell\n"
        f'model = perovshell.Workspace().load("{model_id}")\n'
        'model.predict([{"core": "CsPbBr3", "shell": "SiO2"}])\n'
        "```\n\n"
        "```sh\n"
        f"perovshell predict IN.csv -o OUT.csv --model {model_id}\n"
        "```\n\n"
        "All figures are in `figures.json`, the rows that trained it in "
        "`data/training_rows.csv`, both among the artifacts."
    )


def _bullets(lines: Collection[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _number(figures: Mapping[str, float | None], key: str) -> str:
    value = figures.get(key)
    return "unknown" if value is None else f"{value:.3g}"


def _ends(figures: Mapping[str, float | None], key: str) -> str:
    value, low, high = (_number(figures, f"{key}{end}") for end in ("", "_lo", "_hi"))
    return f"{value} [{low}, {high}]"
