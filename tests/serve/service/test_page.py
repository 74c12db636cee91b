"""The page, driven in a real browser as a user drives it, against a real service."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from browsing import Open, chromium, forgive, hold_first, opening, overflow
from perovshell.models.card import POINT_TARGETS
from perovshell.models.folder import read_folder, read_validation, write_folder
from perovshell.serve.report.orders import ORDER_TEXTS
from perovshell.serve.report.tables import CONSTRAINTS
from perovshell.targets.target import NOT_REACHED
from perovshell.training.train import TrainedModel
from perovshell.workspace.folder import WorkspaceFolder
from servers import Server, serving

UNMEASURED_PROCESSES = True

DESKTOP, PHONE = (1280, 900), (360, 740)
CITED = re.compile(r"/v1/evidence/papers\.ris\?paper=")
CSPBCL3 = {"core": "CsPbCl3", "shell": "SiO2"}


@pytest.fixture(scope="module")
def server(
    session_workspace: WorkspaceFolder,
    trained: TrainedModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    with serving(session_workspace.root, tmp_path_factory.mktemp("page") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(server: Server, browser: Browser) -> Iterator[Open]:
    with opening(browser, server.url, DESKTOP) as opened:
        yield opened


def asked(server: Server, *rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Return what the service answers without the page."""
    body = json.dumps({"rows": rows, "details": True, **options}).encode()
    headers = {"content-type": "application/json"}
    with urlopen(Request(f"{server.url}/v1/predict", body, headers), timeout=30) as response:
        answers: list[dict[str, Any]] = json.load(response)["answers"]
    return answers


def got(server: Server, path: str, **query: Any) -> str:
    """Return what the service answers to a GET."""
    with urlopen(f"{server.url}/v1/{path}?{urlencode(query, doseq=True)}", timeout=30) as response:
        text: str = response.read().decode()
    return text


def skills(server: Server) -> dict[str, bool]:
    """Return which targets have skill, by the stem of their columns."""
    card = json.loads(got(server, "model"))
    return {t["column"]: card["skill"][t["name"]]["has_skill"] for t in card["targets"]}


def part(page: Page, name: str, column: int = 0) -> Locator:
    return page.locator("article.column").nth(column).locator(f'[data-part="{name}"]')


def lines(shown: Locator) -> list[str]:
    return [text for text in shown.inner_text().split("\n") if text]


def field(page: Page, name: str, column: int = 0) -> Locator:
    return page.locator("article.column").nth(column).locator(f'[name="{name}"]')


def settled(page: Page) -> None:
    """Wait until what is shown answers what stands in the fields."""
    expect(page.locator("#columns")).to_have_attribute("aria-busy", "false")


def ranked(page: Page) -> None:
    page.get_by_role("button", name="Rank", exact=True).click()
    expect(page.locator("#ranking table").first).to_be_visible(timeout=20_000)


# Tasks of a user -----------------------------------------------------------------------------


def test_predict_a_combination_and_find_the_papers_that_measured_it(
    open_page: Open, server: Server
) -> None:
    page = open_page()
    field(page, "core").fill("CsPbBr3")
    field(page, "shell").fill("SiO2")
    settled(page)
    (answer,) = asked(server, {"core": "CsPbBr3", "shell": "SiO2"})
    shown = part(page, "pl").inner_text()
    assert f"{answer['pl_peak_nm']:.0f} nm" in shown
    assert f"{answer['pl_peak_nm_lower']:.0f} to {answer['pl_peak_nm_upper']:.0f} nm" in shown
    assert f"{answer['plqy_percent']:.0f} %" in part(page, "plqy").inner_text()
    part(page, "measured").locator("summary").click()
    shown = part(page, "measured").inner_text()
    measured = answer["details"]["measured"]
    assert len(measured) > 1
    assert all(sample["paper"] in shown for sample in measured)
    assert any(sample["plqy"][:1] in {"~", ">"} for sample in measured)
    assert all(sample[name] in shown for sample in measured for name in ("pl", "plqy"))
    tests = [test for sample in measured for test in sample["stability"].split("; ") if test]
    assert len(tests) > 1
    assert all(test in shown.lower() for test in map(str.lower, tests))
    papers = f"Measured in {len({sample['paper'] for sample in measured})} papers"
    verdict = ["Model: applicability domain", "In domain", papers]
    assert lines(part(page, "domain")) == verdict
    # What was measured and what speaks against it come before what the model says.
    order = page.locator("article.column").first.locator("[data-part]")
    names = order.evaluate_all("parts => parts.map(own => own.dataset.part)")
    assert names[:5] == ["measured", "flags", "domain", "pl", "plqy"]
    assert "change" not in page.locator("article.column").first.inner_text().lower()
    links = part(page, "measured").locator("ul.samples a").all()
    dois = [row["paper"] for row in measured if row["paper"].startswith("10.")]
    assert [link.get_attribute("href") for link in links] == [f"https://doi.org/{d}" for d in dois]


def test_compare_three_shells_for_water(open_page: Open, server: Server) -> None:
    page = open_page("/?c=CsPbBr3/SiO2&s=water")
    for shell, column in (("ZnS", 1), ("PMMA", 2)):
        page.get_by_role("button", name="Add a combination").click()
        expect(field(page, "shell", column)).to_be_focused()
        field(page, "shell", column).fill(shell)
    settled(page)
    answers = asked(server, *({"core": "CsPbBr3", "shell": s} for s in ("SiO2", "ZnS", "PMMA")))
    for column, answer in enumerate(answers):
        shown = part(page, "stability", column).inner_text()
        bounds = re.findall(r"at least ([\d.,]+) (?:h|days)", shown)
        assert float(bounds[0]) == pytest.approx(answer["half_life_h_water_lower"], rel=0.06)
        assert "no upper limit" in shown
        assert "light" not in shown.lower()
    # The same axes: the same ticks at the same places in all columns.
    places = "labels => labels.map(own => [own.textContent, own.getAttribute('x')])"
    ticks = [
        part(page, "stability", k).locator("text.label").evaluate_all(places) for k in range(3)
    ]
    assert ticks[0] == ticks[1] == ticks[2]
    page.reload()
    expect(page.locator("article.column")).to_have_count(3)
    assert field(page, "shell", 2).input_value() == "PMMA"


def shown_signs(page: Page, server: Server, stressors: list[str]) -> set[str]:
    """Return the signs of the answer, each of which is shown, as an estimate or as a bound."""
    settled(page)
    (answer,) = asked(server, {"core": "CsPbBr3", "shell": "SiO2"}, stressors=stressors)
    columns = [f"{stem}_{s}" for s in stressors for stem in ("stability_gain", "half_life_h")]
    signs = [answer[f"{column}_bound"] for column in columns]
    shown = part(page, "stability").locator(".bounded, .unskilled").all_inner_texts()
    for text, sign in zip(shown, signs, strict=True):
        if sign:
            assert f"{NOT_REACHED[sign]}: {sign}\u00a0" in text
            assert "estimate " not in text
        else:
            assert "estimate " in text
            assert "not reached" not in text
    # A target without skill has no chart.
    has_skill = skills(server)
    charts = [
        answer[f"{stem}_{s}_bound"] for s in stressors for stem, has in has_skill.items()
        if has and f"{stem}_{s}_bound" in answer
    ]  # fmt: skip
    triangles = part(page, "stability").locator("path.dot")
    expect(triangles).to_have_count(charts.count(">") + charts.count("<"))
    circles = part(page, "stability").locator("circle.dot")
    expect(circles).to_have_count(charts.count("") + charts.count("~"))
    return set(signs)


def test_a_median_that_was_not_reached_is_shown_as_a_bound(open_page: Open, server: Server) -> None:
    stressors = ["water", "ambient", "light"]
    page = open_page(f"/?c=CsPbBr3/SiO2&s={','.join(stressors)}")
    assert shown_signs(page, server, stressors) == {"", ">"}


def test_a_median_of_bare_cores_that_was_not_reached_is_shown_as_a_bound(
    trained: TrainedModel, browser: Browser, tmp_path: Path
) -> None:
    """In the papers half of the bare cores are gone under each stressor: here, not by light."""
    predictor, info = read_folder(trained.folder)
    known = predictor.stability.reached
    open_share = {**known.open_share, "bare, light": 1.0, "bare, heat": 1.0}
    stability = replace(predictor.stability, reached=replace(known, open_share=open_share))
    folder = tmp_path / "model"
    changed = {key: value for key, value in vars(info).items() if key != "model_id"}
    predictor = replace(predictor, stability=stability)
    write_folder(folder, predictor, changed, {}, read_validation(trained.folder))
    stressors = ["water", "ambient", "light", "heat"]
    with (
        serving(tmp_path, tmp_path / "log", "--model", str(folder)) as server,
        opening(browser, server.url, DESKTOP) as open_page,
    ):
        page = open_page(f"/?c=CsPbBr3/SiO2&s={','.join(stressors)}")
        assert shown_signs(page, server, stressors) == {"", *NOT_REACHED}


def ranked_green(page: Page, server: Server) -> dict[str, Any]:
    """Rank two green cores without a weight of the half-life; return what the service answers."""
    page.get_by_label("Start from").select_option("green emitter")
    page.get_by_role("radio", name="a list").check()
    page.get_by_label("Formulas, one per line").fill("CsPbBr3\nMAPbBr3")
    page.get_by_label("Half-life").fill("0")
    with page.expect_request("**/v1/rank") as sent:
        ranked(page)
    assert sent.value.post_data_json["space"]["weights"]["half_life"] == 0
    # Presets leave cadmium out, and the box says so.
    assert page.get_by_label("no cadmium").is_checked()
    assert sent.value.post_data_json["space"]["constraints"]["cadmium_free"] is True
    body, headers = sent.value.post_data_buffer, {"content-type": "application/json"}
    with urlopen(Request(f"{server.url}/v1/rank", body, headers), timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def test_rank_a_small_green_space_and_read_both_lists(open_page: Open, server: Server) -> None:
    page = open_page("/#rank")
    answer = ranked_green(page, server)

    # Both lists, in their order, and a point for each line.
    for name in ("measured", "candidates"):
        rows = page.locator(f'#ranking tr[id^="{name}-"]')
        assert rows.count() == len(answer[name]) > 2
        assert rows.locator("th > div").all_inner_texts()[0].startswith(answer[name][0]["core"])
    total = len(answer["measured"]) + len(answer["candidates"])
    assert page.locator("#ranking .point").count() == total
    assert page.locator("#ranking rect.mark").count() == len(answer["measured"])
    rows_of = {f"candidates-{place}": line for place, line in enumerate(answer["candidates"], 1)}
    front = [name for name, line in rows_of.items() if line["is_pareto"]]
    marked = page.locator("#ranking tr").filter(has_text="Pareto front")
    assert marked.evaluate_all("rows => rows.map((own) => own.id)") == front
    assert page.locator("#ranking .ring").count() == len(front) > 0

    # What papers measured, each with its paper.
    first = answer["measured"][0]
    shown = page.locator("#measured-1").inner_text()
    assert all(sample["paper"] in shown for sample in first["samples"][:3])
    # Shells that nothing known tells apart are one line.
    name, tied = next((name, line) for name, line in rows_of.items() if len(line["ties"]) > 1)
    row = page.locator(f"#{name}")
    folded = row.locator("details.ties")
    expect(folded.locator("summary")).to_contain_text(f"any of {len(tied['ties'])} others")
    folded.locator("summary").click()
    assert folded.locator("li").all_inner_texts() == tied["ties"]
    # Papers are links, named by what they are on.
    on_shell = next(name for name, line in rows_of.items() if line["shell_papers"])
    cell = page.locator(f"#{on_shell}")
    expect(cell).to_contain_text("On the shell, other cores:")
    other = next(name for name, line in rows_of.items() if not line["shell_papers"])
    cell = page.locator(f"#{other}")
    expect(cell).to_contain_text("None on this shell. Nearest, on other shells:")


def test_each_bound_names_its_nearest_tests(open_page: Open, server: Server) -> None:
    page = open_page("/#rank")
    answer = ranked_green(page, server)
    for name in ("measured", "candidates"):
        for place, line in enumerate(answer[name], 1):
            shown = page.locator(f"#{name}-{place} .evidence").all_inner_texts()
            columns = [key for key, value in line.items() if "_at_least" in key and value]
            texts = [
                line["at_least_evidence"][key] for key in columns if key != "at_least_evidence"
            ]
            assert sorted(shown) == sorted(f"(nearest: {text})" for text in texts) != []
    from_class = [
        line for line in answer["candidates"] if "class" in str(line["at_least_evidence"])
    ]
    assert from_class

    page = open_page("/?c=CsPbBr3/PET&s=water")
    (predicted,) = asked(server, {"core": "CsPbBr3", "shell": "PET"}, stressors=["water"])
    known = predicted["details"]["known_at_least"]
    assert {bound["target"] for bound in known} == {"lifetime", "gain"}
    settled(page)
    shown = part(page, "stability").inner_text()
    assert all(f"(nearest: {bound['evidence']})" in shown for bound in known)
    assert shown.index("Known at least") < shown.index("Model:")
    # A bare core has no shell that papers could have tested.
    (bare,) = asked(server, {"core": "CsPbBr3", "shell": "none"})
    assert bare["details"]["known_at_least"] == []


@pytest.mark.parametrize("order", list(ORDER_TEXTS))
def test_the_order_and_its_number_have_their_names(
    open_page: Open, server: Server, order: str
) -> None:
    page = open_page("/#rank")
    page.get_by_label("Order by").select_option(order)
    page.get_by_label("Lines of each list").select_option("10")
    answer = ranked_green(page, server)
    texts = ORDER_TEXTS[order]
    shown = page.locator("#ranking").inner_text()
    assert texts.measured in shown
    assert texts.candidates in shown
    heads = page.locator("#ranking table").nth(1).locator("thead th")
    expect(heads.last).to_have_text(texts.number.capitalize())
    assert ("what is known at least" in shown.split("How reliable")[0]) == (order == "lower-bound")
    # Ten lines were asked for and ten are there: the list may go on.
    assert len(answer["candidates"]) == 10
    assert f"The first 10 lines of {answer['ranked']} combinations" in shown
    assert answer["removed_text"] in shown


def test_a_list_that_is_whole_is_not_called_its_first_lines(
    open_page: Open, server: Server
) -> None:
    page = open_page("/#rank")
    page.get_by_label("Lines of each list").select_option("100")
    answer = ranked_green(page, server)
    assert 25 < len(answer["candidates"]) < 100
    shown = page.locator("#ranking").inner_text()
    count = len(answer["candidates"])
    assert f"{count} lines of {answer['ranked']} combinations" in shown
    assert "The first" not in shown
    # Nothing of a line is outside of its table.
    sizes = "all => all.map((own) => own.scrollWidth - own.clientWidth)"
    assert page.locator("#ranking .scroll").evaluate_all(sizes) == [0, 0]


def test_sort_candidates_and_take_one_to_the_comparison(open_page: Open, server: Server) -> None:
    page = open_page("/#rank")
    answer = ranked_green(page, server)
    table = page.locator("#ranking table").nth(1)
    head = table.locator("thead th").filter(has_text="PL peak")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    ids = table.locator("tbody tr").evaluate_all("rows => rows.map(own => own.id)")
    peaks = [line["pl_peak_nm"] for line in answer["candidates"]]
    assert [peaks[int(name.split("-")[1]) - 1] for name in ids] == sorted(peaks)
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")

    # A combination to the comparison, with the particle that was ranked.
    use = page.locator("#candidates-1").get_by_role("button", name="Predict")
    line = answer["candidates"][0]
    use.click()
    name = f"{line['core']} / {line['shell']}"
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    settled(page)
    assert field(page, "encapsulation", 2).input_value() == "single-particle"


def test_a_link_restores_a_ranking_and_its_citations(open_page: Open, server: Server) -> None:
    page = open_page("/#rank")
    page.get_by_label("Start from").select_option("red emitter")
    page.get_by_label("Order by").select_option("value")
    page.get_by_label("PLQY", exact=True).fill("3")
    page.get_by_label("Core sizes").fill("unknown, 6")
    page.locator('#space [name="shells"]').select_option("a list")
    page.get_by_label("Names, one per line").fill("SiO2\nZrO2")
    page.get_by_label("no lead").check()
    page.get_by_label("no lead").uncheck()
    page.get_by_label("in domain", exact=True).uncheck()
    page.locator("#rank-stressors").get_by_label("heat").check()
    page.get_by_label("Lines of each list").select_option("10")
    with page.expect_request("**/v1/rank") as sent:
        ranked(page)
    wanted = sent.value.post_data_json
    assert wanted["order_by"] == "value"
    assert wanted["space"]["weights"]["plqy"] == 3
    assert wanted["space"]["sizes_nm"] == ["unknown", 6]
    assert wanted["space"]["stressors"] == ["water", "light", "heat"]
    assert "#rank?preset=red-emitter" in page.url
    # Another view and back, then a reload: the same request and the same lists.
    page.get_by_role("link", name="Model card").click()
    page.get_by_role("link", name="Rank").click()
    before = page.locator("#ranking tbody").all_inner_texts()
    with page.expect_request("**/v1/rank") as again:
        page.reload()
    assert again.value.post_data_json == wanted
    expect(page.locator("#ranking table").first).to_be_visible(timeout=20_000)
    assert page.locator("#ranking tbody").all_inner_texts() == before

    page.get_by_label("Format of the citations").select_option("RIS")
    with page.expect_download() as download, page.expect_request(CITED) as cited:
        page.get_by_role("button", name="Download citations").click()
    text = Path(download.value.path()).read_text()
    with urlopen(cited.value.url, timeout=30) as response:
        assert response.read().decode() == text
    count = page.locator("#ranking .citations span").first.inner_text()
    assert text.count("TY  - ") == int(count.split()[0]) > 1


# The literature ------------------------------------------------------------------------------

SILICA_IN_WATER = {"shell": "SiO2", "stressor": "water"}


def test_ask_the_literature_for_silica_in_water(open_page: Open, server: Server) -> None:
    page = open_page()
    page.get_by_role("link", name="Literature", exact=True).click()
    form = page.get_by_role("form", name="Search of the literature")
    form.locator("[name=shell]").fill("SiO2")
    form.get_by_label("Stressor").select_option("water")
    form.get_by_role("button", name="Search").click()
    answer = json.loads(got(server, "evidence", **SILICA_IN_WATER))
    tests = page.get_by_role("region", name="Tests")
    expect(tests).to_be_visible()
    assert page.url.endswith("#literature?shell=SiO2&stressor=water")

    # The numbers of the service: pooled values, tests, and the plot.
    rows = page.get_by_role("region", name="Pooled values").locator("tbody tr")
    assert rows.count() == len(answer["pooled"]) > 3
    pooled = next(p for p in answer["pooled"] if (p["name"], p["level"]) == ("SiO2", "shell"))
    shown = rows.filter(has=page.get_by_role("rowheader", name="SiO2 the shell")).first.inner_text()
    assert f"{float(format(pooled['at_least'], '.2g')):g} h" in shown
    assert f"× {pooled['spread']:.2g}" in shown
    # Where no group has two papers, nothing is known of how they differ.
    count = sum(group["spread"] is None for group in answer["pooled"])
    assert rows.get_by_text("not known", exact=True).count() == count > 0
    assert rows.get_by_text("unknown").count() == 0
    assert tests.locator("tbody tr").count() == len(answer["tests"])
    texts = tests.locator("tbody tr").all_inner_texts()
    for row, text in zip(answer["tests"], texts, strict=True):
        assert row["coated"] in text
        assert (row["doi"] or row["paper_id"]) in text
    # The tests as CSV, and the citations.
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the tests (CSV)").click()
    saved = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["sample_id"] for row in saved] == [row["sample_id"] for row in answer["tests"]]
    assert [row["coated"] for row in saved] == [row["coated"] for row in answer["tests"]]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download citations").click()
    bib = got(server, "evidence/papers.bib", **SILICA_IN_WATER)
    assert Path(download.value.path()).read_text() == bib

    # Sorting and filtering.
    head = tests.locator("thead th").filter(has_text="Year")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    years = [row["year"] for row in answer["tests"] if row["year"]]
    assert str(max(years)) in tests.locator("tbody tr").first.inner_text()
    page.get_by_label("Filter the tests").fill("matrix powder")
    visible = tests.locator("tbody tr:not([hidden])")
    wanted = [r for r in answer["tests"] if (r["structure"], r["medium"]) == ("matrix", "powder")]
    expect(visible).to_have_count(len(wanted))

    page.reload()
    expect(page.get_by_role("region", name="Tests").locator("tbody tr")).to_have_count(len(texts))
    assert form.locator("[name=shell]").input_value() == "SiO2"
    form.locator("[name=shell]").fill("SiOO2")
    form.get_by_role("button", name="Search").click()
    expect(page.locator("#literature-fault")).to_contain_text("SiOO2")
    forgive(open_page, "status of 422")


def test_plots_of_the_literature_are_saved(open_page: Open, server: Server) -> None:
    page = open_page("/#literature?shell=SiO2&stressor=water")
    page.locator(".forest svg").first.wait_for()
    titles = ["Forest plots", "PL by composition and size", "PLQY by shell"]
    headings = page.get_by_role("heading", level=2).all_inner_texts()
    assert [text for text in headings if text in titles] == titles
    assert page.locator(".forest").first.locator("svg svg").count() == 2
    for number, show in enumerate(("stability", "pl", "plqy")):
        with page.expect_download() as download:
            page.get_by_role("button", name="Download as SVG").nth(number).click()
        svg = got(server, "evidence/plot.svg", **SILICA_IN_WATER, show=show)
        assert Path(download.value.path()).read_text() == svg
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as PNG").first.click()
    assert Path(download.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_shell_without_a_plot_has_its_samples(open_page: Open, server: Server) -> None:
    query = {"shell": "glass:chalcogenide"}
    answer = json.loads(got(server, "evidence", **query))
    assert answer["samples"]
    assert answer["plots"] == []
    page = open_page(f"/#literature?{urlencode(query)}")
    rows = page.get_by_role("region", name="Samples").locator("tbody tr")
    expect(rows).to_have_count(len(answer["samples"]))
    expect(page.locator("#literature-fault")).to_be_hidden()


def test_the_service_says_which_plots_there_are(server: Server) -> None:
    for query in ({"shell": "glass:chalcogenide"}, {"core": "CsPbBr3", "shell": "ZnS"}):
        plots = json.loads(got(server, "evidence", **query))["plots"]
        for show in ("stability", "pl", "plqy"):
            if show in plots:
                assert "<svg" in got(server, "evidence/plot.svg", **query, show=show)
            else:
                with pytest.raises(HTTPError, match="404"):
                    got(server, "evidence/plot.svg", **query, show=show)


def test_tables_do_not_wait_for_plots(open_page: Open) -> None:
    page = open_page()
    held = hold_first(page, "**/v1/evidence/plot.svg*")
    page.goto(f"{page.url.split('#')[0]}#literature?shell=SiO2&stressor=water")
    expect(page.get_by_role("region", name="Tests")).to_be_visible()
    held[0].fulfill(status=503, json={"detail": "Nine papers are checked or wait."})
    # A plot that fails is said in its place.
    expect(page.locator(".forest").first).to_contain_text("No plot: Nine papers")
    expect(page.get_by_role("region", name="Tests")).to_be_visible()
    forgive(open_page, "status of 503")


def test_a_filter_searches_what_rows_say(open_page: Open) -> None:
    page = open_page("/#literature?shell=SiO2&stressor=water")
    rows = page.get_by_role("region", name="Tests").locator("tbody tr")
    expect(rows.first).to_be_visible()
    titles = "own => [...own.cells].map((cell) => cell.firstElementChild.textContent)"
    for title in rows.first.evaluate(titles):
        page.get_by_label("Filter the tests").fill(title)
        cells = "all => all.map((own) => [...own.cells].map((c) => c.lastElementChild.textContent))"
        wanted = [" ".join(row).lower() for row in rows.evaluate_all(cells)]
        count = sum(all(word in text for word in title.lower().split()) for text in wanted)
        expect(page.locator("#evidence .toolbar").first).to_contain_text(
            f"{count} of {len(wanted)}"
        )
    assert count == 0


def test_plots_on_a_phone_have_its_layout(open_page: Open, server: Server) -> None:
    page = open_page("/#literature?shell=SiO2&stressor=water", (390, 844))
    drawing = page.locator(".forest.stability svg").first
    expect(drawing).to_be_visible()
    scale = "own => own.getBoundingClientRect().width / own.viewBox.baseVal.width"
    assert drawing.evaluate(scale) * 11 > 9
    narrow = got(server, "evidence/plot.svg", **SILICA_IN_WATER, layout="narrow")
    assert 'width="360"' in narrow.split("\n", 1)[0]
    assert overflow(page) == 0


def test_what_an_address_has_in_vain_is_said(open_page: Open) -> None:
    page = open_page("/#literature?core=CsPbBr3&stressor=nonsense&shade=dark")
    expect(page.locator("#ignored")).to_contain_text("stressor=nonsense, shade=dark")
    expect(page.get_by_role("region", name="Tests")).to_be_visible()
    page.get_by_role("link", name="Model card").click()
    expect(page.locator("#ignored")).to_be_hidden()
    page = open_page("/?c=CsPbBr3/SiO2;medium=soup;shade=dark&s=water,tea&p=2")
    expect(page.locator("#ignored")).to_contain_text("shade=dark, p=2, tea, medium=soup")
    page = open_page("/#rank?preset=pink&order_by=luck&top=10")
    expect(page.locator("#ranking table").first).to_be_visible(timeout=20_000)
    expect(page.locator("#ignored")).to_contain_text("preset=pink, order_by=luck")
    assert page.locator("[name=order_by]").input_value() == "lower-bound"


def test_what_was_measured_leads_to_the_literature(open_page: Open) -> None:
    page = open_page("/?c=CsPbBr3/SiO2")
    part(page, "measured").get_by_role("link", name="Tests and plots in the literature").click()
    rows = page.get_by_role("region", name="Tests").locator("tbody tr")
    expect(rows.first).to_be_visible(timeout=20_000)
    assert {text.strip() for text in rows.locator("th > div").all_inner_texts()} == {"CsPbBr3"}


def test_a_neighbour_shows_what_makes_it_differ(open_page: Open, server: Server) -> None:
    page = open_page("/?c=CsPbBr3/ZnS;core_size_nm=12")
    (answer,) = asked(server, {"core": "CsPbBr3", "shell": "ZnS", "core_size_nm": 12})
    samples = answer["details"]["nearest"]
    assert any("shell CdS" in sample["differs"] for sample in samples)
    shown = part(page, "papers").inner_text()
    for sample in samples:
        if sample["differs"]:
            assert f"Differs: {', '.join(sample['differs'])}" in shown


def test_a_target_without_skill_has_no_number_in_large_type(
    open_page: Open, server: Server
) -> None:
    page = open_page("/?c=CsPbBr3/SiO2&s=water")
    without = [column for column, has in skills(server).items() if not has]
    assert "stability_gain" in without
    (answer,) = asked(server, {"core": "CsPbBr3", "shell": "SiO2"}, stressors=["water"])
    tests = [one for row in answer["details"]["measured"] for one in row["stability"].split("; ")]
    gain = next(test for test in tests if test.startswith("water: gain"))
    shown = part(page, "stability")
    expect(shown.locator(".caution").first).to_contain_text(gain.removeprefix("water: "))
    assert not any("×" in text for text in shown.locator("strong").all_inner_texts())


def test_see_why_a_combination_is_out_of_domain(open_page: Open, server: Server) -> None:
    page = open_page("/?c=AuCu/CsPbCl3")
    (answer,) = asked(server, {"core": "AuCu", "shell": "CsPbCl3"})
    assert "metal" in answer["domain_reasons"][0]
    verdict, *entries = lines(part(page, "domain"))[1:]
    assert verdict.startswith("Out of domain")
    assert entries[0] == answer["domain_reasons"][0].capitalize()
    assert "out of domain" in page.locator("#status").inner_text()


def test_each_part_has_the_verdict_on_its_own_target(open_page: Open, server: Server) -> None:
    page = open_page("/?c=FAPbBr3/SiO2&s=water,polar-solvent")
    (answer,) = asked(
        server, {"core": "FAPbBr3", "shell": "SiO2"}, stressors=["water", "polar-solvent"]
    )
    assert answer["in_domain"]
    assert not answer["in_domain_stability_water"]
    settled(page)
    _, outside, inside, reason, *_ = lines(part(page, "domain"))
    names = "stability under water and polar solvent"
    assert outside == f"Out of domain, do not rely on: {names}"
    assert inside == "In domain: PL peak and PLQY"
    assert reason == answer["domain_reasons"][0].replace("stability", "Stability")
    for name in ("pl", "plqy"):
        expect(part(page, name).locator(".badge")).to_have_text("in domain")
    assert part(page, "stability").locator(".badge").all_inner_texts() == ["out of domain"] * 2
    assert f"out of domain: {names}" in page.locator("#status").inner_text()


def test_a_stressor_with_few_papers_is_out_of_domain_alone(open_page: Open) -> None:
    page = open_page("/?c=CsPbBr3/SiO2&s=water,sonication")
    settled(page)
    heads = part(page, "stability").locator("h4").all_inner_texts()
    assert [head.endswith(" in domain") for head in heads] == [True, False]
    assert heads[1].endswith(" out of domain")
    _, outside, inside, *_ = lines(part(page, "domain"))
    assert outside == "Out of domain, do not rely on: stability under sonication"
    assert inside == "In domain: PL peak, PLQY and stability under water"


def test_see_what_speaks_against_a_coating(open_page: Open, server: Server) -> None:
    page = open_page("/?c=CsPbBr3/PVA")
    settled(page)
    (answer,) = asked(server, {"core": "CsPbBr3", "shell": "PVA"})
    assert answer["flags"][0] == "PVA dissolves in water"
    assert lines(part(page, "flags").locator("ul.flags")) == answer["flags"]


def test_read_what_the_model_card_says_of_plqy(open_page: Open, server: Server) -> None:
    page = open_page()
    page.get_by_role("link", name="Model card").click()
    tile = page.locator(".tile").filter(has_text="PLQY")
    with urlopen(f"{server.url}/v1/model", timeout=10) as response:
        said = json.load(response)
    verdict = said["skill"]["plqy"]
    assert verdict["sentence"][1:] in tile.inner_text()
    assert ("no skill" in tile.locator(".badge").inner_text()) is not verdict["has_skill"]
    error = said["figures"]["plqy.paper.all.mae"]
    row = page.get_by_role("row").filter(has_text="PLQY, all")
    assert f"{error:.3g}" in row.inner_text()


def test_a_third_validated_target_is_in_the_card(
    trained: TrainedModel, browser: Browser, tmp_path: Path
) -> None:
    predictor, info = read_folder(trained.folder)
    settings, skill = dict(info.settings), dict(info.skill)
    third = {"title": "line width", "error_unit": "nm"}
    settings[POINT_TARGETS] = {**settings[POINT_TARGETS], "fwhm": third}
    skill["fwhm"] = {"has_skill": False, "slope": 0.1, "sentence": "no skill over the median"}
    # Its own figures and those of its baselines.
    figures = {re.sub(r"\bpl\.", "fwhm.", key): value for key, value in info.figures.items()}
    figures = {**figures, **info.figures, "fwhm.paper.all.mae": 4.56}
    changed = {**vars(info), "settings": settings, "skill": skill, "figures": figures}
    del changed["model_id"]
    folder = tmp_path / "model"
    write_folder(folder, predictor, changed, {}, read_validation(trained.folder))
    with serving(tmp_path, tmp_path / "log", "--model", str(folder)) as running:
        with urlopen(f"{running.url}/v1/model", timeout=10) as response:
            targets = {own["name"]: own for own in json.load(response)["targets"]}
        page = browser.new_page()
        page.goto(f"{running.url}/#card")
        tile = page.locator(".tile").filter(has_text="Line width")
        expect(tile.locator(".badge")).to_have_text("no skill")
        assert page.locator(".tile h3").all_inner_texts() == [
            "PL peak", "PLQY", "Line width", "Stability gain", "Half-life",
        ]  # fmt: skip
        row = page.get_by_role("row").filter(has_text="line width, all (nm)")
        assert "4.56" in row.inner_text()
        page.get_by_role("link", name="Predict").click()
        expect(page.locator("#status")).to_contain_text("PL peak")
        page.close()
    assert list(targets) == ["pl", "plqy", "fwhm", "gain", "lifetime"]
    assert targets["pl"]["effect"] == "pl_shift_nm"
    assert targets["gain"]["column"] == "stability_gain"
    assert targets["gain"]["domain_column"] == "in_domain_stability"
    assert targets["fwhm"] == {
        "name": "fwhm", "title": "line width", "kind": "point", "unit": None, "error_unit": "nm",
        "column": None, "effect": None, "domain_column": None, "no_skill": "",
    }  # fmt: skip


def test_the_downloaded_report_runs_by_itself(
    open_page: Open, browser: Browser, tmp_path: Path
) -> None:
    page = open_page("/#rank")
    page.get_by_role("radio", name="a list").check()
    page.get_by_label("Formulas, one per line").fill("CsPbBr3\nMAPbBr3")
    ranked(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the full report").click()
    download.value.save_as(tmp_path / "report.html")
    faults: list[str] = []
    report = browser.new_page(viewport={"width": 1280, "height": 900})
    report.on("pageerror", lambda error: faults.append(str(error)))
    report.goto((tmp_path / "report.html").as_uri())
    report.get_by_text("How the lists were made").click()
    axis = report.get_by_label("up")
    labels = report.locator("#scatter .axes text")
    before = labels.all_text_contents()
    axis.select_option("score")
    expect(labels.last).to_have_text("score")
    assert labels.all_text_contents() != before
    report.close()
    assert faults == []


# Fields --------------------------------------------------------------------------------------


def test_a_slider_rewrites_the_formula_and_moves_the_peak(open_page: Open) -> None:
    page = open_page("/?c=CsPbBr3/SiO2")
    before = part(page, "pl").locator("strong").inner_text()
    slider = field(page, "I")
    slider.focus()
    for _ in range(6):
        slider.press("ArrowRight")
    assert field(page, "core").input_value() == "CsPbBr2.4I0.6"
    assert slider.get_attribute("aria-valuetext") == "20 %"
    settled(page)
    expect(part(page, "pl").locator("strong")).not_to_have_text(before)
    after = part(page, "pl").locator("strong").inner_text()
    assert int(after.split()[0]) > int(before.split()[0])
    assert "c=CsPbBr2.4I0.6/SiO2" in page.url


@pytest.mark.parametrize(
    ("formula", "shares"),
    [
        ("CsPb(Br0.6I0.4)3", ["0", "1.8", "1.2"]),
        ("FAPbCl2Br", ["2", "1", "0"]),
        ("Cs0.9FA0.1PbI3", ["0", "0", "3"]),
    ],
)
def test_a_typed_formula_moves_the_sliders(
    open_page: Open, formula: str, shares: list[str]
) -> None:
    page = open_page("/?c=CsPbBr3/SiO2")
    field(page, "core").fill(formula)
    assert [field(page, ion).input_value() for ion in ("Cl", "Br", "I")] == shares
    assert field(page, "core").input_value() == formula
    field(page, "core").fill("Cs3Cu2I5")
    expect(field(page, "I")).to_be_disabled()


def test_typing_completes_by_keyboard(open_page: Open) -> None:
    page = open_page("/?c=CsPbBr3/SiO2")
    shell = field(page, "shell")
    shell.fill("ZnS|")
    shell.press_sequentially("zircon")
    shell.press("ArrowDown")
    chosen = shell.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{chosen}")).to_have_attribute("aria-selected", "true")
    shell.press("Enter")
    assert shell.input_value() == "ZnS|ZrO2"
    expect(shell).to_have_attribute("aria-expanded", "false")
    shell.fill("SiO2")
    expect(shell).to_have_attribute("aria-expanded", "true")
    shell.press("Enter")
    assert shell.input_value() == "SiO2"
    expect(shell).to_have_attribute("aria-expanded", "false")
    shell.fill("ZnS|ZrO2")
    settled(page)
    expect(page.get_by_role("heading", name="CsPbBr3 / ZnS|ZrO2")).to_be_visible()


def test_a_bad_formula_is_told_at_its_field(open_page: Open, server: Server) -> None:
    page = open_page()
    core = field(page, "core")
    core.fill("CsPbX")
    expect(core).to_have_attribute("aria-invalid", "true")
    (answer,) = asked(server, {"core": "CsPbX", "shell": "SiO2"})
    fault = page.locator(f"#{core.get_attribute('aria-describedby')}")
    expect(fault).to_have_text(answer["error"])
    expect(part(page, "pl")).to_be_hidden()
    expect(part(page, "pl", 1)).to_be_visible()
    core.fill("CsPbBr3")
    expect(part(page, "pl")).to_be_visible()
    assert core.get_attribute("aria-invalid") is None


def test_a_fault_of_a_hidden_field_opens_it(open_page: Open) -> None:
    page = open_page("/?c=CsPbBr3/SiO2;core_size_nm=99999")
    expect(field(page, "core_size_nm")).to_be_visible()
    expect(field(page, "core_size_nm")).to_have_attribute("aria-invalid", "true")


def test_text_of_the_address_is_never_markup(open_page: Open) -> None:
    page = open_page("/?c=%3Cimg src=x onerror=alert(1)%3E/%3Cb%3E")
    expect(page.locator(".fault")).to_contain_text("<img")
    assert page.locator("article img").count() == 0


# When the service does not answer ------------------------------------------------------------


def test_an_old_answer_never_replaces_a_newer_one(open_page: Open, server: Server) -> None:
    page = open_page("/?c=CsPbBr3/SiO2")
    held = hold_first(page, "**/v1/predict")
    with page.expect_request("**/v1/predict"):
        field(page, "core").fill("CsPbCl3")
    field(page, "core").fill("CsPbI3")
    settled(page)
    peak = part(page, "pl").locator("strong")
    newer = peak.inner_text()
    assert int(newer.split()[0]) > 600
    held[0].fulfill(json={"model": {}, "answers": asked(server, CSPBCL3), "failed": 0})
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    assert peak.inner_text() == newer
    expect(page.locator("#status")).to_contain_text("CsPbI3")


@pytest.mark.parametrize(
    ("status", "words"), [(429, "Too many requests"), (503, "busy"), (500, "in the log")]
)
def test_a_refusal_is_said_plainly_and_can_be_retried(
    open_page: Open, status: int, words: str
) -> None:
    page = open_page("/?c=CsPbBr3/SiO2")
    refusal = {"status": status, "detail": "Why is in the log."}
    page.route(
        "**/v1/predict",
        lambda route: route.fulfill(status=status, json=refusal, headers={"retry-after": "7"}),
    )
    field(page, "core").fill("CsPbI3")
    expect(page.locator("#notice")).to_contain_text(words)
    if status != 500:
        expect(page.locator("#notice")).to_contain_text("7 s")
    page.unroute("**/v1/predict")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("CsPbI3")
    forgive(open_page, f"status of {status}")


def test_a_key_is_asked_for_and_kept(open_page: Open) -> None:
    page = open_page("/?c=CsPbBr3/SiO2")

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer secret":
            route.continue_()
        else:
            route.fulfill(status=401, json={"detail": "Send a key"})

    page.route("**/v1/*", guard)
    page.reload()
    page.get_by_label("API key").fill("secret")
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("PL peak")
    page.reload()
    expect(page.locator("#status")).to_contain_text("PL peak")
    forgive(open_page, "status of 401")


def test_what_failed_is_what_is_tried_again(open_page: Open) -> None:
    page = open_page("/#literature")

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer secret":
            route.continue_()
        else:
            route.fulfill(status=401, json={"detail": "Send a key"})

    page.route("**/v1/evidence?*", guard)
    page.locator("#literature [name=shell]").fill("SiO2")
    page.get_by_role("button", name="Search").click()
    # Another view has another cause; the address that failed is asked for again.
    expect(page.locator("#notice")).to_be_visible()
    page.get_by_role("link", name="Model card").click()
    expect(page.locator("#notice")).to_be_hidden()
    page.get_by_role("link", name="Literature", exact=True).click()
    page.get_by_label("API key").fill("secret")
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("region", name="Tests")).to_be_visible()
    expect(page.locator("#notice")).to_be_hidden()
    forgive(open_page, "status of 401")


def test_a_fault_of_a_space_names_its_field(open_page: Open) -> None:
    page = open_page("/#rank")
    uncheck = "all => all.forEach((box) => { box.checked = false; })"
    page.locator("#rank-stressors input").evaluate_all(uncheck)
    page.get_by_role("button", name="Rank", exact=True).click()
    expect(page.locator("#rank-fault")).to_contain_text("Stability under: nothing is chosen")
    page.locator("#rank-stressors").get_by_label("water").check()
    page.locator('[data-site="X"] input').evaluate_all(uncheck)
    page.get_by_role("button", name="Rank", exact=True).click()
    expect(page.locator("#rank-fault")).to_contain_text("Halides: nothing is chosen")
    forgive(open_page, "status of 422")


def test_constraints_have_the_words_of_the_report(open_page: Open) -> None:
    page = open_page("/#rank")
    labels = page.locator("#constraints label").all_inner_texts()
    values = page.locator("#constraints input").evaluate_all("all => all.map((own) => own.value)")
    assert [label.strip() for label in labels] == [CONSTRAINTS[name] for name in values] != []


def test_the_skip_link_stays_in_its_view(open_page: Open) -> None:
    page = open_page("/#literature?shell=glass:chalcogenide")
    expect(page).to_have_title("What did papers measure? \u2013 Perovshell")
    address = page.url
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#view-literature")).to_be_visible()
    assert page.url == address


def test_a_stopped_service_is_said(
    session_workspace: WorkspaceFolder, server: Server, browser: Browser, tmp_path: Path
) -> None:
    with serving(session_workspace.root, tmp_path / "log") as own:
        page = browser.new_page()
        page.goto(f"{own.url}/?c=CsPbBr3/SiO2")
        expect(page.locator("#status")).to_contain_text("PL peak")
        own.stop()
        field(page, "shell").fill("ZnS")
        expect(page.locator("#notice")).to_contain_text("cannot be reached")
        expect(page.locator("#columns")).to_have_class(re.compile("stale"))
        page.close()


def test_a_ranking_that_leaves_nothing_is_said_in_words(open_page: Open) -> None:
    page = open_page("/#rank")
    page.get_by_role("radio", name="a list").check()
    page.get_by_label("Formulas, one per line").fill("CsPbI3")
    page.get_by_label("PL in the window").last.check()
    page.get_by_role("button", name="Rank", exact=True).click()
    expect(page.locator("#rank-fault")).to_contain_text("leave nothing", timeout=20_000)
    forgive(open_page, "status of 422")


def test_a_ranking_can_be_cancelled(open_page: Open) -> None:
    page = open_page("/#rank")
    page.route("**/v1/rank", lambda _: None)
    page.get_by_role("button", name="Rank", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#rank-status")).to_have_text("Cancelled.")
    page.unroute("**/v1/rank")
    ranked(page)


# For everyone --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    "address",
    [
        "/?c=CsPbBr3/SiO2&c=CsPbBr3/none&c=AuCu/CsPbCl3",
        "/?c=CsPbX/SiO2",
        "/#rank",
        "/#card",
        "/#literature?shell=SiO2&stressor=water",
    ],
    ids=["comparison", "fault", "ranking", "card", "literature"],
)
def test_accessible_and_not_wider_than_the_window(
    open_page: Open, address: str, size: tuple[int, int]
) -> None:
    page = open_page(address, size)
    if address == "/#rank":
        ranked(page)
    if "literature" in address:
        expect(page.locator("#evidence table").first).to_be_visible()
    for opened in page.locator("details").all():
        opened.evaluate("own => { own.open = true; }")
    found = Axe().run(page).response["violations"]
    grave = [one for one in found if one["impact"] in {"serious", "critical"}]
    told = [f"{one['id']}: {[node['html'] for node in one['nodes']][:3]}" for one in grave]
    assert told == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_phone_needs_no_sideways_swipe(open_page: Open) -> None:
    page = open_page("/?c=CsPbBr3/SiO2&c=CsPbBr3/ZnS", (390, 800))
    # A plot with small texts may be moved in its box.
    wider = """() => [...document.querySelectorAll(":not(.picture)")].filter((own) =>
        own.offsetParent && ["auto", "scroll"].includes(getComputedStyle(own).overflowX)
        && own.scrollWidth > own.clientWidth + 1).map((own) => own.outerHTML.slice(0, 80))"""
    for name in ("Predict", "Rank", "Literature", "Add a paper", "Model card"):
        page.get_by_role("link", name=name, exact=True).click()
        if name == "Rank":
            ranked(page)
        if name == "Literature":
            page.get_by_role("button", name="Search").click()
            expect(page.locator("#evidence svg").first).to_be_visible(timeout=20_000)
        assert overflow(page) == 0, name
        assert page.evaluate(wider) == [], name


def test_dark_colours_have_contrast_too(browser: Browser, server: Server) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(f"{server.url}/?c=CsPbBr3/SiO2&c=AuCu/CsPbCl3")
    expect(page.locator("#status")).not_to_be_empty()
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []
    page.close()


def test_the_policy_lets_nothing_in_from_elsewhere(server: Server) -> None:
    with urlopen(server.url, timeout=10) as response:
        policy, html = response.headers["content-security-policy"], response.read().decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r'\son\w+="|style="|(?:src|href)="(?:https?:)?//', html)
