"""The report: self-contained, escaped, and equal to the ranking."""

import csv
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.errors import WorkspaceError
from perovshell.model import Model
from perovshell.serve.charts import Scale, colour, light_colour, padded
from perovshell.serve.ranking import Ranking, rank, table
from perovshell.serve.report import SHOWN, number, render, write_report

SPACE = {
    "name": "report",
    "cores": {
        "A": {"ions": ["Cs", "FA"], "step": 0.5},
        "B": {"ions": ["Pb"]},
        "X": {"ions": ["Br", "I"], "step": 0.25},
    },
    "shells": ["SiO2", "PMMA", "ZrO2", "Al2O3", "PDMS"],
    "pl_window_nm": [515, 535],
}


@pytest.fixture(scope="module")
def ranking(model: Model) -> Ranking:
    return rank(SPACE, model=model)


@pytest.fixture(scope="module")
def html(ranking: Ranking) -> str:
    return render(ranking)


class _Tags(HTMLParser):
    """Open and closed tags and addresses of a page."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input", "circle", "line", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [str(value) for name, value in attrs if name in {"href", "src"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def test_the_page_is_whole_and_needs_nothing_from_outside(html: str) -> None:
    tags = _Tags()
    tags.feed(html)
    assert (tags.faults, tags.open) == ([], [])
    assert not re.search(r"<script|<link|<img|@import|url\(", html)
    assert all(address.startswith(("#", "https://doi.org/")) for address in tags.addresses)


def test_the_page_names_the_model_the_data_and_the_figures(html: str, ranking: Ranking) -> None:
    info = ranking.model.info
    for text in (info.model_id, info.dataset["hash"][:12], "CsPbCl3 collection", "Limits"):
        assert text in html
    for statement in ranking.statements:
        assert statement.split(" (")[0] in html


def test_every_shown_line_has_its_papers_and_intervals(html: str, ranking: Ranking) -> None:
    for line in ranking.candidates[:SHOWN]:
        assert line.core in html
        for row in line.nearest:
            assert row.paper in html
    assert number(ranking.candidates[0].values["pl_peak_nm_lower"]) in html


def test_names_are_escaped(ranking: Ranking) -> None:
    name = "<script>alert(1)</script>"
    space = dataclasses.replace(ranking.space, name=name)
    page = render(dataclasses.replace(ranking, space=space))
    assert name not in page
    assert "&lt;script&gt;" in page


def test_the_csv_is_the_table(ranking: Ranking, tmp_path: Path) -> None:
    csv_path, html_path = write_report(ranking, tmp_path / "new" / "folder")
    with csv_path.open(newline="") as file:
        rows = list(csv.reader(file))
    header, lines = table(ranking)
    assert rows[0] == header
    assert rows[1:] == [[str(value) for value in line] for line in lines]
    assert html_path.read_text().startswith("<!DOCTYPE html>")


def test_a_folder_that_cannot_be_made_is_named(ranking: Ranking, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="file/below: cannot be written"):
        write_report(ranking, tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (float("nan"), "unknown"), (float("inf"), "no limit"), (523.4, "523"),
     (5.2345, "5.23"), (0.0, "0"), (-12.34, "-12.3")],
)  # fmt: skip
def test_numbers_for_reading(value: float | None, text: str) -> None:
    assert number(value) == text


def test_light_has_its_colour() -> None:
    assert light_colour(460) == "rgb(0,102,255)"
    assert light_colour(520) == "rgb(36,255,0)"
    assert light_colour(650) == "rgb(255,0,0)"
    assert light_colour(900) == light_colour(100) == "rgb(128,128,128)"


def test_the_map_of_colours_has_its_ends() -> None:
    assert colour(-1) == colour(0) == "rgb(68,1,84)"
    assert colour(1) == colour(2) == "rgb(253,231,37)"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_scale_keeps_values_and_ticks_inside(values: list[float]) -> None:
    scale = Scale(*padded(values), 60, 740)
    assert all(60 <= scale(value) <= 740 for value in values)
    ticks = scale.ticks()
    assert all(60 <= place <= 740 for place, _ in ticks)
    assert len(ticks) <= 8
