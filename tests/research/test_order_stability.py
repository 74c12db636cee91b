"""How far a paper or a laboratory moves the order of a ranking: known answers, what is left out."""

from pathlib import Path

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.errors import DesignSpaceError
from perovshell.model import Model
from perovshell.research.order_stability import Order, summary, with_laboratory, without_paper
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace
from perovshell.training.train import TrainedModel

SPACE = {"cores": ["CsPbBr3"], "shells": "all known", "pl_window_nm": [510, 530]}


def order(*scores: float) -> Order:
    return Order(tuple(map(str, range(len(scores)))), np.array(scores))


def test_orders_are_compared_by_rank() -> None:
    first = order(*np.linspace(0, 1, 20))
    assert first.correlation(order(*np.linspace(0, 1, 20) ** 3)) == pytest.approx(1.0)
    assert first.correlation(order(*np.linspace(1, 0, 20))) == pytest.approx(-1.0)
    assert order(1, 2, 2, 3).correlation(order(1, 3, 2, 4)) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert first.kept(first) == 10
    assert first.kept(order(*np.linspace(1, 0, 20))) == 0
    assert first.first[0] == "19"


def test_the_summary_has_the_lowest_correlation() -> None:
    text = summary([0.9, 0.99, 1.0], [7, 9, 10])
    assert "median 0.9900" in text
    assert "lowest 0.9000; of the first 10 stay 8.7 on average, at least 7" in text


@pytest.fixture(scope="module")
def space(model: Model) -> DesignSpace:
    return read_space(SPACE, model.predictor.featurizer.reader)


def test_a_space_of_which_nothing_is_left_has_no_order(model: Model) -> None:
    declaration = {**SPACE, "shells": ["PS"], "constraints": {"exclude": {"classes": ["polymer"]}}}
    space = read_space(declaration, model.predictor.featurizer.reader)
    with pytest.raises(DesignSpaceError, match="no combination satisfies the constraints"):
        Order.of(space, model)


def test_models_evidence_and_domains_of_a_paper_that_is_left_out_order_nothing(
    trained: TrainedModel, dataset: Dataset, model: Model, space: DesignSpace
) -> None:
    before = Order.of(space, model)
    without = without_paper(trained, dataset, "lta2021")
    assert "lta2021" not in {row["paper"] for row in without.predictor.literature.samples}
    effects = without.predictor.shell_evidence.fit("half-life", "water").effects.effects
    assert "shell:zeolite:LTA" not in effects
    assert (
        "shell:zeolite:LTA"
        in model.predictor.shell_evidence.fit("half-life", "water").effects.effects
    )
    (layer,) = model.predictor.featurizer.reader.read_shell("zeolite:LTA")
    fewer, everyone = (
        one.predictor.domains["PLQY"].class_papers.get(layer.material_class, 0)
        for one in (without, model)
    )
    assert fewer < everyone
    # What validation made stays.
    assert without.info.skill == model.info.skill
    after = Order.of(space, without)
    assert after.names == before.names
    assert 0.9 < before.correlation(after) < 1.0
    place = before.names.index("CsPbBr3 / zeolite:LTA")
    assert after.scores[place] < before.scores[place]


def test_a_laboratory_of_thirty_ordinary_samples_is_read(
    dataset: Dataset, model: Model, tmp_path: Path
) -> None:
    more = with_laboratory(dataset, model, tmp_path)
    samples = [one for one in more.samples.values() if one.paper_id == "laboratory"]
    assert len(samples) == 30
    tests = [test for test in more.tests if test.sample.paper_id == "laboratory"]
    gains = [test.gain() for test in tests]
    assert len(gains) == 30
    assert 2.0 < np.median([gain.low for gain in gains if gain is not None]) < 10.0
