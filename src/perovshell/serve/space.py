"""The design space: what cores, shells and structures are asked for, as one YAML file."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from perovshell.data.formula import Composition, FormulaReader
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import ENCAPSULATIONS, MEDIA, STRESSORS, STRUCTURES
from perovshell.errors import DesignSpaceError, FormulaError

ALL_KNOWN = "all known"
WISHES = ("pl", "plqy", "gain")
CONSTRAINTS = ("insoluble_in_water", "no_quenching_shell", "in_domain", "lead_free")
_COATED = tuple(word for word in STRUCTURES if word != "bare")
MAX_COMBINATIONS = 200_000
"""Largest space that is ranked."""
_KEYS = {
    "name", "cores", "shells", "structures", "encapsulation", "medium", "pl_window_nm",
    "stressor", "wishes", "constraints",
}  # fmt: skip
_SITE_KEYS = {"ions", "step", "at_most"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
"""The name of a space is also that of its report's folder."""
_AMOUNT = {"A": 1, "B": 1, "X": 3}


@dataclass(frozen=True)
class DesignSpace:
    """A design space, checked.

    Attributes:
        name: Name for the report.
        cores: Distinct neutral cores.
        shells: Distinct shells, layers from the inside out.
        structures: Structures tried with each shell.
        encapsulation: Encapsulation of all combinations.
        medium: Medium of all combinations.
        pl_window_nm: Wanted PL window in nm.
        stressor: Stressor of the stability gain.
        wishes: Weight of each of `WISHES`; 0 leaves it out.
        constraints: Which of `CONSTRAINTS` hold.
        not_neutral: How many cores of the grid were left out as not neutral.
    """

    name: str
    cores: tuple[Composition, ...]
    shells: tuple[tuple[ShellMaterial, ...], ...]
    structures: tuple[str, ...]
    encapsulation: str
    medium: str
    pl_window_nm: tuple[float, float]
    stressor: str
    wishes: Mapping[str, float]
    constraints: Mapping[str, bool]
    not_neutral: int

    @property
    def size(self) -> int:
        """Number of combinations."""
        return len(self.cores) * len(self.shells) * len(self.structures)

    @classmethod
    def from_yaml(cls, source: Path | str | None, reader: FormulaReader) -> DesignSpace:
        """Read a design space from a file, the name of a preset, or the default preset.

        Raises:
            DesignSpaceError: The file is unreadable, has a wrong key or value, or is empty.
        """
        given = "green-emitter" if source is None else str(source)
        preset = resources.files("perovshell.serve") / "presets" / f"{given}.yaml"
        try:
            text = (preset if preset.is_file() else Path(given)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"design space {given}: cannot be read ({error}); presets: {', '.join(presets())}"
            raise DesignSpaceError(msg) from error
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            where = str(error).replace("\n", " ")
            msg = f"design space {given}: not YAML ({where})"
            raise DesignSpaceError(msg) from error
        return cls.from_mapping(data, reader)

    @classmethod
    def from_mapping(cls, data: object, reader: FormulaReader) -> DesignSpace:
        """Check a mapping with the keys of the YAML file.

        Raises:
            DesignSpaceError: A key or value is not allowed, or the space is empty or too large.
        """
        if not isinstance(data, Mapping):
            msg = f"design space: a mapping with the keys {', '.join(sorted(_KEYS))} is needed"
            raise DesignSpaceError(msg)
        _check_keys("design space", data, _KEYS)
        cores, not_neutral = _cores(data.get("cores"), reader)
        space = cls(
            name=_name(data.get("name", "design-space")),
            cores=cores,
            shells=_shells(data.get("shells", ALL_KNOWN), reader),
            structures=tuple(
                _word("structures", word, _COATED)
                for word in _list("structures", data.get("structures", ["core/shell"]))
            ),
            encapsulation=_word(
                "encapsulation", data.get("encapsulation", "unknown"), ENCAPSULATIONS
            ),
            medium=_word("medium", data.get("medium", "unknown"), MEDIA),
            pl_window_nm=_window(data.get("pl_window_nm")),
            stressor=_word("stressor", data.get("stressor", "water"), STRESSORS),
            wishes=_wishes(data.get("wishes", dict.fromkeys(WISHES, 1))),
            constraints=_constraints(data.get("constraints", {})),
            not_neutral=not_neutral,
        )
        _refuse_size(space)
        return space


def presets() -> list[str]:
    """Return the names of the presets."""
    folder = resources.files("perovshell.serve") / "presets"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir())


def _refuse_size(space: DesignSpace) -> None:
    sizes = f"{len(space.cores)} cores x {len(space.shells)} shells x {len(space.structures)}"
    if space.size == 0:
        msg = (
            f"design space: empty: {sizes} structures "
            f"({space.not_neutral} cores of the grid are not neutral)"
        )
        raise DesignSpaceError(msg)
    if space.size > MAX_COMBINATIONS:
        msg = (
            f"design space: {sizes} structures = {space.size:,} combinations; at most "
            f"{MAX_COMBINATIONS:,} are ranked: take larger steps or fewer shells"
        )
        raise DesignSpaceError(msg)


def _check_keys(what: str, data: Mapping[Any, Any], allowed: set[str]) -> None:
    for key in data:
        if key not in allowed:
            msg = f"{what}: unknown key {key!r}; allowed: {', '.join(sorted(allowed))}"
            raise DesignSpaceError(msg)


def _list(what: str, value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        msg = f"{what}: {value!r}: a list with at least one entry is needed"
        raise DesignSpaceError(msg)
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        msg = f"name: {value!r}: letters, digits, '-', '_' and '.' are allowed, a letter first"
        raise DesignSpaceError(msg)
    return value


def _word(what: str, value: object, allowed: Sequence[str]) -> str:
    if value not in allowed:
        msg = f"{what}: {value!r}: allowed: {', '.join(allowed)}"
        raise DesignSpaceError(msg)
    return str(value)


def _number(what: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        msg = f"{what}: {value!r}: a number from {low:g} to {high:g} is needed"
        raise DesignSpaceError(msg)
    return float(value)


def _window(value: object) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004
        msg = f"pl_window_nm: {value!r}: two wavelengths in nm are needed, as [515, 535]"
        raise DesignSpaceError(msg)
    low, high = (_number("pl_window_nm", end, 200, 2000) for end in value)
    if low >= high:
        msg = f"pl_window_nm: {value!r}: the first must be below the second"
        raise DesignSpaceError(msg)
    return low, high


def _wishes(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping):
        msg = f"wishes: {value!r}: weights are needed, as {{pl: 1, plqy: 1, gain: 1}}"
        raise DesignSpaceError(msg)
    _check_keys("wishes", value, set(WISHES))
    weights = {name: _number(f"wishes.{name}", value.get(name, 0), 0, 100) for name in WISHES}
    if not any(weights.values()):
        msg = "wishes: at least one weight must be above 0"
        raise DesignSpaceError(msg)
    return weights


def _constraints(value: object) -> dict[str, bool]:
    if not isinstance(value, Mapping):
        msg = f"constraints: {value!r}: a mapping to true or false is needed"
        raise DesignSpaceError(msg)
    _check_keys("constraints", value, set(CONSTRAINTS))
    for name, holds in value.items():
        if not isinstance(holds, bool):
            msg = f"constraints.{name}: {holds!r}: true or false is needed"
            raise DesignSpaceError(msg)
    return {name: bool(value.get(name, False)) for name in CONSTRAINTS}


def _shells(value: object, reader: FormulaReader) -> tuple[tuple[ShellMaterial, ...], ...]:
    if value == ALL_KNOWN:
        return tuple((material,) for material in reader.shells.materials.values())
    found: dict[str, tuple[ShellMaterial, ...]] = {}
    for text in _list("shells", value):
        try:
            layers = reader.read_shell(str(text))
        except FormulaError as error:
            msg = f"shells: {error}"
            raise DesignSpaceError(msg) from error
        if not layers:
            msg = "shells: 'none' is no shell; bare cores are not ranked"
            raise DesignSpaceError(msg)
        found["|".join(layer.name for layer in layers)] = layers
    return tuple(found.values())


def _cores(value: object, reader: FormulaReader) -> tuple[tuple[Composition, ...], int]:
    """Read the cores: a list of formulas, or a grid of A, B and X."""
    if isinstance(value, list):
        return _listed_cores(_list("cores", value), reader), 0
    if not isinstance(value, Mapping):
        msg = f"cores: {value!r}: a list of formulas, or a grid with A, B and X, is needed"
        raise DesignSpaceError(msg)
    _check_keys("cores", value, set(_AMOUNT))
    sites = [_site(site, value.get(site), reader) for site in _AMOUNT]
    _refuse_grid("cores", math.prod(len(texts) for texts in sites))
    found: dict[object, Composition] = {}
    failed = 0
    for parts in itertools.product(*sites):
        try:
            core = reader.read_core("".join(parts))
        except FormulaError:
            failed += 1
            continue
        found.setdefault(core.key, core)
    return tuple(found.values()), failed


def _listed_cores(texts: list[Any], reader: FormulaReader) -> tuple[Composition, ...]:
    found: dict[object, Composition] = {}
    for text in texts:
        try:
            core = reader.read_core(str(text))
        except FormulaError as error:
            msg = f"cores: {error}"
            raise DesignSpaceError(msg) from error
        if core.is_metal:
            msg = f"cores: {text!r}: a metal core is no halide perovskite"
            raise DesignSpaceError(msg)
        found.setdefault(core.key, core)
    return tuple(found.values())


def _site(site: str, value: object, reader: FormulaReader) -> list[str]:
    """Return the formula texts of one site: every mixture of its ions on the grid."""
    if not isinstance(value, Mapping):
        msg = f"cores.{site}: {value!r}: a mapping is needed, as {{ions: [Cs, FA], step: 0.5}}"
        raise DesignSpaceError(msg)
    _check_keys(f"cores.{site}", value, _SITE_KEYS)
    ions = [_ion(site, ion, reader) for ion in _list(f"cores.{site}.ions", value.get("ions"))]
    step = Fraction(str(_number(f"cores.{site}.step", value.get("step", 1), 0.001, 1)))
    at_most = int(_number(f"cores.{site}.at_most", value.get("at_most", 2), 1, len(ions) + 8))
    if (1 / step).denominator != 1:
        msg = f"cores.{site}.step: {float(step):g} does not divide 1; allowed: 0.5, 0.25, 0.1, ..."
        raise DesignSpaceError(msg)
    steps, counts = int(1 / step), range(1, min(at_most, len(ions)) + 1)
    mixtures = sum(math.comb(len(ions), k) * math.comb(steps - 1, k - 1) for k in counts)
    _refuse_grid(f"cores.{site}", mixtures)
    return [
        "".join(
            f"{ion}{float(step * part * _AMOUNT[site]):.6f}"
            for ion, part in zip(chosen, parts, strict=True)
        )
        for count in counts
        for chosen in itertools.combinations(ions, count)
        for parts in _compositions(steps, count)
    ]


def _refuse_grid(what: str, size: int) -> None:
    """Refuse a grid before it is built: a small step gives more mixtures than fit in memory."""
    if size > MAX_COMBINATIONS:
        msg = f"{what}: a grid of {size:,}; at most {MAX_COMBINATIONS:,}: take larger steps"
        raise DesignSpaceError(msg)


def _ion(site: str, value: object, reader: FormulaReader) -> str:
    allowed = [symbol for symbol, ion in reader.ions.by_symbol.items() if ion.site == site]
    if value not in allowed:
        msg = f"cores.{site}.ions: {value!r}: allowed: {', '.join(allowed)}"
        raise DesignSpaceError(msg)
    return str(value)


def _compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    """Return all ways to write a total as positive parts, in order."""
    if parts == 1:
        return [(total,)]
    return [
        (first, *rest)
        for first in range(1, total - parts + 2)
        for rest in _compositions(total - first, parts - 1)
    ]
