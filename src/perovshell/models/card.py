"""The model card: what a model was made of, how far it can be trusted, and where it knows nothing.

Made from what the model folder says of itself; shown by `perovshell models show`, by reports and
by the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from perovshell.models.stability import INTERVAL_INFLATION, THIN_STRESSOR_PAPERS
from perovshell.targets.declared import GAIN, LIFETIME, MIN_GAIN, POINTS, STABILITY, TARGETS
from perovshell.targets.target import PointTarget, StabilityTarget

SUBSETS = {
    "all": "all",
    "lead_no_cspbcl3": "lead halides outside the CsPbCl3 collection",
    "coated": "coated",
    "lead_free": "lead-free",
    "first_hand": "values read first-hand",
}
"""Subsets of the samples that errors are reported for, with their names for reading."""
_BASELINES = {
    "dummy": "the median",
    "neighbour": "the nearest neighbour",
    "forest": "a random forest on magpie",
    "extra_trees": "extremely randomised trees",
    "vegard": "Vegard's rule",
}
FORWARD = "time"
"""Name of the split forward in time in the keys of figures."""
PAIRS = "{}.paper.coated.pairs"
"""Figure of a target: pairs of a coated and a bare sample of one core in one paper."""
POINT_TARGETS = "point_targets"
"""Setting: `title` and `error_unit` of each validated point target."""
Figures = Mapping[str, float | None]
Section = tuple[str, list[str]]
"""A title and its lines."""


def card_sections(info: Mapping[str, Any]) -> list[Section]:
    """Return the card of a model.

    Args:
        info: `model_id`, `dataset`, `settings`, `figures`, `skill` and `variants`, as in
            `models.folder.ModelInfo`.
    """
    return [
        ("Purpose", _purpose()),
        ("Data", _data(info)),
        ("Validation by paper [90 % intervals over papers]", figure_lines(info)),
        (
            "What has skill",
            [_skill(info, name, info["skill"][name]) for name in _ordered(info["skill"])],
        ),
        ("Model variants", list(_variants(info))),
        ("Limits", _limits(info)),
        ("How it was made", _made(info)),
    ]


def card_lines(info: Mapping[str, Any]) -> list[str]:
    """Return the card as lines of text."""
    lines = []
    for title, entries in card_sections(info):
        lines += [f"{title}:", *(f"  {entry}" for entry in entries)]
    return lines


def validation_lines(info: Mapping[str, Any]) -> list[str]:
    """Return the validation of a model, and which targets have skill, as lines of text."""
    lines = []
    for title, section in card_sections(info)[2:4]:
        lines += [f"{title}:", *(f"  {line}" for line in section)]
    return lines


def figure_lines(info: Mapping[str, Any]) -> list[str]:
    """Return the headline figures as lines of text.

    Args:
        info: `figures` and `settings` of a model, as in `models.folder.ModelInfo`.
    """
    figures = info["figures"]
    lines: list[str] = []
    for target in _point_targets(info):
        for subset, words in SUBSETS.items():
            lines += _regression(info, target, subset, words)
        lines += _forward_errors(info, target)
    return lines + _stability(figures)


def _point_targets(info: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the validated targets with one value per sample."""
    return info["settings"][POINT_TARGETS]  # type: ignore[no-any-return]


def _title(info: Mapping[str, Any], target: str) -> str:
    """Return the title of a target, capitalised."""
    recorded = _point_targets(info).get(target)
    title: str = recorded["title"] if recorded else TARGETS[target].title
    return title[0].upper() + title[1:]


def describe_targets(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the validated targets as pages and scripts need them, in the order of the columns.

    Args:
        info: `settings` of a model, as in `models.folder.ModelInfo`.

    Returns:
        For each target `name`, `title`, `unit`, `error_unit`, `kind` (point or stability), `column`
        (without the stressor), `effect` (column of the shell's effect), `domain_column` (that of
        its domain verdict, without the stressor) and `no_skill`. What is validated but not answered
        has no unit and no columns.
    """
    only_validated = [
        {
            "name": name,
            "title": recorded["title"],
            "kind": "point",
            "unit": None,
            "error_unit": recorded["error_unit"],
            "column": None,
            "effect": None,
            "domain_column": None,
            "no_skill": "",
        }
        for name, recorded in _point_targets(info).items()
        if name not in TARGETS
    ]
    points = [_described(target) for target in POINTS]
    return [*points, *only_validated, *(_described(target) for target in STABILITY)]


def _described(target: PointTarget | StabilityTarget) -> dict[str, Any]:
    """Return an answered target as pages and scripts need it."""
    entry = {key: getattr(target, key) for key in ("name", "unit", "error_unit", "no_skill")}
    entry["domain_column"] = target.domain.column
    if isinstance(target, StabilityTarget):
        specific = {
            "title": target.quantity,
            "kind": "stability",
            "column": target.stem,
            "effect": None,
        }
        return entry | specific
    effect = target.effect.column if target.effect else None
    specific = {"title": target.title, "kind": "point", "column": target.column, "effect": effect}
    return entry | specific


def error_table(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the headline of point targets: errors and the baselines, by subset."""
    figures, rows = info["figures"], []
    for target, recorded in _point_targets(info).items():
        for subset, words in SUBSETS.items():
            key = f"{target}.paper.{subset}"
            if figures.get(f"{key}.mae") is None:
                continue
            rows.append(
                {
                    "target": f"{recorded['title']} ({recorded['error_unit']}), {words}",
                    "rows": figures[f"{key}.n"],
                    "papers": figures[f"{key}.papers"],
                    "mean absolute error (MAE)": _triple(figures, f"{key}.mae"),
                    "median absolute error": figures[f"{key}.median"],
                    "R2": figures.get(f"{key}.r2"),
                    "coverage": _triple(figures, f"{key}.coverage"),
                    "mean width": figures.get(f"{key}.width"),
                    **{
                        f"better_than {baseline}": _triple(figures, f"{name}.{key}.mae_difference")
                        for name, baseline in _BASELINES.items()
                    },
                }
            )
    return rows


def stability_table(figures: Figures) -> list[dict[str, Any]]:
    """Return the headline of the stability models with null model and test duration."""
    rows = []
    for target in (LIFETIME.name, GAIN.name):
        key = f"{target}.paper.all"
        for prefix, words in (("", ""), ("null.", ", null"), ("duration.", ", duration alone")):
            row: dict[str, Any] = {"model": TARGETS[target].title.capitalize() + words}
            for end in ("", "_within", "_coated"):
                row[f"concordance{end}"] = _triple(figures, f"{prefix}{key}.concordance{end}")
            rows.append(row)
        rows[-3] |= {
            "log_likelihood over null": _triple(figures, f"null.{key}.log_likelihood_difference"),
            "lower bound certainly kept": figures[f"{key}.coverage_certain"],
            "possibly kept": figures[f"{key}.coverage_possible"],
            "log bound over null": _triple(figures, f"null.{key}.log_lower_bound_difference"),
        }
    return rows


def _triple(figures: Figures, key: str) -> list[float | None] | None:
    """Return a figure with the ends of its interval; None where it is missing."""
    if figures.get(key) is None:
        return None
    return [figures[key], figures.get(f"{key}_lo"), figures.get(f"{key}_hi")]


def _purpose() -> list[str]:
    return [
        (
            "Predicts PL peak, PLQY, stability gain and half-life of halide-perovskite "
            "nanocrystals with and without a shell, from published papers."
        ),
        "Ranks combinations that are worth making; it does not replace a measurement.",
    ]


def _data(info: Mapping[str, Any]) -> list[str]:
    data = info["dataset"]
    return [
        (
            f"{data['papers']} papers, {data['samples']} samples, "
            f"{data['stability_tests']} stability tests; content hash {data['hash']}"
        ),
        (
            "A paper is the group of every split, of training weight and of calibration; a data "
            "set read as a whole weighs as one paper."
        ),
    ]


_STABILITY_LIMITS = (
    (
        "Almost all stability gains in the literature are above 1, because they were published "
        f"for it: the probability of passing a gain is offered from {MIN_GAIN:g} up only."
    ),
    (
        "A lifetime is first-order equivalent, a convention to make tests comparable, and a "
        "half-life is its ln 2; a gain is the ratio of the lifetimes of both sides; "
        f"finite bounds are widened by a factor {INTERVAL_INFLATION:g} in scoring."
    ),
    "Stability intervals are 90 % lower bounds without an upper end.",
    (
        "Where more than half of the tests have no upper end, the median lifetime was not "
        "reached: the value shown is a lower bound of it."
    ),
    (
        f"Stressors with fewer than {THIN_STRESSOR_PAPERS} papers get the baseline prediction "
        "(too little data)."
    ),
    "Shell thickness is known for too few samples and ignored.",
    (
        "The probability of exceeding a gain is a lower limit: many gains have no measured "
        "upper bound."
    ),
)
"""Limits that hold for every model."""


def _limits(info: Mapping[str, Any]) -> list[str]:
    figures = info["figures"]
    return [
        (
            "Out of domain, errors are larger and intervals cover less than asked: "
            f"of lead-free cores a share of {_plain(figures.get('pl.paper.lead_free.coverage'))}."
        ),
        (
            "Choices were made with one assignment of papers to folds in view, the one that a "
            "training run uses; the figures of `perovshell evaluate` are means over ten."
        ),
        *_STABILITY_LIMITS,
        (
            "The effect of a shell is estimated from few pairs of a coated and a bare sample of "
            f"one paper{_pairs(info)}. Its intervals come from pairs of any two samples of a core "
            "in one paper."
        ),
    ]


def _variants(info: Mapping[str, Any]) -> Iterator[str]:
    for target in _ordered(info["variants"]):
        yield f"{_title(info, target)}: {info['variants'][target]}"
    yield "Boosted trees are left out only where they are significantly worse."


def _ordered(names: Iterable[str]) -> list[str]:
    """Return names of targets in the order of their declarations, validated-only ones last."""
    given = [*names]
    return sorted(given, key=[*TARGETS, *given].index)


def _pairs(info: Mapping[str, Any]) -> str:
    """Return the number of pairs of a coated and a bare sample in the training data, by target."""
    counts = [
        (recorded["title"], info["figures"].get(PAIRS.format(name)))
        for name, recorded in _point_targets(info).items()
    ]
    known = [f"{count:.0f} for {name}" for name, count in counts if count is not None]
    return f": {', '.join(known)}" if known else ""


def _made(info: Mapping[str, Any]) -> list[str]:
    settings = info["settings"]
    versions = ", ".join(f"{name} {number}" for name, number in settings["versions"].items())
    return [
        (
            f"seed {settings['seed']}, {settings['folds']} folds by paper, "
            f"{settings['repeats']} repeats of the model seed"
        ),
        (
            "PL and PLQY: a robust linear prior from physics; lifetime and gain: one model of both "
            "sides of all tests, as intervals, with effects of papers and tests; boosted trees on "
            "the rest"
        ),
        versions,
    ]


def _skill(info: Mapping[str, Any], target: str, verdict: Mapping[str, Any]) -> str:
    how = (
        "" if verdict["has_skill"] else f"; rankings shrink it by the factor {verdict['slope']:.2f}"
    )
    return f"{_title(info, target)}: {verdict['sentence']}{how}"


def _regression(info: Mapping[str, Any], target: str, subset: str, words: str) -> list[str]:
    figures, key = info["figures"], f"{target}.paper.{subset}"
    unit = _point_targets(info)[target]["error_unit"]
    if figures.get(f"{key}.mae") is None:
        return []
    count = f"{figures[f'{key}.n']:.0f} rows, {figures[f'{key}.papers']:.0f} papers"
    width = _plain(figures.get(f"{key}.width"))
    head = (
        f"{_title(info, target)}, {words} ({count}): "
        f"MAE {_ends(figures, f'{key}.mae')} {unit}, "
        f"median absolute error {figures[f'{key}.median']:.3g}, "
        f"R2 {_plain(figures.get(f'{key}.r2'))}, "
        f"coverage {_ends(figures, f'{key}.coverage')}, mean width {width} {unit}"
    )
    if subset == "lead_free":
        return [head]
    return [
        head,
        *(
            f"  against {words}: {_plain(figures[f'{baseline}.{key}.mae'])} {unit}, "
            f"difference {_ends(figures, f'{baseline}.{key}.mae_difference')}"
            for baseline, words in _BASELINES.items()
            if figures.get(f"{baseline}.{key}.mae") is not None
        ),
    ]


def _forward_errors(info: Mapping[str, Any], target: str) -> list[str]:
    """Return the errors forward in time in a line; none where no model was trained so."""
    figures, key = info["figures"], f"{target}.{FORWARD}.all"
    if figures.get(f"{key}.mae") is None:
        return []
    unit = _point_targets(info)[target]["error_unit"]
    return [
        (
            f"{_title(info, target)}, forward in time ({figures[f'{key}.n']:.0f} rows, trained on "
            f"the papers of earlier years): MAE {_ends(figures, f'{key}.mae')} {unit}, R2 "
            f"{_plain(figures.get(f'{key}.r2'))}, coverage {_ends(figures, f'{key}.coverage')}; "
            f"the median: {_plain(figures[f'dummy.{key}.mae'])} {unit}, difference "
            f"{_ends(figures, f'dummy.{key}.mae_difference')}"
        )
    ]


def _stability(figures: Figures) -> list[str]:
    lines = []
    for target, observed in ((LIFETIME.name, "observations"), (GAIN.name, "tests")):
        key = f"{target}.paper.all"
        count = (
            f"{_plain(figures[f'{key}.n'])} {observed}, {_plain(figures[f'{key}.papers'])} papers"
        )
        title = TARGETS[target].title.capitalize()
        lines.append(f"{title} ({count}): concordance {_concordances(figures, key)}")
        lines += [
            f"  against {name}: {_concordances(figures, f'{baseline}.{key}')}"
            for baseline, name in (("null", "the null model"), ("duration", "test duration alone"))
        ]
        better = _concordances(figures, f"null.{key}", "_difference")
        over_null = _ends(figures, f"null.{key}.log_likelihood_difference")
        bound = _ends(figures, f"null.{key}.log_lower_bound_difference")
        least, most = (_plain(figures[f"{key}.coverage_{end}"]) for end in ("certain", "possible"))
        lines += [
            f"  better than the null model by {better}",
            f"  log likelihood over the null model {over_null}",
            f"  coverage of the 90 % lower bound between {least} and {most}",
            f"  log lower bound over that of the null model, at equal coverage {bound}",
        ]
        later = f"null.{target}.{FORWARD}.all.log_likelihood_difference"
        if figures.get(later) is not None:
            lines.append(f"  forward in time, over the null model {_ends(figures, later)}")
    return lines


def _concordances(figures: Figures, key: str, of: str = "") -> str:
    parts = [
        f"{words}{_ends(figures, f'{key}.concordance{end}{of}')}"
        for end, words in (
            ("", ""),
            ("_within", "within a stressor "),
            ("_coated", "coated against coated "),
        )
        if figures.get(f"{key}.concordance{end}{of}") is not None
    ]
    return ", ".join(parts)


def _plain(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def _ends(figures: Figures, key: str) -> str:
    value, low, high = (_plain(figures.get(f"{key}{end}")) for end in ("", "_lo", "_hi"))
    return f"{value} [{low}, {high}]"
