"""What is said of a ranking: what orders it, what was shrunk, and what nothing here knows of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perovshell.serve.ranking.objectives import StabilityObjective
from perovshell.serve.ranking.results import Candidate
from perovshell.serve.ranking.scoring import MIN_IMPROVEMENT, Scorer
from perovshell.serve.ranking.task_result import TaskResult
from perovshell.targets.target import StabilityTarget, Target

_SAME_WIDTH = 1e-6
_TOLD = 3
"""Measured combinations that are named."""


def statements(scorer: Scorer, found: TaskResult, lines: Sequence[Candidate]) -> tuple[str, ...]:
    """Return what is said of a ranking, what matters most first."""
    said = [_incomplete(scorer, found), _order(scorer, found), _known(scorer), _outside(lines)]
    said += [_skill(scorer, one.target) for one in scorer.objectives.active if one.target]
    if "light" in scorer.space.stressors and any(_demixes(line) for line in lines):
        said.append(
            "Cores of bromide and iodide demix under light (10.1039/C4SC03141E), which no target "
            "here knows of."
        )
    return (*filter(None, said), *scorer.space.notes)


def _incomplete(scorer: Scorer, found: TaskResult) -> str:
    if found.seen == scorer.space.size:
        return ""
    share = found.seen / scorer.space.size
    return (
        f"Stopped after {share:.0%} of the space: {found.seen:,} of {scorer.space.size:,} "
        "combinations. The list holds for these alone."
    )


def _known(scorer: Scorer) -> str:
    """Name what papers have made within the objectives, whatever the models say of it."""
    if not scorer.known or scorer.options.exclude_known:
        return ""
    named = ", ".join(f"{one.name} ({_measured(one.row)})" for one in scorer.known[:_TOLD])
    more = len(scorer.known) - _TOLD
    rest = f", and {more} more" if more > 0 else ""
    return f"Made by papers already, with the PL and the constraints asked for: {named}{rest}."


def _measured(row: Mapping[str, Any]) -> str:
    values = []
    if row["pl_peak_nm"] is not None:
        values.append(f"PL {row['pl_peak_nm']:g} nm")
    if row["plqy_percent"] is not None:
        values.append(f"PLQY {row['plqy_percent']:g} %")
    tests = row.get("stability", "")
    return ", ".join([*values, *([tests] if tests else []), row["paper"]])


def _outside(lines: Sequence[Candidate]) -> str:
    outside = sum(bool(line.reasons) for line in lines)
    if not outside:
        return ""
    return (
        f"{outside} of the {len(lines)} lines are outside the domain of a target: there its "
        "numbers are guesses, its intervals hold less often, and what is said of its skill does "
        "not hold."
    )


def _demixes(line: Candidate) -> bool:
    ions = dict(line.item.core.amounts) if line.item.core else {}
    return "Br" in ions and "I" in ions


def _skill(scorer: Scorer, target: Target) -> str:
    verdict = scorer.model.info.skill[target.name]
    name = target.quantity if isinstance(target, StabilityTarget) else target.title
    how = "Its differences order the list in full."
    if not scorer.options.shrink:
        how = "Its differences order the list as predicted (raw), noise included."
    elif not verdict["has_skill"]:
        how = (
            f"Its differences are shrunk by the factor {verdict['slope']:.2f}; what papers "
            "measured of the combination or the shell still counts."
        )
    return f"{name[0].upper()}{name[1:]}: {verdict['sentence']}. {how}"


def _order(scorer: Scorer, found: TaskResult) -> str:
    (low, high), by = found.width, scorer.options.order_by
    if by == "explore":
        return _improvement(scorer, found)
    active, plqy = scorer.objectives.active, scorer.objectives.plqy
    if by == "value" or plqy not in active:
        return "Ordered by value: a weighted geometric mean of the desirabilities."
    if scorer.space.plqy_above is not None:
        return "Ordered by value; the chance of passing the PLQY bar counts how unsure it is."
    if active == (plqy,) and high - low < _SAME_WIDTH * high:
        return (
            "Ordered by lower bound; all intervals are equally wide, so that this is the order by "
            "value."
        )
    bound = -plqy.bound
    equal = [one.label for one in active if isinstance(one, StabilityObjective)]
    rest = (
        f" Intervals of {' and '.join(equal)} are equally wide for all and count with their value."
        if equal
        else ""
    )
    return (
        "Ordered by lower bound: the PLQY counts with what 90 % of new papers pass, "
        f"{low * bound:.0f} to {high * bound:.0f} points below its value, less for shells that "
        f"many papers have.{rest} A chance near 50 % of being above the next line means that the "
        "two cannot be told apart."
    )


def _improvement(scorer: Scorer, found: TaskResult) -> str:
    over = "nothing: no measured combination fits the objectives and constraints"
    if scorer.known:
        best = scorer.known[0]
        over = f"the best measured combination ({best.name}, score {best.score:.3g})"
    said = f"Ordered by expected improvement over {over}: what to make next, not what is best."
    if not (np.exp(found.top_score) > 2 * MIN_IMPROVEMENT).any():
        said += " None is expected to be better: the order means nothing."
    return said
