"""The offset of a laboratory: recovered from simulated measurements, within its interval."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models import laboratory
from perovshell.models.laboratory import estimate_offset

SIMULATIONS = 1000
COMBINATIONS = [
    {"core": core, "shell": shell}
    for core in ("CsPbBr3", "CsPbI3")
    for shell in ("SiO2", "TiO2", "PMMA")
]


def simulated(
    rng: np.random.Generator, combinations: int, replicates: int, offset: float
) -> tuple[np.ndarray, list[int]]:
    """Return residuals with an error of each combination and noise, and their groups."""
    groups = np.repeat(np.arange(combinations), replicates)
    errors = rng.normal(0, 6, combinations)[groups]
    return offset + errors + rng.normal(0, 1, len(groups)), groups.tolist()


@pytest.mark.parametrize(("combinations", "replicates"), [(3, 4), (6, 5), (8, 1), (15, 2)])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_intervals_cover_as_often_as_they_say(
    combinations: int, replicates: int, coverage: float
) -> None:
    rng = np.random.default_rng(combinations)
    covered = 0
    for offset in rng.normal(0, 12, SIMULATIONS):
        residuals, groups = simulated(rng, combinations, replicates, offset)
        estimate = estimate_offset(residuals, groups, 12.0, coverage)
        covered += estimate.low <= offset <= estimate.high
    assert covered / SIMULATIONS == pytest.approx(coverage, abs=0.035)


def test_replicates_of_one_combination_tell_little() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for replicates in (1, 20):
        found = [simulated(rng, 4, replicates, 0.0) for _ in range(200)]
        widths.append(np.mean([(o := estimate_offset(*f, 12.0)).high - o.low for f in found]))
    assert widths[1] > 0.8 * widths[0]


def test_few_measurements_move_little() -> None:
    tight, loose = (estimate_offset([9, 11, 10], [1, 2, 3], sd) for sd in (0.5, 50.0))
    assert 0 < tight.value < 5 < loose.value < 10


def test_the_quantile_is_that_of_student() -> None:
    for freedom in (2, 3, 5, 10, 40):
        for coverage in (0.5, 0.8, 0.9):
            exact = t.ppf((1 + coverage) / 2, freedom)
            assert laboratory._half(coverage, freedom) == pytest.approx(exact, rel=0.005)


@pytest.mark.parametrize(
    ("residuals", "groups", "prior", "message"),
    [
        ([1, 2], [1, 2], 5.0, "2 combinations; at least 3 are needed"),
        ([1, 2, 3], [1, 1, 1], 5.0, "1 combinations"),
        ([1, np.nan, 3], [1, 2, 3], 5.0, "finite"),
        ([1, 2, 3], [1, 2, 3], 0.0, "prior_sd above 0"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    residuals: list[float], groups: list[int], prior: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        estimate_offset(residuals, groups, prior)


def measured(model: Model, shift: Callable[[float], float]) -> list[dict[str, object]]:
    rng = np.random.default_rng(4)
    rows = []
    for row, answer in zip(COMBINATIONS, model.predict(COMBINATIONS), strict=True):
        error = rng.normal(0, 4)
        rows += [
            {**row, "pl_peak_nm": shift(answer["pl_peak_nm"]) + error + rng.normal(0, 1)}
            for _ in range(5)
        ]
    return rows


def test_predictions_are_shifted_by_what_the_laboratory_measured(model: Model) -> None:
    found = model.calibrate(measured(model, lambda peak: peak + 8.0))
    offset = found.offsets["pl_peak_nm"]
    assert offset.low < 8.0 < offset.high
    assert (offset.rows, offset.combinations) == (30, 6)
    [plain], [shifted] = model.predict(COMBINATIONS[:1]), found.predict(COMBINATIONS[:1])
    for name in ("pl_peak_nm", "pl_peak_nm_lower", "pl_peak_nm_upper"):
        assert shifted[name] == pytest.approx(plain[name] + offset.value, abs=0.01)
    assert shifted["plqy_percent"] == plain["plqy_percent"]
    assert shifted["notes"][-1].startswith("pl_peak_nm: laboratory offset +")


def test_a_laboratory_without_an_offset_has_none(model: Model) -> None:
    offset = model.calibrate(measured(model, lambda peak: peak)).offsets["pl_peak_nm"]
    assert not offset.is_clear


def test_too_few_combinations_give_no_offset(model: Model) -> None:
    rows = [{**COMBINATIONS[0], "pl_peak_nm": 520.0}] * 5
    assert model.calibrate(rows).offsets == {}


def test_the_number_of_a_sample_makes_no_combination(model: Model) -> None:
    rows = measured(model, lambda peak: peak + 8.0)
    named = [{**row, "sample_id": f"s{at}", 3: at} for at, row in enumerate(rows)]
    assert model.calibrate(named).offsets == model.calibrate(rows).offsets


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"pl_peak_nm": "520 nm"},
            r"^rows\[0\]: pl_peak_nm '520 nm': a number from 200 to 2000 nm",
        ),
        ({"pl_peak_nm": 2.4}, r"pl_peak_nm '2\.4': a number from 200 to 2000 nm, or empty"),
        ({"plqy_percent": -1}, "plqy_percent '-1': a number from 0"),
        ({"core": "CsPbBr4"}, r"^rows\[0\]: core 'CsPbBr4': not neutral"),
    ],
)
def test_measurements_that_cannot_be_read_are_refused(
    model: Model, changed: dict[str, object], message: str
) -> None:
    rows = [{**row, "pl_peak_nm": 520.0} for row in COMBINATIONS]
    with pytest.raises(InputError, match=message):
        model.calibrate([rows[0] | changed, *rows[1:]])


def test_rows_without_measured_values_are_refused(model: Model) -> None:
    with pytest.raises(InputError, match="no measured values; needed: pl_peak_nm or plqy_percent"):
        model.calibrate([{**row, "pl_peak": 520.0} for row in COMBINATIONS])


@pytest.mark.parametrize("coverage", [0, 1, 90, float("nan"), "0.9", None])
def test_a_coverage_is_a_probability(model: Model, coverage: Any) -> None:
    with pytest.raises(InputError, match=r"coverage .*: a number above 0 and below 1"):
        model.calibrate([{**row, "pl_peak_nm": 520.0} for row in COMBINATIONS], coverage=coverage)


def test_plqy_stays_a_percent(model: Model) -> None:
    rows = [{**row, "plqy_percent": 100.0} for row in COMBINATIONS]
    found = model.calibrate(rows)
    assert all(0 <= a["plqy_percent_upper"] <= 100 for a in found.predict(COMBINATIONS))
