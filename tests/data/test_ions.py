"""The tables that formulas and shells are read by: what is at fault in them is an error."""

import math

import numpy as np
import pytest

from perovshell.data.ions import Ions
from perovshell.data.shells import Shells
from perovshell.data.tables import bundled_rows
from perovshell.data.targets import Interval, Reading, ev_to_nm, gain_interval, nm_to_ev
from perovshell.errors import FormulaError, InputError, PerovshellError

ION = {"ion": "GA+", "symbol": "GA", "formula": "", "charges": "1", "effective_ionic_radius_pm": ""}


def test_a_formula_with_brackets_is_counted_whole() -> None:
    ions = Ions([{**ION, "formula": "C(NH2)3"}])
    assert ions.by_symbol["GA"].elements == {"C": 1.0, "N": 3.0, "H": 6.0}
    assert math.isnan(ions.by_symbol["GA"].radius_pm[0])


def test_a_formula_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(FormulaError, match=r"C\[NH2\]3"):
        Ions([{**ION, "formula": "C[NH2]3"}])


def test_an_ion_without_a_charge_is_refused() -> None:
    with pytest.raises(InputError, match="does not end in a charge"):
        Ions([{**ION, "formula": "CH6N3", "ion": "GA"}])


def test_a_name_of_two_shells_is_refused() -> None:
    first, second, *_ = bundled_rows("materials", "shells.csv")
    rows = [{**first, "aliases": "twice"}, {**second, "aliases": "TWICE"}]
    with pytest.raises(InputError, match="'TWICE' names both"):
        Shells(rows, [])


def test_an_impossible_interval_or_gain_is_an_error_of_its_own() -> None:
    with pytest.raises(PerovshellError, match="low must be within 0 and high"):
        Interval(2.0, 1.0)
    reading = Reading("remnant PL", 24.0, 80.0, math.nan, math.nan, "")
    unstated = Reading("remnant PL", math.nan, 80.0, math.nan, math.nan, "")
    with pytest.raises(PerovshellError, match="a gain needs both durations"):
        gain_interval(reading, unstated)
    with pytest.raises(PerovshellError, match="needs a duration"):
        unstated.lifetime()


def test_energies_of_many_wavelengths_are_those_of_each() -> None:
    wavelengths = np.array([400.0, 517.0])
    assert nm_to_ev(wavelengths).tolist() == [nm_to_ev(400.0), nm_to_ev(517.0)]
    np.testing.assert_allclose(ev_to_nm(nm_to_ev(wavelengths)), wavelengths)
