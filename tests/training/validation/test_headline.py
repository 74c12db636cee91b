"""What has skill: the sign of the difference from the null model, by paper and forward in time."""

import math

import numpy as np
import pytest

from perovshell.targets.declared import TARGETS
from perovshell.training.validation.figures import Figures
from perovshell.training.validation.headline import report, skill
from perovshell.training.validation.nested import OutOfFold, Problems

KEYS = {
    "pl": "dummy.pl.{}.all.mae_by_group_difference",
    "plqy": "dummy.plqy.{}.all.mae_by_group_difference",
    "lifetime": "null.lifetime.{}.all.log_likelihood_difference",
    "gain": "null.gain.{}.all.log_likelihood_difference",
}


@pytest.fixture(scope="module")
def results(problems: Problems) -> dict[str, OutOfFold]:
    """Return predictions twice as far from the median as the values; of intervals any."""
    results = {}
    for name in TARGETS:
        if name in problems.points:
            target = problems.points[name].target
            predicted, others = np.median(target) + 2.0 * (target - np.median(target)), {}
        else:
            null = np.zeros(len(problems[name].papers))
            predicted, others = null + np.linspace(-1.0, 1.0, len(null)), {"null": null}
        results[name] = OutOfFold(predicted[None, :], others, [])
    return results


def figures(by_paper: tuple[float | None, ...], forward: float | None) -> Figures:
    """Return differences from the null model that are the same for all targets."""
    ends = zip(("_lo", "", "_hi"), by_paper, strict=True)
    figures = {key.format("paper") + end: value for end, value in ends for key in KEYS.values()}
    return figures | {key.format("time"): forward for key in KEYS.values()}


@pytest.mark.parametrize(
    ("by_paper", "forward", "has_skill"),
    [
        ((0.5, 1.0, 1.5), 0.3, True),
        ((0.5, 1.0, 1.5), -0.3, False),
        ((0.5, 1.0, 1.5), 0.0, False),
        ((0.5, 1.0, 1.5), None, True),
        ((-0.1, 1.0, 1.5), 0.3, False),
        ((-1.5, -1.0, -0.5), -0.3, False),
        ((None, None, None), 0.3, False),
    ],
    ids=["both", "worse later", "equal later", "not known later", "by chance", "worse", "unknown"],
)
def test_skill_needs_both_signs_where_both_are_known(
    problems: Problems,
    results: dict[str, OutOfFold],
    by_paper: tuple[float | None, ...],
    forward: float | None,
    *,
    has_skill: bool,
) -> None:
    verdicts = skill(problems, results, figures(by_paper, forward))
    assert set(verdicts) == set(TARGETS)
    for name, verdict in verdicts.items():
        assert verdict["has_skill"] is has_skill
        assert verdict["sentence"].startswith("better than" if has_skill else "no skill over")
        assert verdict["figure"] == KEYS[name].format("paper")


def test_the_sentence_says_both_differences(
    problems: Problems, results: dict[str, OutOfFold]
) -> None:
    verdicts = skill(problems, results, figures((0.5, 1.0, 1.5), -0.25))
    assert verdicts["pl"]["sentence"] == (
        "no skill over the median: MAE smaller by 1 nm, papers counting once (90 % interval of "
        "the difference 0.5 to 1.5); forward in time larger by 0.25 nm"
    )
    assert verdicts["gain"]["sentence"] == (
        "no skill over the null model: log likelihood higher by 1, papers counting once (90 % "
        "interval of the difference 0.5 to 1.5); forward in time lower by 0.25"
    )
    unknown = skill(problems, results, figures((0.5, 1.0, 1.5), None))
    assert unknown["plqy"]["sentence"].endswith("forward in time not known")


def test_one_target_is_judged_by_its_figures_alone(
    problems: Problems, results: dict[str, OutOfFold]
) -> None:
    all_good = figures((0.5, 1.0, 1.5), 0.3)
    worse = {**all_good, KEYS["gain"].format("time"): -0.3}
    verdicts = skill(problems, results, worse)
    assert [name for name in TARGETS if not verdicts[name]["has_skill"]] == ["gain"]


def test_shrinkage_is_the_slope_on_what_departs_from_the_null(
    problems: Problems, results: dict[str, OutOfFold]
) -> None:
    verdicts = skill(problems, results, figures((0.5, 1.0, 1.5), 0.3))
    for name in ("pl", "plqy"):
        assert verdicts[name]["slope"] == pytest.approx(0.5)
    for name in ("lifetime", "gain"):
        assert 0.0 <= verdicts[name]["slope"] <= 1.0
        assert math.isfinite(verdicts[name]["slope"])


@pytest.mark.parametrize("name", ["pl", "gain"])
def test_where_no_row_was_tested_there_is_a_count_and_no_figure(
    problems: Problems, name: str
) -> None:
    """As forward in time, where no gain was published in a year that is predicted."""
    problem, none = problems[name], np.zeros(0, np.intp)
    count = len(problem.papers)
    nothing = np.full(count, np.nan)
    others = dict.fromkeys(("difficulty", "sigma", "null", "null_sigma"), nothing)
    result = OutOfFold(nothing[None, :], others, [(np.arange(count), none)])
    figures = report(name, problem, result, "time")
    assert figures[f"{name}.time.all.n"] == 0.0
    assert figures[f"{name}.time.all.untested"] == count
    assert not [key for key in figures if key.endswith((".mae", ".log_likelihood"))]
