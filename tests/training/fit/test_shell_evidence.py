"""What papers measured of shells is fitted from tests and from left-out residuals."""

import dataclasses
import math

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.evidence.pooling import Value
from perovshell.models.shell_evidence import PLQY
from perovshell.training.fit.shell_evidence import fit_logarithms, fit_shell_evidence
from perovshell.training.train import TrainedModel


def values(**logs: list[float]) -> list[Value]:
    """Return exact values of shells, each of a paper of its own."""
    return [
        Value(
            math.exp(log), math.exp(log), "CsPbBr3", shell, "oxide", f"{shell}-{n}", f"{shell}-{n}"
        )
        for shell, some in logs.items()
        for n, log in enumerate(some)
    ]


def test_shells_are_pulled_towards_their_class_by_how_little_is_known_of_them() -> None:
    often = [5.0 + 0.1 * n for n in range(-4, 5)]
    fit = fit_logarithms(values(often=often, once=[5.0], low=[1.0, 1.2, 0.8], lower=[0.5, 0.7]))
    often, once, new = (fit.known_of("CsPbBr3", name, "oxide") for name in ("often", "once", "new"))
    assert 4.6 < often.mean < 5.2
    assert new.mean < once.mean < often.mean
    assert often.error < once.error < new.error
    assert often.at_least > once.at_least > new.at_least


def test_a_test_that_ended_before_the_sample_failed_counts_as_its_lower_end() -> None:
    exact = values(a=[3.0, 3.2], b=[1.0, 1.1])
    is_open = [dataclasses.replace(one, high=math.inf) for one in exact]
    fits = [fit_logarithms([one.at_least for one in some]) for some in (exact, is_open)]
    known = [fit.known_of("CsPbBr3", "a", "oxide").at_least for fit in fits]
    assert known[0] == pytest.approx(known[1])


def test_a_value_without_a_lower_end_pulls_down() -> None:
    some = values(a=[3.0, 3.2, 2.9], b=[3.1])
    low = dataclasses.replace(some[-1], low=0.0, high=math.exp(0.5))
    with_high, with_low = (
        fit_logarithms(one).known_of("CsPbBr3", "b", "oxide").mean
        for one in (some, [*some[:-1], low])
    )
    assert with_low < with_high


def test_the_plqy_is_what_papers_measured_beyond_their_left_out_prediction(
    trained: TrainedModel, dataset: Dataset
) -> None:
    problem = trained.problems.points["plqy"]
    predicted = trained.results["plqy"].model[0]
    evidence = fit_shell_evidence(dataset, problem, predicted)
    fit = evidence.fit(PLQY)
    silica = [row for row, shell in enumerate(problem.shells) if shell == "SiO2"]
    raised = np.array(predicted)
    raised[silica] -= 20.0
    more = fit_shell_evidence(dataset, problem, raised).fit(PLQY)
    before, after = (one.known_of("", "SiO2", "oxide").mean for one in (fit, more))
    assert 5.0 < after - before < 20.0
    assert evidence.usual_variance > 0.0


def test_an_open_core_is_no_other_core(trained: TrainedModel, dataset: Dataset) -> None:
    problem = trained.problems.points["plqy"]
    fit = fit_shell_evidence(dataset, problem, trained.results["plqy"].model[0]).fit(PLQY)
    assert "" in problem.cores
    names = [name for name in fit.effects.effects if name.startswith("combination:")]
    assert not any(name.startswith("combination: / ") for name in names)
    assert any("open core of" in name for name in names)


def test_papers_of_a_shell_are_those_with_open_cores_too(
    trained: TrainedModel, dataset: Dataset
) -> None:
    problem = trained.problems.points["plqy"]
    evidence = fit_shell_evidence(dataset, problem, trained.results["plqy"].model[0])
    assert evidence.papers["PAA-b-PS"] == ("review2021_ref37",)
    assert "none" not in evidence.papers
    # Few papers tested it under sonication, and no fit orders it: it was measured all the same.
    assert evidence.has("CsPbBr3", "SiO2", "gain", "sonication")
    assert evidence.fit("gain", "sonication") is None
