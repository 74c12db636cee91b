"""Reading and checking a design space: every key and value, with what is allowed."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from perovshell.data.formula import FormulaReader
from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.data.vocabulary import ENCAPSULATIONS, MEDIA, MORPHOLOGIES, STRESSORS, STRUCTURES
from perovshell.errors import DesignSpaceError, FormulaError
from perovshell.models.inputs import INPUT_NUMBERS
from perovshell.serve.space.checks import (
    check_keys,
    entries_of,
    number_of,
    rising_of,
    word_of,
    words_of,
)
from perovshell.serve.space.core_file import read_core, read_cores, read_ion
from perovshell.serve.space.cores import (
    Cores,
)
from perovshell.serve.space.physics import ALIGNMENTS
from perovshell.serve.space.space import OBJECTIVES, Constraints, DesignSpace, Selection

ALL_KNOWN = "all known"
DEFAULT_PRESET = "green-emitter"
DEFAULT_WEIGHTS = {"pl": 1, "plqy": 1, "gain": 1}
MAX_SHELLS = 20_000
MAX_SIZE = 2**62
MAX_CONTEXTS = 2_000
_COATED = tuple(word for word in STRUCTURES if word != "bare")
_KEYS = {
    "name", "cores", "dopants", "shells", "structures", "encapsulation", "medium", "sizes_nm",
    "morphology", "shell_thickness_nm", "pl_window_nm", "plqy_above", "stressor", "stressors",
    "weights", "constraints",
}  # fmt: skip
_SHELL_KEYS = {"names", "classes", "layers"}
_SELECTION_KEYS = {"ions", "cores", "shells", "classes", "combinations"}
_YES_NO = (
    "lead_free", "cadmium_free", "insoluble_in_water", "no_quenching_shell", "in_domain",
    "pl_in_window",
)  # fmt: skip
CONSTRAINTS = tuple(field.name for field in fields(Constraints))
_WET = frozenset({"water", "humidity"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
"""The name of a space is also that of its report's folder."""


def presets() -> list[str]:
    """Return the names of the presets."""
    folder = resources.files("perovshell.serve.space") / "presets"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir())


def read_space(source: object, reader: FormulaReader) -> DesignSpace:
    """Read whatever stands for a design space.

    Args:
        source: A space; a mapping with the keys of the YAML file; the path of a file; the name of a
            preset; the default preset where it is None.
        reader: Reads cores and shells.

    Raises:
        DesignSpaceError: The file is unreadable, a key or value is not allowed, or the space is
            empty.
    """
    if isinstance(source, DesignSpace):
        return source
    if source is None or isinstance(source, str | Path):
        return _checked(_content(source), reader)
    return _checked(source, reader)


def _content(source: Path | str | None) -> object:
    """Return what a file or a preset holds."""
    given = DEFAULT_PRESET if source is None else str(source)
    preset = resources.files("perovshell.serve.space") / "presets" / f"{given}.yaml"
    try:
        text = (preset if preset.is_file() else Path(given)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"design space {given}: cannot be read ({error}); presets: {', '.join(presets())}"
        raise DesignSpaceError(msg) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = str(error).replace("\n", " ")
        msg = f"design space {given}: not YAML ({where})"
        raise DesignSpaceError(msg) from error


def _checked(data: object, reader: FormulaReader) -> DesignSpace:
    """Check a mapping with the keys of the YAML file."""
    if not isinstance(data, Mapping):
        msg = f"design space: a mapping with the keys {', '.join(sorted(_KEYS))} is needed"
        raise DesignSpaceError(msg)
    check_keys("design space", data, _KEYS)
    cores = read_cores(data.get("cores"), data.get("dopants", {}), reader)
    shells = _shells(data.get("shells", ALL_KNOWN), reader)
    weights = _weights(data.get("weights", DEFAULT_WEIGHTS))
    stressors = _stressors(data)
    space = DesignSpace(
        name=_name(data.get("name", "design-space")),
        cores=cores,
        shells=shells,
        structures=words_of("structures", data.get("structures", ["core/shell"]), _COATED),
        encapsulations=words_of(
            "encapsulation", data.get("encapsulation", "unknown"), ENCAPSULATIONS
        ),
        media=words_of("medium", data.get("medium", "unknown"), MEDIA),
        sizes_nm=_sizes(data.get("sizes_nm", ["unknown"])),
        morphology=word_of("morphology", data.get("morphology", "nanocrystal"), MORPHOLOGIES),
        pl_window_nm=_window(data.get("pl_window_nm"), needed=weights["pl"] > 0),
        plqy_above=_bar(data.get("plqy_above")),
        stressors=stressors,
        weights=weights,
        constraints=_constraints(data.get("constraints", {}), stressors, cores, reader),
        notes=_notes(data),
        source=json.loads(json.dumps(data, default=str)),
    )
    _refuse(space)
    return space


def _refuse(space: DesignSpace) -> None:
    if space.constraints.pl_in_window and space.pl_window_nm is None:
        msg = "constraints.pl_in_window: it needs pl_window_nm, two wavelengths in nm"
        raise DesignSpaceError(msg)
    if space.size > MAX_SIZE:
        msg = f"design space: {space.sizes}: more than can be counted; take larger steps"
        raise DesignSpaceError(msg)
    for what, count, most in (
        ("shells", len(space.shells), MAX_SHELLS),
        (
            "contexts (structures x encapsulations x media x sizes)",
            len(space.contexts),
            MAX_CONTEXTS,
        ),
    ):
        if count > most:
            msg = f"design space: {count:,} {what}; at most {most:,}"
            raise DesignSpaceError(msg)


def _notes(data: Mapping[Any, Any]) -> tuple[str, ...]:
    if data.get("shell_thickness_nm") is None:
        return ()
    return ("shell_thickness_nm is ignored (known for too few samples)",)


# Shells --------------------------------------------------------------------------------------


def _is_all(value: object) -> bool:
    """Whether a value stands for all known shells."""
    return value in (ALL_KNOWN, "all", [ALL_KNOWN])


def _shells(value: object, reader: FormulaReader) -> tuple[tuple[ShellMaterial, ...], ...]:
    """Read the shells: a list of names, `all known`, or names or classes in so many layers."""
    if not isinstance(value, Mapping):
        return tuple(_named_shells("shells", value, reader).values())
    check_keys("shells", value, _SHELL_KEYS)
    found: dict[str, tuple[ShellMaterial, ...]] = {}
    if "names" in value:
        found |= _named_shells("shells.names", value["names"], reader)
    if "classes" in value:
        classes = _classes("shells.classes", value["classes"], reader)
        found |= {
            material.name: (material,)
            for material in reader.shells.materials.values()
            if material.material_class in classes
        }
    layers = int(number_of("shells.layers", value.get("layers", 1), 1, 3))
    count = sum(math.perm(len(found), k) for k in range(1, layers + 1))
    if count > MAX_SHELLS:
        msg = f"shells: {count:,} shells of up to {layers} layers; at most {MAX_SHELLS:,}"
        raise DesignSpaceError(msg)
    stacks = (
        tuple(itertools.chain.from_iterable(chosen))
        for number in range(1, layers + 1)
        for chosen in itertools.permutations(found.values(), number)
    )
    return tuple({shell_text(own): own for own in stacks}.values())


def _named_shells(
    what: str, value: object, reader: FormulaReader
) -> dict[str, tuple[ShellMaterial, ...]]:
    if _is_all(value):
        return {name: (material,) for name, material in reader.shells.materials.items()}
    found: dict[str, tuple[ShellMaterial, ...]] = {}
    for text in entries_of(what, value):
        layers = _shell(what, text, reader)
        found[shell_text(layers)] = layers
    return found


def _shell(what: str, text: object, reader: FormulaReader) -> tuple[ShellMaterial, ...]:
    try:
        layers = reader.read_shell(str(text))
    except FormulaError as error:
        msg = f"{what}: {error}"
        raise DesignSpaceError(msg) from error
    if not layers:
        msg = f"{what}: 'none' is no shell; bare cores are not ranked"
        raise DesignSpaceError(msg)
    return layers


def _classes(what: str, value: object, reader: FormulaReader) -> frozenset[str]:
    known = sorted({own.material_class for own in reader.shells.materials.values()})
    return frozenset(word_of(what, word, known) for word in entries_of(what, value))


# Thresholds and constraints ----------------------------------------------------------------------


def _weights(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping):
        msg = f"weights: {value!r}: weights are needed, as {{pl: 1, plqy: 1, gain: 1}}"
        raise DesignSpaceError(msg)
    check_keys("weights", value, set(OBJECTIVES))
    weights = {
        name: number_of(f"objectives.{name}", value.get(name, 0), 0, 100) for name in OBJECTIVES
    }
    if not any(weights.values()):
        msg = "weights: at least one weight must be above 0"
        raise DesignSpaceError(msg)
    return weights


def _constraints(
    value: object, stressors: Sequence[str], cores: Cores, reader: FormulaReader
) -> Constraints:
    if not isinstance(value, Mapping):
        msg = f"constraints: {value!r}: a mapping is needed, as {{lead_free: true}}"
        raise DesignSpaceError(msg)
    check_keys("constraints", value, set(CONSTRAINTS))
    for name in _YES_NO:
        if not isinstance(value.get(name, False), bool):
            msg = f"constraints.{name}: {value[name]!r}: true or false is needed"
            raise DesignSpaceError(msg)
    # A shell that dissolves is no answer to water, whatever the model makes of it.
    default = {"insoluble_in_water": not _WET.isdisjoint(stressors)}
    mismatch = value.get("lattice_mismatch_below")
    alignment = value.get("band_alignment")
    return Constraints(
        **{name: bool(value.get(name, default.get(name, False))) for name in _YES_NO},
        tolerance_factor=rising_of(
            "constraints.tolerance_factor", value.get("tolerance_factor"), 0.1, 3
        ),
        lattice_mismatch_below=None
        if mismatch is None
        else number_of("constraints.lattice_mismatch_below", mismatch, 0, 10),
        band_alignment=()
        if alignment is None
        else words_of("constraints.band_alignment", alignment, ALIGNMENTS),
        exclude=_selection("constraints.exclude", value.get("exclude", {}), cores, reader),
        include=_selection("constraints.include", value.get("include", {}), cores, reader),
    )


def _selection(what: str, value: object, cores: Cores, reader: FormulaReader) -> Selection:
    if not isinstance(value, Mapping):
        msg = f"{what}: {value!r}: a mapping is needed, as {{shells: [PMMA], ions: [Sn]}}"
        raise DesignSpaceError(msg)
    check_keys(what, value, _SELECTION_KEYS)

    def entries(key: str) -> Iterable[Any]:
        return entries_of(f"{what}.{key}", value[key]) if key in value else ()

    def number(key: str, text: object) -> int:
        index = cores.find(read_core(f"{what}.{key}", text, reader))
        if index is None:
            msg = f"{what}.{key}: {text!r}: this core is not in the design space"
            raise DesignSpaceError(msg)
        return index

    pairs = set()
    for text in entries("combinations"):
        core, sign, shell = str(text).partition("/")
        if not sign:
            msg = f"{what}.combinations: {text!r}: a core and a shell, as CsPbBr3/SiO2"
            raise DesignSpaceError(msg)
        layers = _shell(f"{what}.combinations", shell, reader)
        pairs.add((number("combinations", core), shell_text(layers)))
    return Selection(
        ions=frozenset(read_ion(f"{what}.ions", ion, reader) for ion in entries("ions")),
        cores=frozenset(number("cores", text) for text in entries("cores")),
        shells=frozenset(
            shell_text(_shell(f"{what}.shells", text, reader)) for text in entries("shells")
        ),
        classes=_classes(f"{what}.classes", value["classes"], reader)
        if "classes" in value
        else frozenset(),
        combinations=frozenset(pairs),
    )


# Values --------------------------------------------------------------------------------------


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        msg = f"name: {value!r}: letters, digits, '-', '_' and '.' are allowed, a letter first"
        raise DesignSpaceError(msg)
    return value


def _window(value: object, *, needed: bool) -> tuple[float, float] | None:
    if value is None and needed:
        msg = "pl_window_nm: two wavelengths in nm are needed, as [515, 535], where pl has a weight"
        raise DesignSpaceError(msg)
    return rising_of("pl_window_nm", value, 200, 2000)


def _bar(value: object) -> float | None:
    return None if value is None else number_of("plqy_above", value, 0, 99.9)


def _sizes(value: object) -> tuple[float, ...]:
    low, high = INPUT_NUMBERS["core_size_nm"]
    return tuple(
        dict.fromkeys(
            math.nan if size == "unknown" else number_of("sizes_nm", size, low, high)
            for size in entries_of("sizes_nm", value)
        )
    )


def _stressors(data: Mapping[Any, Any]) -> tuple[str, ...]:
    if "stressor" in data and "stressors" in data:
        msg = "stressors: give stressor or stressors, not both"
        raise DesignSpaceError(msg)
    key = "stressor" if "stressor" in data else "stressors"
    return words_of(key, data.get(key, "water"), STRESSORS)
