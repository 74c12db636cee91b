"""Drafts of the made-up abstracts: what is read, on which sample, and what stays open."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from perovshell.data.formula import FormulaReader
from perovshell.data.paper_file import read_yaml
from perovshell.drafting.draft import draft
from perovshell.errors import DocumentError, Fault

SCRIPT = Path(__file__).parents[2] / "scripts" / "draft_scores.py"
TEXTS = sorted((Path(__file__).parent / "texts").glob("*.txt"))
FORMULAS = FormulaReader.bundled()


@pytest.fixture(scope="module")
def scoring() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draft_scores", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["draft_scores"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("aspect", ["values", "sides", "stressors"])
def test_precision_comes_before_recall(scoring: ModuleType, aspect: str) -> None:
    score = scoring.scores(scoring.all_texts())[aspect]
    assert score.precision >= 0.95
    assert score.recall >= 0.70


def test_no_value_is_on_a_wrong_sample(scoring: ModuleType) -> None:
    wrong = [
        line
        for path in scoring.all_texts()
        for line in scoring.differences(path)
        if " wrong " in line
    ]
    assert wrong == []


def faults_of(document: str) -> tuple[Fault, ...]:
    try:
        read_yaml(document, "draft.yaml", FORMULAS)
    except DocumentError as error:
        return error.faults
    return ()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_draft_is_a_paper_file_but_for_required_keys(path: Path) -> None:
    faults = faults_of(draft(path.read_text(), paper_id=f"draft{path.stem}").yaml)
    assert all(fault.rule.startswith("missing") for fault in faults)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_the_summary_names_the_required_keys_that_are_empty(path: Path) -> None:
    drafted = draft(path.read_text())
    opened = drafted.summary.partition("to be filled in: ")[2].split(", ")
    missing = {fault.column.rpartition(".")[2] for fault in faults_of(drafted.yaml)}
    assert missing == {*opened}


def test_the_expected_facts_name_no_paper_that_is_not_there() -> None:
    assert [path.stem for path in TEXTS if not path.with_suffix(".yaml").exists()] == []
