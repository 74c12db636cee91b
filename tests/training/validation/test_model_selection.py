"""Trees are used unless they are shown to be worse: a tie goes to them."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.training.validation.model_selection import choose_variants, in_variant, sentences_of
from perovshell.training.validation.nested import OutOfFold, Problems


def predictions(problems: Problems, trees: float, simpler: float) -> dict[str, OutOfFold]:
    """Predictions that are off by so much, with and without trees."""
    results = {}
    for name, unit in (("pl", 0.01), ("plqy", 1.0)):
        target = problems[name].target
        sign = np.where(target > np.median(target), -1.0, 1.0) * unit
        others = {"prior": target + sign * simpler, "prior_difficulty": np.full(len(target), 2.0)}
        others |= {"difficulty": np.ones(len(target))}
        results[name] = OutOfFold((target + sign * trees)[None, :], others, [])
    for name, rows in problems.intervals.items():
        middle = np.log(np.where(rows.low > 0, rows.low, 1.0))
        others = {"linear": middle + simpler, "sigma": np.ones(len(middle))}
        others |= {"linear_sigma": np.full(len(middle), 1.0)}
        steps = {"model": np.zeros((1, 1)), "linear": np.ones((1, 1)), "null": np.zeros((1, 1))}
        results[name] = OutOfFold((middle + trees)[None, :], others, [], steps)
    return results


@pytest.mark.parametrize(
    ("trees", "simpler", "expected"),
    [
        (3.0, 3.0, {"pl": True, "plqy": True, "lifetime": True}),
        (1.0, 9.0, {"pl": True, "plqy": True, "lifetime": True}),
        (9.0, 1.0, {"pl": False, "plqy": False, "lifetime": False}),
    ],
    ids=["tie", "trees win", "trees lose"],
)
def test_the_winner_is_used(
    problems: Problems, trees: float, simpler: float, expected: dict[str, bool]
) -> None:
    variants = choose_variants(problems, predictions(problems, trees, simpler))
    # Gains come from the model of the lifetimes.
    expected = {**expected, "gain": expected["lifetime"]}
    assert {name: variant.has_trees for name, variant in variants.items()} == expected
    for name, sentence in sentences_of(variants).items():
        assert ("not significant" in sentence) == (trees == simpler)
        assert sentence.startswith("boosted trees") == expected[name]


def test_the_simpler_variant_is_used_instead_of_the_model(problems: Problems) -> None:
    results = predictions(problems, 9.0, 1.0)
    found = in_variant(results, choose_variants(problems, results))
    assert found["plqy"].model[0].tolist() == results["plqy"].others["prior"].tolist()
    assert found["plqy"].others["difficulty"].tolist() == [2.0] * len(
        problems.points["plqy"].target
    )
    assert found["plqy"].others["trees"].tolist() == results["plqy"].mean.tolist()
    assert found["lifetime"].steps["model"].tolist() == [[1.0]]


def test_results_stay_as_they_are_where_trees_are_used(problems: Problems) -> None:
    results = predictions(problems, 1.0, 9.0)
    variants = choose_variants(problems, results)
    assert in_variant(results, variants)["pl"] is results["pl"]
    assert replace(variants["pl"], has_trees=False) != variants["pl"]
