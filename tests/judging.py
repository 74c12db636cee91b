"""Out-of-fold scores by hand, and verdicts of the promotion check on them, for tests."""

from dataclasses import replace

import numpy as np

from perovshell.targets.declared import TARGETS
from perovshell.training.promotion.check import judge
from perovshell.training.promotion.verdict import Verdict
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores, ValidationRecord

KNOWN = 20
PAPERS = [f"paper{number:02}" for number in range(KNOWN)]
NEW = [f"new{number:02}" for number in range(12)]


def scores(papers: list[str], loss: float = 10.0) -> OutOfFoldScores:
    """Return scores of one row a paper; of 20 papers 18 are covered."""
    count = len(papers)
    return OutOfFoldScores(
        rows=np.array([f"{paper} row" for paper in papers], dtype=np.str_),
        papers=np.array(papers, dtype=np.str_),
        groups=np.array(papers, dtype=np.str_),
        share=np.ones(count),
        loss=loss + np.arange(count) % 5,
        covered=(np.arange(count) % 10 > 0).astype(float),
        width=np.full(count, 50.0),
        score=1.0 + np.arange(count) / 100,
    )


def model(papers: list[str], target: str = "", **changed: np.ndarray) -> ValidationRecord:
    """Return a validation on papers; the scores of one target may be changed."""
    by_target = {name: scores(papers) for name in TARGETS}
    if target:
        by_target[target] = replace(by_target[target], **changed)
    return ValidationRecord(dict.fromkeys(papers, "1"), by_target)


def unseen(papers: list[str] = (), **changed: np.ndarray) -> dict[str, OutOfFoldScores]:
    """Return the champion's scores on new papers; those of PL peaks may be changed."""
    by_target = {name: scores(list(papers)) for name in TARGETS}
    return by_target | {"pl": replace(by_target["pl"], **changed)}


def names_of(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.failed]


def grown(target: str = "", **changed: np.ndarray) -> Verdict:
    """Judge a challenger with one more paper that says nothing, its scores of others changed."""
    whole = model([*PAPERS, "newest"])
    if target:
        known = replace(scores(PAPERS), **changed)
        last = whole.scores[target].take(np.array([KNOWN]))
        joined = {
            name: np.concatenate([getattr(known, name), getattr(last, name)])
            for name in OutOfFoldScores.__annotations__
        }
        whole = replace(whole, scores={**whole.scores, target: OutOfFoldScores(**joined)})
    return judge(model(PAPERS), whole, unseen())
