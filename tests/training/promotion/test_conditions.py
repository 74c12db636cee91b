"""Each condition of the promotion check: figures, margins and sentences, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from judging import KNOWN, NEW, PAPERS, grown, model, names_of, scores, unseen
from perovshell.training.promotion.check import judge, surprise
from perovshell.training.promotion.verdict import FEWEST_PAPERS, Comparison, Footprint, Verdict
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores

HALF = np.arange(KNOWN) % 2 * 1.0
"""1 for every other paper."""
SURE = pytest.approx((0.2, 0.8), abs=0.051)
"""Ends of the interval of the mean of `HALF` at 99.5 %: of 20 tosses of a coin, 4 to 16 are heads.

At 90 % they would be 6 and 14."""


def of_pl(verdict: Verdict) -> Comparison:
    return verdict.comparisons[0]


def said(verdict: Verdict, name: str) -> str:
    """Return the sentence of a condition."""
    return next(check.sentence for check in verdict.checks if check.name == name)


def learned(papers: list[str], target: str, loss: np.ndarray) -> Verdict:
    """Judge with new papers and the champion's loss of them; the challenger's is of `scores`.

    The champion's score of them is unknown, so that none can surprise.
    """
    unknown = np.full(len(papers), math.nan)
    new = {name: replace(own, score=unknown) for name, own in unseen(papers).items()}
    new[target] = replace(new[target], loss=loss)
    return judge(model(PAPERS), model([*PAPERS, *papers]), new)


# The figures that are compared ---------------------------------------------------------------


def test_known_papers_are_compared_by_loss_coverage_and_width() -> None:
    changed = {"covered": np.ones(KNOWN), "width": np.full(KNOWN, 75.0)}
    known = model(PAPERS, "pl", loss=scores(PAPERS).loss + 2.0, **changed)
    one = of_pl(judge(model(PAPERS), known, unseen()))
    assert (one.champion, one.challenger) == pytest.approx((12.0, 14.0))
    assert one.better_by == pytest.approx((-2.0, -2.0, -2.0))
    assert one.coverage == pytest.approx((0.9, 1.0))
    assert one.coverage_change[0] == pytest.approx(0.1)
    assert one.width == pytest.approx((50.0, 75.0))
    assert one.width_change == pytest.approx((0.5, 0.5, 0.5))


def test_the_margin_is_a_share_of_the_champions_error() -> None:
    worse = grown("pl", loss=scores(PAPERS).loss * 3)
    assert of_pl(worse).margin == pytest.approx(0.05 * 12.0)


def test_intervals_of_comparisons_hold_at_their_own_level() -> None:
    plain = scores(PAPERS)
    covered = model(PAPERS, "pl", covered=np.zeros(KNOWN), loss=plain.loss + HALF)
    better = model(PAPERS, "pl", covered=HALF, width=plain.width * np.exp(HALF))
    one = of_pl(judge(covered, better, unseen()))
    assert one.better_by[1:] == SURE
    assert one.coverage_change[1:] == SURE
    assert tuple(np.log1p(one.width_change[1:])) == SURE


def test_rows_count_within_their_paper_by_their_share() -> None:
    """Two rows of one paper with 3 : 1, beside 19 papers without a loss."""
    own = scores([*PAPERS, "second"])
    papers = np.array([*PAPERS, PAPERS[-1]])
    loss = np.array([0.0] * (KNOWN - 1) + [8.0, 16.0])
    share = np.array([1.0] * (KNOWN - 1) + [3.0, 1.0])
    shared = replace(own, papers=papers, groups=papers, loss=loss, share=share)
    known = replace(model(PAPERS), scores={**model(PAPERS).scores, "pl": shared})
    one = of_pl(judge(known, known, unseen()))
    assert one.papers == KNOWN
    assert one.champion == pytest.approx(10.0 / KNOWN)


def test_new_papers_are_compared_by_loss_and_coverage() -> None:
    verdict = learned(NEW, "pl", scores(NEW).loss + np.arange(len(NEW)))
    new = of_pl(verdict).new
    mean = scores(NEW).loss.mean()
    assert new is not None
    assert new.papers == 12
    assert (new.champion, new.challenger) == pytest.approx((mean + 5.5, mean))
    assert new.better_by[0] == pytest.approx(5.5)
    assert new.coverage == pytest.approx(10 / 12)


def test_the_interval_of_new_papers_holds_at_its_own_level() -> None:
    papers = [f"new{number}" for number in range(KNOWN)]
    new = of_pl(learned(papers, "pl", scores(papers).loss + HALF)).new
    assert new is not None
    assert new.better_by[1:] == SURE


def test_rows_of_new_papers_count_by_their_share() -> None:
    rows = scores(NEW)
    papers = np.array([*NEW[:-1], NEW[0]])
    loss, share = np.zeros(12), np.ones(12)
    loss[0], share[0], loss[-1] = 8.0, 3.0, 16.0
    shared = replace(rows, papers=papers, groups=papers, loss=loss, share=share)
    challenger = model([*PAPERS, *NEW])
    new = of_pl(judge(model(PAPERS), challenger, {**unseen(), "pl": shared})).new
    assert new is not None
    assert new.papers == 11
    assert new.champion == pytest.approx(10.0 / 11)


def test_new_papers_are_told_of_where_no_known_one_can_be_compared() -> None:
    replaced = replace(model([*PAPERS, *NEW]), digests=dict.fromkeys([*PAPERS, *NEW], "2"))
    one = of_pl(judge(model(PAPERS), replaced, unseen(NEW)))
    assert one.papers == 0
    assert one.new is not None
    assert one.new.papers == len(NEW)


# Margins -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["lifetime", "gain"])
def test_worse_by_no_more_than_the_margin_is_promoted(target: str) -> None:
    loss = np.arange(KNOWN) % 5 / 4  # Quarters, so that a margin of 0.05 is met but for rounding.
    champion = model(PAPERS, target, loss=loss)
    challenger = model(PAPERS, target, loss=loss + 0.05)
    assert names_of(judge(champion, challenger, unseen())) == []


@pytest.mark.parametrize(
    ("target", "worse_by", "name"),
    [
        ("pl", 0.5, ""),
        ("pl", 0.7, "PL peak"),
        ("plqy", 0.7, "PLQY"),
        ("lifetime", 0.04, ""),
        ("lifetime", 0.06, "lifetime"),
        ("gain", 0.06, "stability gain"),
    ],
)
def test_margins_of_new_papers_are_those_of_known_ones(
    target: str, worse_by: float, name: str
) -> None:
    """The champion's mean loss is just below 12: its margin, just below 0.6 or 0.05."""
    verdict = learned(NEW, target, scores(NEW).loss - worse_by)
    assert names_of(verdict) == ([f"{name} of new papers worse"] if name else [])


def test_as_many_new_papers_as_it_takes_hold_a_challenger_back() -> None:
    few = NEW[:FEWEST_PAPERS]
    verdict = learned(few, "pl", scores(few).loss / 2)
    assert names_of(verdict) == ["PL peak of new papers worse"]


def test_all_that_fails_is_named() -> None:
    spoilt = model(PAPERS, "pl", loss=scores(PAPERS).loss * 2, width=np.full(KNOWN, 150.0))
    verdict = judge(model(PAPERS), spoilt, unseen(), (Footprint(2.0, 2.0), Footprint(9.0, 9.0)))
    names = ["PL peak worse", "PL peak intervals wider", "prediction time", "folder size"]
    assert names_of(verdict) == names
    assert verdict.sentence == f"The champion stays: {', '.join(names)}."


def test_all_that_is_better_or_in_doubt_is_named() -> None:
    better, worse = scores(PAPERS), scores(PAPERS)
    better = replace(better, loss=better.loss - 1.0)
    worse.loss[3] += 24.0
    own = {"pl": better, "plqy": worse, "lifetime": worse, "gain": better}
    verdict = judge(model(PAPERS), replace(model(PAPERS), scores=own), unseen())
    assert verdict.sentence == (
        "Promoted: nothing is shown to be worse beyond its margin (within chance: PLQY, lifetime), "
        "and better is PL peak, stability gain."
    )


# Widths --------------------------------------------------------------------------------------


def widths(target: str, before: float, after: float) -> Verdict:
    """Judge a challenger whose intervals have other widths."""
    champion = model(PAPERS, target, width=np.full(KNOWN, before))
    return judge(champion, model(PAPERS, target, width=np.full(KNOWN, after)), unseen())


def test_an_interval_of_a_peak_ends_where_peaks_do() -> None:
    verdict = widths("pl", 1200.0, 9000.0)
    assert of_pl(verdict).width == pytest.approx((1200.0, 1800.0))
    assert names_of(verdict) == []


def test_an_interval_of_a_peak_without_end_is_as_wide_as_the_range_of_peaks() -> None:
    assert of_pl(widths("pl", 1200.0, math.inf)).width == pytest.approx((1200.0, 1800.0))


def test_other_intervals_have_no_such_end() -> None:
    verdict = widths("lifetime", 1200.0, 9000.0)
    assert verdict.comparisons[2].width == pytest.approx((1200.0, 9000.0))
    assert names_of(verdict) == ["lifetime intervals wider"]


def test_intervals_that_lose_their_end_are_refused() -> None:
    verdict = widths("gain", 2.0, math.inf)
    assert verdict.comparisons[3].width == (2.0, math.inf)
    assert verdict.comparisons[3].width_change == (math.inf,) * 3
    assert names_of(verdict) == ["stability gain intervals wider"]


@pytest.mark.parametrize("after", [2.0, math.inf])
def test_how_far_intervals_without_end_grow_is_unknown(after: float) -> None:
    verdict = widths("gain", math.inf, after)
    assert np.isnan(verdict.comparisons[3].width_change).all()
    assert names_of(verdict) == []


@pytest.mark.parametrize(("width", "names"), [(math.inf, []), (2.0, ["PLQY coverage lower"])])
def test_intervals_that_get_an_end_may_cover_less(width: float, names: list[str]) -> None:
    champion = model(PAPERS, "plqy", covered=np.ones(KNOWN), width=np.full(KNOWN, width))
    ended = model(PAPERS, "plqy", covered=HALF, width=np.full(KNOWN, 2.0))
    assert names_of(judge(champion, ended, unseen())) == names


# Surprise ------------------------------------------------------------------------------------


def scored(papers: list[str], score: np.ndarray) -> OutOfFoldScores:
    return replace(scores(papers), score=score)


def test_the_papers_themselves_are_one_of_the_permutations() -> None:
    """Twelve papers above all others: of 20 000 draws none has as large a mean."""
    far = scored(NEW, np.full(len(NEW), 9.0))
    assert surprise(scores(PAPERS), far) == pytest.approx(1 / 20_001, rel=1e-9)


def test_a_surprise_is_the_same_when_it_is_asked_again() -> None:
    near = scored(NEW, 1.05 + np.arange(len(NEW)) / 100)
    assert surprise(scores(PAPERS), near) == surprise(scores(PAPERS), near)


def test_equal_scores_are_no_surprise_at_all() -> None:
    known, new = scored(PAPERS, np.full(KNOWN, 0.3)), scored(NEW, np.full(len(NEW), 0.3))
    assert surprise(known, new) == 1.0


def test_the_chance_of_two_papers_is_counted() -> None:
    """Of the six pairs out of 1, 2, 3, 4 two have a mean of 3 or more: {2, 4} and {3, 4}."""
    known, new = scored(PAPERS[:2], np.array([1.0, 3.0])), scored(NEW[:2], np.array([2.0, 4.0]))
    assert surprise(known, new) == pytest.approx(2 / 6, abs=0.01)


@pytest.mark.parametrize(("old", "new"), [(KNOWN, 0), (0, 12)])
def test_without_scores_on_either_side_nothing_can_surprise(old: int, new: int) -> None:
    champion = model(PAPERS, "pl", score=np.where(np.arange(KNOWN) < old, 1.0, math.nan))
    unknown = np.where(np.arange(len(NEW)) < new, 9.0, math.nan)
    found = of_pl(judge(champion, model([*PAPERS, *NEW]), unseen(NEW, score=unknown))).new
    assert found is not None
    assert math.isnan(found.surprise)
    assert math.isnan(found.least_surprise)
    assert not found.can_surprise


# Sentences -----------------------------------------------------------------------------------


def test_no_change_is_said_without_a_minus() -> None:
    sentence = said(judge(model(PAPERS), model(PAPERS), unseen()), "PL peak worse")
    assert sentence == "PL peak: worse by 0 [0, 0], margin 0.6"


def test_an_error_is_said_with_its_interval_in_rising_order() -> None:
    loss = scores(PAPERS).loss + 1.0 + HALF
    one = grown("pl", loss=loss)
    low, high = (-end for end in of_pl(one).better_by[:0:-1])
    assert 1.0 < low < 1.5 < high < 2.0
    expected = f"PL peak: worse by 1.5 [{low:.2g}, {high:.2g}], margin 0.6"
    assert said(one, "PL peak worse") == expected


def test_a_loss_of_coverage_is_said() -> None:
    covered = (np.arange(KNOWN) % 10 > 4).astype(float)
    sentence = said(grown("plqy", covered=covered), "PLQY coverage lower")
    assert sentence.startswith("PLQY: coverage lower by 0.4 [0.")
    assert sentence.endswith("], margin 0.05")


def test_wider_intervals_are_said() -> None:
    sentence = said(grown("pl", width=np.full(KNOWN, 120.0)), "PL peak intervals wider")
    assert sentence == "PL peak: intervals wider by 140% [140%, 140%], margin 100%"


def test_a_worse_prediction_of_new_papers_is_said() -> None:
    verdict = learned(NEW, "lifetime", scores(NEW).loss - 0.5)
    sentence = said(verdict, "lifetime of new papers worse")
    assert sentence == "lifetime of the new papers: worse by 0.5 [0.5, 0.5], margin 0.05"


def test_a_surprise_is_said_with_its_probability_and_what_to_look_at() -> None:
    far = unseen(NEW, score=np.full(len(NEW), 9.0))
    verdict = judge(model(PAPERS), model([*PAPERS, *NEW]), far)
    sentence = said(verdict, "new papers surprise (PL peak)")
    assert "p = 5e-05, not promoted below 0.025" in sentence
    assert "are the values right" in sentence


def test_costs_are_said_beside_what_is_allowed() -> None:
    costs = (Footprint(2.0, 4.0), Footprint(9.0, 8.0))
    verdict = judge(model(PAPERS), model(PAPERS), unseen(), costs)
    assert said(verdict, "prediction time").startswith("a prediction takes 9 ms instead of 2 (at")
    assert said(verdict, "folder size").startswith("the model folder has 8 MB instead of 4 (at")
