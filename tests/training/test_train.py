"""A training run: reproducible, and validated against what it must beat."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.models.card import card_lines
from perovshell.training.train import QUICK, TrainedModel, problems_of, train, validation_steps


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


UNMEASURED_PROCESSES = True


@pytest.fixture(scope="module")
def steps() -> list[int]:
    return []


@pytest.fixture(scope="module")
def of_few_papers(
    few_papers: Dataset, steps: list[int], tmp_path_factory: pytest.TempPathFactory
) -> TrainedModel:
    return train(few_papers, tmp_path_factory.mktemp("few"), QUICK, lambda: steps.append(1))


def test_one_process_gives_the_bytes_of_two(
    few_papers: Dataset, of_few_papers: TrainedModel, tmp_path: Path
) -> None:
    again = train(few_papers, tmp_path, replace(QUICK, jobs=2))
    assert again.model_id == of_few_papers.model_id
    assert contents(again.folder) == contents(of_few_papers.folder)


def test_another_seed_is_another_model(
    few_papers: Dataset, of_few_papers: TrainedModel, tmp_path: Path
) -> None:
    other = train(few_papers, tmp_path, replace(QUICK, seed=1))
    assert other.model_id != of_few_papers.model_id


def test_all_announced_steps_are_reported(
    few_papers: Dataset, of_few_papers: TrainedModel, steps: list[int]
) -> None:
    """Fits forward in time and those that calibrate them included."""
    assert len(steps) == validation_steps(few_papers, QUICK)
    forward = [key for key in of_few_papers.info["figures"] if ".time." in key]
    assert forward
    assert len(steps) > 3 * QUICK.folds


def test_no_half_written_folder_is_left(trained: TrainedModel) -> None:
    names = {path.name for path in trained.folder.parent.iterdir()}
    assert not [name for name in names if name.startswith(".")]


def test_every_row_is_predicted_by_a_model_that_did_not_see_its_paper(
    trained: TrainedModel,
) -> None:
    for result in trained.results.values():
        assert np.isfinite(result.model).all()


def test_pl_beats_the_median_dummy_beyond_doubt(trained: TrainedModel) -> None:
    figures = trained.info["figures"]
    assert figures["dummy.pl.paper.all.mae_difference_lo"] > 0
    assert trained.info["skill"]["pl"]["has_skill"] is True


def test_a_gain_model_without_skill_says_so(trained: TrainedModel) -> None:
    verdict = trained.info["skill"]["gain"]
    assert verdict["has_skill"] is False
    assert "no skill over the null model" in verdict["sentence"]
    assert 0.0 <= verdict["slope"] <= 1.0


def test_figures_are_named_target_split_subset_figure(trained: TrainedModel) -> None:
    name = re.compile(
        r"((dummy|neighbour|forest|extra_trees|vegard|prior|trees|null|linear|duration)\.)?"
        r"(pl|plqy|lifetime|gain)\.(paper|time)\."
        r"(all|lead_no_cspbcl3|coated|lead_free|first_hand)\.[a-z0-9_]+"
    )
    assert [key for key in trained.info["figures"] if not name.fullmatch(key)] == []


def test_what_the_folder_says_of_itself(trained: TrainedModel, dataset: Dataset) -> None:
    assert trained.info["dataset"]["hash"] == dataset.content_hash
    assert "jobs" not in trained.info["settings"]
    assert trained.info["settings"]["versions"]["xgboost"]


def test_the_training_rows_are_described_by_the_tables_of_the_dataset(dataset: Dataset) -> None:
    """The content hash covers them, so a corrected band gap must reach the model."""
    gap = {"band_gap_ev": "2.5"}
    cores = [row | (gap if row["formula"] == "CsPbBr3" else {}) for row in dataset.cores]
    corrected = replace(dataset, cores=tuple(cores))
    before, after = (problems_of(data).featurizer for data in (dataset, corrected))
    core = before.reader.read_many(["CsPbBr3"])
    column = before.names.index("bulk gap by Vegard")
    assert before.core_block(core)[0, column] == 2.36
    assert after.core_block(core)[0, column] == 2.5


@pytest.mark.parametrize(
    "words", ["PL peak, all", "against the median", "Lifetime", "Stability gain", "no skill"]
)
def test_the_summary_says_the_headline(trained: TrainedModel, words: str) -> None:
    assert words in "\n".join(card_lines(trained.info))
