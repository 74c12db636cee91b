"""Plots of measured samples: a point for each, where it belongs."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from statistics import median
from typing import Any

import pytest

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.evidence.drawing import png_page, svg_page
from perovshell.evidence.pictures import PICTURES, NothingToPlotError, pictures
from perovshell.evidence.query import EvidenceQuery
from perovshell.evidence.sample_plots import halide_place, peak_map, yield_plot
from perovshell.evidence.table import EvidenceTable

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
        next(y for text, (_, y, _) in found.items() if f", {size} nm:" in text)
        for size in ("4.5", "12")
    )
    assert small > large


def test_shells_are_in_the_order_of_the_median_over_papers(dataset: Dataset) -> None:
    plot = yield_plot(table(dataset))
    assert plot is not None
    assert len(plot.rows) == 40
    medians = [
        median(
            sum(some) / len(some)
            for paper in {plot.papers[one.sample_id] for one in samples}
            for some in [[o.plqy_percent for o in samples if plot.papers[o.sample_id] == paper]]
        )
        for _, samples in plot.rows
    ]
    assert medians == sorted(medians, reverse=True)
    one = yield_plot(table(dataset, shell="zeolite:LTA"))
    assert one is not None
    [(text, (x, _, _))] = points(one.svg()).items()
    assert text == "CsPbBr3 / zeolite:LTA: 66 % (lta2021)"
    assert x == pytest.approx(240 + 0.66 * (900 - 240 - 30), abs=0.1)


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
