"""Queries find the tests and samples that are asked for; every door gives the same numbers."""

import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import bibtexparser
import pytest
import rispy
from starlette.testclient import TestClient

from perovshell.data.dataset import Dataset
from perovshell.data.records import Paper
from perovshell.errors import InputError
from perovshell.evidence.citations import FORMATS, bibtex, citations_of, plain, ris
from perovshell.evidence.drawing import png_page, svg_page
from perovshell.evidence.forest_plot import (
    MOST_LINES,
    NARROW,
    ForestPlot,
    Line,
    combination_plots,
    forest_plots,
)
from perovshell.evidence.query import EvidenceQuery
from perovshell.evidence.table import EvidenceTable, PooledRow
from perovshell.serve.service.app import Settings, create_app
from perovshell.serve.service.source import Champion, Source
from perovshell.training.train import TrainedModel
from perovshell.workbench import Workspace
from servers import workspace_of

SILICA_IN_WATER = {"shell": "SiO2", "stressor": "water"}


def table(dataset: Dataset, **words: object) -> EvidenceTable:
    return EvidenceTable(dataset, EvidenceQuery.read(dataset.reader, **words))


# Queries -------------------------------------------------------------------------------------


def test_a_query_of_shell_and_stressor_finds_their_tests_alone(dataset: Dataset) -> None:
    found = table(dataset, **SILICA_IN_WATER)
    expected = [
        test.number
        for test in dataset.tests
        if test.stressor == "water" and "SiO2" in test.sample.shell.split("|")
    ]
    assert [test.number for test in found.tests] == expected
    assert len(expected) > 4
    assert {row["shell"] for row in found.sample_rows()} <= {"SiO2", "SiO2|phospholipid"}


def test_every_core_of_the_tables_is_found_as_it_is_listed(dataset: Dataset) -> None:
    """Open ones too: CsPbX3, CsPb(Br/I)3."""
    listed: dict[str, set[str]] = {}
    for sample in dataset.samples.values():
        listed.setdefault(sample.core_text, set()).add(sample.sample_id)
    assert {"CsPbX3", "CsPb(Br/I)3", "CsPbMnX3"} <= listed.keys()
    for core, names in listed.items():
        found = table(dataset, core=core)
        assert names <= {sample.sample_id for sample in found.samples}
        keys = {dataset.samples[name].core_key for name in names}
        assert {sample.core_key for sample in found.samples} == keys
    assert table(dataset, core=" CsPbX3 ").query.words == {"core": "CsPbX3"}


def test_an_open_core_is_found_in_any_spelling_and_not_as_another(dataset: Dataset) -> None:
    mixed, spelled, other = (
        {sample.core_text for sample in table(dataset, core=core).samples}
        for core in ("CsPb(Br/I)3", "CsPb(BrxI1-x)3", "CsPb(Cl/Br)3")
    )
    assert mixed == spelled == {"CsPb(Br/I)3", "CsPb(BrxI1-x)3"}
    assert mixed.isdisjoint(other)
    with pytest.raises(InputError, match="core 'SiX2'"):
        table(dataset, core="SiX2")


def test_all_is_found_where_nothing_is_asked(dataset: Dataset) -> None:
    everything = EvidenceTable(dataset, EvidenceQuery())
    assert everything.tests == dataset.tests
    assert len(everything.samples) == len(dataset.samples)
    assert everything.paper_ids == sorted({s.paper_id for s in dataset.samples.values()})


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ({"core": "CsPbBr3"}, lambda s: (s.core.formula if s.core else s.core_text) == "CsPbBr3"),
        ({"core": "Cs2Pb2Br6"}, lambda s: (s.core.formula if s.core else s.core_text) == "CsPbBr3"),
        ({"shell": "silica"}, lambda s: "SiO2" in s.shell.split("|")),
        ({"shell": "oxide"}, lambda s: any(x.material_class == "oxide" for x in s.layers)),
        ({"medium": "film"}, lambda s: s.medium == "film"),
        ({"structure": "janus"}, lambda s: s.structure == "janus"),
        ({"family": "lead-free"}, lambda s: "Pb" not in s.described_core.fractions),
        ({"family": "tin"}, lambda s: "Sn" in s.described_core.fractions),
        ({"halide": "I"}, lambda s: s.described_core.fractions["I"] >= 1 / 3),
    ],
)
def test_samples_are_those_with_what_was_asked(dataset: Dataset, words, holds) -> None:
    found = table(dataset, **words).samples
    assert found
    assert all(holds(sample) for sample in found)
    if not {"family", "halide"} & set(words):
        names = {sample.sample_id for sample in found}
        others = [one for name, one in dataset.samples.items() if name not in names]
        assert not any(holds(sample) for sample in others)


def test_years_leave_undated_papers_out(dataset: Dataset) -> None:
    years = [row["year"] for row in table(dataset, since=2020, until=2021).sample_rows()]
    assert set(years) == {2020, 2021}


def test_what_is_none_asks_for_everything(dataset) -> None:
    every = table(dataset, core=None, shell=None, medium=None, since=None).sample_rows()
    assert every == table(dataset).sample_rows()
    assert table(dataset, since=10**5).sample_rows() == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"stressor": "watr"}, "nearest: water"),
        ({"shell": "SiOO2"}, "or a class: carbon"),
        ({"core": "CsPb"}, "CsPb"),
        ({"halide": "F"}, "allowed: Cl, Br, I"),
        ({"family": "gold"}, "allowed: lead, tin, lead-free"),
        ({"since": 2022, "until": 2020}, "later than until 2020"),
        ({"since": "2022"}, "since '2022': a year is needed"),
        ({"until": True}, "until True: a year is needed"),
        ({"core": 5}, "core 5: a text is needed"),
        ({"medium": ["film"]}, r"medium \['film'\]: allowed: solution"),
    ],
)
def test_what_is_not_known_is_refused_with_what_is(dataset, words, named) -> None:
    with pytest.raises(InputError, match=named):
        table(dataset, **words)


# Rows ----------------------------------------------------------------------------------------


def test_half_lives_and_gains_are_the_intervals_of_the_readings(dataset: Dataset) -> None:
    rows = table(dataset, **SILICA_IN_WATER).test_rows()
    (hu,) = (row for row in rows if row["paper_id"] == "hu2018" and row["core"] == "CsPbBr3")
    low, high = (168.0 * math.log(2.0) / -math.log(share) for share in (0.78, 0.82))
    assert (hu["half_life_h_low"], hu["half_life_h_high"]) == pytest.approx((low, high))
    assert (hu["stability_gain_low"], hu["stability_gain_high"]) == pytest.approx(
        (6.52, 9.3), abs=0.01
    )
    opened = [row for row in rows if row["stability_gain_low"] and not row["stability_gain_high"]]
    assert opened


def test_pooled_groups_count_their_tests_and_papers(dataset: Dataset) -> None:
    found = table(dataset, **SILICA_IN_WATER)
    silica = [
        row.pooled
        for row in found.pooled
        if (row.quantity, row.pooled.level, row.pooled.name) == ("half-life", "shell", "SiO2")
    ]
    papers = {test.sample.paper_id for test in found.tests if test.sample.shell == "SiO2"}
    assert [(one.tests, one.papers) for one in silica] == [(len(papers), len(papers))]


def test_filters_of_core_and_shell_do_not_change_pooled_values(dataset: Dataset) -> None:
    """They choose what is shown; the spreads are learned from all tests under the stressor."""
    everything = table(dataset, stressor="water").pooled
    of_silica = table(dataset, **SILICA_IN_WATER).pooled
    assert set(of_silica) < set(everything)


def test_every_row_of_every_stressor_has_a_bound_below_its_median(dataset: Dataset) -> None:
    pooled = [row.pooled for row in EvidenceTable(dataset, EvidenceQuery()).pooled]
    assert Counter(one.level for one in pooled)["combination"] > 50
    for one in pooled:
        assert one.at_least >= 0.0
        if one.median is not None and one.at_most is not None:
            assert one.at_least <= one.median * 1.01 <= one.at_most * 1.01


def test_the_spread_is_not_known_where_no_group_has_two_papers(dataset: Dataset) -> None:
    """A prior is no measurement: without groups of two papers it would be that alone."""
    levels: dict[tuple[str, str, str], list[PooledRow]] = {}
    everything = EvidenceTable(dataset, EvidenceQuery())
    for row in everything.pooled:
        levels.setdefault((row.quantity, row.stressor, row.pooled.level), []).append(row)
    kinds = {any(one.pooled.papers > 1 for one in rows) for rows in levels.values()}
    assert kinds == {True, False}
    for rows in levels.values():
        is_known = any(one.pooled.papers > 1 for one in rows)
        assert all((one.spread is not None) == is_known for one in rows)
        assert all((one.to_json()["spread"] is not None) == is_known for one in rows)
        assert all(("not known how papers differ" in one.line()) != is_known for one in rows)


# Text ----------------------------------------------------------------------------------------


def test_each_test_and_each_sample_is_a_line_with_its_paper(dataset: Dataset) -> None:
    films = table(dataset, medium="film")
    head, *rest = films.lines()
    assert f"{len(films.tests)} tests, {len(films.samples)} samples" in head
    at_tests, at_samples = rest.index("Tests:"), rest.index("Samples:")
    tests, samples = rest[at_tests + 1 : at_samples - 1], rest[at_samples + 1 :]
    for rows, lines in ((films.test_rows(), tests), (films.sample_rows(), samples)):
        for row, line in zip(rows, lines, strict=True):
            assert line.startswith(f"  {row['core']} / {row['shell']}")
            year = f", {row['year']}" if row["year"] else ""
            assert f"({row['doi'] or row['paper_id']}{year})" in line
    for row, line in zip(films.test_rows(), tests, strict=True):
        assert row["condition"] in line
        assert ("; half-life " in line) == (row["half_life_h_low"] is not None)
        assert (row["quality"] in line) or row["quality"] == "printed"
    for row, line in zip(films.sample_rows(), samples, strict=True):
        assert row["pl"] in line
        assert row["plqy"] in line


def test_samples_without_a_test_are_listed(dataset: Dataset) -> None:
    lines = table(dataset, core="CsSnI3").lines()
    assert lines[0] == "core CsSnI3: 0 tests, 2 samples of 2 papers"
    assert lines[2] == "Samples:"
    assert "  CsSnI3 / none, solution, size 7 nm: PL 938 nm, PLQY unknown" in lines[3]
    assert len(lines) == 5


# Citations -----------------------------------------------------------------------------------


def test_bibtex_and_ris_of_all_papers_are_read_by_reference_managers(dataset: Dataset) -> None:
    papers = list(dataset.papers.values())
    read = bibtexparser.loads(
        bibtex(papers), bibtexparser.bparser.BibTexParser(common_strings=True)
    )
    assert [entry["ID"] for entry in read.entries] == [paper.paper_id for paper in papers]
    assert [entry.get("doi", "") for entry in read.entries] == [paper.doi for paper in papers]
    records = rispy.loads(ris(papers))
    assert [record.get("doi", "") for record in records] == [paper.doi for paper in papers]
    assert [record["id"] for record in records] == [paper.paper_id for paper in papers]
    assert plain(papers).count("\n") == len(papers)


def test_signs_of_tex_are_escaped() -> None:
    paper = Paper("a&b", "", "10.1/x_y", 2020, "50 % {a} _b_ $5 #1 ~ ^ \\", "", "J & J", None)
    (entry,) = bibtexparser.loads(bibtex([paper])).entries
    assert entry["ID"] == "a_b"
    assert r"50 \% \{a\} \_b\_ \$5 \#1" in entry["title"]
    assert entry["note"] == r"a\&b, read in https://doi.org/10.1/x\_y"


def test_lines_and_brackets_of_texts_stay_within_their_field() -> None:
    title, doi = "One\nER  - \nTY  - JOUR", "10.1000/a{b"
    paper = Paper("a", doi, "", 2020, title, "Smith,\r\nA.; Li, B.", "J", None)
    (entry,) = bibtexparser.loads(bibtex([paper])).entries
    assert (entry["doi"], entry["journal"]) == ("10.1000/a%7Bb", "J")
    (record,) = rispy.loads(ris([paper]))
    assert record["title"] == "One ER - TY - JOUR"
    assert record["authors"] == ["Smith, A.", "Li, B."]
    assert plain([paper]).count("\n") == 1


def test_a_single_name_is_no_list_of_papers(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="papers 'hu2018': a list is needed"):
        citations_of(dataset.papers.values(), "hu2018")


def test_an_unknown_format_is_refused(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="allowed: bibtex, ris, text"):
        table(dataset, **SILICA_IN_WATER).citations("endnote")


# Forest plots --------------------------------------------------------------------------------


def test_a_forest_plot_has_a_line_for_each_test_and_arrows_where_it_is_open(dataset) -> None:
    plots = forest_plots(table(dataset, **SILICA_IN_WATER))
    assert [plot.quantity for plot in plots] == ["half-life", "gain"]
    life = plots[0]
    tests = [line for line in life.lines if not line.is_pooled]
    assert len(tests) == 6
    drawn = ET.fromstring(life.svg())
    texts = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {line.label for line in life.lines} <= set(texts)
    assert sum(text.startswith("> ") for text in texts) >= sum(
        math.isinf(line.high) for line in tests
    )
    assert ET.fromstring(svg_page(plots)).get("height") == str(sum(plot.height for plot in plots))


def test_a_png_has_twice_the_pixels_and_its_texts(dataset: Dataset) -> None:
    plots = forest_plots(table(dataset, **SILICA_IN_WATER))
    picture = png_page(plots)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (1800, 2 * sum(plot.height for plot in plots))
    unlabelled = [replace(plot, title="") for plot in plots]
    assert len(png_page(unlabelled)) < len(picture)


def test_chosen_combinations_are_plotted_with_their_tests_in_their_order(dataset) -> None:
    names = ["CsPbBr3 / ZrO2", "CsPbBr3 / nothing", "CsPbBr3 / SiO2"]
    life, gain = combination_plots(EvidenceTable(dataset, EvidenceQuery()), names, ["water"])
    assert (life.title, gain.title) == (
        "Half-life in hours under water",
        "Stability gain under water",
    )
    groups = [line.label.partition(",")[0] for line in life.lines if line.is_pooled]
    assert groups == [names[0], names[2]]
    asked = table(dataset, core="CsPbBr3", **SILICA_IN_WATER)
    (expected,) = [
        row.pooled
        for row in asked.pooled
        if (row.quantity, row.pooled.level, row.pooled.name)
        == ("half-life", "combination", names[2])
    ]
    (pooled,) = [line for line in life.lines if line.label.startswith(f"{names[2]},")]
    assert (pooled.low, pooled.median) == (expected.at_least, expected.median)
    assert len(life.lines) == 2 + 1 + expected.tests


def test_a_plot_of_chosen_combinations_has_few_lines(dataset: Dataset) -> None:
    everything = EvidenceTable(dataset, EvidenceQuery())
    names = {f"{t.sample.core_text} / {t.sample.shell}": None for t in dataset.tests}
    plots = combination_plots(everything, list(names), ["water", "light"])
    assert all(0 < len(plot.lines) <= MOST_LINES for plot in plots)
    assert len(plots[0].lines) > MOST_LINES - 8
    assert combination_plots(everything, ["CsPbBr3 / nothing"], ["water"]) == []


def test_a_combination_of_many_tests_has_as_many_as_there_is_room_for(dataset: Dataset) -> None:
    name = "CsPbBr3 / SiO2"
    of_name = [
        test for test in dataset.tests
        if test.stressor == "water" and f"{test.sample.core_text} / {test.sample.shell}" == name
    ]  # fmt: skip
    copies = tuple(
        replace(of_name[copy % len(of_name)], shared_group="", number=len(dataset.tests) + copy)
        for copy in range(60)
    )
    many = EvidenceTable(replace(dataset, tests=(*dataset.tests, *copies)), EvidenceQuery())
    plots = combination_plots(many, ["CsPbBr3 / ZrO2", name], ["water"])
    assert [plot.quantity for plot in plots] == ["half-life", "gain"]
    assert len(plots[0].lines) == MOST_LINES
    (at,) = [row for row, one in enumerate(plots[0].lines) if one.label.startswith(f"{name},")]
    shown, tests = len(plots[0].lines) - at - 1, len(of_name) + len(copies)
    assert plots[0].lines[at].label.endswith(f", {shown} of {tests} tests shown")
    assert shown > 20


def test_a_narrow_plot_keeps_labels_clear_of_values() -> None:
    lines = (Line("a" * 60, 1.0, 2000.0), Line("short", 1.0, 2.0))
    drawn = ET.fromstring(ForestPlot("t", "half-life", lines, NARROW).svg())
    assert drawn.get("width") == str(NARROW.width)
    texts = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    (long,) = [text for text in texts if text.startswith("aa")]
    assert long.endswith("...")
    assert len(long) + len("1 to 2000 h") < 52
    assert "short" in texts


def test_texts_of_a_plot_are_escaped() -> None:
    plot = ForestPlot("a < b & c", "gain", (Line("<x>", 1.0, 2.0), Line("y", 0.0, 3.0)))
    drawn = ET.fromstring(plot.svg())
    texts = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "<x>" in texts
    assert "< 3" in texts


# Doors ---------------------------------------------------------------------------------------


def test_every_door_gives_the_same_evidence(trained: TrainedModel, tmp_path: Path) -> None:
    folder = workspace_of(trained, tmp_path / "workspace")
    workspace = Workspace(folder.root)
    expected = json.loads(json.dumps(workspace.evidence_table(**SILICA_IN_WATER).to_json()))
    frame = workspace.evidence(**SILICA_IN_WATER)
    assert list(frame["paper_id"]) == [row["paper_id"] for row in expected["tests"]]
    pooled = workspace.evidence(pooled=True, **SILICA_IN_WATER)
    assert list(pooled["at_least"]) == [row["at_least"] for row in expected["pooled"]]

    bib, svg = tmp_path / "papers.bib", tmp_path / "plot.svg"
    options = [f"--{name}={word}" for name, word in SILICA_IN_WATER.items()]
    command = [sys.executable, "-m", "perovshell", "evidence", *options, "--json"]
    files = ["--bibtex", str(bib), "--plot", str(svg), "--workspace", str(folder.root)]
    done = subprocess.run([*command, *files], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == expected

    champion = Champion(Source(folder))
    with TestClient(create_app(champion, Settings())) as client:
        answer = client.get("/v1/evidence", params=SILICA_IN_WATER)
        assert answer.status_code == 200
        # The page asks for the plots that there are.
        assert answer.json() == {**expected, "plots": ["stability", "pl", "plqy"]}
        assert client.get("/v1/evidence/papers.bib", params=SILICA_IN_WATER).text == bib.read_text()
        assert client.get("/v1/evidence/plot.svg", params=SILICA_IN_WATER).text == svg.read_text()
        assert client.get("/v1/evidence", params={"shel": "SiO2"}).status_code == 422
        assert client.get("/v1/evidence", params={"shell": "SiOO2"}).status_code == 422
        nothing = client.get("/v1/evidence/plot.svg", params={"core": "CsSnI3"})
        assert nothing.status_code == 404
        for form, name in (("ris", "papers.ris"), ("text", "papers.txt")):
            text = client.get(f"/v1/evidence/{name}", params=SILICA_IN_WATER).text
            assert text == workspace.evidence_table(**SILICA_IN_WATER).citations(form)
        assert set(FORMATS) == {"bibtex", "ris", "text"}


def test_a_paper_that_was_added_is_evidence_at_once(trained: TrainedModel, tmp_path: Path) -> None:
    folder = workspace_of(trained, tmp_path / "workspace")
    sample = {"name": "1", "core": "CsPbBr3", "shell": "SiO2", "structure": "core/shell"}
    kept = {"duration": "100 h", "percent": "90"}
    test = {"stressor": "water", "measure": "remnant PL", "coated": kept}
    paper = {
        "paper_id": "smith2026",
        "source": "a talk",
        "samples": [{**sample, "stability": [test]}],
    }
    workspace = Workspace(folder.root)
    with TestClient(create_app(Champion(Source(folder)), Settings())) as client:
        before = client.get("/v1/evidence", params=SILICA_IN_WATER).json()
        workspace.add(paper)
        after = client.get("/v1/evidence", params=SILICA_IN_WATER).json()
    assert len(after["tests"]) == len(before["tests"]) + 1
    assert after["tests"][-1]["paper_id"] == "smith2026"
