"""The prospective record: papers of a round, predicted before they are seen."""

import json
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.research import prospective as module
from perovshell.research.prospective import ProspectiveRecord, concordances, record, steps
from perovshell.training.fit.problems import LifetimeProblem
from perovshell.training.train import QUICK, TrainedModel, train
from perovshell.training.validation.nested import Problems

SMALL = replace(QUICK, folds=2, baseline_trees=2)


def of_round(dataset: Dataset, number: int) -> list[str]:
    return [name for name, paper in dataset.papers.items() if paper.round == number]


@dataclass
class Run:
    """A record, the papers that its model was trained on, the model, and the folds reported."""

    record: ProspectiveRecord
    trained_on: list[set[str]]
    model: Model
    steps: int


@pytest.fixture(scope="module")
def run(few_papers: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    kept = tmp_path_factory.mktemp("prospective") / "model"
    trained_on: list[set[str]] = []
    advanced: list[int] = []

    def watched(dataset: Dataset, *rest: object) -> TrainedModel:
        trained_on.append(set(dataset.papers))
        trained = train(dataset, *rest)
        shutil.copytree(trained.folder, kept / trained.folder.name)
        return trained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "train", watched)
        recorded = record(few_papers, 2, SMALL, lambda: advanced.append(1))
    (folder,) = kept.iterdir()
    return Run(recorded, trained_on, Model.from_folder(folder), len(advanced))


def request(sample: Sample) -> dict[str, object]:
    """Return the request for a sample of exact core."""
    names = ("structure", "encapsulation", "medium", "morphology", "core_size_nm")
    treatments = {kind: "Zr" if kind == "dopant" else "DDAB" for kind in sample.treatments}
    known = {name: getattr(sample, name) for name in names}
    return {"core": sample.core.formula, "shell": sample.shell, **known, **treatments}


def samples_of(dataset: Dataset, *, quality: str | None = None) -> list[Sample]:
    """Return the samples of the second round with a band-edge PL peak, of a quality or any."""
    papers = set(of_round(dataset, 2))
    return [
        sample
        for sample in dataset.samples.values()
        if sample.paper_id in papers
        and sample.role == "core"
        and sample.core is not None
        and np.isfinite(sample.pl_peak.value)
        and sample.pl_peak.bound in ("", "~")
        and quality in (None, sample.pl_peak.quality)
    ]


# What is trained on --------------------------------------------------------------------------


def test_the_model_is_trained_on_the_rounds_before_alone(few_papers: Dataset, run: Run) -> None:
    assert run.trained_on == [set(of_round(few_papers, 1))]
    assert run.record.trained_on == run.model.info.dataset["papers"] == len(of_round(few_papers, 1))


def test_no_sample_of_the_round_is_literature_of_the_model(few_papers: Dataset, run: Run) -> None:
    known = {row["paper_id"] for row in run.model.predictor.literature.samples}
    assert known
    assert not known & set(of_round(few_papers, 2))


def test_the_record_counts_its_papers(few_papers: Dataset, run: Run) -> None:
    assert (run.record.round, run.record.papers) == (2, len(of_round(few_papers, 2)))


def test_all_announced_steps_are_reported(few_papers: Dataset, run: Run) -> None:
    assert run.steps == steps(few_papers, 2, SMALL)


@pytest.mark.parametrize("number", [1, 3, 0])
def test_a_round_without_papers_or_without_earlier_ones_is_refused(
    few_papers: Dataset, number: int
) -> None:
    words = f"round {number}: papers of it and of earlier ones are needed; rounds: 1, 2"
    with pytest.raises(InputError, match=words):
        record(few_papers, number, SMALL)


# Figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subset", "quality"), [("all", None), ("second_hand", "second-hand")])
def test_errors_are_those_of_the_answers_of_the_model(
    few_papers: Dataset, run: Run, subset: str, quality: str | None
) -> None:
    samples = samples_of(few_papers, quality=quality)
    answers = run.model.predict([request(sample) for sample in samples])
    seen = np.array([sample.pl_peak.value for sample in samples])
    papers = np.array([sample.paper_id for sample in samples])
    error = np.abs([answer["pl_peak_nm"] for answer in answers] - seen)
    inside = [a["pl_peak_nm_lower"] <= x <= a["pl_peak_nm_upper"]
              for a, x in zip(answers, seen, strict=True)]  # fmt: skip
    by_paper = [error[papers == paper].mean() for paper in set(papers.tolist())]
    covered = [np.array(inside)[papers == paper].mean() for paper in set(papers.tolist())]
    get = {name: run.record.figures[f"pl.{subset}.{name}"] for name in
           ("n", "papers", "mae", "median", "mae_by_paper", "coverage")}  # fmt: skip
    assert (get["n"], get["papers"]) == (len(samples), len(by_paper))
    assert get["mae"] == pytest.approx(error.mean(), abs=1e-2)
    assert get["median"] == pytest.approx(np.median(error), abs=1e-2)
    assert get["mae_by_paper"] == pytest.approx(np.mean(by_paper), abs=1e-2)
    assert get["coverage"] == pytest.approx(np.mean(covered))


def test_the_median_of_the_round_is_what_it_could_know_at_best(
    few_papers: Dataset, run: Run
) -> None:
    """As energies are ordered the other way round, of an even number the longer one counts."""
    seen = np.sort([sample.pl_peak.value for sample in samples_of(few_papers)])
    expected = np.abs(seen - seen[len(seen) // 2]).mean()
    assert run.record.figures["pl.all.mae_of_median"] == pytest.approx(expected)


def test_subsets_divide_the_rows(run: Run) -> None:
    figures = run.record.figures
    for target in ("pl", "plqy"):
        parts = [figures.get(f"{target}.{end}_hand.n", 0.0) for end in ("first", "second")]
        assert sum(parts) == figures[f"{target}.all.n"]
        assert figures[f"{target}.coated.n"] < figures[f"{target}.all.n"]


def test_lifetimes_are_counted_once_an_experiment(few_papers: Dataset, run: Run) -> None:
    papers = set(of_round(few_papers, 2))
    sides = {
        (test.experiment, coated)
        for test in few_papers.tests
        if test.sample.paper_id in papers
        for coated, reading in ((True, test.coated), (False, test.bare))
        if reading.is_given and np.isfinite(reading.duration_h)
    }
    figures = run.record.figures
    assert figures["lifetime.all.n"] == pytest.approx(len(sides))
    assert 0.0 <= figures["lifetime.all.coverage_certain"] <= 1.0


def lifetimes(problems: Problems, sides: list[tuple[str, bool, float, float]]) -> LifetimeProblem:
    """Return sides of tests of a stressor, coated or not, of a lifetime in h and a share."""
    stressors, coated, hours, share = (np.array(column) for column in zip(*sides, strict=True))
    rows = problems.stability.lifetime.take(np.arange(len(sides)))
    return replace(rows, stressors=stressors, is_coated=coated, low=hours, high=hours, share=share)


SIDES = [
    ("water", True, 100.0, 1.0),
    ("water", True, 10.0, 1.0),
    ("water", False, 1.0, 1.0),
    ("light", True, 1000.0, 1.0),
]


def test_each_comparable_pair_counts_once(problems: Problems) -> None:
    """Of six pairs three are in water, of which the one of two coated sides is in wrong order."""
    logs = np.array([2.0, 3.0, 1.0, 0.0])
    assert concordances("x", lifetimes(problems, SIDES), logs) == pytest.approx(
        {
            "x.concordance": 2 / 6,
            "x.concordance_within": 2 / 3,
            "x.concordance_coated": 0.0,
        }
    )


@pytest.mark.parametrize("repeated", range(4))
def test_tests_of_one_experiment_count_as_one(problems: Problems, repeated: int) -> None:
    logs = np.array([2.0, 3.0, 1.0, 0.0])
    stressor, is_coated, hours, _ = SIDES[repeated]
    half = (stressor, is_coated, hours, 0.5)
    sides = [half if row == repeated else side for row, side in enumerate(SIDES)]
    twice = concordances("x", lifetimes(problems, [*sides, half]), np.append(logs, logs[repeated]))
    assert twice == pytest.approx(concordances("x", lifetimes(problems, SIDES), logs))


def test_without_comparable_pairs_there_is_no_concordance(problems: Problems) -> None:
    one = lifetimes(problems, SIDES[:1])
    assert set(concordances("x", one, np.zeros(1)).values()) == {None}


def test_json_has_no_nan(run: Run) -> None:
    """Where nothing can be compared a figure is None."""
    data = json.loads(json.dumps(run.record.to_json(), allow_nan=False))
    assert data["figures"]["pl.all.mae"] == run.record.figures["pl.all.mae"]


# Lines ---------------------------------------------------------------------------------------


def test_lines_say_the_figures() -> None:
    figures = {
        **{f"pl.all.{name}": value for name, value in (("mae", 9.04), ("median", 7.0),
           ("mae_by_paper", 8.5), ("mae_of_median", 31.0), ("r2", None), ("coverage", 0.91),
           ("n", 12.0), ("papers", 1.0))},
        "lifetime.all.n": 5.0,
        "lifetime.all.papers": 2.0,
        "lifetime.all.concordance_within": None,
        "lifetime.all.concordance_coated": 0.62,
        "lifetime.all.coverage_certain": 0.8,
        "gain.all.n": 0.0,
        "gain.all.papers": 0.0,
    }  # fmt: skip
    assert ProspectiveRecord(2, 14, 63, figures).lines() == [
        "Round 2: 14 papers, predicted by a model of the 63 papers of the rounds before",
        (
            "pl.all: MAE 9.04 (median 7, by paper 8.5; median of the round: 31), R2 ?, "
            "coverage 0.91 (12 rows, 1 paper)"
        ),
        (
            "lifetime: concordance within a stressor ?, coated against coated 0.62; lower bounds "
            "hold certainly 0.8 (5 rows, 2 papers)"
        ),
    ]


def test_every_subset_has_its_line(run: Run) -> None:
    lines = run.record.lines()
    subsets = [name.removesuffix(".mae") for name in run.record.figures if name.endswith(".mae")]
    assert [line.split(":")[0] for line in lines[1 : len(subsets) + 1]] == subsets
    assert lines[len(subsets) + 1].startswith("lifetime: concordance within a stressor")
