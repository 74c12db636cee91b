"""The report: self-contained, escaped, and equal to the ranking."""

import dataclasses
import json
import math
import random
import re
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.errors import WorkspaceError
from perovshell.model import Model
from perovshell.pages import SCRIPTS
from perovshell.serve.ranking.next_experiments import Experiment
from perovshell.serve.ranking.ranking import rank
from perovshell.serve.ranking.results import Candidate, Overview, Ranking
from perovshell.serve.report.charts import (
    Scale,
    chance,
    colour,
    ink,
    light_colour,
    padded,
    whole_decades,
)
from perovshell.serve.report.plots import FAMILIES, PLOTTED, SHELLS, axes, heat_map
from perovshell.serve.report.report import CARDS, SHOWN, render, write_report
from perovshell.serve.report.tables import csv_text, markdown_text
from perovshell.serve.space.cores import CoreGrid
from perovshell.serve.space.mixtures import SiteGrid
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.target import NOT_REACHED
from perovshell.texts import number

SPACE: dict[str, Any] = {
    "name": "report",
    "cores": {
        "A": {"ions": ["Cs", "FA"], "step": 0.5},
        "B": {"ions": ["Pb"]},
        "X": {"ions": ["Br", "I"], "step": 0.25},
    },
    "shells": ["SiO2", "PMMA", "ZrO2", "Al2O3", "PDMS"],
    "pl_window_nm": [515, 535],
}
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def ranking(model: Model) -> Ranking:
    return rank(SPACE, model=model, batch=3)


@pytest.fixture(scope="module")
def html(ranking: Ranking) -> str:
    return render(ranking)


class Page(HTMLParser):
    """Tags, addresses, ids, and the text of what a page says and runs."""

    VOID = frozenset(
        {"meta", "br", "hr", "img", "link", "input", "circle", "line", "rect", "path", "stop"}
    )

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.classes: list[str] = []
        self.faults: list[str] = []
        self.data = ""
        self.said = ""
        self._is_data = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        own = dict(attrs)
        self.addresses += [str(own[name]) for name in ("href", "src", "action") if name in own]
        self.handlers += [name for name in own if name.startswith("on")]
        self.ids += [str(own["id"])] if "id" in own else []
        self.classes += str(own.get("class", "")).split()
        self._is_data = own.get("type") == "application/json"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and (not self.open or self.open.pop() != tag):
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.data += data if self._is_data else ""
        elif self.open and self.open[-1] != "style":
            self.said += data


def hostile(ranking: Ranking) -> Ranking:
    """Return a ranking all of whose free texts are hostile."""

    def spoil(line: Candidate) -> Candidate:
        layer = dataclasses.replace(line.item.layers[0], name=HOSTILE)
        near = dataclasses.replace(line.nearest[0], paper=f"10.1/{HOSTILE}", shell=HOSTILE)
        item = dataclasses.replace(line.item, layers=(layer,), structure=HOSTILE)
        return dataclasses.replace(
            line,
            item=item,
            nearest=(near,),
            measured=(near,),
            bare=(near,),
            reasons=(HOSTILE,),
            evidence=HOSTILE,
        )

    space = dataclasses.replace(ranking.space, name=HOSTILE)
    overview = Overview((HOSTILE,), (HOSTILE,), np.array([[0.5]]))
    return dataclasses.replace(
        ranking,
        space=space,
        candidates=tuple(spoil(line) for line in ranking.candidates),
        front=(),
        batch=tuple(spoil(line) for line in ranking.batch),
        overview=overview,
        suggest_experiments=(Experiment(HOSTILE, HOSTILE, 0.1, HOSTILE),),
        removed={HOSTILE: 1},
        statements=(HOSTILE, "A statement."),
    )


def test_the_page_is_whole_and_needs_nothing_from_outside(html: str) -> None:
    page = Page(html)
    assert (page.faults, page.open) == ([], [])
    assert not {"link", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert all(address.startswith(("#", "https://doi.org/10.")) for address in page.addresses)
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) == {"#"}
    outside = {url for url in re.findall(r"https?://[\w.]+/", html) if "doi.org" not in url}
    assert outside == {"http://www.w3.org/"}  # the name of SVG; nothing is fetched from there
    assert not re.search(r"fetch\(|XMLHttpRequest|innerHTML|eval\(|import\(", html)


def test_every_place_of_the_page_has_one_name_and_is_there(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert {own[1:] for own in page.addresses if own.startswith("#")} <= set(page.ids)


def test_the_sections_stand_in_order(html: str) -> None:
    names = [
        "trust",
        "trade-offs",
        "map",
        "first",
        "batch",
        "lines",
        "measure",
        "left-out",
        "model",
    ]
    assert re.findall(r'<section id="([\w-]+)">', html) == names


def test_the_page_names_the_model_the_data_and_the_counts(html: str, ranking: Ranking) -> None:
    info, said = ranking.model.info, Page(html).said
    ranked = f"{ranking.total:,} of {ranking.space.size:,} core/shell combinations ranked"
    for text in (ranked, info.model_id, info.dataset["hash"][:12], "CsPbCl3 collection", "Limits"):
        assert text in said
    assert "a PL peak within 515 to 535 nm, a high PLQY and a high stability gain (water)" in said
    assert all(statement in said for statement in ranking.statements)
    assert "incomplete" not in said


def test_every_shown_line_has_its_papers_and_intervals(html: str, ranking: Ranking) -> None:
    page = Page(html)
    for line in ranking.candidates[:SHOWN]:
        assert f"line-{line.rank}" in page.ids
        lower = number(line.values["pl_peak_nm_lower"])
        for text in (line.core, line.evidence, lower, *(row.paper for row in line.nearest)):
            assert text in page.said
    cards = [own for own in page.ids if own.startswith(("card-", "batch-"))]
    assert len(cards) == CARDS + len(ranking.batch)


@pytest.mark.parametrize(("sign", "mark"), [(">", "path"), ("<", "path"), ("~", "circle")])
def test_a_median_that_was_not_reached_is_a_bound(ranking: Ranking, sign: str, mark: str) -> None:
    first = ranking.candidates[0]
    reached, bound = (
        dataclasses.replace(first, bounds=dict.fromkeys(first.bounds, bound_sign))
        for bound_sign in ("", sign)
    )
    pages = []
    for line in (reached, bound):
        changed = dataclasses.replace(ranking, candidates=(line,), front=(), batch=())
        pages.append(render(changed))
        gain, life = (first.values[f"{target.stem}_water"] for target in (GAIN, LIFETIME))
        before = f"{line.bounds['half_life_h_water_bound']} ".lstrip()
        text = Page(pages[-1]).said
        assert f"{before}{number(life)} h" in text
        assert f"{before}{number(gain)}" in text
        assert (f"{NOT_REACHED[sign]}; at least" in text) is (line is bound)
        assert f"{before}{float(f'{gain:.2g}'):.3g} (" in markdown_text(changed)
    counts = [re.findall(r'<(\w+) class="at[ "]', page).count(mark) for page in pages]
    assert (counts[1] > counts[0]) is (sign in "<>")


def test_the_data_have_a_point_for_every_line(html: str, ranking: Ranking) -> None:
    page = Page(html)
    data = json.loads(page.data)
    others = [line for line in ranking.front if not line.rank]
    others += [line for line in ranking.batch if not line.rank and line not in others]
    assert len(data["points"]) == len(ranking.candidates) + len(others)
    assert page.classes.count("point") == len(data["points"])
    known = axes(ranking)
    for line, point in zip(ranking.candidates, data["points"], strict=False):
        assert point["label"][0] == f"{line.rank}. {line.core} / {line.shell}"
        assert point["values"] == pytest.approx([axis.value(line) for axis in known], rel=1e-5)
    assert [known[place].key for place in data["chosen"]] == [
        "p_pl_in_window", "plqy_shrunk", "stability_gain_shrunk_water",
    ]  # fmt: skip


def test_only_members_of_the_front_are_ringed(html: str, ranking: Ranking) -> None:
    lines = {id(line): line for line in (*ranking.candidates, *ranking.front, *ranking.batch)}
    of_front = sum(line.is_pareto for line in lines.values())
    assert Page(html).classes.count("ring") == of_front + 1  # and one in the legend


def test_a_long_list_is_plotted_in_part(ranking: Ranking) -> None:
    first = ranking.candidates[0]
    many = tuple(dataclasses.replace(first, rank=place) for place in range(1, PLOTTED + 100))
    page = Page(render(dataclasses.replace(ranking, candidates=many, front=(), batch=())))
    assert len(json.loads(page.data)["points"]) == PLOTTED


def test_nothing_breaks_out_of_the_page(ranking: Ranking) -> None:
    page = Page(render(hostile(ranking)))
    assert "img" not in page.tags
    assert (page.faults, page.open, page.handlers) == ([], [], [])
    assert page.tags.count("script") == 2
    data = json.loads(page.data)
    assert data["points"][0]["label"][0].endswith(f" / {HOSTILE}")
    assert HOSTILE in page.said
    (link,) = {own for own in page.addresses if own.startswith("https:")}
    assert re.fullmatch(r"https://doi\.org/10\.1/%3C/script%3E[\w./%]+", link)


def test_a_paper_without_doi_has_no_link(ranking: Ranking) -> None:
    first = ranking.candidates[0]
    near = dataclasses.replace(first.nearest[0], paper="a-thesis")
    line = dataclasses.replace(first, nearest=(near,), measured=(), bare=())
    page = Page(render(dataclasses.replace(ranking, candidates=(line,), front=(), batch=())))
    assert "a-thesis" in page.said
    assert not [own for own in page.addresses if own.startswith("https:")]


def test_an_incomplete_ranking_says_so(ranking: Ranking) -> None:
    seen = ranking.seen - 3
    page = Page(render(dataclasses.replace(ranking, seen=seen)))
    assert "This ranking is incomplete." in page.said
    assert f"after {seen} of {ranking.space.size} combinations" in page.said
    assert "not evaluated: 3 combinations" in page.said


def test_what_was_removed_and_ignored_is_said(ranking: Ranking) -> None:
    sites = {"A": SiteGrid(("Cs",)), "B": SiteGrid(("Pb", "Bi"), 20), "X": SiteGrid(("Br",))}
    cores = CoreGrid(sites, ranking.model.predictor.featurizer.reader)
    space = dataclasses.replace(ranking.space, shell_thickness_nm=(2.0,), cores=cores)
    (note,) = space.notes
    changed = dataclasses.replace(
        ranking, space=space, removed={"lead_free": 4321}, statements=("A statement.", note)
    )
    said = Page(render(changed)).said
    assert "lead_free: 4,321 combinations" in said
    # With up to a twentieth of bismuth a core is neutral within what is allowed.
    assert "not neutral: 19 cores of the grid" in said
    assert said.count(note) == 1


def test_a_space_without_window_is_shown_by_its_peaks(model: Model) -> None:
    space = {
        **{key: value for key, value in SPACE.items() if key != "pl_window_nm"},
        "weights": {"plqy": 1, "gain": 2},
        "stressors": ["water", "heat"],
        "sizes_nm": [8, "unknown"],
    }
    ranking = rank(space, model=model, top=60)
    page = Page(render(ranking))
    data = json.loads(page.data)
    assert data["window"] is None
    labels = [axis["label"] for axis in data["axes"]]
    assert labels[data["chosen"][0]] == "PL peak (nm)"
    assert {"gain, heat", "half-life, heat (h)"} <= set(labels)
    for text in ("core of 8 nm", "size unknown", "gain, heat", "half-life, heat (h)"):
        assert text in page.said
    assert (
        "a high PLQY (weight 1) and a high stability gain (water and heat) (weight 2)" in page.said
    )
    assert "window" not in page.classes
    assert "A diverse batch" not in page.said


def test_a_threshold_of_the_plqy_has_its_column(model: Model) -> None:
    weights = {"pl": 0, "plqy": 1, "gain": 0, "half_life": 1, "domain": 1}
    space = {**SPACE, "plqy_above": 70, "weights": weights}
    said = Page(render(rank(space, model=model, exclude_known=True))).said
    for text in ("P(PLQY > 70 %)", "P(PLQY above 70 %)", "without those of the literature"):
        assert text in said
    assert (
        "for a PLQY above 70 %, a long half-life (water) and similarity to the training data,"
        in said
    )


def test_three_experiments_of_each_kind_are_shown(ranking: Ranking) -> None:
    found = [
        Experiment(kind, f"{kind} number {place}", 0.5 - place / 100, "because")
        for place in range(5)
        for kind in ("combination", "bare control")
    ]
    said = Page(render(dataclasses.replace(ranking, suggest_experiments=tuple(found)))).said
    for kind in ("combination", "bare control"):
        assert f"{kind} number 2" in said
        assert f"{kind} number 3" not in said
    page = render(dataclasses.replace(ranking, suggest_experiments=()))
    assert "No experiment is expected to change the choice." in page


def test_the_map_is_cut_and_leaves_blanks() -> None:
    shape = (FAMILIES + 5, SHELLS + 7)
    score = np.linspace(0.1, 0.9, shape[0] * shape[1]).reshape(shape)
    score[0, 0] = math.nan
    names = [tuple(f"{letter}{place}" for place in range(n)) for letter, n in zip("fs", shape)]  # noqa: B905
    drawn = heat_map(Overview(names[0], names[1], score))
    assert (len(drawn["rows"]), len(drawn["shells"])) == (FAMILIES, SHELLS)
    assert drawn["cut"] == "40 of 45 families of cores and 60 of 67 shells"
    assert drawn["rows"][0]["cells"][0] is None
    assert drawn["rows"][0]["cells"][1]["label"].startswith("f0 / s1: best score 0.1")
    flat = heat_map(Overview(("f",), ("s",), np.array([[1e-9]])))
    assert (flat["low"], flat["rows"][0]["cells"][0]["text"]) == ("0", "")


def test_the_files_are_those_of_the_tables(ranking: Ranking, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    csv_path, html_path = write_report(ranking, folder)
    assert (csv_path, html_path) == (folder / "ranking.csv", folder / "report.html")
    assert csv_path.read_text() == csv_text(ranking)
    assert (folder / "ranking.md").read_text() == markdown_text(ranking)
    assert html_path.read_text() == render(ranking) + "\n"
    names = {path.name for path in folder.iterdir()}
    assert names - {"ranking.parquet"} == {"ranking.csv", "ranking.md", "report.html"}


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    ranking: Ranking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ranking.csv").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        write_report(ranking, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ranking.csv"]
    assert (tmp_path / "ranking.csv").read_text() == "old"


def test_a_folder_that_cannot_be_made_is_named(ranking: Ranking, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"file/below/ranking\.csv: cannot be written"):
        write_report(ranking, tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (float("nan"), "unknown"), (float("inf"), "no limit"), (523.4, "523"),
     (5.2345, "5.23"), (0.0, "0"), (-12.34, "-12.3"), (12345.6, "12,346")],
)  # fmt: skip
def test_numbers_for_reading(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "–"), (0.0, "0 %"), (0.001, "<1 %"), (0.5, "50 %"), (0.999, ">99 %"),
     (1.0, "100 %")],
)  # fmt: skip
def test_chances_for_reading(value: float, text: str) -> None:
    assert chance(value) == text


def test_light_has_its_colour() -> None:
    assert light_colour(460) == "rgb(0,0,255)"
    assert light_colour(520) == "rgb(0,255,0)"
    assert light_colour(650) == light_colour(700) == "rgb(255,0,0)"
    assert light_colour(900) == light_colour(100) == "rgb(128,128,128)"
    red, green, blue = (int(part) for part in re.findall(r"\d+", light_colour(580)))
    assert (red, blue) == (255, 0)
    assert 150 < green < 220


def test_the_map_of_colours_has_its_ends_and_readable_text() -> None:
    assert colour(-1) == colour(0) == "rgb(68,1,84)"
    assert colour(1) == colour(2) == "rgb(253,231,37)"
    assert (ink(0), ink(1)) == ("#fff", "#000")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_scale_keeps_values_and_ticks_inside(values: list[float]) -> None:
    scale = Scale(*padded(values), 60, 740)
    assert all(60 <= scale(value) <= 740 for value in values)
    ticks = scale.ticks()
    assert all(60 <= place <= 740 for place, _ in ticks)
    assert len(ticks) <= 8


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=20))
def test_a_log_scale_keeps_values_and_ticks_inside(values: list[float]) -> None:
    for ends in (padded(values, log=True), whole_decades(values, 1, 100)):
        scale = Scale(*ends, 60, 740, log=True)
        assert ends[0] <= min(values) * (1 + 1e-8)
        assert ends[1] >= max(values) * (1 - 1e-8)
        ticks = scale.ticks()
        assert all(60 <= place <= 740 for place, _ in ticks)
        assert len(ticks) <= 8


RUN_SCALES = """
import { readFileSync } from "node:fs";
const { ranges, values } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify({
  numbers: values.map(number),
  padded: [padded(values), padded(values, true)],
  decades: wholeDecades(values, 1, 100),
  ticks: ranges.map(([low, high, log, count]) =>
    ticks(scale(low, high, { log, first: 60, last: 740 }), count)),
}));
"""


def test_scripts_draw_the_scales_of_the_report() -> None:
    source = random.Random(7)
    ranges: list[tuple[float, float, bool, int]] = [
        (0.0, 0.3, False, 3), (520.0, 520.8, False, 4), (-20.0, 20.0, False, 4),
        (1.0, 1000.0, True, 4), (0.001, 1e9, True, 5), (3.0, 8.0, True, 6), (0.2, 11.0, True, 6),
    ]  # fmt: skip
    for _ in range(1000):
        low = source.choice((0.0, 1.0, -1.0)) * 10 ** source.uniform(-3, 6)
        high = low + 10 ** source.uniform(-3, 6)
        ranges.append((low, high, False, source.randint(3, 6)))
        low = 10 ** source.uniform(-4, 6)
        ranges.append((low, low * 10 ** source.uniform(0.01, 8), True, source.randint(3, 6)))
    values = [0.0, 0.5, 99.96, 9999.4, 10000.4, 1234567.8]
    values += [source.choice((1, -1)) * 10 ** source.uniform(-4, 8) for _ in range(300)]
    script = (files("perovshell") / SCRIPTS / "scales.js").read_text() + RUN_SCALES
    asked = json.dumps({"ranges": ranges, "values": values})
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    drawn = json.loads(done.stdout)
    assert drawn["numbers"] == [number(value) for value in values]
    assert drawn["padded"] == [
        pytest.approx(padded(values)),
        pytest.approx(padded(values, log=True)),
    ]
    assert drawn["decades"] == list(whole_decades(values, 1, 100))
    for (low, high, log, count), found in zip(ranges, drawn["ticks"], strict=True):
        expected = Scale(low, high, 60, 740, log=log).ticks(count)
        assert [label for _, label in found] == [label for _, label in expected]
        places = [place for place, _ in expected]
        assert [place for place, _ in found] == pytest.approx(places, abs=0.06)


@pytest.mark.parametrize(
    ("scale", "count", "labels"),
    [
        (Scale(0, 0.3, 0, 9), 3, ["0.0", "0.1", "0.2", "0.3"]),
        (Scale(520, 520.8, 0, 9), 4, ["520.0", "520.2", "520.4", "520.6", "520.8"]),
        (Scale(0, 25_000, 0, 9), 5, ["0", "5000", "10,000", "15,000", "20,000", "25,000"]),
        (Scale(0.05, 2000, 0, 9, log=True), 6, ["0.1", "1", "10", "100", "1000"]),
        (Scale(3, 8, 0, 9, log=True), 5, ["3", "4", "5", "6", "7", "8"]),
    ],
)
def test_ticks_are_round_and_told_apart(scale: Scale, count: int, labels: list[str]) -> None:
    assert [label for _, label in scale.ticks(count)] == labels


def test_a_scale_of_nothing_is_there() -> None:
    assert padded([]) == padded([math.nan]) == (-0.05, 1.05)
    assert whole_decades([], 1, 1000) == (1, 1000)
    assert Scale(0, 10, 0, 100)(50) == 100
