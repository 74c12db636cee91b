"""An answer in words: measured first, no number without skill, effects of measured cores."""

from dataclasses import replace

from perovshell.model import Model
from perovshell.models.answer_details import known_at_least
from perovshell.models.answer_text import answer_lines
from perovshell.models.requests import Requests
from perovshell.models.shell_evidence import ShellEvidence


def asked(model: Model, **row: str) -> Requests:
    return Requests.read_one(row, model.predictor.featurizer.reader)


def words(model: Model, **row: str) -> list[str]:
    [answer] = model.answer([row], stressors=["water"])
    bounds = known_at_least(model.predictor, asked(model, **row), ["water"])
    pooled = [bound.line() for bound in bounds]
    return answer_lines(answer, row, ["water"], 0.9, pooled)


def test_what_was_measured_and_what_is_known_at_least_come_first(model: Model) -> None:
    lines = words(model, core="CsPbBr3", shell="PS")
    assert lines[0] == "Measured:"
    known = lines.index("Known at least (90 %), pooled over papers and like shells:")
    assert known < lines.index("Predicted, with 90 % intervals:")
    assert lines[known + 1].startswith("  Half-life under water: ")
    assert lines[known + 1].endswith(" h (nearest: tests of the combination)")


def test_measured_values_are_told_as_printed(model: Model) -> None:
    lines = words(model, core="CsPbI3", shell="Cs4PbI6|ZnS")
    assert any(", PLQY >90 %" in line for line in lines[: lines.index("")])
    lines = words(model, core="CsPbBr3", shell="KBr")
    assert any("PLQY ~83 % (best value)" in line for line in lines[: lines.index("")])


def test_a_bound_names_the_nearest_tests(model: Model) -> None:
    ends = {"PVC": "of the shell on other cores", "PET": "of other shells of class polymer",
            "zinc stearate": "of shells of other classes"}  # fmt: skip
    for shell, end in ends.items():
        lines = words(model, core="CsPbBr3", shell=shell)
        [line] = [
            one for one in lines if one.startswith("  Half-life under water: ") and "nearest" in one
        ]
        assert line.endswith(f"(nearest: tests {end})")
    coated, bare = (asked(model, core="CsPbBr3", shell=shell) for shell in ("PS", "none"))
    ignorant = replace(model.predictor, shell_evidence=ShellEvidence())
    assert known_at_least(ignorant, coated, ["water"]) == []
    assert known_at_least(model.predictor, bare, ["water"]) == []


def test_a_target_without_skill_has_no_number(model: Model) -> None:
    assert not model.info.skill["gain"]["has_skill"]
    lines = words(model, core="CsPbBr3", shell="SiO2")
    predicted = lines[lines.index("Predicted, with 90 % intervals:") :]
    assert not any("Stability gain under" in line for line in predicted)
    assert any("Half-life under water" in line for line in predicted)


def test_each_number_out_of_domain_is_marked(model: Model) -> None:
    def marked(core: str, shell: str) -> list[str]:
        lines = words(model, core=core, shell=shell)
        return [line.split(":")[0].strip() for line in lines if line.endswith(" (out of domain)")]

    assert marked("CsPbBr3", "SiO2") == []
    assert marked("FAPbBr3", "SiO2") == ["Half-life under water"]
    assert marked("AuCu", "SiO2") == ["PL peak", "PLQY", "Half-life under water"]


def test_a_shells_effect_is_told_where_the_bare_core_was_measured(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    assert not any("change by the shell" in line for line in words(model, **row))
    lines = words(model, **row, bare_pl_peak_nm="515")
    [change] = [line for line in lines if "change by the shell" in line]
    assert change.endswith("]")
