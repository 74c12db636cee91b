"""The report in a real browser: wide, narrow, without scripts, and its charts as files."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import chromium, overflow, violations
from perovshell.data.dataset import Dataset
from perovshell.evidence.query import EvidenceQuery
from perovshell.evidence.table import EvidenceTable
from perovshell.model import Model
from perovshell.serve.ranking.ranking import rank
from perovshell.serve.report.report import write_report

SPACE = {
    "cores": ["CsPbBr3", "MAPbBr3", "FAPbBr3", "CsPbI3"],
    "shells": "all known",
    "pl_window_nm": [510, 540],
    "stressors": ["water", "light"],
}
DESKTOP, TABLET, PHONE, PAPER = (1280, 900), (1024, 900), (390, 800), (720, 1000)
_HIGHEST = {DESKTOP: 120, TABLET: 150, PHONE: 320, PAPER: 120}
"""Most pixels of a row."""


@pytest.fixture(scope="module")
def address(model: Model, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    evidence = EvidenceTable(dataset, EvidenceQuery())
    folder = tmp_path_factory.mktemp("report")
    return write_report(rank(SPACE, model=model, batch=2), folder, evidence)[1].as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def opened(browser: Browser, address: str, size: tuple[int, int] = DESKTOP) -> Page:
    """Open the report; `faults` of the page are what its scripts raise."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.faults = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
    page.goto(address)
    return page


@pytest.mark.parametrize("size", [DESKTOP, TABLET, PHONE, PAPER])
def test_the_page_fits_its_window_with_low_rows_and_is_accessible(
    browser: Browser, address: str, size: tuple[int, int]
) -> None:
    page = opened(browser, address, size)
    page.emulate_media(media="print" if size == PAPER else "screen")
    heights = "all => all.map(row => row.getBoundingClientRect().height)"
    rows = page.locator("table.lines tbody tr").evaluate_all(heights)
    assert len(rows) > 20
    assert max(rows) <= _HIGHEST[size]
    too_wide = "all => all.filter(c => c.scrollWidth > c.clientWidth + 1).map(c => c.innerText)"
    assert page.locator("table.lines :is(td, th)").evaluate_all(too_wide) == []
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert overflow(page) == 0
    assert violations(page) == []
    assert page.faults == []  # type: ignore[attr-defined]
    page.close()


def test_forest_plots_have_a_form_for_each_width(browser: Browser, address: str) -> None:
    for size, shown, hidden in ((DESKTOP, "wide", "narrow"), (PHONE, "narrow", "wide")):
        page = opened(browser, address, size)
        expect(page.locator(f".forest .{shown}").first).to_be_visible()
        expect(page.locator(f".forest .{hidden}").first).to_be_hidden()
        page.close()


def test_each_chart_is_a_file(browser: Browser, address: str, tmp_path: Path) -> None:
    page = opened(browser, address, PHONE)
    page.get_by_text("How the lists were made").click()
    names = []
    for button in page.get_by_role("button", name="Download as SVG").all():
        with page.expect_download() as chart:
            button.click()
        names.append(chart.value.suggested_filename)
        chart.value.save_as(tmp_path / names[-1])
        drawn = ET.parse(tmp_path / names[-1]).getroot()
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(drawn.get("width", 0)) > 300
    assert names == [
        "half-life-in-hours-under-water.svg",
        "stability-gain-under-water.svg",
        "half-life-in-hours-under-light.svg",
        "stability-gain-under-light.svg",
        "scatter.svg",
    ]
    assert page.faults == []  # type: ignore[attr-defined]
    page.close()


def test_the_scatter_has_axes_to_choose_and_points_to_walk_by_keys(
    browser: Browser, address: str
) -> None:
    page = opened(browser, address)
    page.locator(".fold > summary").last.press("Enter")
    labels = page.locator("#scatter .axes text")
    page.get_by_label("up").select_option("score")
    expect(labels.last).to_have_text("score")
    page.locator('#scatter .point[tabindex="0"]').focus()
    before = page.locator(".tooltip").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tooltip")).not_to_have_text(before)
    page.keyboard.press("Escape")
    expect(page.locator(".tooltip")).to_be_hidden()
    page.close()


def test_everything_is_read_without_scripts(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_text("How the lists were made").click()
    expect(page.locator("#scatter .dot").first).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    context.close()
