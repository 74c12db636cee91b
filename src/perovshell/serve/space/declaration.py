"""The keys of a design space, and the space that their values make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, Final

from perovshell.data.composition import Composition
from perovshell.data.formula import FormulaReader
from perovshell.data.ions import SITES
from perovshell.data.nodes import Node
from perovshell.data.schema import (
    Check,
    Key,
    Reader,
    Values,
    all_faults,
    by_shape,
    collecting,
    flag,
    listing,
    number,
    one_or_many,
    record,
    text,
    word,
)
from perovshell.data.shells import shell_text
from perovshell.data.vocabulary import (
    ENCAPSULATIONS,
    MEDIA,
    MORPHOLOGIES,
    STRESSORS,
    STRUCTURES,
    is_nothing,
)
from perovshell.errors import DesignSpaceError, Fault
from perovshell.features.coating import WET
from perovshell.models.inputs import INPUT_NUMBERS
from perovshell.serve.space.cores import CoreGrid, CoreList, Cores
from perovshell.serve.space.mixtures import SiteGrid
from perovshell.serve.space.physics import ALIGNMENTS
from perovshell.serve.space.space import (
    ALL_KNOWN,
    UNKNOWN,
    Constraints,
    DesignSpace,
    Layers,
    Selection,
    missing_window,
    stack_layers,
)

WEIGHTS: Final = {"pl": 1, "plqy": 1, "gain": 0.5, "half_life": 0.5}
"""Weights where none are given: colour, brightness and stability alike."""
MIN_LEVEL: Final = 1e-4
"""Least level of a dopant, as a fraction of its site."""
_MIN_STEP: Final = Fraction(1, 1000)
_STEP: Final = re.compile(r"[0-9./]{1,40}(?:[eE][-+]?[0-9]{1,2})?")
"""What may be a step: a fraction of a large exponent takes for ever."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_NAME_RULE: Final = "letters, digits, '-', '_' and '.', a letter first"
_STEP_RULE: Final = "a number from 0.001 to 1 that divides 1, such as 0.05 or 1/3"


def space_reader(formulas: FormulaReader) -> Reader[DesignSpace]:
    """Declare a design space.

    Args:
        formulas: Reads cores and shells.
    """
    coated = tuple(structure for structure in STRUCTURES if structure != "bare")
    # Defaults, which words such as `n/a` are read as too.
    usual, shape = coated[0], MORPHOLOGIES[0]
    stressors, window, weights = "stressors", "pl_window_nm", "weights"
    return record(
        Key(
            "name",
            text(_NAME_RULE).then(_name),
            "design-space",
            help="name of the space and of its report",
        ),
        Key("cores", _cores(formulas), required=True, help="the cores"),
        Key("dopants", _dopants(formulas), {}, help="fractions of the dopant's site"),
        Key(
            "shells",
            _shells(formulas),
            ALL_KNOWN,
            help="layers from the inside out, joined by a bar",
        ),
        Key(
            "structures",
            _words(*coated, unknown=usual),
            usual,
            help="how shell and core are joined",
        ),
        Key(
            "encapsulation",
            _words(*ENCAPSULATIONS, unknown=UNKNOWN),
            UNKNOWN,
            help="particles in one shell",
        ),
        Key("medium", _words(*MEDIA, unknown=UNKNOWN), UNKNOWN, help="where the particles are"),
        Key(
            "sizes_nm",
            listing(_size("core_size_nm")).then(_distinct),
            [UNKNOWN],
            help="core sizes in nm",
        ),
        Key(
            "morphology",
            word(*MORPHOLOGIES, unknown=shape),
            shape,
            help="of all cores",
        ),
        Key(
            "shell_thickness_nm",
            one_or_many(_size("shell_thickness_nm")),
            help="accepted but ignored",
        ),
        Key(
            window, _interval(200, 2000, "nm"), help="PL window in nm; needed where pl has a weight"
        ),
        Key("plqy_above", number(0, 99.9, unit="%"), help="threshold of the PLQY"),
        Key(
            stressors,
            _words(*STRESSORS),
            "water",
            help="stressors of gain and half-life",
            also="stressor",
        ),
        Key(weights, _weights(), WEIGHTS, help="weight of each objective"),
        Key("constraints", _constraints(formulas), {}, help="what each combination must satisfy"),
        checks=(
            Check((window, weights, "constraints"), _window_rule),
            Check(("dopants", "cores"), _dopants_rule),
        ),
    ).then(partial(_space, formulas))


def _window_rule(window: Any, weights: Mapping[str, float], constraints: Values) -> str:
    return missing_window(window, weights, in_window=constraints["pl_in_window"])


def _dopants_rule(dopants: Mapping[str, object], cores: object) -> str:
    is_list = isinstance(cores, tuple)
    return "only for a grid of cores; write doped cores as formulas" if dopants and is_list else ""


# Single values -------------------------------------------------------------------------------


def _words(*words: str, unknown: str = "") -> Reader[tuple[str, ...]]:
    return one_or_many(word(*words, unknown=unknown)).then(_distinct)


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _size(column: str) -> Reader[float]:
    return number(*INPUT_NUMBERS[column], unit="nm", unknown=UNKNOWN)


def _interval(low: float, high: float, unit: str = "") -> Reader[tuple[float, float]]:
    return listing(number(low, high, unit=unit), at_least=2, at_most=2).then(_rising)


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] >= ends[1]:
        msg = f"{ends[0]:g} to {ends[1]:g}: the first must be below the second"
        raise DesignSpaceError(msg)
    return ends


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DesignSpaceError(_NAME_RULE)
    return name


def _weights() -> Reader[Mapping[str, float]]:
    helps = {
        "pl": "probability that the PL lies in the window",
        "plqy": "PLQY, or the probability that it is above `plqy_above`",
        "gain": "stability gain by the shell",
        "half_life": "half-life",
        "domain": "nearness to the data",
    }
    keys = (Key(name, number(0, 100), 0, help=text) for name, text in helps.items())
    return record(*keys).then(_any_weight)


def _any_weight(weights: Mapping[str, float]) -> dict[str, float]:
    if not any(weights.values()):
        msg = "at least one weight must be above 0"
        raise DesignSpaceError(msg)
    return dict(weights)


# Cores ---------------------------------------------------------------------------------------


def _cores(formulas: FormulaReader) -> Reader[Any]:
    formula = text("a core such as CsPbBr3").then(lambda written: _core(formulas, written)[0])
    grid = record(
        *(Key(site, _site(formulas, site), required=True, help=f"{site} site") for site in SITES)
    )
    allowed = f"a list of formulas, or a grid with the keys {', '.join(SITES)}"
    return by_shape(allowed, items=listing(formula), mapping=grid)


def _core(formulas: FormulaReader, written: str) -> tuple[str, Composition]:
    """Return a core as it is written and as it is read."""
    core = formulas.read_core(written)
    if core.is_metal:
        msg = f"core {written!r}: a metal core is no halide perovskite"
        raise DesignSpaceError(msg)
    return written, core


def _site(formulas: FormulaReader, site: str) -> Reader[SiteGrid]:
    return record(
        Key("ions", listing(_ion(formulas, site)).then(_distinct), required=True, help="its ions"),
        Key("step", text(_STEP_RULE).then(_steps), 1, help="step of the shares of the ions"),
        Key("at_most", number(1, 100, whole=True), 2, help="most ions of one mixture"),
    ).then(lambda site: SiteGrid(site["ions"], site["step"], site["at_most"]))


def _ion(formulas: FormulaReader, site: str = "") -> Reader[str]:
    examples = {"A": "Cs, FA, MA", "B": "Pb, Sn, Mn", "X": "Cl, Br, I"}
    where = f"an ion of site {site}" if site else "an ion"
    allowed = f"{where}, such as {examples.get(site, 'Cs, Pb, Br')}"

    def symbol(name: str) -> str:
        ion = formulas.ions.find(name)
        if site not in {"", ion.site}:
            raise DesignSpaceError(allowed)
        return ion.symbol

    return text(allowed).then(symbol)


def _steps(written: str) -> int:
    """Read a step such as 0.05 or 1/3; return how many make up 1."""
    try:
        step = Fraction(written if _STEP.fullmatch(written) else 0)
    except (ValueError, ZeroDivisionError):
        step = Fraction(0)
    if not _MIN_STEP <= step <= 1 or (1 / step).denominator != 1:
        raise DesignSpaceError(_STEP_RULE)
    return int(1 / step)


def _dopants(formulas: FormulaReader) -> Reader[dict[str, tuple[Fraction, ...]]]:
    level = number(0, 0.5).then(_level)
    levels = listing(level).then(lambda levels: _distinct(filter(None, levels)))
    symbols = {ion.written.strip("()"): ion.symbol for ion in formulas.ions.by_symbol.values()}
    ions = record(*(Key(name, levels) for name in symbols))
    allowed = "a list of levels for each ion, as {Mn: [0.01]}"
    # Without the keys, so that the documentation does not list every ion.
    return by_shape(allowed, mapping=Reader(ions.read, ions.allowed)).then(
        lambda values: {symbols[ion]: levels for ion, levels in values.items() if levels}
    )


def _level(level: float) -> Fraction:
    if 0 < level < MIN_LEVEL:
        msg = f"0, or a number from {MIN_LEVEL:g} up"
        raise DesignSpaceError(msg)
    return Fraction(str(level))


# Shells --------------------------------------------------------------------------------------


def _shells(formulas: FormulaReader) -> Reader[tuple[Layers, ...]]:
    materials = formulas.shells.materials.values()
    shell = text("a shell such as SiO2 or ZnS|SiO2").then(partial(_shell, formulas))
    every = word(ALL_KNOWN).then(lambda _: tuple((material,) for material in materials))
    allowed = f"{ALL_KNOWN!r}, or a list of shells"
    names = by_shape(allowed, value=every, items=listing(shell))

    def stacks(values: Values) -> tuple[Layers, ...]:
        classes = values["classes"] or ()
        of_classes = [(material,) for material in materials if material.material_class in classes]
        shells = (*(values["names"] or ()), *of_classes)
        if not shells:
            msg = "names or classes are needed"
            raise DesignSpaceError(msg)
        return stack_layers(shells, values["layers"])

    stacked = record(
        Key("names", names, help="the shells"),
        Key(
            "classes",
            listing(_class(formulas)),
            help="all shells of these classes, in addition to the names",
        ),
        Key("layers", number(1, 3, whole=True), 1, help="most of these shells in one stack"),
    )
    return by_shape(
        f"{allowed}, or a mapping with the keys names, classes, layers",
        value=every,
        items=listing(shell).then(lambda shells: stack_layers(shells, 1)),
        mapping=stacked.then(stacks),
    )


def _shell(formulas: FormulaReader, written: str) -> Layers:
    layers = () if is_nothing(written) else formulas.read_shell(written)
    if not layers:
        msg = f"{written!r} is no shell; bare cores are not ranked"
        raise DesignSpaceError(msg)
    return layers


def _class(formulas: FormulaReader) -> Reader[str]:
    return word(*sorted({shell.material_class for shell in formulas.shells.materials.values()}))


# Constraints ---------------------------------------------------------------------------------


def _constraints(formulas: FormulaReader) -> Reader[Values]:
    wet = "nothing that dissolves; left out, true where water or humidity is a stressor"
    cadmium = "no cadmium in core or shell; left out, true where all known shells are ranked"
    selection = _selections(formulas)
    return record(
        Key("lead_free", flag(), default=False, help="no lead in core or shell"),
        Key("cadmium_free", flag(), help=cadmium),
        Key("insoluble_in_water", flag(), help=wet),
        Key(
            "no_quenching_shell",
            flag(),
            default=False,
            help="no shell that may take carriers from the core",
        ),
        Key(
            "in_domain",
            flag(),
            default=False,
            help="PL and PLQY are in domain, and stability where it has a weight",
        ),
        Key("pl_in_window", flag(), default=False, help="the predicted PL lies in the window"),
        Key("tolerance_factor", _interval(0.1, 3), help="least and largest Goldschmidt factor"),
        Key(
            "lattice_mismatch_below",
            number(0, 10),
            help="largest mismatch; an unknown lattice passes",
        ),
        Key("band_alignment", _words(*ALIGNMENTS), help="how the shell's gap lies to the core's"),
        Key("exclude", selection, {}, help="what is left out"),
        Key("include", selection, {}, help="what alone is ranked"),
    )


def _selections(formulas: FormulaReader) -> Reader[Values]:
    shell = text("a shell such as SiO2").then(lambda name: shell_text(_shell(formulas, name)))
    core = text("a core such as CsPbBr3").then(partial(_core, formulas)).with_node()
    pair = text("a core and a shell, as CsPbBr3/SiO2").then(partial(_pair, formulas)).with_node()
    return record(
        Key("ions", listing(_ion(formulas)), help="of the core"),
        Key("cores", listing(core), help="cores of the space"),
        Key("shells", listing(shell), help="a single layer is any shell that has it"),
        Key("classes", listing(_class(formulas)), help="of any layer"),
        Key("combinations", listing(pair), help="cores of the space with a shell"),
    )


def _pair(formulas: FormulaReader, written: str) -> tuple[Composition, str]:
    core, sign, shell = written.partition("/")
    if not sign:
        msg = "a core and a shell, as CsPbBr3/SiO2"
        raise DesignSpaceError(msg)
    return _core(formulas, core)[1], shell_text(_shell(formulas, shell))


# The space -----------------------------------------------------------------------------------


def _space(formulas: FormulaReader, values: Values) -> DesignSpace:
    cores = _built_cores(formulas, values)
    return DesignSpace(
        name=values["name"],
        cores=cores,
        shells=values["shells"],
        structures=values["structures"],
        encapsulations=values["encapsulation"],
        media=values["medium"],
        sizes_nm=values["sizes_nm"],
        morphology=values["morphology"],
        pl_window_nm=values["pl_window_nm"],
        plqy_above=values["plqy_above"],
        stressors=values["stressors"],
        weights=values["weights"],
        constraints=_built_constraints(formulas, values, cores),
        shell_thickness_nm=values["shell_thickness_nm"] or (),
    )


def _built_cores(formulas: FormulaReader, values: Values) -> Cores:
    if isinstance(values["cores"], tuple):
        return CoreList.distinct(values["cores"], formulas)
    ions = formulas.ions.by_symbol
    sites = {}
    for site, grid in values["cores"].items():
        levels = values["dopants"].items()
        dopants = {ion: fractions for ion, fractions in levels if ions[ion].site == site}
        try:
            sites[site] = replace(grid, dopants=dopants)
        except DesignSpaceError as error:
            raise values.refusal("dopants", str(error), shown=False) from error
    cores = CoreGrid(sites, formulas)
    if not cores.neutral:
        rule = f"none of the {cores.size:,} cores of the grid is neutral"
        raise values.refusal("cores", rule, shown=False)
    return cores


def _built_constraints(formulas: FormulaReader, values: Values, cores: Cores) -> Constraints:
    asked = values["constraints"]
    settings: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    # A shell that dissolves is no answer to water, even where the model predicts a gain.
    settings.setdefault("insoluble_in_water", not WET.isdisjoint(values["stressors"]))
    # Cadmium is restricted in displays and lamps (2011/65/EU): it is ranked where it is named.
    are_all = len(values["shells"]) == len(formulas.shells.materials)
    settings.setdefault("cadmium_free", are_all and not cores.has_ion("Cd"))
    with all_faults() as faults:
        for key in ("exclude", "include"):
            with collecting(faults):
                settings[key] = _built_selection(asked[key], cores)
    return Constraints(**settings)


def _built_selection(values: Values, cores: Cores) -> Selection:
    lists = {key: value or () for key, value in values.items()}
    with all_faults() as faults:
        indexes = [_index(cores, node, core, faults) for node, (_, core) in lists.pop("cores")]
        pairs = [
            (_index(cores, node, core, faults), shell)
            for node, (core, shell) in lists.pop("combinations")
        ]
    names = {key: frozenset(value) for key, value in lists.items()}
    return Selection(cores=frozenset(indexes), combinations=frozenset(pairs), **names)


def _index(cores: Cores, node: Node, core: Composition, faults: list[Fault]) -> int:
    index = cores.find(core)
    if index is None:
        faults.append(node.fault("this core is not in the design space"))
    return -1 if index is None else index
