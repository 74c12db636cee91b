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
from perovshell.serve.space.file import presets, read_space
from perovshell.serve.space.space import DesignSpace

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


def formulas(space: DesignSpace) -> list[str]:
    """The neutral cores."""
    _, neutral = space.cores.batch(0, space.cores.size)
    return [space.cores.composition(k).formula for k in range(len(neutral)) if neutral[k]]


def test_a_grid_holds_every_mixture_once(reader: FormulaReader) -> None:
    space = read_space(SMALL, reader)
    # A: Cs, FA, half and half; X: Br, I, and three mixtures at steps of a quarter.
    cores = formulas(space)
    assert len(cores) == len(set(cores)) == 3 * 5
    assert set(cores) >= {"CsPbBr3", "FAPbI3", "CsPbBr1.5I1.5"}
    assert space.size == 15 * 2


def test_a_grid_leaves_out_cores_that_are_not_neutral(reader: FormulaReader) -> None:
    data = changed("cores.B", {"ions": ["Pb", "Bi"], "step": 0.5})
    space = read_space(data, reader)
    assert space.not_neutral == 2 * 3 * 5
    assert not any("Bi" in core for core in formulas(space))


def test_equal_cores_and_shells_count_once(reader: FormulaReader) -> None:
    data = {**SMALL, "cores": ["CsPbBr3", "Cs2Pb2Br6", "MAPbBr3"], "shells": ["SiO2", "silica"]}
    space = read_space(data, reader)
    assert formulas(space) == ["CsPbBr3", "MAPbBr3"]
    assert space.size == 2


def test_all_known_shells_are_the_table(reader: FormulaReader) -> None:
    space = read_space({**SMALL, "shells": "all known"}, reader)
    assert len(space.shells) == len(Shells.bundled().materials)


def test_the_presets_are_read_by_name(reader: FormulaReader) -> None:
    for name in presets():
        assert read_space(name, reader).name == name
    default = read_space(None, reader)
    assert default.pl_window_nm == (510, 540)
    assert default.constraints.insoluble_in_water


def test_a_file_is_read(reader: FormulaReader, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    assert read_space(path, reader) == read_space(SMALL, reader)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("colour", "green", "key colour: unknown key; allowed: name, cores, dopants"),
        ("name", "../elsewhere", r"key name: '\.\./elsewhere': letters, digits"),
        ("cores", "CsPbBr3", "cores: 'CsPbBr3': a list of formulas, or a grid"),
        ("cores", [], r"key cores: \[\]: a list of one or more, each a core such as"),
        ("cores", ["CsPbBr4"], "cores: core 'CsPbBr4': not neutral"),
        ("cores", ["AuCu"], "cores: core 'AuCu': a metal core is no halide perovskite"),
        ("cores.C", {"ions": ["Cs"]}, r"key cores\.C: unknown key; allowed: A, B, X"),
        ("cores.A", "Cs", "cores.A: 'Cs': a mapping with the keys ions, step, at_most"),
        ("cores.A.ions", ["Zz"], "cores.A.ions: 'Zz': one of Cs"),
        ("cores.A.ions", ["Pb"], "cores.A.ions: 'Pb': one of Cs"),
        ("cores.A.step", 0.3, "cores.A.step: 0.3: a number from 0.001 to 1 that divides 1"),
        ("cores.A.step", 0, "cores.A.step: 0: a number from 0.001 to 1 that divides 1"),
        ("cores.A.at_most", 2.5, "cores.A.at_most: 2.5: a whole number from 1 to 100"),
        ("cores.A.amounts", 2, "key cores.A.amounts: unknown key"),
        ("shells", ["kryptonite"], "shells: shell 'kryptonite': unknown shell"),
        ("shells", ["none"], "shells: 'none' is no shell"),
        ("shells", [], r"shells: \[\]: a list of one or more, each a shell"),
        ("structures", ["bare"], "structures: 'bare': one of core/shell"),
        ("medium", "beer", "medium: 'beer': one of "),
        ("stressor", "cold", "key stressor: 'cold': one of "),
        ("pl_window_nm", None, "pl_window_nm: two wavelengths in nm are needed"),
        ("pl_window_nm", [535, 515], "the first must be below the second"),
        ("pl_window_nm", [5, 15], "pl_window_nm: 5: a number from 200 to 2000"),
        ("pl_window_nm", [True, 515], "pl_window_nm: True: a number"),
        ("weights", {"pl": 0}, "weights: at least one weight must be above 0"),
        ("weights", {"pl": math.nan}, "weights.pl: nan: a number from 0 to 100"),
        ("weights", {"beauty": 1}, "key weights.beauty: unknown key; allowed: pl, plqy, gain"),
        ("weights", [1], r"weights: \[1\]: a mapping with the keys pl, plqy"),
        ("constraints", {"in_domain": "yes"}, "constraints.in_domain: 'yes': true or false"),
        ("constraints", {"cheap": True}, "key constraints.cheap: unknown key"),
        ("constraints", {"tolerance_factor": [1, 0.8]}, "the first must be below the second"),
        ("constraints", {"tolerance_factor": 0.9}, "0.9: a list of 2, each a number from 0.1 to 3"),
        ("constraints", {"lattice_mismatch_below": -1}, "-1: a number from 0 to 10"),
        ("constraints", {"band_alignment": ["type I"]}, "'type I': one of wider gap"),
        ("constraints", {"exclude": ["SiO2"]}, "constraints.exclude: .* a mapping with the keys ions"),
        ("constraints", {"exclude": {"gems": ["x"]}}, "exclude.gems: unknown key; allowed: ions"),
        ("constraints", {"exclude": {"shells": ["SiO3"]}}, "exclude.shells: shell 'SiO3'"),
        ("constraints", {"exclude": {"cores": ["CsPbCl3"]}}, "'CsPbCl3': this core is not in"),
        ("constraints", {"include": {"combinations": ["CsPbBr3"]}}, "a core and a shell, as"),
        ("constraints", {"include": {"ions": ["Zz"]}}, "include.ions: 'Zz': one of Cs"),
        ("constraints", {"include": {"classes": ["wood"]}}, "include.classes: 'wood': one of"),
        ("dopants", ["Mn"], r"dopants: \['Mn'\]: a list of levels for each ion"),
        ("dopants", {"Mn": [0.9]}, "dopants.Mn: 0.9: a number from 0 to 0.5"),
        ("dopants", {"Mn": [1e-6]}, "dopants.Mn: .*: 0, or a number from 0.0001 up"),
        ("dopants", {"Xx": [0.1]}, "dopants.Xx: 'Xx': one of Cs"),
        ("shells", {"names": ["SiO2"], "layers": 9}, "shells.layers: 9: a whole number from 1 to 3"),
        ("shells", {"names": "all known", "layers": 3}, "shells of up to 3 layers; at most"),
        ("shells", {"layers": 2}, "key shells: names or classes are needed"),
        ("shells", {"classes": ["wood"]}, "shells.classes: 'wood': one of carbon"),
        ("sizes_nm", ["small"], "sizes_nm: 'small': a number from 0.3"),
        ("sizes_nm", 10, "sizes_nm: 10: a list of one or more, each a number from 0.3"),
        ("morphology", "star", "morphology: 'star': one of nanocrystal"),
        ("plqy_above", 100, "plqy_above: 100: a number from 0 to 99.9"),
        ("stressors", ["water", "cold"], "stressors: 'cold': one of "),
    ],
)  # fmt: skip
def test_a_fault_names_the_key_the_value_and_what_is_allowed(
    reader: FormulaReader, path: str, value: object, said: str
) -> None:
    with pytest.raises(DesignSpaceError, match=said):
        read_space(changed(path, value), reader)


@pytest.mark.parametrize("data", [[], 3])
def test_a_space_is_a_mapping(reader: FormulaReader, data: object) -> None:
    with pytest.raises(DesignSpaceError, match="a mapping with the keys"):
        read_space(data, reader)


def test_an_empty_space_says_why(reader: FormulaReader) -> None:
    with pytest.raises(DesignSpaceError, match=r"key cores: none of the 15 cores .* is neutral"):
        read_space(changed("cores.B", {"ions": ["Bi"]}), reader)


def test_an_unknown_shell_is_answered_with_the_nearest_names(reader: FormulaReader) -> None:
    with pytest.raises(DesignSpaceError, match="ZrO2"):
        read_space(changed("shells", ["ZrO22"]), reader)


def test_too_fine_a_site_is_refused_before_it_is_built(reader: FormulaReader) -> None:
    fine = {"ions": ["Cs", "FA", "MA", "Rb", "K"], "step": 0.001, "at_most": 5}
    with pytest.raises(DesignSpaceError, match=r"cores\.A: 42,084,793,751 mixtures of Cs"):
        read_space(changed("cores.A", fine), reader)


def test_a_huge_space_is_told_and_needs_a_yes(reader: FormulaReader) -> None:
    grid = {"ions": ["Cs", "FA", "MA", "Rb"], "step": 0.02, "at_most": 4}
    data = changed("cores.A", grid)
    data["cores"]["B"] = {"ions": ["Pb", "Sn", "Ge"], "step": 0.02, "at_most": 3}
    data["cores"]["X"] = {"ions": ["Cl", "Br", "I"], "step": 0.02, "at_most": 3}
    data |= {"shells": {"names": "all known", "layers": 2}}
    space = read_space(data, reader)
    assert space.size > 10**14
    with pytest.raises(DesignSpaceError, match=rf"{space.size:,} combinations .*set yes=True"):
        space.refuse_size(yes=False)
    space.refuse_size(yes=True)


@pytest.mark.parametrize(("step", "mixtures"), [("1/3", 4), (0.25, 5), ("0.2", 6), (1, 2)])
def test_a_step_is_a_number_or_a_fraction(
    reader: FormulaReader, step: object, mixtures: int
) -> None:
    space = read_space(changed("cores.X.step", step), reader)
    assert space.cores.size == 3 * mixtures


def test_dopants_replace_a_share_of_their_site(reader: FormulaReader) -> None:
    data = changed("dopants", {"Mn": [0, 0.1], "Rb": [0.2]})
    data["cores"] = {"A": {"ions": ["Cs"]}, "B": {"ions": ["Pb"]}, "X": {"ions": ["Br"]}}
    assert set(formulas(read_space(data, reader))) == {
        "CsPbBr3", "CsPb0.9Mn0.1Br3", "Cs0.8Rb0.2PbBr3", "Cs0.8Rb0.2Pb0.9Mn0.1Br3",
    }  # fmt: skip


def test_shells_of_classes_in_layers(reader: FormulaReader) -> None:
    data = changed("shells", {"names": ["SiO2"], "classes": ["selenide"], "layers": 2})
    names = ["|".join(own.name for own in layers)
             for layers in read_space(data, reader).shells]  # fmt: skip
    assert len(names) == len(set(names)) == 4 + 4 * 3
    assert {"SiO2", "ZnSe|SiO2", "SiO2|ZnSe"} <= set(names)


def test_contexts_are_every_structure_medium_and_size(reader: FormulaReader) -> None:
    data = {**SMALL, "structures": ["core/shell", "janus"], "medium": ["film", "solution"],
            "sizes_nm": ["unknown", 8]}  # fmt: skip
    space = read_space(data, reader)
    assert space.size == 15 * 2 * 8
    items = [space.item(index) for index in range(space.size)]
    keys = {(i.core.key, i.layers, i.structure, i.medium, str(i.core_size_nm)) for i in items}
    assert len(keys) == space.size
    assert "2 structures x 2 media x 2 sizes" in space.sizes


def test_a_window_is_needed_where_pl_is_wished_only(reader: FormulaReader) -> None:
    data = changed("weights", {"plqy": 1})
    del data["pl_window_nm"]
    assert read_space(data, reader).pl_window_nm is None
    data["constraints"] = {"pl_in_window": True}
    with pytest.raises(DesignSpaceError, match="as .515, 535., where constraints.pl_in_window"):
        read_space(data, reader)


def test_a_shell_thickness_is_said_to_be_ignored(reader: FormulaReader) -> None:
    space = read_space(changed("shell_thickness_nm", [2, 4]), reader)
    assert "shell_thickness_nm is ignored" in space.notes[0]
    assert space.size == read_space(SMALL, reader).size


def test_one_key_for_stressors_not_two(reader: FormulaReader) -> None:
    with pytest.raises(DesignSpaceError, match="not both"):
        read_space({**SMALL, "stressor": "water", "stressors": ["heat"]}, reader)


def test_a_missing_or_broken_file_is_named(reader: FormulaReader, tmp_path: Path) -> None:
    with pytest.raises(
        DesignSpaceError, match=r"no\.yaml: cannot be read .*presets: blue-emitter, green"
    ):
        read_space(tmp_path / "no.yaml", reader)
    path = tmp_path / "broken.yaml"
    path.write_text("cores: [CsPbBr3\n")
    with pytest.raises(DesignSpaceError, match="not YAML"):
        read_space(path, reader)
    path.write_bytes(b"\xff\xfe\x00cores")
    with pytest.raises(DesignSpaceError, match="cannot be read"):
        read_space(path, reader)


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
        read_space({**SMALL, key: value}, reader)
    except DesignSpaceError as error:
        said = str(error)
    assert key in said
