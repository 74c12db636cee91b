"""Out-of-fold scores: stored by the validation, and made for papers a model never saw."""

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.model import Model
from perovshell.models.folder import read_validation
from perovshell.targets.declared import TARGETS
from perovshell.training.train import TrainedModel, problems_of
from perovshell.training.validation.out_of_fold_scores import (
    OutOfFoldScores,
    ValidationRecord,
    prospective,
    row_names,
    validated,
)


def test_the_marks_in_the_folder_are_those_of_the_validation(trained: TrainedModel):
    stored = ValidationRecord.from_arrays(read_validation(trained.folder))
    assert stored.digests == trained.validated.digests
    for name in TARGETS:
        for column in OutOfFoldScores.__dataclass_fields__:
            kept, made = (getattr(one.scores[name], column) for one in (stored, trained.validated))
            np.testing.assert_array_equal(kept, made)


def test_marks_agree_with_the_figures(trained: TrainedModel):
    figures = trained.info["figures"]
    for name in ("pl", "plqy"):
        marks = trained.validated.scores[name]
        assert marks.loss.mean() == pytest.approx(figures[f"{name}.paper.all.mae"])
    for name in ("lifetime", "gain"):
        marks = trained.validated.scores[name]
        papers = sorted(set(marks.papers.tolist()))
        means = [
            np.average(marks.loss[marks.papers == p], weights=marks.share[marks.papers == p])
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


def test_a_model_marks_papers_as_it_answers_them(
    dataset: Dataset, trained: TrainedModel, model: Model
):
    marks = prospective(dataset, trained.problems, model.predictor, {"hu2018"})
    answers = model.predict(
        [{"core": "CsPbBr3", "shell": "Ta2O5", "structure": "janus",
          "encapsulation": "single-particle", "medium": "solution"}]
    )  # fmt: skip
    (place,) = marks["pl"].index_of(["hu2018-CsPbBr3-Ta2O5"])
    assert marks["pl"].loss[place] == pytest.approx(abs(answers[0]["pl_peak_nm"] - 519), abs=1e-2)
    low, high = (answers[0][f"pl_peak_nm_{end}"] for end in ("lower", "upper"))
    assert marks["pl"].width[place] == pytest.approx(high - low, abs=1e-2)
    assert bool(marks["pl"].covered[place]) == (low <= 519 <= high)
    assert len(marks["lifetime"].rows) == 8
    assert np.isnan(marks["lifetime"].score).all()


def test_out_of_the_domain_there_is_no_score(dataset: Dataset, trained: TrainedModel, model: Model):
    lead_free = trained.problems.points["pl"].subsets["lead_free"]
    papers = set(trained.problems.points["pl"].papers[lead_free].tolist())
    marks = prospective(dataset, trained.problems, model.predictor, papers)["pl"]
    assert len(marks.rows)
    assert np.isnan(marks.score).all()
    assert np.isfinite(marks.loss).all()


def test_papers_without_rows_of_a_target_have_no_marks(
    dataset: Dataset, trained: TrainedModel, model: Model
):
    marks = prospective(dataset, trained.problems, model.predictor, {"henke2025"})
    assert {name: len(one.rows) for name, one in marks.items()} == dict.fromkeys(TARGETS, 0)


def test_marks_of_a_smaller_dataset_differ_only_in_what_was_learned(
    dataset: Dataset, trained: TrainedModel
):
    again = validated(dataset, trained.problems, trained.results)
    np.testing.assert_array_equal(again.marks["pl"].loss, trained.validated.scores["pl"].loss)
