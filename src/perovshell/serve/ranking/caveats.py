"""Statements on a ranking: what it is ordered by, what was shrunk, what no target describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from perovshell.models.evidence import combination_name
from perovshell.models.shell_evidence import MIN_PAPERS
from perovshell.serve.ranking.results import Candidate
from perovshell.serve.ranking.scoring import MIN_IMPROVEMENT, Scorer
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.ranking.task_result import TaskResult
from perovshell.targets.target import NOT_REACHED, StabilityTarget, Target
from perovshell.texts import counted, listed

_FLAGS: Final = "In the second list each flag halves the score."


def statements(
    scorer: Scorer,
    result: TaskResult,
    measured: Sequence[Candidate],
    lines: Sequence[Candidate],
) -> tuple[str, ...]:
    """Return the statements on a ranking, the most important first."""
    texts = [_incomplete(scorer, result), _order(scorer, result), _outside(lines)]
    texts.append(_not_reached([*measured, *lines]))
    texts += [_skill(scorer, o.target) for o in scorer.objectives.active if o.target]
    if not scorer.objectives.look_at_cores and scorer.space.cores.size > 1:
        texts.append(
            "No objective tells cores apart: a line of the second list stands for its shell on "
            "every core without a further flag."
        )
    if scorer.model.predictor.shell_evidence.fits:
        weighed = [o for o in scorer.objectives.active if isinstance(o, StabilityObjective)]
        texts += [_untested(objective) for objective in weighed]
    else:
        texts.append(
            "The model holds nothing of what papers measured of shells: an older Perovshell "
            "trained it, or on no coated sample. Gains and half-lives order nothing; train again."
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


def _outside(lines: Sequence[Candidate]) -> str:
    outside = sum(bool(line.reasons) for line in lines)
    if not outside:
        return ""
    verb = "is" if outside == 1 else "are"
    return (
        f"{outside} of {counted(len(lines), 'candidate')} {verb} outside the domain of a target: "
        "there its predictions are extrapolations, its intervals cover less, and its skill is not "
        "known."
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


def _skill(scorer: Scorer, target: Target) -> str:
    verdict = scorer.model.info.skill[target.name]
    name = target.quantity if isinstance(target, StabilityTarget) else target.title
    sentence = f"{name[0].upper()}{name[1:]}: {verdict['sentence']}."
    if isinstance(target, StabilityTarget):
        return f"{sentence} Its model orders nothing here: measurements do, pooled over papers."
    if verdict["has_skill"]:
        return f"{sentence} Its differences order the list in full."
    return (
        f"{sentence} Its differences are shrunk by the factor {verdict['slope']:.2f}; what papers "
        "measured of the combination or its shell still counts."
    )


def _untested(objective: StabilityObjective) -> str:
    names = objective.untested
    if not names:
        return ""
    return (
        f"Fewer than {MIN_PAPERS} papers give a lower end of the {objective.label} under "
        f"{listed(names)}: it orders nothing."
    )


def _order(scorer: Scorer, result: TaskResult) -> str:
    by = scorer.options.order_by
    if by == "explore":
        return _improvement(scorer, result)
    if by == "value":
        return f"Ordered by value: a weighted geometric mean of desirabilities. {_FLAGS}"
    return (
        "Ordered by what is known at least (90 %), so that ignorance costs: within a list and a "
        "core, a shell that papers found good stands above one of its class that nobody tried. "
        f"{_FLAGS}"
    )


def _improvement(scorer: Scorer, result: TaskResult) -> str:
    over = "nothing: no measured combination satisfies the constraints"
    if scorer.measured.items:
        best = scorer.measured.items[0]
        over = f"the best measured combination ({combination_name(best)})"
    text = f"Ordered by expected improvement over {over}: what to make next, not what is best."
    text += f" {_FLAGS}"
    if not (np.exp(result.top_score) > 2 * MIN_IMPROVEMENT).any():
        text += " None is expected to be better: the order has no meaning."
    return text
