"""The figures of a training run in words, for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perovshell.training.baselines import BASELINES

_UNITS = {"pl": "nm", "plqy": "points"}
_NAMES = {"pl": "PL peak", "plqy": "PLQY", "lifetime": "Lifetime", "gain": "Stability gain"}
_SUBSETS = {
    "all": "all",
    "lead_no_cspbcl3": "lead halides outside the CsPbCl3 collection",
    "coated": "coated",
}


def summary_lines(info: Mapping[str, Any]) -> list[str]:
    """Return the headline figures as lines of text.

    Args:
        info: `figures` and `skill` of a model, as in `models.folder.ModelInfo`.
    """
    figures = info["figures"]
    lines = ["Validation by paper [90 % intervals over papers]:"]
    for target, unit in _UNITS.items():
        for subset, words in _SUBSETS.items():
            lines += _regression(figures, target, subset, words, unit)
    lines += _stability(figures)
    lines += [
        f"  {_NAMES[target]}: {verdict['sentence']}" for target, verdict in info["skill"].items()
    ]
    return lines


def _regression(
    figures: Mapping[str, float | None], target: str, subset: str, words: str, unit: str
) -> list[str]:
    key = f"{target}.paper.{subset}"
    if figures.get(f"{key}.mae") is None:
        return []
    count = f"{figures[f'{key}.n']:.0f} rows, {figures[f'{key}.papers']:.0f} papers"
    head = (
        f"  {_NAMES[target]}, {words} ({count}): mean error {_ends(figures, f'{key}.mae')} {unit}, "
        f"median {figures[f'{key}.median']:.3g}, R2 {_plain(figures.get(f'{key}.r2'))}, "
        f"coverage {_ends(figures, f'{key}.coverage')}"
    )
    lines = [head]
    if subset == "all":
        lines += [
            f"    against {baseline}: {_plain(figures[f'{baseline}.{key}.mae'])} {unit}, "
            f"difference {_ends(figures, f'{baseline}.{key}.mae_difference')}"
            for baseline in BASELINES[target]
        ]
    return lines


def _stability(figures: Mapping[str, float | None]) -> list[str]:
    key = "lifetime.paper.all"
    head = (
        f"  Lifetime ({_plain(figures[f'{key}.n'])} observations, "
        f"{_plain(figures[f'{key}.papers'])} papers): concordance "
        f"{_ends(figures, f'{key}.concordance')}, within a stressor "
        f"{_ends(figures, f'{key}.concordance_within')}, coated against coated "
        f"{_ends(figures, f'{key}.concordance_coated')}"
    )
    lines = [head]
    lines += [
        f"    against {name}: concordance {_ends(figures, f'{rival}.{key}.concordance')}"
        for rival, name in (("null", "the null model"), ("duration", "test duration alone"))
    ]
    gain = "gain.paper.all"
    lines.append(
        f"  Stability gain ({_plain(figures[f'{gain}.n'])} tests, "
        f"{_plain(figures[f'{gain}.papers'])} papers): concordance "
        f"{_ends(figures, f'{gain}.concordance')}, lower bound kept between "
        f"{_plain(figures[f'{gain}.coverage_certain'])} and "
        f"{_plain(figures[f'{gain}.coverage_possible'])}"
    )
    return lines


def _plain(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def _ends(figures: Mapping[str, float | None], key: str) -> str:
    value, low, high = (_plain(figures.get(f"{key}{end}")) for end in ("", "_lo", "_hi"))
    return f"{value} [{low}, {high}]"
