"""What the documentation says: links, commands, figures. Its blocks are run apart."""

import ast
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import perovshell
from perovshell.cli import app
from perovshell.data.dataset import Dataset
from perovshell.training.train import recorded_settings
from perovshell.training.validation.nested import Settings

ROOT = Path(__file__).parents[1]
MADE_FROM_CODE = {"command-line.md"}
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if page.name not in MADE_FROM_CODE
)
RUN = {"sh", "python", "text", "yaml", "diff"}
"""Languages of blocks that conftest.py runs."""
FIGURES = json.loads((ROOT / "docs" / "figures" / "evaluation.json").read_text())
README_FIGURES = (
    (
        "PL peak, all ({pl.paper.all.n:.0f} rows, {pl.paper.all.papers:.0f} papers) "
        "| {pl.paper.all.mae:.1f} nm, median {pl.paper.all.median:.1f} "
        "| median {dummy.pl.paper.all.mae:.0f} nm, "
        "Vegard's rule {vegard.pl.paper.all.mae:.0f} nm "
        "| {pl.time.all.mae:.1f} nm |"
    ),
    (
        "outside the CsPbCl3 collection ({pl.paper.lead_no_cspbcl3.n:.0f} rows, "
        "{pl.paper.lead_no_cspbcl3.papers:.0f} papers) "
        "| {pl.paper.lead_no_cspbcl3.mae:.1f} nm, median {pl.paper.lead_no_cspbcl3.median:.1f} "
        "| random forest on magpie {forest.pl.paper.lead_no_cspbcl3.mae:.1f} nm "
        "| {pl.time.lead_no_cspbcl3.mae:.1f} nm, median {pl.time.lead_no_cspbcl3.median:.1f} |"
    ),
    (
        "PLQY ({plqy.paper.all.n:.0f} rows, {plqy.paper.all.papers:.0f} papers) "
        "| {plqy.paper.all.mae:.1f} points, R2 {plqy.paper.all.r2:.2f} "
        "| median {dummy.plqy.paper.all.mae:.1f};"
    ),
    (
        "| {plqy.time.all.mae:.1f} points, better by {dummy.plqy.time.all.mae_difference:.1f} "
        "[{dummy.plqy.time.all.mae_difference_lo:.1f}, "
        "{dummy.plqy.time.all.mae_difference_hi:.1f}] |"
    ),
    (
        "lifetime ({lifetime.paper.all.n:.0f} observations, "
        "{lifetime.paper.all.papers:.0f} papers) "
        "| concordance within a stressor {lifetime.paper.all.concordance_within:.2f} "
        "| stressor and side alone {null.lifetime.paper.all.concordance_within:.2f} |"
    ),
    (
        "stability gain ({gain.paper.all.n:.0f} tests, {gain.paper.all.papers:.0f} papers) "
        "| concordance {gain.paper.all.concordance:.2f} "
        "| {null.gain.paper.all.concordance:.2f} | no skill |"
    ),
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_of_a_kind_that_is_run(page: Path) -> None:
    fences = re.findall(r"^```(.*)$", page.read_text(), re.MULTILINE)
    opening = fences[::2]
    assert [kind for kind in opening if kind not in RUN and not kind.startswith("{")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [link.partition("#")[0] for link in links if "://" not in link]
    made = [link for link in local if Path(link).name not in MADE_FROM_CODE]
    assert [link for link in made if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_named_are_there(page: Path) -> None:
    for words in re.findall(r"`perovshell ([a-z][^`]*)`", page.read_text()):
        command = get_command(app)
        for word in words.split():
            if isinstance(command, typer.core.TyperGroup) and not word.startswith("-"):
                assert word.rstrip(",") in command.commands, words
                command = command.commands[word]
            elif word.startswith("--"):
                known = {option for one in command.params for option in one.opts}
                assert word.partition("=")[0] in known, words


SOURCE = Path(perovshell.__file__).parent
MODULE_NAMES = {found.name for found in pkgutil.walk_packages(perovshell.__path__, "perovshell.")}
DOTTED = re.compile(r"`([a-z_]\w*(?:\.\w+)*\.(?!csv|json|yaml|npz|md|html)\w+)(?:\(.*?\))?`")


def named_in(path: Path) -> Iterator[str]:
    """Yield what the docstrings of a file name in backticks by the path of a module."""
    package = ".".join(["perovshell", *path.relative_to(SOURCE).parent.parts])
    for node in ast.walk(ast.parse(path.read_text())):
        texts = node.value if isinstance(node, ast.Constant) else None
        for found in DOTTED.findall(texts) if isinstance(texts, str) else ():
            name = found.removeprefix("perovshell.")
            first = name.split(".")[0]
            for parent in ("perovshell", package):
                if f"{parent}.{first}" in MODULE_NAMES:
                    yield f"{parent}.{name}"
                    break


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_what_docstrings_name_by_its_module_is_there(path: Path) -> None:
    for name in named_in(path):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            pytest.fail(f"{name} is not there")


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        *(
            (f"pl.paper.{subset}", "nm")
            for subset in ("all", "lead_no_cspbcl3", "coated", "first_hand")
        ),
        *((f"plqy.paper.{subset}", "points") for subset in ("all", "coated", "first_hand")),
    ],
)
def test_the_table_of_the_validation_is_that_of_the_evaluation(key: str, unit: str) -> None:
    figures = FIGURES["figures"]

    def ends(name: str) -> str:
        return f"[{figures[f'{name}_lo']:.1f}, {figures[f'{name}_hi']:.1f}]"

    better = f"dummy.{key}.mae_difference"
    row = (
        f"| {figures[f'{key}.n']:.0f}, {figures[f'{key}.papers']:.0f} "
        f"| {figures[f'{key}.mae']:.1f} {ends(f'{key}.mae')} {unit} "
        f"| {figures[f'{key}.median']:.1f} | {figures[f'{key}.r2']:.2f}"
    )
    end = f"| {figures[f'{key}.coverage']:.2f} | {figures[better]:.1f} {ends(better)} |"
    page = (ROOT / "docs" / "explanation" / "validation.md").read_text()
    assert re.search(rf"{re.escape(row)}[^|\n]* {re.escape(end)}", page)


@pytest.mark.parametrize("line", README_FIGURES)
def test_the_figures_of_the_readme_are_those_of_the_evaluation(line: str) -> None:
    said = re.sub(r"{(\S+?):(\S+?)}", lambda m: format(FIGURES["figures"][m[1]], m[2]), line)
    assert said in (ROOT / "README.md").read_text()


def test_the_figures_are_of_this_data_and_these_settings(dataset: Dataset) -> None:
    """`make figures` renews them."""
    assert FIGURES["dataset"]["hash"] == dataset.content_hash
    settings = Settings()
    recorded = FIGURES["settings"]
    now = {**recorded_settings(settings), "assignments": settings.assignments}
    assert {**recorded, "versions": None} == json.loads(json.dumps({**now, "versions": None}))


@pytest.mark.parametrize("page", ["model-card.md", "reference/figures.md"])
def test_pages_made_of_the_evaluation_name_its_data(page: str, dataset: Dataset) -> None:
    assert f"content hash {dataset.content_hash}" in (ROOT / "docs" / page).read_text()
