"""Verdicts of the promotion check on scores by hand: refused, promoted, and in words."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judging import KNOWN, NEW, PAPERS, grown, model, names_of, scores, unseen
from perovshell.targets.declared import TARGETS
from perovshell.training.promotion.check import judge, surprise
from perovshell.training.promotion.verdict import FEWEST_PAPERS, Changes, Footprint, Verdict

SAME = "The champion stays: the data is the same, and nothing is shown to be better."
CHANGED = "Promoted: nothing is shown to be worse beyond its margin, and the data changed."


# The verdict ---------------------------------------------------------------------------------


def test_the_champion_stays_where_nothing_changed() -> None:
    verdict = judge(model(PAPERS), model(PAPERS), unseen())
    assert not verdict.promote
    assert verdict.sentence == SAME


def test_a_challenger_that_knows_more_and_is_no_worse_is_promoted() -> None:
    verdict = grown()
    assert verdict.promote
    assert verdict.sentence == CHANGED


def test_a_challenger_on_the_same_data_is_promoted_where_it_is_certainly_better() -> None:
    better = model(PAPERS, "plqy", loss=scores(PAPERS).loss - 1.0)
    verdict = judge(model(PAPERS), better, unseen())
    assert verdict.promote
    assert "better is PLQY." in verdict.sentence


@pytest.mark.parametrize("target", TARGETS)
def test_certainly_worse_beyond_the_margin_is_refused_by_name(target: str) -> None:
    verdict = grown(target, loss=scores(PAPERS).loss * 1.2)
    assert not verdict.promote
    assert names_of(verdict) == [f"{TARGETS[target].title} worse"]
    assert verdict.sentence == f"The champion stays: {TARGETS[target].title} worse."


@pytest.mark.parametrize(
    ("target", "worse_by"), [("pl", 0.5), ("plqy", 0.5), ("lifetime", 0.04), ("gain", 0.04)]
)
def test_certainly_worse_within_the_margin_is_promoted(target: str, worse_by: float) -> None:
    verdict = grown(target, loss=scores(PAPERS).loss + worse_by)  # the mean loss is 12
    assert verdict.comparisons[list(TARGETS).index(target)].better_by[2] < 0
    assert verdict.promote


def test_the_margin_of_a_likelihood_is_no_share_of_it() -> None:
    assert names_of(grown("gain", loss=scores(PAPERS).loss + 0.06)) == ["stability gain worse"]
    assert names_of(grown("pl", loss=scores(PAPERS).loss + 0.06)) == []


def test_worse_by_chance_is_promoted() -> None:
    """Twice the margin, but one paper's: the interval holds 0."""
    loss = scores(PAPERS).loss
    loss[3] += 24.0
    verdict = grown("pl", loss=loss)
    value, _, high = verdict.comparisons[0].better_by
    assert value == pytest.approx(-1.2)
    assert high >= 0
    assert verdict.promote
    assert "beyond its margin (within chance: PL peak), and the data changed" in verdict.sentence


def test_a_loss_of_coverage_is_refused() -> None:
    covered = (np.arange(KNOWN) % 10 > 4).astype(float)
    assert names_of(grown("plqy", covered=covered)) == ["PLQY coverage lower"]


def test_wider_intervals_are_refused() -> None:
    assert names_of(grown("pl", width=np.full(KNOWN, 120.0))) == ["PL peak intervals wider"]
    assert names_of(grown("pl", width=np.full(KNOWN, 60.0))) == []


def test_intervals_may_grow_where_they_covered_too_little() -> None:
    narrow = model(PAPERS, "pl", covered=np.arange(KNOWN) % 2 * 1.0)
    wide = model(PAPERS, "pl", covered=np.ones(KNOWN), width=np.full(KNOWN, 150.0))
    assert names_of(judge(narrow, wide, unseen())) == []


def test_intervals_may_not_grow_where_they_covered_just_enough() -> None:
    enough = model(PAPERS, "pl", covered=(np.arange(KNOWN) > 2).astype(float))  # 0.85
    wide = model(PAPERS, "pl", covered=np.ones(KNOWN), width=np.full(KNOWN, 150.0))
    assert names_of(judge(enough, wide, unseen())) == ["PL peak intervals wider"]


@pytest.mark.parametrize(
    ("cost", "name"),
    [
        (Footprint(3.1, 2.0), "prediction time"),
        (Footprint(2.0, 3.1), "folder size"),
    ],
)
def test_a_challenger_that_costs_more_is_refused(cost: Footprint, name: str) -> None:
    costs = (Footprint(2.0, 2.0), cost)
    verdict = judge(model(PAPERS), model([*PAPERS, "newest"]), unseen(), costs)
    assert names_of(verdict) == [name]


def test_a_challenger_that_costs_less_than_half_more_is_promoted() -> None:
    costs = (Footprint(2.0, 2.0), Footprint(3.0, 3.0))
    assert judge(model(PAPERS), model([*PAPERS, "newest"]), unseen(), costs).promote


# New papers ----------------------------------------------------------------------------------


def test_surprising_new_papers_are_refused() -> None:
    far = unseen(NEW, score=np.full(len(NEW), 9.0))
    verdict = judge(model(PAPERS), model([*PAPERS, *NEW]), far)
    assert names_of(verdict) == ["new papers surprise (PL peak)"]


def test_new_papers_like_the_others_are_no_surprise() -> None:
    verdict = judge(model(PAPERS), model([*PAPERS, *NEW]), unseen(NEW))
    assert verdict.promote
    assert verdict.comparisons[0].new is not None
    assert verdict.comparisons[0].new.surprise > 0.1


def test_new_papers_that_fit_too_well_are_no_surprise() -> None:
    near = unseen(NEW, score=np.zeros(len(NEW)))
    assert judge(model(PAPERS), model([*PAPERS, *NEW]), near).promote


def test_the_probability_of_a_surprise_is_that_of_a_permutation() -> None:
    """One new paper above nineteen known ones: one of twenty equally likely places."""
    one = replace(scores(["newest"]), score=np.array([5.0]))
    assert surprise(scores(PAPERS[:19]), one) == pytest.approx(1 / 20, abs=0.005)


def test_a_paper_is_as_surprising_as_the_mean_of_its_rows() -> None:
    rows = replace(scores(["a", "b"]), papers=np.array(["a", "a"]), groups=np.array(["a", "a"]))
    rows = replace(rows, score=np.array([0.0, 10.0]))
    known = replace(scores(PAPERS[:4]), score=np.array([1.0, 2.0, 3.0, 6.0]))
    assert surprise(known, rows) == pytest.approx(2 / 5, abs=0.01)


def test_new_papers_outside_the_domain_do_not_surprise() -> None:
    verdict = judge(
        model(PAPERS), model([*PAPERS, *NEW]), unseen(NEW, score=np.full(len(NEW), math.nan))
    )
    new = verdict.comparisons[0].new
    assert new is not None
    assert math.isnan(new.surprise)
    assert verdict.promote


def test_a_challenger_worse_on_the_new_papers_is_refused() -> None:
    """Each new paper left out, it says less of them than the champion, which knew none."""
    spared = unseen(NEW, loss=scores(NEW).loss / 2)
    verdict = judge(model(PAPERS), model([*PAPERS, *NEW]), spared)
    assert names_of(verdict) == ["PL peak of new papers worse"]


def test_few_new_papers_do_not_say_that_the_challenger_is_worse() -> None:
    few = NEW[: FEWEST_PAPERS - 1]
    spared = unseen(few, loss=scores(few).loss / 2)
    assert judge(model(PAPERS), model([*PAPERS, *few]), spared).promote


# What is compared ----------------------------------------------------------------------------


def test_a_replaced_paper_is_left_out() -> None:
    loss = scores(PAPERS).loss
    loss[:3] += 500.0
    spoilt = model(PAPERS, "pl", loss=loss)
    fresh = dict.fromkeys(PAPERS[:3], "2")
    replaced = replace(spoilt, digests={**spoilt.digests, **fresh})
    verdict = judge(model(PAPERS), replaced, unseen())
    assert verdict.changes == Changes((), tuple(PAPERS[:3]), ())
    assert verdict.comparisons[0].papers == KNOWN - 3
    assert verdict.comparisons[0].champion == verdict.comparisons[0].challenger
    assert verdict.promote


def test_a_withdrawn_paper_is_left_out() -> None:
    verdict = judge(model(PAPERS), model(PAPERS[2:]), unseen())
    assert verdict.changes.gone == tuple(PAPERS[:2])
    assert verdict.comparisons[0].papers == KNOWN - 2
    assert verdict.promote


@pytest.mark.parametrize(("count", "promoted"), [(FEWEST_PAPERS - 1, True), (FEWEST_PAPERS, False)])
def test_a_comparison_of_few_papers_decides_nothing(count: int, *, promoted: bool) -> None:
    few = PAPERS[:count]
    champion, challenger = model(PAPERS), model([*PAPERS, "newest"])
    worse = replace(scores(few), loss=scores(few).loss * 3)
    champion = replace(champion, scores={**champion.scores, "gain": scores(few)})
    challenger = replace(challenger, scores={**challenger.scores, "gain": worse})
    assert judge(champion, challenger, unseen()).promote == promoted


def test_a_collection_counts_as_one_paper() -> None:
    groups = np.array([*PAPERS[:5], *["collection"] * (KNOWN - 5)])
    one, other = (model(PAPERS, "pl", groups=groups) for _ in range(2))
    comparison = judge(one, other, unseen()).comparisons[0]
    assert comparison.papers == 6
    loss = scores(PAPERS).loss
    assert comparison.champion == pytest.approx((loss[:5].sum() + loss[5:].mean()) / 6)


def test_changes_are_told_apart() -> None:
    known, now = {"a": "1", "b": "1", "c": "1"}, {"d": "1", "b": "2", "c": "1"}
    changes = Changes.between(known, now)
    assert changes == Changes(added=("d",), replaced=("b",), gone=("a",))
    assert changes
    assert str(changes) == "1 paper added (d); 1 paper replaced (b); 1 paper gone (a)"


def test_equal_digests_are_no_change() -> None:
    changes = Changes.between({"a": "1", "b": "2"}, {"b": "2", "a": "1"})
    assert not changes
    assert str(changes) == "no paper changed"


def test_many_papers_are_counted_and_some_are_named() -> None:
    changes = Changes.between({}, dict.fromkeys("gfedcba", "1"))
    assert str(changes) == "7 papers added (a, b, c, d, e and 2 more)"


# What is told --------------------------------------------------------------------------------


@pytest.fixture
def told() -> Verdict:
    """Return a verdict in which nothing is known of how stability surprises."""
    none = {"lifetime": np.full(len(NEW), math.nan), "gain": np.full(len(NEW), math.nan)}
    new = unseen(NEW)
    new |= {name: replace(new[name], score=score) for name, score in none.items()}
    return judge(model(PAPERS), model([*PAPERS, *NEW]), new)


def test_figures_are_finite_and_named_by_target(told: Verdict) -> None:
    figures = told.figures()
    assert all(math.isfinite(value) for value in figures.values())
    assert figures["promotion.promote"] == 1.0
    assert figures["promotion.pl.champion"] == pytest.approx(12.0)
    assert figures["promotion.pl.coverage_challenger"] == pytest.approx(0.9)
    assert figures["promotion.plqy.new.papers"] == len(NEW)
    assert {
        "promotion.gain.better_by",
        "promotion.gain.better_by_lo",
        "promotion.gain.better_by_hi",
    } <= set(figures)
    assert "promotion.gain.new.surprise" not in figures


def test_json_has_null_where_a_figure_is_unknown(told: Verdict) -> None:
    data = json.loads(json.dumps(told.to_json(), allow_nan=False))
    assert data["promote"] is True
    assert data["changes"]["added"] == NEW
    assert data["comparisons"][3]["new"]["surprise"] is None


def test_lines_name_why_a_challenger_is_not_promoted() -> None:
    lines = grown("pl", loss=scores(PAPERS).loss * 1.2).lines()
    assert lines[0] == "Data: 1 paper added (newest)"
    assert lines[2].startswith("PL peak (20 papers): MAE 12 -> 14.4 nm")
    assert lines[-2].startswith("not promoted: PL peak: worse by 2.4")
    assert lines[-1] == "The champion stays: PL peak worse."


# Properties ----------------------------------------------------------------------------------

losses = st.lists(st.floats(0.0, 50.0), min_size=KNOWN, max_size=KNOWN)


def judged(before: list[float], after: list[float], order: list[int]) -> Verdict:
    """Judge by losses, with the rows of the challenger and of both models' PL peaks in an order."""
    places = np.array(order)
    champion = model(PAPERS, "pl", loss=np.array(before))
    challenger = model([*PAPERS], "pl", loss=np.array(after))
    turned = [
        replace(one, scores={**one.scores, "pl": one.scores["pl"].take(places)})
        for one in (champion, challenger)
    ]
    other = {name: own.take(places[::-1]) for name, own in turned[1].scores.items()}
    return judge(turned[0], replace(turned[1], scores=other), unseen())


@settings(deadline=None, max_examples=25)
@given(losses, losses, st.permutations(range(KNOWN)))
def test_a_verdict_does_not_depend_on_the_order_of_rows(
    before: list[float], after: list[float], order: list[int]
) -> None:
    first, second = judged(before, after, list(range(KNOWN))), judged(before, after, order)
    assert first.promote == second.promote
    assert names_of(first) == names_of(second)
    found = [verdict.comparisons[0].better_by for verdict in (first, second)]
    assert found[0] == pytest.approx(found[1])


@settings(deadline=None, max_examples=25)
@given(losses, losses)
def test_a_verdict_is_the_same_when_it_is_asked_again(
    before: list[float], after: list[float]
) -> None:
    order = list(range(KNOWN))
    first, second = judged(before, after, order), judged(before, after, order)
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())


@settings(deadline=None, max_examples=25)
@given(losses)
def test_a_challenger_that_is_better_everywhere_is_never_worse(before: list[float]) -> None:
    after = [loss * 0.9 for loss in before]
    assert names_of(judged(before, after, list(range(KNOWN)))) == []


# Renamed papers, few papers ------------------------------------------------------------------


def test_a_study_under_another_name_is_no_new_one() -> None:
    changes = Changes.between(
        {"a": "1", "review": "2"}, {"a": "1", "own": "3"}, {"own": {"review"}}
    )
    assert changes == Changes((), ("own",), ("review",))


def test_one_paper_alone_cannot_surprise() -> None:
    few = replace(scores(["newest"]), score=np.array([1000.0]))
    verdict = judge(model(PAPERS), model([*PAPERS, "newest"]), {**unseen(), "pl": few})
    assert verdict.promote
    new = verdict.comparisons[0].new
    assert new is not None
    assert not new.can_surprise
    assert new.least_surprise == pytest.approx(1 / (KNOWN + 1))
    assert "not tested: with so few new papers no p is below" in verdict.comparisons[0].new_line()


def test_rows_that_one_side_lacks_are_not_compared() -> None:
    fewer = model([*PAPERS[1:], "newest"])
    challenger = replace(fewer, digests=model([*PAPERS, "newest"]).digests)
    assert judge(model(PAPERS), challenger, unseen()).comparisons[0].papers == KNOWN - 1


def test_a_target_without_known_papers_decides_nothing() -> None:
    fresh = dict.fromkeys(PAPERS, "2")
    replaced = replace(model(PAPERS), digests=fresh)
    verdict = judge(model(PAPERS), replaced, unseen())
    assert {one.papers for one in verdict.comparisons} == {0}
    assert verdict.promote
