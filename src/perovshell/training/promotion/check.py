"""The promotion check: whether a challenger may become champion.

Both are compared on the papers in both training sets, each paper left out in turn, and on papers
that are new to the champion, predicted before training on them. A challenger is not promoted where
it is worse by more than a margin and the whole interval of the paired bootstrap over papers lies on
the worse side. (To ask for proof that it is no worse would refuse most additions of twenty clean
papers: a model of so few papers moves by more than any useful margin with each training.)

Nor is it promoted where the new papers are too surprising to be from the same population: a
one-sided permutation test of the mean (Pitman, 10.2307/2984124) of the champion's conformity scores
on new papers among those on papers left out of its validation. False papers are few gross errors
among right values, which move a mean more than ranks.

There are 18 conditions that chance can fail. The two on surprise, which detect false papers best,
have a level of 2.5 % each, the others nominally 0.25 %, so that together they refuse less than 10 %
of clean additions (Bonferroni). The bootstrap of few skewed differences falls short of its level;
the rate of refusals is therefore measured, in `research.power`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.targets.declared import PL, TARGETS
from perovshell.training.promotion.verdict import (
    FEWEST_PAPERS,
    INTERVAL,
    ROUNDING,
    SURPRISE,
    Changes,
    Check,
    Comparison,
    Footprint,
    Prospect,
    Verdict,
)
from perovshell.training.validation.figures import LEVEL, PaperBootstrap, Triple
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores, ValidationRecord

ERROR_MARGIN: Final = 0.05
"""Share of the champion's MAE (PL, PLQY) by which a challenger may be worse."""
LIKELIHOOD_MARGIN: Final = 0.05
"""Log likelihood a paper (lifetime, gain) by which a challenger may be worse."""
COVERAGE_MARGIN: Final = 0.05
"""Coverage that intervals may lose."""
WIDTH_MARGIN: Final = 1.0
"""Share of their width by which intervals may grow, unless the champion's covered too little.

Intervals grow where new papers lie farther off than the known ones did: by chance, or honestly, or
since they are false, which the test of their surprise is there to tell. All widths of a target hang
on one quantile, so a bootstrap over papers does not see its chance: of 46 papers, as calibrate the
PL today, five clean ones raise it by 25 % once in ten times, and of fewer papers by more. What is
left to this condition is a model that says next to nothing any more."""
WIDEST_NM: Final = 1800.0
"""Widest interval of a peak: those of the data lie from 200 to 2000 nm."""
_UNKNOWN: Final = (
    math.nan,
    math.nan,
    (math.nan,) * 3,
    math.nan,
    (math.nan,) * 2,
    (math.nan,) * 3,
    (math.nan,) * 2,
    (math.nan,) * 3,
)
"""What is not known where no paper can be compared."""
_PERMUTATIONS: Final = 20_000
_SEED: Final = 20_240_229
TIME_MARGIN: Final = 1.5
"""Factor by which a prediction may take longer."""
SIZE_MARGIN: Final = 1.5
"""Factor by which a model folder may be larger."""

# The comparison ------------------------------------------------------------------------------


def judge(
    champion: ValidationRecord,
    challenger: ValidationRecord,
    new: Mapping[str, OutOfFoldScores],
    costs: tuple[Footprint, Footprint] | None = None,
    changes: Changes | None = None,
) -> Verdict:
    """Compare a challenger with the champion.

    Args:
        champion: The champion's validation.
        challenger: The challenger's validation.
        new: The champion's scores on the papers that were added, by target; the score is NaN where
            its domain ends.
        costs: Footprints of champion and challenger, where they are to be compared.
        changes: What changed in the data, where more is known of it than the digests tell.
    """
    changes = changes or Changes.between(champion.digests, challenger.digests)
    comparisons = tuple(
        _compare(name, champion.scores[name], challenger.scores[name], new[name], changes)
        for name in TARGETS
    )
    checks = [check for one in comparisons for check in _checks(one)]
    if costs is not None:
        checks += _cost_checks(*costs)
    failed = [check.name for check in checks if not check.passed]
    promote = not failed and (any(one.is_better for one in comparisons) or bool(changes))
    return Verdict(changes, comparisons, tuple(checks), promote, _why(failed, comparisons, changes))


def _why(failed: list[str], comparisons: tuple[Comparison, ...], changes: Changes) -> str:
    if failed:
        return f"The champion stays: {', '.join(failed)}."
    better = ", ".join(TARGETS[one.target].title for one in comparisons if one.is_better)
    doubtful = ", ".join(TARGETS[one.target].title for one in comparisons if one.is_doubtful)
    if not (better or changes):
        return "The champion stays: the data is the same, and nothing is shown to be better."
    worse = f" (within chance: {doubtful})" if doubtful else ""
    why = f"better is {better}" if better else "the data changed"
    return f"Promoted: nothing is shown to be worse beyond its margin{worse}, and {why}."


def _compare(
    name: str,
    champion: OutOfFoldScores,
    challenger: OutOfFoldScores,
    new: OutOfFoldScores,
    changes: Changes,
) -> Comparison:
    altered = {*changes.added, *changes.replaced, *changes.gone}
    known = set(champion.papers.tolist()) - altered
    before, after = _common(champion.of_papers(known), challenger)
    prospect = _prospect(champion, challenger, new) if len(new.rows) else None
    if not len(before.rows):
        return Comparison(name, 0, *_UNKNOWN, prospect)
    bootstrap = PaperBootstrap.of(before.groups, before.share)
    loss = [bootstrap.mean_by_paper(one.loss)[0] for one in (before, after)]
    margin = ERROR_MARGIN * loss[0] if TARGETS[name].error_unit else LIKELIHOOD_MARGIN
    widths = [_widths(name, one) for one in (before, after)]
    width = [_mean_width(bootstrap, one) for one in widths]
    coverage = [bootstrap.mean_by_paper(one.covered)[0] for one in (before, after)]
    return Comparison(
        target=name,
        papers=len(set(before.groups.tolist())),
        champion=loss[0],
        challenger=loss[1],
        better_by=bootstrap.mean_by_paper(before.loss - after.loss, INTERVAL),
        margin=margin,
        coverage=(coverage[0], coverage[1]),
        coverage_change=bootstrap.mean_by_paper(after.covered - before.covered, INTERVAL),
        width=(width[0], width[1]),
        width_change=_growth(bootstrap, *widths),
        new=prospect,
    )


def _mean_width(bootstrap: PaperBootstrap, width: Floats) -> float:
    return bootstrap.mean_by_paper(width)[0] if np.isfinite(width).all() else math.inf


def _growth(bootstrap: PaperBootstrap, before: Floats, after: Floats) -> Triple:
    """Return the share by which widths grew (geometric mean over papers), with its interval."""
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        grew = math.inf if np.isfinite(before).all() else math.nan
        return grew, grew, grew
    least = np.finfo(float).tiny
    ratio = np.log(np.maximum(after, least) / np.maximum(before, least))
    value, low, high = np.expm1(bootstrap.mean_by_paper(ratio, INTERVAL)).tolist()
    return value, low, high


def _widths(name: str, scores: OutOfFoldScores) -> Floats:
    """Return the widths of intervals; those of a peak end where the data may."""
    # A wavelength has no upper limit where its energy may be 0: such a width would hide all others.
    return np.minimum(scores.width, WIDEST_NM) if name == PL.name else scores.width


def _prospect(
    champion: OutOfFoldScores, challenger: OutOfFoldScores, new: OutOfFoldScores
) -> Prospect:
    new, after = _common(new, challenger)
    bootstrap = PaperBootstrap.of(new.groups, new.share)
    return Prospect(
        papers=len(set(new.groups.tolist())),
        champion=bootstrap.mean_by_paper(new.loss)[0],
        challenger=bootstrap.mean_by_paper(after.loss)[0],
        better_by=bootstrap.mean_by_paper(new.loss - after.loss, INTERVAL),
        coverage=bootstrap.mean_by_paper(new.covered)[0],
        surprise=surprise(champion, new),
        least_surprise=_least_surprise(champion, new),
    )


def _common(
    one: OutOfFoldScores, other: OutOfFoldScores
) -> tuple[OutOfFoldScores, OutOfFoldScores]:
    """Return the rows that both have, in the order of the first.

    All rows of an unchanged paper are there, unless the scores are of another version of the code.
    """
    kept = np.flatnonzero(np.isin(one.rows, other.rows))
    first = one.take(kept)
    return first, other.take(other.index_of(first.rows.tolist()))


def surprise(known: OutOfFoldScores, new: OutOfFoldScores) -> float:
    """Return the probability of scores as large as the new papers', were they like the others.

    How often as many papers, drawn from new and known ones, have a mean score (of the means of
    papers) as large as that of the new papers; NaN where no new row has a score.
    """
    old, now = _mean_scores(known), _mean_scores(new)
    if not len(old) or not len(now):
        return math.nan
    every = np.concatenate([now, old])
    random = np.random.default_rng(_SEED)
    keys = random.random((_PERMUTATIONS, len(every)))
    drawn = every[np.argpartition(keys, len(now) - 1, axis=1)[:, : len(now)]].mean(axis=1)
    as_large = int((drawn >= now.mean() - ROUNDING).sum())
    return (1 + as_large) / (1 + _PERMUTATIONS)


def _least_surprise(known: OutOfFoldScores, new: OutOfFoldScores) -> float:
    """Return the probability of the most surprising papers there can be; NaN where none counts."""
    old, now = len(_mean_scores(known)), len(_mean_scores(new))
    return 1 / math.comb(old + now, now) if old and now else math.nan


def _mean_scores(scores: OutOfFoldScores) -> Floats:
    """Return the mean score of each group that has one."""
    scored = np.isfinite(scores.score)
    names, paper = np.unique(scores.groups[scored], return_inverse=True)
    sums = np.bincount(paper, scores.score[scored], minlength=len(names))
    return np.asarray(sums / np.bincount(paper, minlength=len(names)))


# The conditions ------------------------------------------------------------------------------


def _checks(one: Comparison) -> list[Check]:
    name, checks = TARGETS[one.target].title, []
    if one.is_decided:
        checks += [_error_check(one, name), _coverage_check(one, name), _width_check(one, name)]
    if one.new is not None and one.new.papers >= FEWEST_PAPERS:
        checks.append(_new_check(one, one.new, name))
    if one.new is not None and one.new.can_surprise:
        checks.append(_surprise_check(one.new.surprise, name))
    return checks


def _surprise_check(chance: float, name: str) -> Check:
    return Check(
        f"new papers surprise ({name})",
        chance >= SURPRISE,
        (
            f"{name} of the new papers against the champion's predictions: p = {chance:.2g}, not "
            f"promoted below {SURPRISE:g}; if small, are the values right, or is this another "
            "kind of sample?"
        ),
    )


def _error_check(one: Comparison, name: str) -> Check:
    return Check(
        f"{name} worse",
        not _is_worse(one.better_by, one.margin),
        f"{name}: worse by {_span(one.better_by, -1)}, margin {one.margin:.2g}",
    )


def _coverage_check(one: Comparison, name: str) -> Check:
    return Check(
        f"{name} coverage lower",
        # Intervals without end cover everything: any that have one are better.
        math.isinf(one.width[0]) or not _is_worse(one.coverage_change, COVERAGE_MARGIN),
        f"{name}: coverage lower by {_span(one.coverage_change, -1)}, margin {COVERAGE_MARGIN:g}",
    )


def _width_check(one: Comparison, name: str) -> Check:
    value, low, high = one.width_change
    too_narrow = one.coverage[0] < LEVEL - COVERAGE_MARGIN
    return Check(
        f"{name} intervals wider",
        too_narrow or not _is_worse((-value, -high, -low), WIDTH_MARGIN),
        (
            f"{name}: intervals wider by {value:.0%} [{low:.0%}, {high:.0%}], margin "
            f"{WIDTH_MARGIN:.0%}"
        ),
    )


def _new_check(one: Comparison, new: Prospect, name: str) -> Check:
    margin = ERROR_MARGIN * new.champion if TARGETS[one.target].error_unit else LIKELIHOOD_MARGIN
    return Check(
        f"{name} of new papers worse",
        not _is_worse(new.better_by, margin),
        f"{name} of the new papers: worse by {_span(new.better_by, -1)}, margin {margin:.2g}",
    )


def _is_worse(change: Triple, margin: float) -> bool:
    """Whether a change for the worse is beyond a margin and significant."""
    value, _, high = change
    return value < -margin - ROUNDING and high < -ROUNDING


def _span(triple: Triple, sign: int) -> str:
    # Adding 0 leaves no minus before one.
    ends = sorted(sign * end + 0.0 for end in triple[1:])
    return f"{sign * triple[0] + 0.0:.2g} [{ends[0]:.2g}, {ends[1]:.2g}]"


def _cost_checks(champion: Footprint, challenger: Footprint) -> list[Check]:
    slower = challenger.milliseconds / champion.milliseconds
    larger = challenger.megabytes / champion.megabytes
    return [
        Check(
            "prediction time",
            slower <= TIME_MARGIN,
            f"a prediction takes {challenger.milliseconds:.2g} ms instead of "
            f"{champion.milliseconds:.2g} (at most {TIME_MARGIN:g} times as long)",
        ),
        Check(
            "folder size",
            larger <= SIZE_MARGIN,
            f"the model folder has {challenger.megabytes:.2g} MB instead of "
            f"{champion.megabytes:.2g} (at most {SIZE_MARGIN:g} times as many)",
        ),
    ]
