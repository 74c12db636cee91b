"""The whole source: documented, typed, quiet; and the public calls."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import perovshell
from perovshell.model import Model

SOURCE = Path(perovshell.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
SERVED = ("cli", "serve/service", "client")
"""Parts whose users are at a command line: it is what starts the service and makes its keys."""
LIBRARY = [path for path in MODULES if not path.relative_to(SOURCE).as_posix().startswith(SERVED)]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(tree: ast.Module) -> Iterator[Definition]:
    """Yield the public classes and functions of a module, and the public methods."""
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield inner


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_everything_public_is_documented_and_typed(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in public(tree):
        assert ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef):
            assert node.returns is not None, f"{node.name} has no return type"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_library_never_prints_nor_unpickles(path: Path) -> None:
    names = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "print" not in names
    imported = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
    assert not {"pickle", "joblib", "cloudpickle", "dill"} & set(imported) - _allowed(path)


def _allowed(path: Path) -> set[str]:
    """Return what may import joblib, to run folds in processes, and pickle, for its own copies."""
    runs_folds = {"nested.py", "pairs.py", "power.py", "simulation.py"}
    hands_over = {"supervisor.py", "worker.py"}  # A model, by a file that has no name.
    return (
        {"joblib"} if path.name in runs_folds else {"pickle"} if path.name in hands_over else set()
    )


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(SOURCE)))
def test_messages_name_arguments_and_methods_not_options_and_commands(path: Path) -> None:
    tree = ast.parse(path.read_text())
    statements = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        and node not in statements  # docstrings
    ]  # fmt: skip
    # What MLflow shows to people says both.
    if path.name not in {"note.py", "version_notes.py"}:
        assert [text for text in texts if re.search(r"(^|\s)--[a-z]|'perovshell ", text)] == []


def test_public_names_resolve() -> None:
    for name in perovshell.__all__:
        assert getattr(perovshell, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = perovshell.nothing


def test_a_data_frame_comes_back_with_its_index(model: Model) -> None:
    given = pd.DataFrame(
        {"core": ["CsPbBr3", "FAPbBr3"], "shell": ["SiO2", "PMMA"]}, index=["first", "second"]
    )
    answers = model.predict(given)
    assert isinstance(answers, pd.DataFrame)
    assert list(answers.index) == ["first", "second"]
    rows = model.predict(given.to_dict(orient="records"))
    # A cell of a table is one text.
    texts = [
        {name: " | ".join(cell) if isinstance(cell, list) else cell for name, cell in row.items()}
        for row in rows
    ]
    assert answers.to_dict(orient="records") == texts
