"""The model card: its counts and rules are those of the model, or are left out."""

from collections.abc import Mapping
from typing import Any

from perovshell.models.card import PAIRS, card_lines
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
    lines = card(trained.info, figures, {})
    assert "of one paper: 4 for PL peak, 11 for PLQY. Its intervals" in lines


def test_pairs_are_counted(trained: TrainedModel) -> None:
    counts = pair_counts(trained.problems.points)
    assert counts["plqy.paper.coated.pairs"] == 14
    assert counts["pl.paper.coated.pairs"] == 9


def test_the_rule_of_ties_is_told(trained: TrainedModel) -> None:
    lines = card(trained.info, {}, {})
    assert "Boosted trees are left out only where they are significantly worse." in lines


def test_pairs_that_were_not_counted_are_left_out(trained: TrainedModel) -> None:
    lines = card(trained.info, {PAIRS.format(name): None for name in ("pl", "plqy")}, {})
    assert "of one paper. Its intervals" in lines
    assert f"widened by a factor {INTERVAL_INFLATION:g} in scoring" in lines
