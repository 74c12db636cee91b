"""Each split scheme leaves out what it is named after."""

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.research.evaluation.split_schemes import scheme_splits
from perovshell.training.validation.nested import Problem, Problems


def traits(problem: Problem, dataset: Dataset, name: str) -> list[set[str]]:
    samples = [dataset.samples[sample_id] for sample_id in problem.sample_ids]
    if name == "shell_class":
        return [{layer.material_class for layer in sample.layers} for sample in samples]
    return [
        {symbol for symbol, _ in sample.core.amounts} if sample.core else set()
        for sample in samples
    ]


@pytest.mark.parametrize("target", ["pl", "plqy", "lifetime"])
def test_random_tests_each_row_once(problems: Problems, dataset: Dataset, target: str) -> None:
    problem = problems[target]
    splits = scheme_splits("random", problem, dataset, 7)
    tested = np.concatenate([test for _, test in splits])
    assert sorted(tested.tolist()) == list(range(len(problem.papers)))
    shared = [set(problem.papers[train]) & set(problem.papers[test]) for train, test in splits]
    assert any(shared)


@pytest.mark.parametrize("name", ["shell_class", "element"])
@pytest.mark.parametrize("target", ["pl", "plqy", "lifetime"])
def test_a_trait_that_is_left_out_is_not_in_the_training_rows(
    problems: Problems, dataset: Dataset, target: str, name: str
) -> None:
    problem = problems[target]
    row_traits = traits(problem, dataset, name)
    splits = scheme_splits(name, problem, dataset, 20)
    assert splits
    for train, test in splits:
        assert not set(problem.papers[train]) & set(problem.papers[test])
        left_out = set.intersection(*(row_traits[row] for row in test))
        trained = set().union(*(row_traits[row] for row in train))
        assert left_out - trained
