"""Reading the cores of a design space: a list of formulas, or a mixing grid with dopants."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from perovshell.data.composition import Composition
from perovshell.data.formula import FormulaReader
from perovshell.data.ions import SITES
from perovshell.errors import DesignSpaceError, FormulaError
from perovshell.serve.space.checks import (
    check_keys,
    entries_of,
    number_of,
)
from perovshell.serve.space.cores import (
    CoreGrid,
    CoreList,
    Cores,
    Mixture,
    count_mixtures,
    mixtures,
)

LEAST_LEVEL = 1e-4
"""Least level of a dopant, as a fraction of its site."""
MAX_MIXTURES = 200_000
"""Most mixtures of one site."""
_SITE_KEYS = {"ions", "step", "at_most"}


def read_cores(value: object, dopants: object, reader: FormulaReader) -> Cores:
    """Read the cores: a list of formulas, or a grid of A, B and X."""
    if isinstance(value, list):
        if dopants:
            msg = "dopants: they are for a grid of cores; write doped cores out in a list"
            raise DesignSpaceError(msg)
        return CoreList(_listed_cores(entries_of("cores", value), reader), reader)
    if not isinstance(value, Mapping):
        msg = f"cores: {value!r}: a list of formulas, or a grid with A, B and X, is needed"
        raise DesignSpaceError(msg)
    check_keys("cores", value, set(SITES))
    levels = _dopants(dopants, reader)
    grid = CoreGrid({site: _site(site, value.get(site), levels, reader) for site in SITES}, reader)
    if grid.neutral == 0:
        msg = f"design space: empty: none of the {grid.size:,} cores of the grid is neutral"
        raise DesignSpaceError(msg)
    return grid


def _listed_cores(texts: list[Any], reader: FormulaReader) -> tuple[Composition, ...]:
    found: dict[object, Composition] = {}
    for text in texts:
        core = read_core("cores", text, reader)
        found.setdefault(core.key, core)
    return tuple(found.values())


def read_core(what: str, text: object, reader: FormulaReader) -> Composition:
    """Read one core that is no metal."""
    try:
        core = reader.read_core(str(text))
    except FormulaError as error:
        msg = f"{what}: {error}"
        raise DesignSpaceError(msg) from error
    if core.is_metal:
        msg = f"{what}: {text!r}: a metal core is no halide perovskite"
        raise DesignSpaceError(msg)
    return core


def _site(
    site: str, value: object, dopants: Mapping[str, list[Fraction]], reader: FormulaReader
) -> tuple[Mixture, ...]:
    """Return every mixture of a site's ions on the grid, undoped and with each dopant."""
    what = f"cores.{site}"
    if not isinstance(value, Mapping):
        msg = f"{what}: {value!r}: a mapping is needed, as {{ions: [Cs, FA], step: 0.5}}"
        raise DesignSpaceError(msg)
    check_keys(what, value, _SITE_KEYS)
    given = [
        read_ion(f"{what}.ions", ion, reader, site)
        for ion in entries_of(f"{what}.ions", value.get("ions"))
    ]
    ions = list(dict.fromkeys(given))
    steps = _steps(f"{what}.step", value.get("step", 1))
    at_most = int(number_of(f"{what}.at_most", value.get("at_most", 2), 1, 100))
    own = [n for ion, n in dopants.items() if reader.ions.by_symbol[ion].site == site]
    size = count_mixtures(len(ions), steps, at_most) * (1 + sum(map(len, own)))
    if size > MAX_MIXTURES:
        msg = f"{what}: {size:,} mixtures; at most {MAX_MIXTURES:,}: take larger steps"
        raise DesignSpaceError(msg)
    plain = mixtures(ions, steps, at_most)
    doped = [
        mixture.doped(dopant, level)
        for dopant, levels in dopants.items()
        if reader.ions.by_symbol[dopant].site == site
        for level in levels
        for mixture in plain
        if dopant not in dict(mixture.shares)
    ]
    distinct = {mixture.key: mixture for mixture in (*plain, *doped)}
    return tuple(distinct.values())


def _steps(what: str, value: object) -> int:
    """Read a step such as 0.05 or 1/3; return how many make up 1."""
    try:
        step = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        step = Fraction(0)
    if isinstance(value, bool) or not Fraction(1, 1000) <= step <= 1:
        msg = f"{what}: {value!r}: a number from 0.001 to 1 is needed"
        raise DesignSpaceError(msg)
    if (1 / step).denominator != 1:
        msg = f"{what}: {value} does not divide 1; allowed: 1/2, 1/3, 0.25, 0.2, 0.1, 0.05, ..."
        raise DesignSpaceError(msg)
    return int(1 / step)


def _dopants(value: object, reader: FormulaReader) -> dict[str, list[Fraction]]:
    """Read the levels of each dopant as fractions of its site; undoped is always there too."""
    if not isinstance(value, Mapping):
        msg = f"dopants: {value!r}: levels of each ion are needed, as {{Mn: [0.01, 0.05]}}"
        raise DesignSpaceError(msg)
    found = {}
    for ion, levels in value.items():
        symbol = read_ion("dopants", ion, reader)
        numbers = [
            number_of(f"dopants.{symbol}", level, 0, 0.5)
            for level in entries_of(f"dopants.{symbol}", levels)
        ]
        found[symbol] = [Fraction(str(number)) for number in numbers if number > 0]
        if any(number < LEAST_LEVEL for number in found[symbol]):
            msg = f"dopants.{symbol}: {min(found[symbol])}: a level is 0 or from {LEAST_LEVEL:g} up"
            raise DesignSpaceError(msg)
    return found


def read_ion(what: str, value: object, reader: FormulaReader, site: str = "") -> str:
    """Return an ion of the table, of one site where that is named."""
    ions = reader.ions.by_symbol
    allowed = [symbol for symbol, ion in ions.items() if not site or ion.site == site]
    if value not in allowed:
        msg = f"{what}: {value!r}: allowed: {', '.join(allowed)}"
        raise DesignSpaceError(msg)
    return str(value)
