"""The literature that a model carries: what was measured, each sample in its own context."""

import json
import math
from dataclasses import replace

from perovshell.data.dataset import Dataset
from perovshell.data.summary import measured_text
from perovshell.features.combinations import Combination
from perovshell.models.evidence import Literature
from perovshell.training.fit.domains import literature_rows
from perovshell.training.fit.problems import combination_of


def known(item: Combination) -> Combination:
    """Return a combination that is equal to others of unknown size."""
    return replace(item, core_size_nm=-1.0) if math.isnan(item.core_size_nm) else item


def test_a_literature_row_is_the_combination_of_its_sample(dataset: Dataset) -> None:
    literature = Literature(literature_rows(dataset), dataset.reader)
    for row in literature.samples:
        held, item = literature.item(row), combination_of(dataset.samples[row["sample_id"]])
        # 0.4 of 3 is 1.2 to the last digit but one.
        assert held.core.key == item.core.key
        assert known(replace(held, core=None)) == known(replace(item, core=None))


def test_literature_rows_come_back_from_json(dataset: Dataset) -> None:
    rows = literature_rows(dataset)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_a_literature_row_holds_what_was_measured_and_how_it_was_stated(dataset: Dataset) -> None:
    rows = {row["sample_id"]: row for row in literature_rows(dataset)}
    row = rows["yang2018-MAPbBr3-PSbPEO"]
    assert (row["fwhm_nm"], row["fwhm_bound"], row["fwhm_quality"]) == (18, "", "best value")
    assert (row["pl_peak_nm"], row["plqy_percent"], row["plqy_quality"]) == (None, 43, "best value")
    emission_of_the_shell = rows["karakkal2026-CsPbCl3-CsPbI3"]
    assert (emission_of_the_shell["pl_peak_nm"], emission_of_the_shell["plqy_percent"]) == (
        None,
    ) * 2


def test_a_neighbour_has_each_number_as_it_was_printed(dataset: Dataset) -> None:
    rows = json.loads(json.dumps(literature_rows(dataset)))
    literature = Literature(rows, dataset.reader)
    signs = set()
    for at, row in enumerate(rows):
        sample, near = dataset.samples[row["sample_id"]], literature.neighbour(at, 0.0)
        is_core = sample.role == "core"
        if sample.core_size.is_given:
            assert near.core_size == measured_text(sample.core_size, "nm")
        else:
            assert near.core_size == (f"{near.core_size_nm:g} nm" if near.core_size_nm else "")
        for text, number, unit in ((near.pl, sample.pl_peak, "nm"), (near.plqy, sample.plqy, "%")):
            is_known = is_core and number.is_given
            assert text == (measured_text(number, unit) if is_known else "")
            signs |= {number.bound, number.quality, "range" if " to " in text else ""}
    assert signs >= {"~", ">", "range", "best value", "second-hand"}


def test_a_neighbour_says_what_makes_it_different(dataset: Dataset) -> None:
    literature = Literature(literature_rows(dataset), dataset.reader)
    near = {one["sample_id"]: n for n, one in enumerate(literature.samples)}
    platelet = literature.neighbour(near["oamf2025-CsPbBr3-NPL-3ML"], 0.0)
    assert (platelet.morphology, platelet.medium) == ("nanoplatelet", "solution")
    assert platelet.core_size_nm == 3 * 0.59
    assert literature.neighbour(near["hu2018-CsPbBr3-SiO2"], 0.0).core_size_nm is None
