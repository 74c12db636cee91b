"""Design spaces: what they hold, and what they refuse."""

import copy
import dataclasses
import json
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.nodes import parse_yaml
from perovshell.data.schema import key_table
from perovshell.data.shells import Shells
from perovshell.errors import DesignSpaceError
from perovshell.serve.space.declaration import space_reader
from perovshell.serve.space.file import read_space
from perovshell.serve.space.preset import presets
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
    return [space.cores.composition(index).formula for index in neutral(space)]


def neutral(space: DesignSpace) -> list[int]:
    """The numbers of the neutral cores."""
    _, is_neutral = space.cores.batch(0, space.cores.size)
    return [int(index) for index in np.flatnonzero(is_neutral)]


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


def test_what_is_doubtful_about_a_space_is_noted(reader: FormulaReader) -> None:
    space = read_space({**SMALL, "plqy_above": 0.8, "sizes_nm": [8, 80]}, reader)
    assert space.notes == (
        "sizes_nm 80 is above 50 nm: angstrom?",
        "plqy_above 0.8 is below 1 %: a fraction?",
    )
    assert read_space({**SMALL, "plqy_above": 80}, reader).notes == ()


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
        ("cores.A.ions", ["Zz"], "cores.A.ions: ion 'Zz': no known ion; nearest: Zr, Zn"),
        ("cores.A.ions", ["Pb"], "cores.A.ions: 'Pb': an ion of site A, such as Cs, FA, MA"),
        ("cores.A.step", 0.3, "cores.A.step: 0.3: a number from 0.001 to 1 that divides 1"),
        ("cores.A.step", 0, "cores.A.step: 0: a number from 0.001 to 1 that divides 1"),
        ("cores.A.step", "1e-999999999", "1e-999999999.?: a number from 0.001 to 1 that divides 1"),
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
        ("pl_window_nm", [5, 15], "pl_window_nm: 5: a number from 200 to 2000 nm"),
        ("pl_window_nm", [2.3, 2.5], "pl_window_nm: 2.3: a number from 200 to 2000 nm"),
        ("Medium", "film", "key Medium: unknown key; nearest: medium"),
        ("size_nm", [8], "key size_nm: unknown key; nearest: sizes_nm"),
        ("medium", "no", "medium: 'no': one of "),
        ("pl_window_nm", [Fraction(10**400, 3), 515], "pl_window_nm: inf: a number from 200"),
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
        ("constraints", {"exclude": ["SiO2"]}, r"exclude: .*: a mapping with the keys ions"),
        ("constraints", {"exclude": {"gems": ["x"]}}, "exclude.gems: unknown key; allowed: ions"),
        ("constraints", {"exclude": {"shells": ["SiO3"]}}, "exclude.shells: shell 'SiO3'"),
        ("constraints", {"exclude": {"cores": ["CsPbCl3"]}}, "'CsPbCl3': this core is not in"),
        ("constraints", {"include": {"combinations": ["CsPbBr3"]}}, "a core and a shell, as"),
        ("constraints", {"include": {"ions": ["Zz"]}}, "include.ions: ion 'Zz': no known ion"),
        ("constraints", {"include": {"classes": ["wood"]}}, "include.classes: 'wood': one of"),
        ("dopants", ["Mn"], r"dopants: \['Mn'\]: a list of levels for each ion"),
        ("dopants", {"Mn": [0.9]}, "dopants.Mn: 0.9: a number from 0 to 0.5"),
        ("dopants", {"Mn": [1e-6]}, "dopants.Mn: .*: 0, or a number from 0.0001 up"),
        ("dopants", {"Xx": [0.1]}, "dopants.Xx: unknown key; allowed: Cs"),
        ("shells", {"names": ["SiO2"], "layers": 9}, "layers: 9: a whole number from 1 to 3"),
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


@pytest.mark.parametrize(
    ("step", "mixtures"), [("1/3", 4), (0.25, 5), ("0.2", 6), ("2e-1", 6), (1, 2)]
)
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
    with pytest.raises(DesignSpaceError, match=r"as .515, 535., where constraints\.pl_in"):
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


# Faults together, and with lines --------------------------------------------------------------

FAULTY = """\
name: green
cores:
  A: {ions: [Cs, Fa], step: 0.3}
  B: {ions: [Pb]}
  X: {ions: [Br]}
shells: [SiO2, ZrO22]
medium:
  - film
  - beer
wieghts: {pl: 1}
constraints:
  in_domain: perhaps
  exclude: {shells: [none]}
"""


def test_all_faults_of_a_file_come_at_once_with_lines(
    reader: FormulaReader, tmp_path: Path
) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(FAULTY)
    with pytest.raises(DesignSpaceError) as caught:
        read_space(path, reader)
    lines = str(caught.value).split("\n")
    places = ["line 3, key cores.A.ions: ion 'Fa'", "line 3, key cores.A.step: 0.3",
              "line 6, key shells: shell 'ZrO22'", "line 9, key medium: 'beer'",
              "line 10, key wieghts: unknown key; nearest: weights",
              "line 12, key constraints.in_domain: 'perhaps': true or false",
              "line 13, key constraints.exclude.shells: 'none' is no shell"]  # fmt: skip
    assert len(lines) == len(places)
    for line, place in zip(lines, places, strict=True):
        assert line.startswith(f"design space {path}, {place}")


def test_a_missing_window_is_named_beside_other_faults(reader: FormulaReader) -> None:
    data = {**SMALL, "pl_window_nm": None, "cores": ["CsPbBr4"]}
    with pytest.raises(DesignSpaceError) as caught:
        read_space(data, reader)
    cores, window = str(caught.value).split("\n")
    assert "key cores: core 'CsPbBr4': not neutral" in cores
    assert "key pl_window_nm: two wavelengths in nm are needed" in window


def test_cores_outside_the_space_are_named_together(reader: FormulaReader) -> None:
    chosen = {"cores": ["CsPbCl3", "MAPbI3", "CsPbBr3"], "combinations": ["RbPbI3/SiO2"]}
    with pytest.raises(DesignSpaceError) as caught:
        read_space(changed("constraints", {"include": chosen}), reader)
    assert str(caught.value).split("\n") == [
        f"design space, key constraints.include.{fault}: this core is not in the design space"
        for fault in ("cores: 'CsPbCl3'", "cores: 'MAPbI3'", "combinations: 'RbPbI3/SiO2'")
    ]  # fmt: skip


def test_dopants_need_a_grid(reader: FormulaReader) -> None:
    with pytest.raises(DesignSpaceError, match=r"key dopants: .*only for a grid of cores"):
        read_space({**SMALL, "cores": ["CsPbBr3"], "dopants": {"Mn": [0.01]}}, reader)


def test_a_json_file_is_read_and_named_by_line(reader: FormulaReader, tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    path.write_text(json.dumps(SMALL, indent="\t"))
    assert read_space(path, reader) == read_space(SMALL, reader)
    path.write_text(json.dumps({"name": "x", "cores": ["CsPbBr3"], "plqy_above": "80"}, indent=1))
    with pytest.raises(DesignSpaceError, match="line 6, key plqy_above: '80': a number"):
        read_space(path, reader)


def test_numbers_may_be_written_with_an_exponent(reader: FormulaReader, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "cores: [CsPbBr3]\nweights: {plqy: 1}\nconstraints: {lattice_mismatch_below: 1e-1}\n"
    )
    assert read_space(path, reader).constraints.lattice_mismatch_below == 0.1


def test_arrays_of_numpy_are_lists(reader: FormulaReader) -> None:
    data = {**SMALL, "pl_window_nm": np.array([515.0, 535.0]), "sizes_nm": [np.int64(8)]}
    space = read_space(data, reader)
    assert (space.pl_window_nm, space.sizes_nm) == ((515, 535), (8,))


# A space by hand, written back and shown ------------------------------------------------------


def test_a_space_made_by_hand_is_checked(reader: FormulaReader) -> None:
    space = read_space(SMALL, reader)
    with pytest.raises(DesignSpaceError, match="design space small: pl_window_nm: two wavelengths"):
        dataclasses.replace(space, pl_window_nm=None)
    sizes = tuple(float(size) for size in range(1, 3000))
    with pytest.raises(DesignSpaceError, match=r"2,999 contexts .*; at most 2,000"):
        dataclasses.replace(space, sizes_nm=sizes)
    with pytest.raises(DesignSpaceError, match="2,999 contexts"):
        read_space({**SMALL, "sizes_nm": list(sizes)}, reader)


def test_the_shortest_form_of_the_shells_is_written(reader: FormulaReader) -> None:
    for shells in (
        "all known",
        ["SiO2", "ZrO2|PMMA"],
        {"names": ["SiO2", "ZnS", "PMMA"], "layers": 3},
        {"names": "all known", "layers": 2},
    ):
        assert read_space({**SMALL, "shells": shells}, reader).to_mapping()["shells"] == shells
    many = [name for name in Shells.bundled().materials if name != "SiO2"]
    mixed = {**SMALL, "shells": [*many, "SiO2|ZnS|PMMA"]}
    assert read_space(mixed, reader).to_mapping()["shells"] == mixed["shells"]


def test_presets_are_written_back(reader: FormulaReader, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    for name in presets():
        space = read_space(name, reader)
        path.write_text(space.to_yaml())
        assert read_space(path, reader) == space
        assert read_space(json.loads(json.dumps(space.to_mapping())), reader) == space


_IONS = {"A": ["Cs", "FA", "MA"], "B": ["Pb", "Sn"], "X": ["Cl", "Br", "I"]}
_SHELLS = ["SiO2", "ZnS", "PMMA", "ZnS|SiO2", "CsPbBr2Cl", "Cs4PbBr6"]
_FORMULAS = ["CsPbBr3", "Cs2Pb2Br6", "CsPb(Br0.8I0.2)3", "FA0.3Cs0.7PbI3", "Cs3Bi2Br9"]


def _some(words: Sequence[object]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True)


def _record(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


def _rising(low: float, high: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(low, high), min_size=2, max_size=2, unique=True).map(sorted)


_SITES = {
    site: st.fixed_dictionaries(
        {"ions": _some(ions)},
        optional={
            "step": st.sampled_from([1, 0.5, 0.25, "1/3", 0.1]),
            "at_most": st.integers(1, 3),
        },
    )
    for site, ions in _IONS.items()
}
_SELECTIONS = _record(
    ions=_some(["Cs", "Pb", "I"]), shells=_some(_SHELLS), classes=_some(["oxide", "polymer"])
)
_SPACES = st.fixed_dictionaries(
    {
        "cores": _some(_FORMULAS) | st.fixed_dictionaries(_SITES),
        "pl_window_nm": _rising(200, 2000),
    },
    optional={
        "name": st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True),
        "dopants": st.dictionaries(
            st.sampled_from(["Mn", "Rb"]), st.lists(st.sampled_from([0, 0.01, 0.3]), min_size=1)
        ),
        "shells": st.just("all known")
        | _some(_SHELLS)
        | st.fixed_dictionaries(
            {"names": _some(_SHELLS), "layers": st.integers(1, 2)},
            optional={"classes": _some(["selenide"])},
        ),
        "structures": _some(["core/shell", "janus"]),
        "encapsulation": _some(["none", "unknown"]),
        "medium": st.sampled_from(["film", "water"]),
        "sizes_nm": st.lists(st.just("unknown") | st.floats(0.3, 1e4), min_size=1, max_size=3),
        "morphology": st.sampled_from(["nanocrystal", "nanowire"]),
        "shell_thickness_nm": st.floats(0.1, 10),
        "plqy_above": st.floats(0, 99.9),
        "stressor": st.sampled_from(["water", "light"]),
        "weights": st.fixed_dictionaries({"plqy": st.floats(0.1, 100), "pl": st.integers(0, 2)}),
        "constraints": _record(
            lead_free=st.booleans(),
            insoluble_in_water=st.booleans(),
            tolerance_factor=_rising(0.1, 3),
            lattice_mismatch_below=st.floats(0, 10),
            band_alignment=_some(["wider gap", "unknown"]),
            exclude=_SELECTIONS,
            include=_SELECTIONS,
        ),
    },
)


@settings(max_examples=100, deadline=None)
@given(source=_SPACES, data=st.data())
def test_a_space_that_is_written_is_read_as_an_equal_space(
    reader: FormulaReader, source: dict[str, Any], data: st.DataObject
) -> None:
    if isinstance(source["cores"], list):
        source.pop("dopants", None)
    space = read_space(source, reader)
    core = space.cores.composition(data.draw(st.sampled_from(neutral(space))))
    limits = space.constraints
    index = space.cores.find(core)
    assert index is not None
    include = dataclasses.replace(
        limits.include, cores=frozenset({index}), combinations=frozenset({(index, "SiO2")})
    )
    space = dataclasses.replace(space, constraints=dataclasses.replace(limits, include=include))
    written = read_space(json.loads(json.dumps(space.to_mapping())), reader)
    assert written == space
    assert written.cores.composition(index) == core
    document = parse_yaml(space.to_yaml(), "space.yaml")
    assert space_reader(reader).read(document) == space


def test_a_space_is_shown_in_a_few_words(reader: FormulaReader) -> None:
    space = read_space(SMALL, reader)
    assert repr(space) == (
        "DesignSpace(small: 30 combinations of 15 cores and 2 shells; objectives: pl, plqy, "
        "gain, half_life)"
    )
    data = {**SMALL, "name": "n" * 100, "shells": {"names": "all known", "layers": 2}}
    data |= {"structures": ["core/shell", "janus"], "medium": ["film", "solution"],
             "encapsulation": ["none", "unknown"], "sizes_nm": [8, 9],
             "weights": {"pl": 1, "plqy": 1, "gain": 1, "half_life": 1, "domain": 1}}  # fmt: skip
    large = read_space(data, reader)
    assert len(repr(large)) < 200
    page = large._repr_html_()
    assert page.count("<tr>") == page.count("</tr>")
    assert "<th>weights</th>" in page
    assert len(page) < 3000


def test_the_page_of_the_design_space_lists_every_key() -> None:
    page = Path(__file__).parents[3] / "docs/reference/design-space.md"
    assert key_table(space_reader(FormulaReader.bundled())) in page.read_text(encoding="utf-8")


# Junk ----------------------------------------------------------------------------------------

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


# Cadmium -------------------------------------------------------------------------------------

CORES = {"A": {"ions": ["Cs"]}, "B": {"ions": ["Pb"]}, "X": {"ions": ["Br"]}}


@pytest.mark.parametrize(
    ("changes", "is_free"),
    [
        ({}, True),
        ({"shells": ["CdS", "SiO2"]}, False),
        ({"shells": {"classes": ["sulfide"]}}, False),
        ({"cores": ["CsCdBr3", "CsPbBr3"]}, False),
        ({"cores": {**CORES, "B": {"ions": ["Pb", "Cd"], "step": 0.5}}}, False),
        ({"constraints": {"cadmium_free": False}}, False),
        ({"shells": ["SiO2"], "constraints": {"cadmium_free": True}}, True),
    ],
)
def test_cadmium_is_ranked_where_it_is_named(
    reader: FormulaReader, changes: dict[str, Any], *, is_free: bool
) -> None:
    data = {"cores": CORES, "shells": "all known", "pl_window_nm": [510, 530], **changes}
    space = read_space(data, reader)
    assert space.constraints.cadmium_free is is_free
    assert read_space(space.to_mapping(), reader).constraints.cadmium_free is is_free
