"""Plots of measured samples: a point for each, where it belongs."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from perovshell import Workspace
from perovshell.data.dataset import Dataset
from perovshell.data.materials import read_materials
from perovshell.data.records import Measurement, Sample
from perovshell.data.summary import measured_text
from perovshell.errors import InputError
from perovshell.evidence.drawing import png_page, svg_page
from perovshell.evidence.pictures import PICTURES, NothingToPlotError, pictures
from perovshell.evidence.query import EvidenceQuery
from perovshell.evidence.sample_plots import YieldPlot, halide_place, peak_map, yield_plot
from perovshell.evidence.table import EvidenceTable

MARKED = {0x07: "\ufffd", 0xFFFE: "\ufffd"}
SVG = "{http://www.w3.org/2000/svg}"


def table(dataset: Dataset, **query: Any) -> EvidenceTable:
    return EvidenceTable(dataset, EvidenceQuery.read(dataset.reader, **query))


def points(svg: str) -> dict[str, tuple[float, float, str]]:
    """Return place and colour of the points of a plot by their texts."""
    return {
        node[0].text or "": (
            float(node.get("cx", 0)),
            float(node.get("cy", 0)),
            node.get("fill", ""),
        )
        for node in ET.fromstring(svg).iter(f"{SVG}circle")
        if len(node)
    }


@pytest.mark.parametrize(
    ("core", "place"),
    [
        ("CsPbCl3", 0.0),
        ("CsPbBr3", 1.0),
        ("CsPbI3", 2.0),
        ("CsPbBr1.5I1.5", 1.5),
        ("MAPbClBr2", 2 / 3),
    ],
)
def test_the_place_of_a_core_is_that_of_its_halides(dataset, core: str, place: float) -> None:
    sample = next(iter(dataset.samples.values()))
    sample = replace(sample, core=dataset.reader.read_core(core))
    assert halide_place(sample) == pytest.approx(place)
    assert halide_place(replace(sample, core=None)) is None


def test_each_measured_peak_is_a_point_in_the_colour_of_its_light(dataset: Dataset) -> None:
    plot = peak_map(table(dataset, core="CsPbBr3"))
    assert plot is not None
    found = points(plot.svg())
    measured = [
        one
        for one in dataset.samples.values()
        if one.core is not None and one.core.formula == "CsPbBr3" and one.pl_peak.is_given
        and one.role == "core"
    ]  # fmt: skip
    assert len(plot.samples) == len(measured) > 50
    assert len({x for x, _, _ in found.values()}) == 1
    green, blue = (
        next(place for text, place in found.items() if peak in text)
        for peak in ("PL 517 nm", "PL 461 nm")
    )
    assert green[2] != blue[2]
    small, large = (
        next(y for text, (_, y, _) in found.items() if re.search(rf", ~?{size} nm", text))
        for size in ("4.5", "12")
    )
    assert small > large


def least(sample: Sample) -> float:
    return 0.0 if sample.plqy_bound == "<" else sample.plqy_percent


def test_shells_are_in_the_order_of_the_least_median_over_papers(dataset: Dataset) -> None:
    plot = yield_plot(table(dataset))
    assert plot is not None
    assert len(plot.rows) == 40
    medians = [
        median(
            sum(some) / len(some)
            for paper in {plot.papers[one.sample_id] for one in samples}
            for some in [[least(o) for o in samples if plot.papers[o.sample_id] == paper]]
        )
        for _, samples in plot.rows
    ]
    assert medians == sorted(medians, reverse=True)
    one = yield_plot(table(dataset, shell="zeolite:LTA"))
    assert one is not None
    [(text, (x, _, _))] = points(one.svg()).items()
    assert text == "CsPbBr3 / zeolite:LTA: ~66 % (lta2021)"
    assert x == pytest.approx(240 + 0.66 * (900 - 240 - 30), abs=0.1)


def of_plqy(dataset: Dataset, *values: Measurement) -> YieldPlot:
    """Return a plot of samples of one shell, each in a paper of its own."""
    coated = [one for one in dataset.samples.values() if one.trains_plqy and one.shell == "SiO2"]
    by_paper = {one.paper_id: one for one in coated}
    samples = [
        replace(one, plqy=value)
        for one, value in zip(by_paper.values(), values, strict=False)
    ]  # fmt: skip
    papers = {one.sample_id: one.paper_id for one in samples}
    return YieldPlot("Measured PLQY by shell", (("SiO2", tuple(samples)),), papers)


def marks_of_medians(plot: YieldPlot) -> tuple[float, float]:
    """Return the ends of the median of the only shell of a plot in percent."""
    lines = [
        node.get("d", "")
        for node in ET.fromstring(plot.svg()).iter(f"{SVG}path")
        if node.get("stroke-width") == "2"
    ]
    places = [float(number) for number in re.findall(r"[MH]([\d.]+)", " ".join(lines))]
    low, high = ((place - 240) / (900 - 240 - 30) * 100 for place in (min(places), max(places)))
    return round(low), round(high)


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([Measurement(60)], (60, 60)),
        ([Measurement(60, ">")], (60, 100)),
        ([Measurement(60, "<")], (0, 60)),
        ([Measurement(60, ">"), Measurement(50), Measurement(40)], (50, 50)),
        ([Measurement(60, ">"), Measurement(50), Measurement(70)], (60, 70)),
        ([Measurement(60, "~"), Measurement(80, ">")], (70, 80)),
        ([Measurement(41, low=32, high=50)], (41, 41)),
    ],
)
def test_a_bound_leaves_the_median_open(
    dataset: Dataset, values: list[Measurement], ends: tuple[float, float]
) -> None:
    assert marks_of_medians(of_plqy(dataset, *values)) == ends


def test_values_are_told_as_printed_and_bounds_are_triangles(dataset: Dataset) -> None:
    values = Measurement(60, ">"), Measurement(9.2, "~", quality="second-hand"), Measurement(50)
    plot = of_plqy(dataset, *values)
    drawn = ET.fromstring(plot.svg())
    shapes = {
        (node[0].text or "").partition(": ")[2].rpartition(" (")[0]: node.tag
        for node in drawn
        if len(node)
    }
    assert shapes == {
        ">60 %": f"{SVG}path",
        "~9.2 % (second-hand)": f"{SVG}circle",
        "50 %": f"{SVG}circle",
    }
    assert "triangle: at least or at most" in plot.svg()
    assert "triangle" not in of_plqy(dataset, values[2]).svg()


def test_peaks_and_sizes_are_told_as_printed(dataset: Dataset) -> None:
    plot = peak_map(table(dataset))
    assert plot is not None
    texts = points(plot.svg())
    for sample in plot.samples:
        size = sample.core_size
        parts = [f": PL {measured_text(sample.pl_peak, 'nm')} ("]
        parts += [f", {measured_text(size, 'nm')}:"] if size.is_given else []
        assert any(all(part in text for part in parts) for text in texts)
    assert any("PL ~" in text for text in texts)


@pytest.mark.parametrize("name", ["PS\x07", "PS\ufffe"])
def test_a_shell_of_signs_that_cannot_be_drawn_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="shell name"):
        Workspace(tmp_path / "home").materials.add_shell(name, "polymer", source="10.1000/source")


@pytest.mark.parametrize("name", ['PS "core-bound"', '" onload="alert(1)', "PS <b>&' x"])
def test_a_shell_of_any_name_is_drawn(dataset: Dataset, tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.materials.add_shell(name, "polymer", source="10.1000/source")
    extended = dataset.with_materials(read_materials(tmp_path / "home" / "materials"))
    shell = extended.reader.read_shell(name)
    coated = {
        key: replace(one, layers=shell) if one.shell == "SiO2" else one
        for key, one in extended.samples.items()
    }
    tests = tuple(replace(one, sample=coated[one.sample.sample_id]) for one in extended.tests)
    everything = EvidenceTable(
        replace(extended, samples=coated, tests=tests),
        EvidenceQuery.read(extended.reader, shell=name),
    )
    for show in PICTURES:
        plots = pictures(everything, show)
        page = ET.fromstring(svg_page(plots))
        assert not any("onload" in node.attrib for node in page.iter())
        assert page[0].get("aria-label") == page[0][0].text == plots[0].title.translate(MARKED)
    assert png_page(pictures(everything, "plqy"))[:4] == b"\x89PNG"


def test_pictures_are_named_and_nothing_to_plot_is_said(dataset: Dataset) -> None:
    silica = table(dataset, shell="SiO2", stressor="water")
    for show in PICTURES:
        plots = pictures(silica, show)
        drawn = ET.fromstring(svg_page(plots))
        assert drawn.get("height") == str(sum(plot.height for plot in plots))
    assert png_page(pictures(silica, "plqy"))[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="plot of 'size': allowed: stability, pl, plqy"):
        pictures(silica, "size")
    with pytest.raises(NothingToPlotError, match="nothing to plot: no measured PLQY"):
        pictures(table(dataset, core="CsMnBr3", shell="glass"), "plqy")
