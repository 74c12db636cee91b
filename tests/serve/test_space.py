"""Design spaces: what they hold, and what they refuse."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.shells import Shells
from perovshell.errors import DesignSpaceError
from perovshell.serve.space import DesignSpace, presets

SMALL: dict[str, Any] = {
    "name": "small",
    "cores": {
        "A": {"ions": ["Cs", "FA"], "step": 0.5},
        "B": {"ions": ["Pb"]},
        "X": {"ions": ["Br", "I"], "step": 0.25},
    },
    "shells": ["SiO2", "ZrO2|PMMA"],
    "pl_window_nm": [515, 535],
}


@pytest.fixture(scope="module")
def reader() -> FormulaReader:
    return FormulaReader.bundled()


def changed(path: str, value: object) -> dict[str, Any]:
    data = copy.deepcopy(SMALL)
    *parents, last = path.split(".")
    place = data
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return data


def test_a_grid_holds_every_mixture_once(reader: FormulaReader) -> None:
    space = DesignSpace.from_mapping(SMALL, reader)
    # A: Cs, FA, half and half; X: Br, I, and three mixtures at steps of a quarter.
    assert len(space.cores) == 3 * 5
    assert len({core.key for core in space.cores}) == len(space.cores)
    assert {core.formula for core in space.cores} >= {"CsPbBr3", "FAPbI3", "CsPbBr1.5I1.5"}
    assert space.size == 15 * 2


def test_a_grid_leaves_out_cores_that_are_not_neutral(reader: FormulaReader) -> None:
    data = changed("cores.B", {"ions": ["Pb", "Bi"], "step": 0.5})
    space = DesignSpace.from_mapping(data, reader)
    assert space.not_neutral == 2 * 3 * 5
    assert not any("Bi" in core.formula for core in space.cores)


def test_equal_cores_and_shells_count_once(reader: FormulaReader) -> None:
    data = {**SMALL, "cores": ["CsPbBr3", "Cs2Pb2Br6", "MAPbBr3"], "shells": ["SiO2", "silica"]}
    space = DesignSpace.from_mapping(data, reader)
    assert [core.formula for core in space.cores] == ["CsPbBr3", "MAPbBr3"]
    assert space.size == 2


def test_all_known_shells_are_the_table(reader: FormulaReader) -> None:
    space = DesignSpace.from_mapping({**SMALL, "shells": "all known"}, reader)
    assert len(space.shells) == len(Shells.bundled().materials)


def test_the_presets_are_read_by_name(reader: FormulaReader) -> None:
    for name in presets():
        assert DesignSpace.from_yaml(name, reader).name == name
    default = DesignSpace.from_yaml(None, reader)
    assert default.pl_window_nm == (515, 535)
    assert default.constraints["insoluble_in_water"]


def test_a_file_is_read(reader: FormulaReader, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    assert DesignSpace.from_yaml(path, reader) == DesignSpace.from_mapping(SMALL, reader)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("colour", "green", "design space: unknown key 'colour'; allowed: constraints, cores"),
        ("name", "../elsewhere", r"name: '\.\./elsewhere': letters, digits"),
        ("cores", "CsPbBr3", "cores: 'CsPbBr3': a list of formulas, or a grid"),
        ("cores", [], r"cores: \[\]: a list with at least one entry"),
        ("cores", ["CsPbBr4"], "cores: core 'CsPbBr4': not neutral"),
        ("cores", ["AuCu"], "cores: 'AuCu': a metal core is no halide perovskite"),
        ("cores.C", {"ions": ["Cs"]}, "cores: unknown key 'C'; allowed: A, B, X"),
        ("cores.A", "Cs", "cores.A: 'Cs': a mapping is needed"),
        ("cores.A.ions", ["Zz"], "cores.A.ions: 'Zz': allowed: Cs"),
        ("cores.A.ions", ["Pb"], "cores.A.ions: 'Pb': allowed: Cs"),
        ("cores.A.step", 0.3, "cores.A.step: 0.3 does not divide 1"),
        ("cores.A.step", 0, "cores.A.step: 0: a number from 0.001 to 1 is needed"),
        ("cores.A.amounts", 2, "cores.A: unknown key 'amounts'"),
        ("shells", ["kryptonite"], "shells: shell 'kryptonite': unknown shell"),
        ("shells", ["none"], "shells: 'none' is no shell"),
        ("shells", [], r"shells: \[\]: a list with at least one entry"),
        ("structures", ["bare"], "structures: 'bare': allowed: core/shell"),
        ("medium", "beer", "medium: 'beer': allowed: "),
        ("stressor", "cold", "stressor: 'cold': allowed: "),
        ("pl_window_nm", None, "pl_window_nm: None: two wavelengths in nm are needed"),
        ("pl_window_nm", [535, 515], "the first must be below the second"),
        ("pl_window_nm", [5, 15], "pl_window_nm: 5: a number from 200 to 2000 is needed"),
        ("pl_window_nm", [True, 515], "pl_window_nm: True: a number"),
        ("wishes", {"pl": 0}, "wishes: at least one weight must be above 0"),
        ("wishes", {"pl": math.nan}, "wishes.pl: nan: a number from 0 to 100"),
        ("wishes", {"beauty": 1}, "wishes: unknown key 'beauty'; allowed: gain, pl, plqy"),
        ("wishes", [1], r"wishes: \[1\]: weights are needed"),
        ("constraints", {"in_domain": "yes"}, "constraints.in_domain: 'yes': true or false"),
        ("constraints", {"cheap": True}, "constraints: unknown key 'cheap'"),
    ],
)  # fmt: skip
def test_a_fault_names_the_key_the_value_and_what_is_allowed(
    reader: FormulaReader, path: str, value: object, said: str
) -> None:
    with pytest.raises(DesignSpaceError, match=said):
        DesignSpace.from_mapping(changed(path, value), reader)


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_space_is_a_mapping(reader: FormulaReader, data: object) -> None:
    with pytest.raises(DesignSpaceError, match="a mapping with the keys"):
        DesignSpace.from_mapping(data, reader)


def test_an_empty_space_says_how_many_cores_were_not_neutral(reader: FormulaReader) -> None:
    with pytest.raises(DesignSpaceError, match=r"empty: 0 cores .* \(15 cores of the grid"):
        DesignSpace.from_mapping(changed("cores.B", {"ions": ["Bi"]}), reader)


def test_too_fine_a_grid_is_refused_before_it_is_built(reader: FormulaReader) -> None:
    fine = {"ions": ["Cs", "FA", "MA", "Rb", "K"], "step": 0.001, "at_most": 5}
    with pytest.raises(DesignSpaceError, match=r"cores\.A: a grid of 42,084,793,751;"):
        DesignSpace.from_mapping(changed("cores.A", fine), reader)
    data = changed("cores.A", {"ions": ["Cs", "FA"], "step": 0.001})
    data["cores"]["X"] = {"ions": ["Br", "I"], "step": 0.001}
    with pytest.raises(DesignSpaceError, match="cores: a grid of 1,002,001; at most 200,000"):
        DesignSpace.from_mapping(data, reader)


def test_a_missing_or_broken_file_is_named(reader: FormulaReader, tmp_path: Path) -> None:
    with pytest.raises(
        DesignSpaceError, match=r"no\.yaml: cannot be read .*presets: green-emitter"
    ):
        DesignSpace.from_yaml(tmp_path / "no.yaml", reader)
    path = tmp_path / "broken.yaml"
    path.write_text("cores: [CsPbBr3\n")
    with pytest.raises(DesignSpaceError, match="not YAML"):
        DesignSpace.from_yaml(path, reader)
    path.write_bytes(b"\xff\xfe\x00cores")
    with pytest.raises(DesignSpaceError, match="cannot be read"):
        DesignSpace.from_yaml(path, reader)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 600) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(sorted(SMALL)), value=_VALUES)
def test_any_value_is_taken_or_refused_by_name(
    reader: FormulaReader, key: str, value: object
) -> None:
    said = key
    try:
        DesignSpace.from_mapping({**SMALL, key: value}, reader)
    except DesignSpaceError as error:
        said = str(error)
    assert key in said
