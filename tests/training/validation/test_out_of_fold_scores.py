"""Out-of-fold scores: stored by the validation, and made for papers a model never saw."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.model import Model
from perovshell.models.censored import interval_log_likelihood
from perovshell.models.folder import read_validation
from perovshell.models.forest import Forest
from perovshell.models.mixed import MixedEffects
from perovshell.models.predictor import Predictor
from perovshell.targets.declared import TARGETS
from perovshell.training.fit.problems import GainProblem, LifetimeProblem
from perovshell.training.train import TrainedModel, problems_of
from perovshell.training.validation.out_of_fold_scores import (
    OutOfFoldScores,
    ValidationRecord,
    prospective,
    row_names,
    validated,
)


def test_the_scores_in_the_folder_are_those_of_the_validation(trained: TrainedModel):
    stored = ValidationRecord.from_arrays(read_validation(trained.folder))
    assert stored.digests == trained.validated.digests
    for name in TARGETS:
        for column in OutOfFoldScores.__dataclass_fields__:
            kept, made = (getattr(one.scores[name], column) for one in (stored, trained.validated))
            np.testing.assert_array_equal(kept, made)


def test_scores_agree_with_the_figures(trained: TrainedModel):
    figures = trained.info["figures"]
    for name in ("pl", "plqy"):
        scores = trained.validated.scores[name]
        assert scores.loss.mean() == pytest.approx(figures[f"{name}.paper.all.mae"])
    for name in ("lifetime", "gain"):
        scores = trained.validated.scores[name]
        papers = sorted(set(scores.papers.tolist()))
        means = [
            np.average(scores.loss[scores.papers == p], weights=scores.share[scores.papers == p])
            for p in papers
        ]
        assert -np.mean(means) == pytest.approx(figures[f"{name}.paper.all.log_likelihood"])


def test_rows_have_names_that_other_papers_do_not_change(dataset: Dataset, trained: TrainedModel):
    kept = set(dataset.papers) - {"hu2018", "alam2019"}
    part = dataset.subset(kept)
    problems = problems_of(part)
    for name in TARGETS:
        whole, some = trained.problems[name], problems[name]
        names = row_names(dataset, whole)
        assert len(set(names.tolist())) == len(names)
        of_kept = [row for row, p in zip(names, whole.papers, strict=True) if p in kept]
        assert of_kept == row_names(part, some).tolist()


def test_a_model_is_scored_by_its_answers(dataset: Dataset, trained: TrainedModel, model: Model):
    scores = prospective(dataset, trained.problems, model.predictor, {"hu2018"})
    answers = model.predict(
        [{"core": "CsPbBr3", "shell": "Ta2O5", "structure": "janus",
          "encapsulation": "single-particle", "medium": "solution"}]
    )  # fmt: skip
    (place,) = scores["pl"].index_of(["hu2018-CsPbBr3-Ta2O5"])
    assert scores["pl"].loss[place] == pytest.approx(abs(answers[0]["pl_peak_nm"] - 519), abs=1e-2)
    low, high = (answers[0][f"pl_peak_nm_{end}"] for end in ("lower", "upper"))
    assert scores["pl"].width[place] == pytest.approx(high - low, abs=1e-2)
    assert bool(scores["pl"].covered[place]) == (low <= 519 <= high)
    assert len(scores["lifetime"].rows) == 8
    assert np.isnan(scores["lifetime"].score).all()


def test_out_of_the_domain_there_is_no_score(dataset: Dataset, trained: TrainedModel, model: Model):
    pl, predictor = trained.problems.points["pl"], model.predictor
    papers = set(pl.papers[pl.subsets["lead_free"]].tolist())
    scores = prospective(dataset, trained.problems, predictor, papers)["pl"]
    items = dict(zip(pl.sample_ids, pl.items, strict=True))
    label = pl.spec.target.domain.label
    outside = [bool(predictor.outside_of(label, items[row])) for row in scores.rows.tolist()]
    assert outside[scores.rows.tolist().index("leng2018-Cs3Bi2Br9-SiO2")]
    assert not all(outside)
    assert np.isnan(scores.score).tolist() == outside
    assert np.isfinite(scores.loss).all()


def test_papers_without_rows_of_a_target_have_no_scores(
    dataset: Dataset, trained: TrainedModel, model: Model
):
    scores = prospective(dataset, trained.problems, model.predictor, {"henke2025"})
    assert {name: len(one.rows) for name, one in scores.items()} == dict.fromkeys(TARGETS, 0)


def test_scores_of_the_same_predictions_are_the_same(dataset: Dataset, trained: TrainedModel):
    again = validated(dataset, trained.problems, trained.results)
    np.testing.assert_array_equal(again.scores["pl"].loss, trained.validated.scores["pl"].loss)


# Thin stressors ------------------------------------------------------------------------------

PAPERS = {"water": 5, "light": 4}
"""Papers by stressor: of water there are enough, of light and all others too few."""


def with_coating(model: Model) -> Predictor:
    """Return a model of which a coating moves log lifetimes of 5 by 2; the null's of 1 by 0.5."""
    none, spreads = np.zeros((2, 2)), {"paper": 0.0, "test": 0.0}
    stability = replace(
        model.predictor.stability,
        null=MixedEffects({"mean:all": 1.0, "side:coated": 0.5}, none, spreads, 1.0),
        effects=MixedEffects({"mean:all": 5.0, "side:coated": 2.0}, none, spreads, 1.0),
        forest=Forest.none(),
        columns=np.zeros(0, np.intp),
        papers=PAPERS,
    )
    return replace(model.predictor, stability=stability)


def test_lifetimes_under_thin_stressors_are_scored_by_the_null_model(
    dataset: Dataset, trained: TrainedModel, model: Model
):
    predictor, problem = with_coating(model), trained.problems["lifetime"]
    null = np.where(problem.is_coated, 1.5, 1.0)
    full = np.where(problem.is_coated, 7.0, 5.0)
    expected = np.where(problem.stressors == "water", full, null)
    assert {"water", "light", "heat"} <= set(problem.stressors.tolist())
    scores = prospective(dataset, trained.problems, predictor, set(problem.papers.tolist()))
    assert scores["lifetime"].loss == pytest.approx(loss_of(problem, expected, 1.0))


def test_gains_under_thin_stressors_are_scored_by_the_null_model(
    dataset: Dataset, trained: TrainedModel, model: Model
):
    """Of two sides, each with its noise."""
    predictor, problem = with_coating(model), trained.problems["gain"]
    expected = np.where(problem.stressors == "water", 2.0, 0.5)
    assert {"water", "light"} <= set(problem.stressors.tolist())
    scores = prospective(dataset, trained.problems, predictor, set(problem.papers.tolist()))
    assert scores["gain"].loss == pytest.approx(loss_of(problem, expected, np.sqrt(2.0)))


def loss_of(
    problem: LifetimeProblem | GainProblem, log_value: np.ndarray, sigma: float
) -> np.ndarray:
    """Return minus the log likelihood of the intervals, widened by 1.5."""
    return -interval_log_likelihood(log_value, sigma, problem.low / 1.5, problem.high * 1.5)
