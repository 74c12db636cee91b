"""The model card: what it says of counts and rules is that of the model, or is left out."""

from collections.abc import Mapping
from typing import Any

import pytest

from perovshell.models.card import PAIRS, REGRESSIONS, card_lines
from perovshell.models.stability import INTERVAL_INFLATION
from perovshell.training.train import TrainedModel
from perovshell.training.validation.effects import pair_counts


def card(info: Mapping[str, Any], figures: Mapping[str, float], settings: Mapping[str, Any]) -> str:
    changed = {
        "figures": {**info["figures"], **figures},
        "settings": {**info["settings"], **settings},
    }
    return "\n".join(card_lines({"model_id": "0" * 12, **info, **changed}))


def test_pairs_are_those_of_the_model(trained: TrainedModel) -> None:
    figures = {PAIRS.format("pl"): 4.0, PAIRS.format("plqy"): 11.0}
    said = card(trained.info, figures, {})
    assert "of one paper: 4 for PL peak, 11 for PLQY. Its intervals" in said


def test_pairs_are_counted(trained: TrainedModel) -> None:
    counts = pair_counts(trained.problems.points)
    assert counts["plqy.paper.coated.pairs"] == 7
    assert counts["pl.paper.coated.pairs"] == 1


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (["pl"], "A tie goes to boosted trees for PL peak, to the simpler model otherwise."),
        (["pl", "plqy"], "boosted trees for PL peak and PLQY, to the simpler model otherwise."),
        ([], "A tie goes to the simpler model."),
    ],
)
def test_the_rule_of_ties_is_that_of_the_model(
    trained: TrainedModel, targets: list[str], words: str
) -> None:
    told = {
        name: {**own, "trees_win_ties": name in targets}
        for name, own in trained.info["settings"][REGRESSIONS].items()
    }
    assert words in card(trained.info, {}, {REGRESSIONS: told})


def test_what_a_model_does_not_say_is_left_out(trained: TrainedModel) -> None:
    unsaid = {PAIRS.format(name): None for name in ("pl", "plqy")}
    settings = {k: own for k, own in trained.info["settings"].items() if k != REGRESSIONS}
    said = card({**trained.info, "settings": settings}, unsaid, {})
    assert "A tie goes" not in said
    assert "of one paper. Its intervals" in said
    assert f"widened by a factor {INTERVAL_INFLATION:g} in scoring" in said
