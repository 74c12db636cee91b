"""The figures and parameters that runs are compared by, and the document that holds them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from perovshell.files import jsonable
from perovshell.targets.declared import TARGETS
from perovshell.training.promotion.verdict import Verdict
from perovshell.training.train import QUICK, TrainedModel

HEADLINE: Final[Mapping[str, str]] = {
    "PL MAE in nm": "pl.paper.all.mae",
    "PL coverage": "pl.paper.all.coverage",
    "PLQY MAE in points": "plqy.paper.all.mae",
    "PLQY R2": "plqy.paper.all.r2",
    "PLQY coverage": "plqy.paper.all.coverage",
    "lifetime concordance within a stressor": "lifetime.paper.all.concordance_within",
    "lifetime log-likelihood over null": "null.lifetime.paper.all.log_likelihood_difference",
    "lifetime coverage at least": "lifetime.paper.all.coverage_certain",
    "gain log-likelihood over null": "null.gain.paper.all.log_likelihood_difference",
    "gain coverage at least": "gain.paper.all.coverage_certain",
}
"""The figures that are metrics of a run: their names there, and their keys."""
_SETTINGS: Final = {
    "seed": "seed",
    "folds": "folds",
    "repeats": "repeats",
    "boosters": "boosters",
    "baseline_trees": "baseline trees",
    "years": "years forward in time",
}
"""The settings that are parameters of a run, and their names there."""


def metrics(trained: TrainedModel, verdict: Verdict | None) -> dict[str, float]:
    """Return the figures that runs are compared by, under names for reading.

    They are rounded to four digits, as people read them; what is not known is left out.
    """
    figures, cost = trained.info["figures"], trained.cost
    known = {name: figures.get(key) for name, key in HEADLINE.items()}
    known |= {
        "papers": float(trained.info["dataset"]["papers"]),
        "training seconds": cost.seconds,
        "peak memory in MB": cost.peak_memory_mb,
    }
    for one in verdict.comparisons if verdict else ():
        unit = TARGETS[one.target].error_unit
        known[f"{_short(one.target)} better than champion{f' in {unit}' if unit else ''}"] = (
            one.better_by[0]
        )
    finite: dict[str, float | None] = jsonable(known)
    return {name: float(f"{value:.4g}") for name, value in finite.items() if value is not None}


def _short(target: str) -> str:
    return target.upper() if target.startswith("pl") else target


def parameters(trained: TrainedModel) -> dict[str, Any]:
    """Return what differs between trainings; the rest is in the document."""
    info = trained.info
    settings, counts = info["settings"], info["dataset"]
    return {
        "validation": "quick" if is_quick(settings) else "full",
        **{name: settings[key] for key, name in _SETTINGS.items()},
        "samples": counts["samples"],
        "stability tests": counts["stability_tests"],
        **{f"version {name}": value for name, value in settings["versions"].items()},
    }


def is_quick(settings: Mapping[str, Any]) -> bool:
    """Whether a model was validated for trying things only."""
    quick = asdict(QUICK)
    return all(settings[key] == quick[key] for key in _SETTINGS if key != "seed")


def document(trained: TrainedModel, verdict: Verdict | None) -> dict[str, Any]:
    """Return everything that is known of a training as JSON data.

    Under `figures` are those of the validation and, with the prefix `promotion`, those of the
    comparison with the champion.
    """
    compared = verdict.figures() if verdict else {}
    everything = {
        "model_id": trained.model_id,
        **trained.info,
        "figures": {**trained.info["figures"], **compared},
        "cost": asdict(trained.cost),
        "verdict": verdict.to_json() if verdict else None,
    }
    return jsonable(everything)  # type: ignore[no-any-return]
