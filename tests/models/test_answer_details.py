"""Bare controls and differences of samples, of literature whose answers are known."""

from typing import Any

from perovshell.data.formula import FormulaReader
from perovshell.models.answer_details import bare_controls, differences
from perovshell.models.evidence import Literature
from perovshell.models.requests import Requests

NOTHING = {"bare_pl_peak_nm": None, "bare_plqy_percent": None, "bare_pl": "", "bare_plqy": ""}


def row(sample_id: str, shell: str, **changes: Any) -> dict[str, Any]:
    known = {"paper": "10.1/a", "core": "CsPbBr3", "structure": "core/shell", "medium": "solution"}
    known |= {"morphology": "nanocrystal", "ligand": "", "dopant": "", "core_size_nm": None}
    for stem, column in (("pl_peak", "pl_peak_nm"), ("plqy", "plqy_percent")):
        known |= {column: None, f"{stem}_bound": "", f"{stem}_quality": "printed"}
    known["stability"] = ""
    return {"sample_id": sample_id, "shell": shell, **known, **changes}


def controls_of(*rows: dict[str, Any]) -> list[dict[str, float | str | None]]:
    literature = Literature(rows, FormulaReader.bundled())
    coated = [literature.neighbour(k, 0.0) for k, one in enumerate(rows) if one["shell"] != "none"]
    return bare_controls(literature, coated)


def test_the_control_is_the_bare_core_of_the_same_paper() -> None:
    coated = row("a", "SiO2", pl_peak_nm=517.0, plqy_percent=80.0)
    bare = row("b", "none", pl_peak_nm=520.0, plqy_percent=60.0)
    values = {"bare_pl_peak_nm": 520.0, "bare_plqy_percent": 60.0}
    assert controls_of(coated, bare) == [{**values, "bare_pl": "520 nm", "bare_plqy": "60 %"}]


def test_a_control_is_told_as_it_was_printed() -> None:
    bare = row("b", "none", plqy_percent=60.0, plqy_bound=">", plqy_quality="best value")
    (control,) = controls_of(row("a", "SiO2"), bare)
    assert control == {**NOTHING, "bare_plqy_percent": 60.0, "bare_plqy": ">60 % (best value)"}
    # The same number with another sign is another value.
    assert controls_of(row("a", "SiO2"), bare, {**bare, "plqy_bound": "~"}) == [NOTHING]


def test_another_paper_core_shape_treatment_or_size_is_no_control() -> None:
    coated = row("a", "SiO2", pl_peak_nm=517.0, core_size_nm=8.0)
    others = {"paper": "10.1/b", "core": "CsPbI3", "morphology": "nanowire", "dopant": "Mn"}
    others |= {"ligand": "DDAB", "core_size_nm": 12.0}
    for name, value in others.items():
        assert controls_of(coated, row("b", "none", pl_peak_nm=520.0, **{name: value})) == [NOTHING]


def test_values_that_differ_are_no_control() -> None:
    coated = row("a", "SiO2", pl_peak_nm=517.0)
    bare = [row("b", "none", pl_peak_nm=520.0), row("c", "none", pl_peak_nm=505.0)]
    assert controls_of(coated, *bare) == [NOTHING]
    bare[1]["pl_peak_nm"] = None
    control = {**NOTHING, "bare_pl_peak_nm": 520.0, "bare_pl": "520 nm"}
    assert controls_of(coated, *bare) == [control]


def test_a_sample_differs_by_core_shell_size_shape_and_medium() -> None:
    rows = [
        row("a", "SiO2"),
        row("b", "none", core="CsPbI3", core_size_nm=9.0, core_size_bound="~"),
        row("c", "ZnS", morphology="nanowire", medium="film"),
    ]
    literature = Literature(rows, FormulaReader.bundled())
    samples = [literature.neighbour(k, 0.0) for k in range(3)]

    def of(**size: float) -> list[list[str]]:
        asked = {"core": "CsPb(Br)3", "shell": "silica", "medium": "solution", **size}
        return differences(Requests.read_one(asked, literature.reader), samples)

    assert of() == [
        [],
        ["core CsPbI3", "bare", "core of ~9 nm"],
        ["shell ZnS", "nanowire", "medium film"],
    ]
    assert of(core_size_nm=12)[1][-1] == "core of ~9 nm, not 12 nm"
    assert of(core_size_nm=9)[1][-1] == "bare"
