"""Statements on a ranking: what it is ordered by, what was shrunk, what no target describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perovshell.serve.ranking.results import Candidate
from perovshell.serve.ranking.scoring import MIN_IMPROVEMENT, Scorer
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.ranking.task_result import TaskResult
from perovshell.targets.target import NOT_REACHED, StabilityTarget, Target
from perovshell.texts import listed

_SAME_WIDTH = 1e-6
_NAMED = 3
"""Measured combinations that are named."""


def statements(scorer: Scorer, result: TaskResult, lines: Sequence[Candidate]) -> tuple[str, ...]:
    """Return the statements on a ranking, the most important first."""
    texts = [_incomplete(scorer, result), _order(scorer, result), _known(scorer), _outside(lines)]
    texts.append(_not_reached(lines))
    texts += [_skill(scorer, o.target) for o in scorer.objectives.active if o.target]
    if "light" in scorer.space.stressors and any(_demixes(line) for line in lines):
        texts.append(
            "Cores of bromide and iodide demix under light (10.1039/C4SC03141E), which no target "
            "describes."
        )
    return (*filter(None, texts), *scorer.space.notes)


def _incomplete(scorer: Scorer, result: TaskResult) -> str:
    if result.seen == scorer.space.size:
        return ""
    share = result.seen / scorer.space.size
    return (
        f"Stopped after {share:.0%} of the space: {result.seen:,} of {scorer.space.size:,} "
        "combinations. The list is valid for these only."
    )


def _known(scorer: Scorer) -> str:
    """Name the measured combinations that meet objectives and constraints."""
    if not scorer.known or scorer.options.exclude_known:
        return ""
    named = ", ".join(f"{known.name} ({_measured(known.row)})" for known in scorer.known[:_NAMED])
    more = len(scorer.known) - _NAMED
    rest = f", and {more} more" if more > 0 else ""
    return f"Already measured, within the PL window and the constraints: {named}{rest}."


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
        f"{outside} of the {len(lines)} candidates are outside the domain of a target: there its "
        "predictions are extrapolations, its intervals cover less, and its skill is not known."
    )


def _not_reached(lines: Sequence[Candidate]) -> str:
    """Say what the signs of half-lives and gains mean, where there are any."""
    signs = {sign for line in lines for sign in line.bounds.values() if sign}
    if not signs:
        return ""
    meanings = [f"{sign}: {meaning}" for sign, meaning in NOT_REACHED.items() if sign in signs]
    return (
        "Half-lives and gains with a sign are bounds, as more than half of the tests ended before "
        f"the sample failed ({'; '.join(meanings)})."
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
            f"Its differences are shrunk by the factor {verdict['slope']:.2f}; measurements of "
            "the combination or its shell still count."
        )
    return f"{name[0].upper()}{name[1:]}: {verdict['sentence']}. {how}"


def _order(scorer: Scorer, result: TaskResult) -> str:
    (low, high), by = result.width, scorer.options.order_by
    if by == "explore":
        return _improvement(scorer, result)
    active, plqy = scorer.objectives.active, scorer.objectives.plqy
    if by == "value" or plqy not in active:
        return "Ordered by value: a weighted geometric mean of the desirabilities."
    if scorer.space.plqy_above is not None:
        return "Ordered by value; P(PLQY above the threshold) includes the uncertainty of the PLQY."
    if active == (plqy,) and high - low < _SAME_WIDTH * high:
        return (
            "Ordered by lower bound; all intervals are equally wide, so this is also the order by "
            "value."
        )
    bound = -plqy.bound
    equal = [o.label for o in active if isinstance(o, StabilityObjective)]
    rest = (
        f" Intervals of {listed(equal)} are equally wide for all, so their value is used."
        if equal
        else ""
    )
    return (
        "Ordered by lower bound: the PLQY that 90 % of new papers exceed is used, "
        f"{low * bound:.0f} to {high * bound:.0f} points below its value, less for shells in "
        f"many papers.{rest} A probability near 50 % of being better than the next candidate means "
        "that the two cannot be distinguished."
    )


def _improvement(scorer: Scorer, result: TaskResult) -> str:
    over = "nothing: no measured combination fits the objectives and constraints"
    if scorer.known:
        best = scorer.known[0]
        over = f"the best measured combination ({best.name}, score {best.score:.3g})"
    text = f"Ordered by expected improvement over {over}: what to make next, not what is best."
    if not (np.exp(result.top_score) > 2 * MIN_IMPROVEMENT).any():
        text += " None is expected to be better: the order has no meaning."
    return text
