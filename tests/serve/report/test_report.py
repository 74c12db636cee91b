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

from perovshell.data.dataset import Dataset
from perovshell.errors import WorkspaceError
from perovshell.evidence import pooling
from perovshell.evidence.light import light_colour
from perovshell.evidence.query import EvidenceQuery
from perovshell.evidence.table import EvidenceTable
from perovshell.model import Model
from perovshell.pages import SCRIPTS
from perovshell.serve.ranking.next_experiments import Experiment
from perovshell.serve.ranking.objectives import ORDERS
from perovshell.serve.ranking.ranking import rank
from perovshell.serve.ranking.results import Candidate, Overview, Ranking
from perovshell.serve.report.charts import Scale, chance, colour, ink, padded, whole_decades
from perovshell.serve.report.orders import order_text
from perovshell.serve.report.plots import FAMILIES, PLOTTED, SHELLS, axes, heat_map
from perovshell.serve.report.report import CARDS, SHOWN, render, write_report
from perovshell.serve.report.rows import MeasuredTests
from perovshell.serve.report.tables import (
    CONSTRAINTS,
    csv_text,
    interval_text,
    markdown_text,
    measured_range,
    papers_of,
    shell_name,
    summary,
)
from perovshell.serve.report.words import known_at_least, unknowns
from perovshell.serve.space.cores import CoreGrid
from perovshell.serve.space.mixtures import SiteGrid
from perovshell.serve.space.space import Constraints, Selection
from perovshell.targets.declared import GAIN, LIFETIME, PL, PLQY
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


@pytest.fixture(scope="module")
def evidence(dataset: Dataset) -> EvidenceTable:
    return EvidenceTable(dataset, EvidenceQuery())


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
        near = dataclasses.replace(near, stability=f"water: {HOSTILE}")
        item = dataclasses.replace(line.item, layers=(layer,), structure=HOSTILE)
        return dataclasses.replace(
            line,
            item=item,
            ties=(HOSTILE,),
            flags=(HOSTILE,),
            combination_papers=(near.paper,),
            nearest=(near,),
            measured=(near,),
            bare=(near,),
            domain=line.domain._replace(outside={"PL": HOSTILE}),
            evidence=HOSTILE,
        )

    lines = tuple(map(spoil, ranking.candidates))
    return dataclasses.replace(
        ranking,
        space=dataclasses.replace(ranking.space, name=HOSTILE),
        measured=lines,
        candidates=lines,
        front=(),
        batch=lines[:2],
        overview=Overview((HOSTILE, "f"), (HOSTILE, "s"), np.full((2, 2), 0.5)),
        suggest_experiments=(Experiment(HOSTILE, HOSTILE, 0.1, 0.5, HOSTILE, HOSTILE),),
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


def test_every_target_of_a_link_is_on_the_page_once(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert {own[1:] for own in page.addresses if own.startswith("#")} <= set(page.ids)


def test_the_answer_comes_first_and_statistics_are_folded_at_the_end(html: str) -> None:
    names = ["answer", "measured", "ideas", "unknown", "statistics"]
    assert re.findall(r'<section id="([\w-]+)">', html) == names
    folded = html.partition('<details class="fold">')[2]
    for text in ("Score:", "P(Pareto)", 'id="scatter"', 'id="heat"', "Model card", "Limits"):
        assert text in folded
        assert text not in html.partition('<details class="fold">')[0].partition("<body>")[2]


def test_the_answer_has_the_question_and_the_first_of_both_lists(
    html: str, ranking: Ranking
) -> None:
    said = " ".join(Page(html).said.split())
    assert (
        "have a PL peak within 515 to 535 nm, a high PLQY, a high stability gain (water) and"
        in said
    )
    assert f"Space: {ranking.space.sizes}" in said
    assert "Constraints: shell insoluble in water." in said
    best, idea = ranking.measured[0], ranking.candidates[0]
    start, end = said.index("Best measured:"), said.index("Best idea to try:")
    assert f"{best.core} / {best.shell}" in said[start:end]
    assert all(paper in said[start:end] for paper in best.combination_papers[:4])
    assert said[end:].startswith(
        f"Best idea to try: {idea.core} / {idea.shell}: no paper in the data has it;"
    )
    assert interval_text(idea, "pl_peak_nm") in said[end:]
    p_window = chance(idea.values["p_pl_in_window"])
    assert f"P(PL in the window) {p_window};" in said[end:]


@pytest.mark.parametrize("name", ["measured", "candidates"])
def test_bounds_name_the_tests_that_they_are_from(model: Model, name: str) -> None:
    space = {**SPACE, "shells": [*SPACE["shells"], "PVDF", "PLA"], "stressors": ["water", "light"]}
    ranking = rank(space, model=model)
    lines: tuple[Candidate, ...] = getattr(ranking, name)
    levels = [set(re.findall(r"\(nearest: ([^)]+)\)", line.evidence)) for line in lines]
    assert len(set.union(*levels)) >= 2
    assert any("other shells of class" in level for level in set.union(*levels))
    for line, of_evidence in zip(lines, levels, strict=True):
        known = known_at_least(ranking, line)
        assert {group.level for group in known} == of_evidence
        bounds = [bound for group in known for bound in group.bounds]
        assert {bound.partition(":")[0] for bound in bounds} == {"water", "light"}
        for bound in re.findall(r"(?:gain|half-life) [\d.,]+", " ".join(bounds)):
            kind, value = bound.split(" ")
            assert re.search(f"{kind} under \\w+ {re.escape(value.rstrip(','))}\\b", line.evidence)
    said = Page(render(ranking)).said
    for line in lines[:SHOWN]:
        for group in known_at_least(ranking, line):
            level = group.level.removeprefix("tests of ")
            assert f"{'; '.join(group.bounds)} (nearest: {level})" in said


@pytest.mark.parametrize("order_by", ORDERS)
def test_the_order_and_its_number_are_named_as_they_are(model: Model, order_by: str) -> None:
    ranking = rank(SPACE, model=model, order_by=order_by)
    page, text = Page(render(ranking)), order_text(ranking)
    said = " ".join(page.said.split())
    assert f"made and measured, {text.measured}." in said
    assert f"measured what is asked, {text.candidates};" in said
    assert text.meaning[1:] in said
    assert f"Shells and cores by {text.number}" in said
    assert json.loads(page.data)["axes"][-1]["label"] == text.number
    first = number(ranking.candidates[0].score)
    assert f"{text.number.capitalize()} {first};" in said
    is_improvement = order_by == "explore"
    assert (f"Score {first};" in said) != is_improvement
    assert ("best score" in render(ranking)) != is_improvement
    measured, ideas = (part for part in markdown_text(ranking).split("## ") if "| # |" in part)
    assert f"made, {text.measured}" in measured
    assert text.candidates in ideas
    assert "| score |" in measured
    assert f"| {text.number} |" in ideas


def test_what_is_not_shown_is_counted(model: Model) -> None:
    """The total is that of all combinations; the CSV is named only where it is."""
    whole, cut = rank(SPACE, model=model), rank(SPACE, model=model, top=1)
    assert (cut.n_measured, len(cut.measured), cut.total) == (len(whole.measured), 1, whole.total)
    said = Page(render(cut, has_csv=True)).said
    assert f"The first 1 line of {whole.n_measured} combinations." in said
    assert f"The first 1 line of {whole.total} combinations." in said
    assert "ranking.csv" not in said
    kept = len(whole.candidates)
    assert kept > SHOWN
    rest = f"The first {SHOWN} lines of {whole.total} combinations"
    assert f"{rest}; ranking.csv has {kept}." in Page(render(whole, has_csv=True)).said
    assert f"{rest}." in Page(render(whole)).said
    assert "ranking.csv" not in render(whole)
    assert f"(first 10 lines of {whole.total} combinations)" in "".join(
        summary(whole, suggest_experiments=False)
    )


def test_every_line_is_a_row_with_its_papers(html: str, ranking: Ranking) -> None:
    page = Page(html)
    for place, line in enumerate(ranking.measured[:SHOWN], 1):
        assert f"measured-{place}" in page.ids
        assert all(paper in page.said for paper in line.combination_papers)
    for place, line in enumerate(ranking.candidates[:SHOWN], 1):
        assert f"idea-{place}" in page.ids
        shell = shell_name(line) if line.ties else line.shell
        texts = (shell, interval_text(line, "plqy_percent"), *line.ties, *line.flags)
        assert all(text in page.said for text in (*texts, *papers_of(line)[1]))
    assert page.classes.count("card") == min(CARDS, len(ranking.candidates))


def test_no_code_words_are_on_the_page(ranking: Ranking) -> None:
    removed = dict.fromkeys(CONSTRAINTS, 4321)
    said = Page(render(dataclasses.replace(ranking, removed=removed))).said
    assert "no quenching shell 4,321" in said
    assert not [name for name in CONSTRAINTS if "_" in name and name in said]


def test_each_constraint_has_words() -> None:
    asked = {key.name for key in dataclasses.fields(Constraints)}
    assert asked | {"measured", "shell_is_core"} == set(CONSTRAINTS)


def test_constraints_are_asked_with_their_numbers(ranking: Ranking) -> None:
    held = Constraints(
        lattice_mismatch_below=0.1,
        tolerance_factor=(0.8, 1.0),
        band_alignment=("type I",),
        include=Selection(classes=frozenset({"oxide"})),
    )
    space = dataclasses.replace(ranking.space, constraints=held)
    said = Page(render(dataclasses.replace(ranking, space=space))).said
    for text in (
        "tolerance factor 0.8 to 1;",
        "mismatch below 0.1;",
        "alignment type I;",
        "alone: oxide.",
    ):
        assert text in said


# What was measured ---------------------------------------------------------------------------


def test_tests_have_readings_conditions_and_forest_plots_where_the_dataset_is_at_hand(
    ranking: Ranking, evidence: EvidenceTable, html: str
) -> None:
    full, plain = Page(render(ranking, evidence)), Page(html)
    assert (full.faults, full.open) == ([], [])
    names = {line.item.layers[0].name for line in ranking.measured if line.core == "CsPbBr3"}
    assert "SiO2" in names
    rows = [row for row in evidence.test_rows() if row["sample_id"] == "hu2018-CsPbBr3-SiO2"]
    (water,) = [row for row in rows if row["stressor"] == "water"]
    for text in (water["condition"], f"coated {water['coated']}", "gain 6.52 to 9.3"):
        assert text in full.said
    assert "water: gain 6.52 to 9.3" in plain.said
    assert water["condition"] not in plain.said
    assert full.classes.count("forest") == 2  # half-lives and gains, under water
    assert "CsPbBr3 / SiO2, " in full.said
    assert "forest" not in plain.classes


def test_measured_values_are_shown_as_printed(ranking: Ranking) -> None:
    first = ranking.measured[0]
    near = dataclasses.replace(
        first.measured[0], plqy_percent=90.0, plqy=">90 % (best value)", pl_peak_nm=None, pl=""
    )
    other = dataclasses.replace(near, plqy="90 %")
    for samples, shown in (
        ((near,), ">90 % (best value)"),
        ((near, other), "90 % to >90 % (best value)"),
    ):
        line = dataclasses.replace(first, measured=samples)
        changed = dataclasses.replace(ranking, measured=(line, *ranking.measured[1:]))
        said = Page(render(changed)).said
        assert f"PL not measured; PLQY {shown}" in said
        assert said.count(shown) > 1  # in the row of the combination as well
        assert "PLQY >90 % (best value)" in markdown_text(changed)


def test_a_fit_that_does_not_converge_costs_the_plots_alone(
    ranking: Ranking, evidence: EvidenceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(pooling.SETTINGS, updates=1)
    monkeypatch.setattr(pooling.pool, "__defaults__", (settings,))
    page = Page(render(ranking, evidence))
    assert "forest" not in page.classes
    assert "gain 6.52 to 9.3" in page.said


def test_tests_are_those_under_the_stressors_asked_for(
    ranking: Ranking, evidence: EvidenceTable
) -> None:
    for tests in (
        MeasuredTests(("light", "water"), evidence),
        MeasuredTests(("light", "water"), None),
    ):
        for line in ranking.measured:
            stressors = [test.stressor for test in tests.of(line)]
            assert stressors == sorted(stressors)
            assert set(stressors) <= {"light", "water"}


def test_a_long_list_of_papers_is_folded(ranking: Ranking) -> None:
    papers = tuple(f"10.1/{number}" for number in range(30))
    line = dataclasses.replace(ranking.measured[0], combination_papers=papers)
    page = render(dataclasses.replace(ranking, measured=(line,)))
    assert "<summary>28 more</summary>" in page
    assert all(f'href="https://doi.org/{paper}"' in page for paper in papers)


def test_a_paper_without_doi_has_no_link(ranking: Ranking) -> None:
    first = ranking.candidates[0]
    near = dataclasses.replace(first.nearest[0], paper="a-thesis")
    papers = {"combination_papers": (), "shell_papers": ()}
    line = dataclasses.replace(first, nearest=(near,), measured=(), bare=(), **papers)
    lists = {"measured": (), "candidates": (line,), "front": (), "batch": ()}
    page = Page(render(dataclasses.replace(ranking, **lists)))
    assert "none; nearest, on other shells" in page.said
    assert "a-thesis" in page.said
    assert not [own for own in page.addresses if own.startswith("https:")]


def test_empty_lists_are_named(ranking: Ranking) -> None:
    nothing = dataclasses.replace(ranking, measured=(), candidates=(), front=(), batch=())
    page = Page(render(nothing))
    assert "no paper measured what is asked in this space" in page.said
    assert "no other combination is left" in page.said
    assert "scatter" not in page.ids


def test_a_line_out_of_domain_and_its_ties_are_named_in_the_answer(ranking: Ranking) -> None:
    first = ranking.candidates[0]
    domain = first.domain._replace(outside={"PL": "far away"})
    line = dataclasses.replace(first, domain=domain, ties=tuple("abcdefgh"))
    said = Page(render(dataclasses.replace(ranking, candidates=(line,), front=(), batch=()))).said
    answer = said.partition("What has been measured")[0]
    assert "out of domain: far away" in answer
    assert "nothing known tells 8 others apart from it" in answer
    assert f"any of 9: {line.shell}, a, b, c, d, 4 more" in said
    assert f"{line.shell}, a, b, c, d, e, f, g, h" in said


# What is not known ---------------------------------------------------------------------------


def test_targets_without_skill_and_untested_stressors_are_not_known(model: Model) -> None:
    space = {**SPACE, "stressors": ["humidity"]}
    ranking = rank(space, model=model, top=20)
    (gain,) = [one for one in ranking.objectives.every if one.name == "gain"]
    assert gain.untested == ("humidity",)
    skill = {name: {**one, "has_skill": False} for name, one in ranking.model.info.skill.items()}
    info = dataclasses.replace(ranking.model.info, skill=skill)
    unskilled = dataclasses.replace(ranking, model=dataclasses.replace(ranking.model, info=info))
    texts = unknowns(unskilled)
    assert texts[:4] == [f"No skill: {one.no_skill}." for one in (PL, PLQY, GAIN, LIFETIME)]
    assert "No paper measured the gain under humidity: it orders nothing." in texts
    page = Page(render(ranking))
    assert all(text in page.said for text in unknowns(ranking))
    assert "humidity: half-life" in page.said
    assert "humidity: gain" not in page.said


# Statistics ----------------------------------------------------------------------------------


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
    assert [known[number].key for number in data["chosen"]] == [
        "p_pl_in_window", "plqy_pooled", "stability_gain_at_least_water",
    ]  # fmt: skip


def test_only_members_of_the_front_are_ringed(html: str, ranking: Ranking) -> None:
    lines = {id(line): line for line in (*ranking.candidates, *ranking.front, *ranking.batch)}
    of_front = sum(line.is_pareto for line in lines.values())
    assert Page(html).classes.count("ring") == of_front + 1  # and one in the legend


def test_a_long_list_is_plotted_in_part(ranking: Ranking) -> None:
    first = ranking.candidates[0]
    many = tuple(dataclasses.replace(first, rank=number) for number in range(1, PLOTTED + 100))
    page = Page(render(dataclasses.replace(ranking, candidates=many, front=(), batch=())))
    assert len(json.loads(page.data)["points"]) == PLOTTED


def test_a_map_of_one_row_is_not_drawn(ranking: Ranking) -> None:
    overview = Overview(("f",), ("s", "t"), np.array([[0.5, 0.4]]))
    assert "heat" not in Page(render(dataclasses.replace(ranking, overview=overview))).ids


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


def test_an_incomplete_ranking_says_so(ranking: Ranking) -> None:
    page = Page(render(dataclasses.replace(ranking, seen=ranking.seen - 3)))
    assert "This ranking is incomplete." in page.said
    assert f"after {ranking.seen - 3} of {ranking.space.size} combinations" in page.said


def test_what_is_ignored_is_named_once_and_cores_that_are_not_neutral_are_counted(
    ranking: Ranking,
) -> None:
    sites = {"A": SiteGrid(("Cs",)), "B": SiteGrid(("Pb", "Bi"), 20), "X": SiteGrid(("Br",))}
    cores = CoreGrid(sites, ranking.model.predictor.featurizer.reader)
    space = dataclasses.replace(ranking.space, shell_thickness_nm=(2.0,), cores=cores)
    (note,) = space.notes
    changed = dataclasses.replace(ranking, space=space, statements=("A statement.", note))
    said = Page(render(changed)).said
    # With up to a twentieth of bismuth a core is neutral within what is allowed.
    assert "Not neutral: 19 cores of the grid" in said
    assert "A statement." in said
    assert said.count(note) == 1


def test_a_space_without_window_is_shown_by_its_peaks(model: Model) -> None:
    space = {
        **{key: value for key, value in SPACE.items() if key != "pl_window_nm"},
        "weights": {"plqy": 1, "gain": 2},
        "stressors": ["water", "heat"],
        "sizes_nm": [8, "unknown"],
    }
    page = Page(render(rank(space, model=model, top=60)))
    data = json.loads(page.data)
    assert data["window"] is None
    labels = [axis["label"] for axis in data["axes"]]
    assert labels[data["chosen"][0]] == "PL peak (nm)"
    assert {"gain at least, heat", "half-life at least, heat (h)"} <= set(labels)
    for text in ("core of 8 nm", "size unknown", "gain, heat", "Weights: PLQY 1, gain 2."):
        assert text in page.said
    assert "window" not in page.classes
    assert "A batch" not in page.said


def test_a_threshold_of_the_plqy_is_part_of_question_and_cards(model: Model) -> None:
    weights = {"pl": 0, "plqy": 1, "gain": 0, "half_life": 1, "domain": 1}
    said = Page(render(rank({**SPACE, "plqy_above": 70, "weights": weights}, model=model))).said
    assert "P(PLQY above 70 %)" in said
    asked = "have a PLQY above 70 %, a long half-life (water) and similarity to the training data?"
    assert asked in said


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


def test_the_files_are_those_of_the_tables(
    ranking: Ranking, evidence: EvidenceTable, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    csv_path, html_path = write_report(ranking, folder, evidence)
    assert (csv_path, html_path) == (folder / "ranking.csv", folder / "report.html")
    assert csv_path.read_text() == csv_text(ranking)
    assert (folder / "ranking.md").read_text() == markdown_text(ranking)
    assert html_path.read_text() == render(ranking, evidence, has_csv=True) + "\n"
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


def test_the_range_of_what_papers_measured_keeps_signs_and_qualities(ranking: Ranking) -> None:
    line = ranking.measured[0]
    row = line.measured[0]

    def said(*values: tuple[float, str]) -> str:
        rows = [dataclasses.replace(row, plqy_percent=value, plqy=text) for value, text in values]
        return measured_range(dataclasses.replace(line, measured=tuple(rows)), "plqy")

    assert said() == ""
    assert said((66.0, "66 %")) == "66 %"
    assert said((90.0, ">90 %"), (66.0, "66 %"), (70.0, "70 %")) == "66 to >90 %"
    assert said((90.0, "90 % (best value)"), (66.0, "66 %")) == "66 % to 90 % (best value)"
    second = " (second-hand)"
    assert said((90.0, f"90 %{second}"), (66.0, f"~66 %{second}")) == f"~66 to 90 %{second}"
