"""What is known of shells: means, errors and bounds worked out by hand, and storage."""

import dataclasses
import json
import math

import numpy as np
import pytest

from perovshell.data.formula import FormulaReader
from perovshell.models.mixed import MixedEffects
from perovshell.models.shell_evidence import (
    Known,
    ShellEvidence,
    ShellFit,
    class_text,
    effect_row,
    number_key,
)

SPREADS = {"mean": 100.0, "class": 0.5, "shell": 0.3, "combination": 0.2, "paper": 1.0}
EFFECTS = {
    "mean:all": 2.0,
    "class:oxide": 0.4,
    "shell:SiO2": -0.1,
    "combination:CsPbBr3 / SiO2": 0.3,
    "paper:a": 0.7,
}


def fit(factor: float = 1.5) -> ShellFit:
    variances = np.diag([0.04, 0.09, 0.01, 0.02, 0.5])
    effects = MixedEffects(EFFECTS, variances, SPREADS, sigma=0.6)
    return ShellFit.of(effects, factor=factor)


@pytest.fixture(scope="module")
def reader() -> FormulaReader:
    return FormulaReader.bundled()


@pytest.mark.parametrize(
    ("core", "shell", "mean", "variance"),
    [
        # All effects are known.
        ("CsPbBr3", "SiO2", 2.6, 0.04 + 0.09 + 0.01 + 0.02),
        # A core that nobody coated with it: the spread of combinations.
        ("CsPbI3", "SiO2", 2.3, 0.04 + 0.09 + 0.01 + 0.2**2),
        ("", "SiO2", 2.3, 0.04 + 0.09 + 0.01 + 0.2**2),
        # A shell that nobody tried: the spreads of shells and of classes as well.
        ("", "HfO2", 2.4, 0.04 + 0.09 + 0.3**2 + 0.2**2 + 0.5**2),
        # A class that nobody tried: never better known than a shell of a known class.
        ("", "PS", 2.0, 0.04 + 2 * 0.5**2 + 0.3**2 + 0.2**2),
        # Layers share their effects; a stack is known no better than its least known layer.
        ("", "SiO2|PS", 2.0 + 0.2 - 0.05, 0.04 + 2 * 0.5**2 + 0.3**2 + 0.2**2),
        ("", "SiO2|HfO2", 2.4 - 0.05, 0.04 + 0.09 + 0.3**2 + 0.2**2 + 0.5**2),
    ],
)
def test_a_bound_carries_what_is_not_known(
    reader: FormulaReader, core: str, shell: str, mean: float, variance: float
) -> None:
    known = fit().known(core, reader.read_shell(shell))
    assert known.mean == pytest.approx(mean)
    assert known.error == pytest.approx(math.sqrt(variance))
    assert known.at_least == pytest.approx(mean - 1.5 * math.sqrt(variance))


def test_a_shell_that_was_a_layer_alone_is_one_that_nobody_tried(reader: FormulaReader) -> None:
    silica = reader.read_shell("SiO2")
    as_layer = dataclasses.replace(fit(), effects=fit().effects.without(("combination",)))
    known, alone = as_layer.known("CsPbI3", silica), fit().known("CsPbI3", silica)
    assert known.mean == alone.mean
    assert known.error**2 - alone.error**2 == pytest.approx(0.5**2)


def test_a_paper_predicts_no_other_paper() -> None:
    assert not any(name.startswith("paper") for name in fit().effects.effects)
    assert fit().noise_variance == pytest.approx(0.6**2 + 1.0**2)
    assert fit().total_variance == pytest.approx(0.6**2 + 1.0 + 0.5**2 + 0.3**2 + 0.2**2)


def test_layers_of_one_class_are_named_once(reader: FormulaReader) -> None:
    assert class_text(reader.read_shell("SiO2|ZrO2|PS")) == "oxide|polymer"
    assert class_text(()) == ""
    assert list(effect_row("CsPbBr3", "SiO2", "oxide", "a")) == list(EFFECTS)


def test_what_was_measured_of_a_combination_is_told_by_its_narrowest_group(
    reader: FormulaReader,
) -> None:
    levels = {
        ("CsPbBr3", "SiO2"): "tests of the combination",
        ("CsPbI3", "SiO2"): "tests of the shell on other cores",
        ("CsPbBr3", "HfO2"): "tests of other shells of class oxide",
        ("CsPbBr3", "SiO2|HfO2"): "tests of its layers",
        ("CsPbBr3", "PS|PMMA"): "tests of shells of other classes",
        ("CsPbBr3", "PS"): "tests of shells of other classes",
    }
    for (core, shell), text in levels.items():
        assert fit().level(core, reader.read_shell(shell)) == text
    layer = dataclasses.replace(fit(), effects=fit().effects.without(("combination",)))
    for core in ("CsPbBr3", "CsPbI3"):
        text = layer.level(core, reader.read_shell("SiO2"))
        assert text == "tests of stacks that hold the shell"


def test_evidence_is_stored_and_read_again(reader: FormulaReader) -> None:
    evidence = ShellEvidence(
        {number_key("gain", "water"): fit(), number_key("plqy"): fit(1.3)},
        {number_key("gain", "water"): frozenset({"CsPbBr3 / SiO2"})},
        {"SiO2": ("a", "b")},
        0.2,
    )
    data, arrays = evidence.to_parts()
    again = ShellEvidence.from_parts(json.loads(json.dumps(data)), arrays)
    assert again.usual_variance == 0.2
    for one in (evidence, again):
        assert one.fit("gain", "light") is None
        assert one.has("CsPbBr3", "SiO2", "gain", "water")
        assert not one.has("CsPbBr3", "SiO2", "gain", "light")
        assert not one.has("CsPbI3", "SiO2", "gain", "water")
        assert one.papers_of(reader.read_shell("SiO2")) == ("a", "b")
        assert one.papers_of(reader.read_shell("PS")) == ()
        known = one.fit("gain", "water").known("", reader.read_shell("HfO2"))
        assert known == Known(known.mean, known.error, 1.5)
    kept, read = (
        one.fit("plqy").known("CsPbBr3", reader.read_shell("SiO2")) for one in (evidence, again)
    )
    assert kept == read
