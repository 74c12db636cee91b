"""A ranking in words: the question, the answer, and what is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.report.charts import chance
from perovshell.serve.report.tables import (
    CONSTRAINTS,
    interval_text,
    measured_range,
    papers_of,
)
from perovshell.serve.space.space import DesignSpace, Selection
from perovshell.targets.declared import TARGETS
from perovshell.texts import counted, excerpt, listed


@dataclass(frozen=True)
class Answer:
    """One sentence of the answer.

    Attributes:
        title: What it is on.
        line: The line of the ranking; None where there is none.
        text: What is known of it.
        papers_on: What its papers are on; empty for the combination itself.
        papers: Its papers.
    """

    title: str
    line: Candidate | None
    text: str
    papers_on: str = ""
    papers: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownAtLeast:
    """What is known at least of gains and half-lives, pooled over papers and like shells.

    Attributes:
        level: The nearest tests, such as `tests of the combination`.
        bounds: The lower bounds in words, a text a stressor.
    """

    level: str
    bounds: tuple[str, ...]

    def __str__(self) -> str:
        """Return the bounds with their tests."""
        return f"{'; '.join(self.bounds)} (nearest: {self.level})"


def question(ranking: Ranking) -> list[str]:
    """Return the question: what is asked, of which space, under which constraints."""
    space = ranking.space
    return [
        f"Which coated nanocrystals have {listed(o.phrase for o in ranking.objectives.active)}?",
        f"Space: {space.sizes}{_contexts(ranking)}.",
        f"Constraints: {'; '.join(_constraints(space)) or 'none'}.",
    ]


def _contexts(ranking: Ranking) -> str:
    space = ranking.space
    words = [*space.structures, *space.encapsulations, *space.media]
    known = [word for word in words if word != "unknown"]
    known += [f"{size:g} nm" for size in space.sizes_nm if not math.isnan(size)]
    return f" ({', '.join(known)})" if known else ""


def _constraints(space: DesignSpace) -> list[str]:
    """Return the constraints that are set, in words."""
    texts = []
    for key in fields(space.constraints):
        words, value = CONSTRAINTS[key.name], getattr(space.constraints, key.name)
        if isinstance(value, Selection):
            names = [name for some in value.to_mapping(space.cores).values() for name in some]
            texts += [f"{words}: {excerpt(', '.join(names))}"] if names else []
        elif key.name == "tolerance_factor" and value:
            texts.append(f"{words} {value[0]:g} to {value[1]:g}")
        elif isinstance(value, tuple):
            texts += [f"{words} {listed(value, 'or')}"] if value else []
        elif value is True:
            texts.append(words)
        elif value:
            texts.append(f"{words} below {value:g}")
    return texts


# The answer ----------------------------------------------------------------------------------


def answers(ranking: Ranking) -> list[Answer]:
    """Return the best measured combination and the best idea."""
    return [_best_measured(ranking), _best_idea(ranking)]


def _best_measured(ranking: Ranking) -> Answer:
    title = "Best measured"
    if not ranking.measured:
        return Answer(title, None, "no paper measured what is asked in this space.")
    line = ranking.measured[0]
    parts = [
        f"{name} {measured_range(line, name.lower()) or 'not measured'}" for name in ("PL", "PLQY")
    ]
    known = known_at_least(ranking, line)
    parts += [f"known at least under {'; '.join(map(str, known))}"] if known else []
    return Answer(title, line, f"{'; '.join(parts)}.", "", line.combination_papers)


def _best_idea(ranking: Ranking) -> Answer:
    title = "Best idea to try"
    if not ranking.candidates:
        return Answer(title, None, "no other combination is left.")
    line = ranking.candidates[0]
    peak, plqy = interval_text(line, "pl_peak_nm"), interval_text(line, "plqy_percent")
    lacking = "measured what is asked of it" if line.measured else "has it"
    parts = [f"no paper in the data {lacking}"]
    parts += [f"nothing known tells {len(line.ties)} others apart from it"] if line.ties else []
    parts.append(f"the model predicts PL {peak} nm and PLQY {plqy} %")
    if ranking.space.pl_window_nm:
        parts.append(f"P(PL in the window) {chance(line.values['p_pl_in_window'])}")
    known = known_at_least(ranking, line)
    parts += [f"known at least under {'; '.join(map(str, known))}"] if known else []
    parts += [f"out of domain: {'; '.join(line.reasons)}"] if line.reasons else []
    return Answer(title, line, f"{'; '.join(parts)}.", *papers_of(line))


def stability_of(ranking: Ranking) -> list[StabilityObjective]:
    """Return the objectives under stressors, with a weight or without."""
    return [one for one in ranking.objectives.every if isinstance(one, StabilityObjective)]


def known_at_least(ranking: Ranking, line: Candidate) -> list[KnownAtLeast]:
    """Return the pooled gains and half-lives that are exceeded with 90 %, by their tests."""
    pair = (line.core, line.item.layers)
    levels: dict[str, dict[str, list[str]]] = {}
    for row, stressor in enumerate(ranking.space.stressors):
        for objective in stability_of(ranking):
            fit, (_, column) = objective.fits[row], objective.columns()[row]
            if fit is not None:
                shown = objective.target.shown(float(f"{line.values[column]:.2g}"))
                bounds = levels.setdefault(fit.level(*pair), {}).setdefault(stressor, [])
                bounds.append(f"{objective.label} {shown}")
    return [
        KnownAtLeast(level, tuple(f"{name}: {', '.join(some)}" for name, some in bounds.items()))
        for level, bounds in levels.items()
    ]


# What is not known ---------------------------------------------------------------------------


def unknowns(ranking: Ranking) -> list[str]:
    """Return what is not known, the most important first."""
    return [*_no_skill(ranking), *_untested(ranking), *_unmeasured(ranking), *ranking.space.notes]


def _no_skill(ranking: Ranking) -> list[str]:
    skill = ranking.model.info.skill
    asked = [one.target.name for one in ranking.objectives.active if one.target]
    return [
        f"No skill: {TARGETS[name].no_skill}." for name in asked if not skill[name]["has_skill"]
    ]


def _untested(ranking: Ranking) -> list[str]:
    return [
        f"No paper measured the {one.label} under {listed(one.untested)}: it orders nothing."
        for one in ranking.objectives.active
        if isinstance(one, StabilityObjective) and one.untested
    ]


def _unmeasured(ranking: Ranking) -> list[str]:
    """Return what of the two lists no paper in the data measured."""
    measured, ideas = ranking.measured, ranking.candidates
    no_plqy = sum(not measured_range(line, "plqy") for line in measured)
    no_paper = sum(not line.shell_papers for line in ideas)
    outside = sum(bool(line.reasons) for line in ideas)
    texts = [
        f"{no_plqy} of {counted(len(measured), 'measured combination')}: PLQY not measured.",
        f"{no_paper} of {counted(len(ideas), 'idea')}: no paper has the shell.",
        f"{outside} of {counted(len(ideas), 'idea')}: a target is out of domain.",
    ]
    counts = (no_plqy, no_paper, outside)
    kept = [text for text, count in zip(texts, counts, strict=True) if count]
    if any(math.isnan(size) for size in ranking.space.sizes_nm):
        kept.append("Core sizes are not part of the question; the PL peak depends on them.")
    return kept
