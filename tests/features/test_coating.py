"""Flags of coatings: known answers, what is unknown, and agreement of one row with many."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import STRESSORS
from perovshell.features.coating import (
    FLAGS,
    INORGANIC_LIMIT_C,
    NOT_ON_CRYSTALS,
    CoreFacts,
    coating_flags,
    demixing,
    hottest_c,
    quenching,
    row_flags,
    shell_flags,
    temperature_limits,
    too_hot,
)
from perovshell.features.combinations import Layers

READER = FormulaReader.bundled()
COLUMNS = {ion: column for column, ion in enumerate(READER.ions.by_symbol)}
CORES = {
    "CsPbBr3": 2.36, "CsPbI3": 1.73, "MAPbBr3": 2.3, "FAPbBr3": 2.2, "CsPbBr1.5I1.5": 1.95,
    "MAPbBr1.5I1.5": 1.9, "CsPbBr0.9I2.1": 1.8, "AuCu": math.nan,
}  # fmt: skip
DRY = ("heat",)
PUT_ON = ShellMaterial(
    "new", "polymer", "", "insoluble", route="solution mixing", solvent="DMF",
    process_temperature_c=INORGANIC_LIMIT_C,
)  # fmt: skip


def fractions(*cores: str) -> np.ndarray:
    rows = np.zeros((len(cores), len(COLUMNS)))
    for row, core in zip(rows, cores, strict=True):
        for ion, share in READER.read_core(core).fractions.items():
            row[COLUMNS[ion]] = share
    return rows


def facts(*cores: str) -> CoreFacts:
    return CoreFacts(fractions(*cores), COLUMNS, np.array([CORES[core] for core in cores]))


def names(shell: str | Layers, core: str = "CsPbBr3", stressors: tuple[str, ...] = DRY) -> set[str]:
    layers = READER.read_shell(shell) if isinstance(shell, str) else shell
    return {flag.name for flag in coating_flags(layers, facts(core), stressors)}


# Known answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("core", "shell", "stressor", "text"),
    [
        ("CsPbBr3", "PVA", "water", "PVA dissolves in water"),
        ("CsPbBr3", "MgF2", "humidity", "MgF2 is sparingly soluble in water"),
        ("CsPbBr3", "MOF-5", "water", "MOF-5 reacts with water"),
        ("CsPbBr3", "PbS", "heat", "PbS quenches: its gap of 0.41 eV is below that of the core"),
        ("CsPbBr3", "Au", "heat", "Au quenches: metal takes carriers from the core"),
        ("CsPbBr3", "CdZnS", "heat", "CdZnS may quench: its gap or that of the core is not known"),
        ("CsPbBr3", "TiO2", "heat", "TiO2 accepts electrons from the core"),
        (
            "CsPbBr3",
            "polyimide",
            "heat",
            "polyimide is put on from NMP or DMAc or DMF, which destroys the core",
        ),
        (
            "CsPbBr3",
            "polyimide",
            "heat",
            "polyimide is put on at 300 deg C, which destroys the core",
        ),
        ("CsPbBr1.5I1.5", "SiO2", "light", "bromide and iodide of the core demix under light"),
        ("MAPbBr1.5I1.5", "none", "light", "bromide and iodide of the core demix under light"),
    ],
)
def test_a_known_flag_is_in_words(core: str, shell: str, stressor: str, text: str) -> None:
    layers = READER.read_shell(shell)
    assert text in [flag.text for flag in coating_flags(layers, facts(core), [stressor])]


@pytest.mark.parametrize(
    ("core", "shell"),
    [("CsPbBr3", "SiO2"), ("CsPbBr3", "none"), ("FAPbBr3", "ZrO2"), ("CsPbI3", "PMMA")],
)
def test_a_coating_without_faults_has_no_flag(core: str, shell: str) -> None:
    assert names(shell, core, STRESSORS) == set()


@pytest.mark.parametrize("shell", ["PVA", "SiO2|PVA", "KBr|COF"])
def test_water_reaches_a_layer_under_those_not_known_as_insoluble(shell: str) -> None:
    assert "dissolves in water" in names(shell, stressors=("water",))


@pytest.mark.parametrize("shell", ["KBr|SiO2", "COF", "none"])
def test_what_water_does_not_reach_or_dissolve_has_no_flag(shell: str) -> None:
    assert names(shell, stressors=("water",)) == set()


@pytest.mark.parametrize("stressor", sorted({*STRESSORS} - {"water", "humidity"}))
def test_nothing_dissolves_without_water(stressor: str) -> None:
    assert "dissolves in water" not in names("PVA", stressors=(stressor,))


def test_an_outer_layer_meets_a_coated_core() -> None:
    inner, outer = READER.read_shell("SiO2|TiO2")
    assert names((inner, outer)) == names((inner, replace(PUT_ON, process_temperature_c=20.0)))
    assert names((inner, PUT_ON)) == {"temperature destroys the core"}


@pytest.mark.parametrize("route", [*sorted(NOT_ON_CRYSTALS), ""])
def test_a_shell_that_grows_with_its_core_needs_nothing_that_destroys_it(route: str) -> None:
    assert names((PUT_ON,)) == {"solvent destroys the core", "temperature destroys the core"}
    assert names((replace(PUT_ON, route=route),)) == set()


def test_polyacrylonitrile_is_spun_from_dmf_with_the_precursors_of_its_core() -> None:
    (layer,) = READER.read_shell("PAN")
    assert (layer.route, layer.solvent) == ("in-situ growth", "DMF")
    assert names("PAN") == set()


@pytest.mark.parametrize("solvent", ["toluene", "DMF;toluene", "none", ""])
def test_one_solvent_that_keeps_the_core_is_enough(solvent: str) -> None:
    layer = replace(PUT_ON, solvent=solvent, process_temperature_c=math.nan)
    assert names((layer,)) == set()


def test_organic_cations_lower_the_temperature_that_a_core_survives() -> None:
    cores = ("CsPbBr3", "FAPbBr3", "MAPbBr3", "AuCu")
    limits = temperature_limits(fractions(*cores), COLUMNS)
    np.testing.assert_equal(limits, [300.0, 200.0, 150.0, math.nan])
    layers = (replace(PUT_ON, process_temperature_c=200.0),)
    assert too_hot(layers, limits).tolist() == [False, True, True, False]
    assert not too_hot(READER.read_shell("SiO2"), limits).any()
    assert math.isnan(hottest_c(READER.read_shell("COF")))


def test_halides_demix_above_a_share_of_bromide_that_caesium_raises() -> None:
    cores = ("MAPbBr0.9I2.1", "CsPbBr0.9I2.1", "MAPbBr0.6I2.4", "CsPbBr3", "CsPbCl1.5Br1.5", "AuCu")
    wanted = [True, False, False, False, False, False]
    assert not demixing(fractions("CsPbBr2.97I0.03", "CsPbI3"), COLUMNS).any()
    assert demixing(fractions(*cores), COLUMNS).tolist() == wanted
    assert not demixing(fractions("CsSnBr1.5I1.5"), COLUMNS).any()
    assert "demixes under light" not in names("SiO2", "CsPbBr1.5I1.5", ("water",))


def test_an_unknown_gap_quenches_where_it_may_be_narrow() -> None:
    gaps = np.array([2.36, math.nan])
    for shell, wanted in {"SiO2": [False, False], "ZnS": [False, True], "Au": [True, True]}.items():
        assert quenching(READER.read_shell(shell), gaps).tolist() == wanted
    assert not quenching((), gaps).any()


# Properties ----------------------------------------------------------------------------------

SHELLS = [(), *((layer,) for layer in READER.shells.materials.values())]


@given(
    st.lists(st.tuples(st.sampled_from(SHELLS), st.sampled_from(list(CORES))), max_size=8),
    st.lists(st.sampled_from(STRESSORS), unique=True),
)
def test_many_rows_have_the_flags_of_each(
    rows: list[tuple[Layers, str]], stressors: list[str]
) -> None:
    shell = np.array([SHELLS.index(layers) for layers, _ in rows], dtype=np.intp)
    core = np.array([list(CORES).index(name) for _, name in rows], dtype=np.intp)
    many = row_flags(SHELLS, shell, facts(*CORES), core, stressors)
    for (layers, name), flags in zip(rows, many, strict=True):
        cores = facts(name)
        assert flags == coating_flags(layers, cores, stressors)
        found = [flag.name for flag in flags]
        assert found == sorted({*found}, key=FLAGS.index)
        assert {*shell_flags(layers, stressors)} <= {*flags}
        assert ("quenches" in found) == quenching(layers, cores.gaps)[0]
        assert (FLAGS[4] in found) == too_hot(layers, cores.limits_c)[0]
        assert (FLAGS[5] in found) == ("light" in stressors and cores.demixing[0])


def test_flags_do_not_mix_up_materials_that_differ_in_numbers_alone() -> None:
    hot, cold = PUT_ON, replace(PUT_ON, process_temperature_c=20.0)
    assert hot == cold
    assert names((hot,)) - names((cold,)) == {"temperature destroys the core"}
