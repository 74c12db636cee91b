"""The promotion check refuses simulated false papers and promotes clean ones."""

from collections.abc import Mapping

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.research.power import (
    LiteratureSimulator,
    Power,
    draw_residuals,
    promotion_power,
    residuals_by_paper,
    with_false_papers,
)
from perovshell.training.validation.nested import Settings

UNMEASURED_PROCESSES = True

SHORT = Settings(folds=4, repeats=1, boosters=1, jobs=1)


@pytest.fixture(scope="module")
def papers(dataset: Dataset) -> Dataset:
    """Each second paper, and two that the tests name: drawn and trained on sooner."""
    return dataset.subset({*sorted(dataset.papers)[::2], "hu2018", "commphys2023"})


@pytest.fixture(scope="module")
def simulator(papers: Dataset) -> LiteratureSimulator:
    return LiteratureSimulator.of(papers, SHORT)


@pytest.fixture(scope="module")
def watched() -> list[list[Power]]:
    """Tables that are filled while the simulation runs."""
    return []


@pytest.fixture(scope="module")
def powers(simulator: LiteratureSimulator, watched: list[list[Power]]) -> Mapping[float, Power]:
    results = promotion_power(6, 10, (0.0, 1.0), simulator=simulator, watch=watched.append)
    return {power.share: power for power in results}


def test_false_papers_are_refused_more_often_than_clean_ones(
    powers: Mapping[float, Power],
) -> None:
    # Of six draws with false papers five are refused, of the clean ones none.
    assert powers[1.0].refused > powers[0.0].refused


def test_refusals_have_their_reasons(powers: Mapping[float, Power]) -> None:
    for power in powers.values():
        refused = round(power.refused * power.draws)
        assert max(power.reasons.values(), default=0) <= refused <= sum(power.reasons.values())


def test_each_draw_is_reported(powers: Mapping[float, Power], watched: list[list[Power]]) -> None:
    assert [table[0].draws for table in watched] == [1, 2, 3, 4, 5, 6]
    assert watched[-1] == list(powers.values())


def test_a_figure_does_not_depend_on_processes_or_other_shares(
    powers: Mapping[float, Power], watched: list[list[Power]], simulator: LiteratureSimulator
) -> None:
    alone = promotion_power(1, 10, (1.0,), jobs=1, simulator=simulator)
    assert alone == watched[0][1:]


# Draws ---------------------------------------------------------------------------------------


def test_a_drawn_literature_is_as_far_from_its_truth_as_the_real_one(dataset: Dataset) -> None:
    """In the middle: tails differ from draw to draw."""
    simulator = LiteratureSimulator.of(dataset, SHORT)
    truth, problem = simulator.truths["plqy"], simulator.problems.points["plqy"]
    random = np.random.default_rng(1)
    drawn = [simulator.draw(random).points["plqy"].target - truth.value for _ in range(20)]
    real = np.median(np.abs(problem.target - truth.value))
    assert np.median(np.abs(drawn)) == pytest.approx(real, rel=0.5)


def test_drawn_values_stay_within_those_printed(simulator: LiteratureSimulator) -> None:
    simulated = simulator.draw(np.random.default_rng(2))
    for name in ("pl", "plqy"):
        real, drawn = (problems[name].target for problems in (simulator.problems, simulated))
        assert real.min() <= drawn.min() < drawn.max() <= real.max()


def test_rows_of_a_drawn_paper_share_an_effect() -> None:
    papers = np.repeat(np.arange(40), 5).astype(str)
    effect = np.repeat(np.random.default_rng(3).normal(size=40), 5)
    noise = 0.1 * np.random.default_rng(4).normal(size=200)
    residuals = residuals_by_paper(effect + noise, papers, np.ones(200, dtype=bool))
    random = np.random.default_rng(5)
    drawn = np.array([draw_residuals(residuals, 5, random) for _ in range(300)])
    assert drawn.mean(axis=1).std() == pytest.approx(effect.std(), rel=0.15)
    assert drawn.std(axis=1).mean() == pytest.approx(0.1, rel=0.3)


def test_a_paper_of_several_rows_draws_from_one_that_has_noise() -> None:
    papers = np.array(["a", "b", "c", "c"])
    residuals = residuals_by_paper(np.array([5.0, -5.0, 1.0, -1.0]), papers, np.ones(4, dtype=bool))
    drawn = draw_residuals(residuals, 50, np.random.default_rng(6))
    assert set(drawn.tolist()) == {1.0, -1.0}


def test_only_papers_outside_collections_are_added(
    simulator: LiteratureSimulator, papers: Dataset
) -> None:
    assert not [name for name in simulator.addable if papers.in_collection(name)]
    of_stability = set(simulator.problems.stability.papers.tolist())
    assert not of_stability & set(simulator.addable)


# False papers --------------------------------------------------------------------------------


def test_a_false_paper_has_the_values_of_another(simulator: LiteratureSimulator) -> None:
    problem, paper, donor = simulator.problems.points["pl"], "hu2018", "commphys2023"
    false, source = (problem.papers == name for name in (paper, donor))
    changed = with_false_papers(simulator.problems, {paper: donor}).points["pl"]
    assert changed.target[false].tolist() == problem.target[source][: false.sum()].tolist()
    assert changed.target[source].tolist() == problem.target[source].tolist()


def test_two_papers_can_swap_their_values(simulator: LiteratureSimulator) -> None:
    problem, paper, donor = simulator.problems.points["pl"], "hu2018", "commphys2023"
    false, source = (problem.papers == name for name in (paper, donor))
    assert false.sum() < source.sum()
    changed = with_false_papers(simulator.problems, {paper: donor, donor: paper}).points["pl"]
    assert changed.target[false].tolist() == problem.target[source][: false.sum()].tolist()
    assert set(changed.target[source].tolist()) == set(problem.target[false].tolist())


def test_bounds_go_with_their_values(simulator: LiteratureSimulator) -> None:
    problem = simulator.problems.points["plqy"]
    donor = str(problem.papers[problem.bounds.index(">")])
    paper = next(name for name in simulator.addable if name in problem.papers and name != donor)
    changed = with_false_papers(simulator.problems, {paper: donor}).points["plqy"]
    first = int(np.flatnonzero(problem.papers == paper)[0])
    source = int(np.flatnonzero(problem.papers == donor)[0])
    assert changed.bounds[first] == problem.bounds[source]


def test_other_papers_keep_their_values(simulator: LiteratureSimulator) -> None:
    paper, donor = simulator.addable[:2]
    changed = with_false_papers(simulator.problems, {paper: donor})
    for name in ("pl", "plqy"):
        before, after = simulator.problems[name], changed[name]
        others = before.papers != paper
        assert np.array_equal(before.target[others], after.target[others])


# Figures -------------------------------------------------------------------------------------


def test_refusals_and_reasons_are_counted() -> None:
    power = Power.of(5, 0.4, [(), ("a", "b"), ("a",), ()])
    assert power.refused == 0.5
    assert power.reasons == {"a": 2, "b": 1}
    assert power.error == pytest.approx(np.sqrt(0.25 / 6))


def test_draws_that_agree_still_have_an_error() -> None:
    assert Power.of(5, 0.0, [()] * 38).error == pytest.approx(np.sqrt(39 / 40 / 40 / 40))


@pytest.mark.parametrize(
    ("draws", "added", "shares", "words"),
    [
        (0, 10, (0.0,), "at least one"),
        (1, 10, (), "at least one"),
        (1, 10, (1.5,), "from 0 to 1"),
        (1, 0, (0.0,), "papers can be held out"),
        (1, 10_000, (0.0,), "papers can be held out"),
    ],
)
def test_invalid_arguments_are_rejected(
    simulator: LiteratureSimulator, draws: int, added: int, shares: tuple[float, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        promotion_power(draws, added, shares, simulator=simulator)
