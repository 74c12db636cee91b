"""The strict front door: formulas of cores, names of shells, whole samples.

A formula is split into a *skeleton* (its text without the numbers) and its numbers. Each skeleton
is parsed once; reading the next formula of the same skeleton only multiplies numbers. That makes
the reader both strict and fast enough for millions of candidates, and `read_many` gives exactly
what `read_core` gives.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from perovshell.data.ions import ELEMENTS, NONMETALS, WRITTEN_OUT, Ion, Ions
from perovshell.data.shells import NONE, ShellMaterial, Shells
from perovshell.data.spelling import Spellings
from perovshell.data.template import (
    MAX_AMOUNT,
    MAX_DEPTH,
    MIN_AMOUNT,
    NEUTRAL_WITHIN,
    Amounts,
    Template,
    multiply_out,
    scan,
)
from perovshell.errors import FormulaError

MAX_LENGTH = 200
"""Longest text read as a formula or a shell."""
_MAX_TEMPLATES = 100_000
_FEW = 24
"""Fewer formulas than this are read faster one by one than by arrays."""

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_NUMBER = re.compile(r"((?:0|[1-9][0-9]*)(?:\.[0-9]+)?)")
_OPEN, _CLOSE = "([{", ")]}"
_SPREADSHEET = "=+-@"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Composition:
    """A neutral core, or a core of metals alone.

    Attributes:
        amounts: Amount of each ion in the formula unit, in the order A, B, X of the ion table.
        is_metal: Whether it is a core of metals alone.
        ions: The ions, in the order of `amounts`.
    """

    amounts: tuple[tuple[str, float], ...]
    is_metal: bool
    ions: tuple[Ion, ...]

    @cached_property
    def formula(self) -> str:
        """The formula in the standard order and spelling."""
        return "".join(f"{symbol}{_amount_text(amount)}" for symbol, amount in self.amounts)

    @cached_property
    def key(self) -> tuple[tuple[str, float], ...]:
        """Ion fractions to six digits: equal for all spellings of one composition."""
        total = sum(amount for _, amount in self.amounts)
        return tuple((symbol, round(amount / total, 6)) for symbol, amount in self.amounts)

    @cached_property
    def fractions(self) -> dict[str, float]:
        """Fraction of each ion on its own site; empty for metal cores."""
        if self.is_metal:
            return {}
        totals: dict[str, float] = {}
        for (_, amount), ion in zip(self.amounts, self.ions, strict=True):
            totals[ion.site] = totals.get(ion.site, 0.0) + amount
        return {
            symbol: amount / totals[ion.site]
            for (symbol, amount), ion in zip(self.amounts, self.ions, strict=True)
        }

    def site_fractions(self, site: str) -> dict[str, float]:
        """Return the fraction of each ion on a site, `A`, `B` or `X`; empty for metal cores."""
        sites = {ion.symbol: ion.site for ion in self.ions}
        return {symbol: share for symbol, share in self.fractions.items() if sites[symbol] == site}


@dataclass(frozen=True)
class CompositionBatch:
    """Compositions as padded arrays, for the bulk path.

    Attributes:
        species: Index into `FormulaReader.species`, -1 where padded; shape (n, k).
        amounts: Amount of each species in the formula unit, 0 where padded; shape (n, k).
        errors: The error of each row that could not be read (its arrays are all padding).
    """

    species: npt.NDArray[np.int16]
    amounts: Floats
    errors: dict[int, FormulaError]


@dataclass(frozen=True)
class SampleName:
    """A core and its shell layers from the inside out; no layers is bare."""

    core: Composition
    layers: tuple[ShellMaterial, ...]

    @property
    def shell(self) -> str:
        """The layers joined by `|`, or `none`."""
        return shell_text(self.layers)


def shell_text(layers: Sequence[ShellMaterial]) -> str:
    """Write layers as `inner|outer`; `none` where there are none."""
    return "|".join(layer.name for layer in layers) or NONE


class FormulaReader:
    """Reads cores, shells and whole samples by the ion and shell tables it is given.

    Args:
        ions: The ion table.
        shells: The shell table.
        known_cores: Formulas offered when a text cannot be read.
    """

    def __init__(self, ions: Ions, shells: Shells, known_cores: Iterable[str] = ()) -> None:
        """Prepare the token pattern and the species index."""
        self.ions = ions
        self.shells = shells
        self.known_cores = tuple(dict.fromkeys(("CsPbBr3", *known_cores)))
        self._spellings = Spellings(self.known_cores)
        self.species: tuple[str, ...] = (*ELEMENTS, *ions.organics)
        self.species_index = {symbol: index for index, symbol in enumerate(self.species)}
        written = "|".join(map(re.escape, sorted(WRITTEN_OUT, key=len, reverse=True)))
        self._written = re.compile(written)
        self._token = re.compile(
            rf"(?P<species>{'|'.join(ions.organics)}|[A-Z][a-z]?)|(?P<number>{_NUMBER.pattern})"
            r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<unknown>.)",
            re.DOTALL,
        )
        self._templates: dict[tuple[str, ...], Template] = {}
        self._order = {symbol: rank for rank, symbol in enumerate(ions.by_symbol)}

    @classmethod
    def bundled(cls) -> FormulaReader:
        """Build the reader of the bundled tables."""
        return cls(Ions.bundled(), Shells.bundled())

    # Whole samples ---------------------------------------------------------------------------

    def read_sample(self, core: str, shell: str) -> SampleName:
        """Read the two cells of a request.

        Args:
            core: A core formula, or a whole sample (`CsPbBr3@SiO2`, `CsPbBr3/SiO2`) where the
                shell cell is empty.
            shell: Layers from the inside out joined by `|`, or `none`.

        Raises:
            FormulaError: Either cell cannot be read as one definite composition.
        """
        core, shell = core.strip(), shell.strip()
        if not shell:
            core, shell = self.split_whole(core)
        return SampleName(self.read_core(core), self.read_shell(shell))

    @staticmethod
    def split_whole(text: str) -> tuple[str, str]:
        """Split a whole sample such as `CsPbBr3@SiO2` into core and shell.

        Raises:
            FormulaError: There is no shell in it.
        """
        parts = _split_outside_brackets(text, "@/")
        if len(parts) == 1:
            msg = f"shell of core {text!r}: no shell given; write 'none' for a bare core"
            raise FormulaError(msg)
        return parts[0], "|".join(parts[1:])

    # Shells ----------------------------------------------------------------------------------

    def read_shell(self, text: str) -> tuple[ShellMaterial, ...]:
        """Read shell layers by name, alias or neutral halide formula, from the inside out.

        Raises:
            FormulaError: A layer is empty, unknown or leaves its composition open.
        """
        text = text.strip()
        if text.casefold() == NONE:
            return ()
        _refuse_shape("shell", text)
        return tuple(self._read_layer(layer.strip(), text) for layer in text.split("|"))

    def _read_layer(self, layer: str, text: str) -> ShellMaterial:
        if not layer:
            msg = f"shell {text!r}: empty layer; write layers from the inside out, as CdS|Al2O3"
            raise FormulaError(msg)
        if layer.casefold() == NONE:
            msg = f"shell {text!r}: 'none' is not a layer; leave it out"
            raise FormulaError(msg)
        found = self.shells.find(layer.translate(_SUBSCRIPTS))
        return found if found is not None else self._unlisted_halide(layer)

    def _unlisted_halide(self, layer: str) -> ShellMaterial:
        """Read a shell that is no known name as a neutral halide, such as CsPbBr2Cl."""
        near = self.shells.nearest(layer)
        offered = f"; nearest known: {', '.join(near)}" if near else ""
        unknown = f"shell {layer!r}: unknown shell and not a neutral halide formula{offered}"
        try:
            composition = self._compose(layer, need_a_site=False)
        except FormulaError as error:
            raise FormulaError(unknown) from error
        if composition.is_metal:
            raise FormulaError(unknown)
        known = self.shells.find(composition.formula)
        if known is not None:
            return known
        sites = {ion.site for ion in composition.ions}
        kind = "perovskite-like" if {"A", "B"} <= sites else "halide"
        in_water = "reacts" if kind == "perovskite-like" else ""
        return ShellMaterial(
            composition.formula, kind, self.atoms_text(composition), in_water, listed=False
        )

    # Cores -----------------------------------------------------------------------------------

    def read_core(self, text: str) -> Composition:
        """Read one core formula.

        Raises:
            FormulaError: The text is no formula, leaves an amount open, is not neutral to
                `NEUTRAL_WITHIN` with the charges of the ion table, or is no halide perovskite.
        """
        return self._compose(text.strip(), need_a_site=True)

    def _compose(self, text: str, *, need_a_site: bool) -> Composition:
        template, amounts = self._amounts_of(text, need_a_site=need_a_site)
        divisor = 1.0 if template.is_metal else _common_divisor(amounts, template.ions)
        return Composition(
            amounts=tuple(zip(template.species, [a / divisor for a in amounts], strict=True)),
            is_metal=template.is_metal,
            ions=template.ions,
        )

    def _amounts_of(self, text: str, *, need_a_site: bool) -> tuple[Template, list[float]]:
        """Return the template of a formula and the amount of each of its species."""
        template, numbers = self._template_of(text)
        if need_a_site:
            _refuse_sites(text, template)
        amounts = template.amounts(numbers)
        self._refuse_amounts(text, template, amounts)
        return template, amounts

    def _refuse_amounts(self, text: str, template: Template, amounts: list[float]) -> None:
        for symbol, amount in zip(template.species, amounts, strict=True):
            if not MIN_AMOUNT <= amount <= MAX_AMOUNT:
                msg = (
                    f"core {text!r}: amount {amount:g} of {symbol}; "
                    f"amounts are from {MIN_AMOUNT:g} to {MAX_AMOUNT:g}"
                )
                raise FormulaError(msg)
        first = sum(map(operator.mul, template.charge_choices[0].tolist(), amounts))
        if abs(first) <= NEUTRAL_WITHIN + 1e-9:
            return
        charges = template.charge_choices @ np.asarray(amounts)
        if np.abs(charges).min() > NEUTRAL_WITHIN + 1e-9:
            net = float(charges[np.abs(charges).argmin()])
            near = self._nearest_core(text)
            msg = (
                f"core {text!r}: not neutral: net charge {net:+.3g} with the charges of the ion "
                f"table (at most {NEUTRAL_WITHIN} is allowed); nearest known: {near}"
            )
            raise FormulaError(msg)

    def _nearest_core(self, text: str) -> str:
        return self._spellings.nearest(text, count=1, cutoff=0.0)[0]

    def _template_of(self, text: str) -> tuple[Template, list[float]]:
        template, parts = self._split(text)
        return template, [float(number) for number in parts[1::2]]

    def _split(self, text: str) -> tuple[Template, list[str]]:
        """Return the template of a formula, and its skeleton and numbers in turn."""
        if not text:
            msg = "core: no core given; write a formula such as CsPbBr3"
            raise FormulaError(msg)
        if len(text) > MAX_LENGTH:
            _refuse_shape("core", text)
        parts = _NUMBER.split(text)
        template = self._templates.get(tuple(parts[::2]))
        if template is None:
            text = self._plain(text)
            parts = _NUMBER.split(text)
            template = self._template(text, _collect_terms(text, self._tokens(text)))
            if len(self._templates) < _MAX_TEMPLATES:
                self._templates[tuple(parts[::2])] = template
        return template, parts

    def _plain(self, text: str) -> str:
        """Replace subscript digits and organic cations that are written out."""
        if not text.isascii():
            text = text.translate(_SUBSCRIPTS)
        if "H" not in text:
            return text
        for match in self._written.finditer(text):
            if text[match.end() : match.end() + 1].isdigit():
                msg = (
                    f"core {text!r}: unclear where {match[0]} ends and its amount begins; "
                    f"put it in brackets"
                )
                raise FormulaError(msg)
        return self._written.sub(lambda match: WRITTEN_OUT[match[0]], text)

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        """Split a formula into (kind, text) tokens: species, number, open, close."""
        if text[0] in _SPREADSHEET:
            _refuse_shape("core", text)
        tokens: list[tuple[str, str]] = []
        for match in self._token.finditer(text):
            kind = str(match.lastgroup)
            token = match[0]
            if kind == "unknown" or (kind == "species" and token not in self.species_index):
                self._refuse_sign(text, token)
            if kind == "number" and tokens and tokens[-1] == ("number", "0"):
                msg = f"core {text!r}: amount '0{token}' begins with 0; write it as a decimal"
                raise FormulaError(msg)
            tokens.append((kind, token))
        return tokens

    def _refuse_sign(self, text: str, token: str) -> None:
        _refuse_shape("core", text)
        _refuse_open_amounts(text)
        msg = (
            f"core {text!r}: {token!r} is neither an element nor a known organic ion "
            f"({', '.join(sorted(self.ions.organics))}); nearest known: {self._nearest_core(text)}"
        )
        raise FormulaError(msg)

    def _template(self, text: str, terms: dict[str, list[tuple[int, ...]]]) -> Template:
        is_metal = all(symbol not in NONMETALS for symbol in terms) and not any(
            symbol in self.ions.organics for symbol in terms
        )
        found = [self._ion(text, symbol, is_metal=is_metal) for symbol in terms]
        ions = tuple(sorted(found, key=self._rank))
        species = tuple(ion.symbol for ion in ions)
        choices = itertools.product(*((0,) if is_metal else ion.charges for ion in ions))
        return Template(
            species=species,
            terms=tuple(tuple(terms[symbol]) for symbol in species),
            ions=ions,
            charge_choices=np.asarray(list(choices), dtype=float),
            is_metal=is_metal,
            numbers=len(_NUMBER.findall(text)),
        )

    def _ion(self, text: str, symbol: str, *, is_metal: bool) -> Ion:
        ion = self.ions.by_symbol.get(symbol)
        if ion is not None:
            return ion
        if is_metal:
            return Ion(symbol, "B", (0,), (math.nan,), {symbol: 1.0})
        msg = f"core {text!r}: no charge is known for {symbol!r}: it is not in the ion table"
        raise FormulaError(msg)

    def _rank(self, ion: Ion) -> tuple[int, int, str]:
        """Return the place of an ion in the standard order A, B, X."""
        return "ABX".index(ion.site), self._order.get(ion.symbol, len(self._order)), ion.symbol

    def atoms(self, composition: Composition) -> dict[str, float]:
        """Return the amount of each element in the formula unit."""
        counts: dict[str, float] = {}
        for (_, amount), ion in zip(composition.amounts, composition.ions, strict=True):
            for element, count in ion.elements.items():
                counts[element] = counts.get(element, 0.0) + amount * count
        return counts

    def atoms_text(self, composition: Composition) -> str:
        """Return the formula in elements alone, without brackets."""
        atoms = self.atoms(composition)
        return "".join(f"{element}{_amount_text(count)}" for element, count in atoms.items())

    # The bulk path ---------------------------------------------------------------------------

    def read_many(self, texts: Sequence[str]) -> CompositionBatch:
        """Read many core formulas at once.

        Args:
            texts: Core formulas, shape (n,).

        Returns:
            The compositions as arrays; rows that cannot be read stand in `errors`. Amounts are
            as written: `Cs2Pb2Br6` is not reduced to `CsPbBr3`.
        """
        if len(texts) < _FEW:
            return self._read_few(texts)
        scanned = scan(texts, MAX_LENGTH)
        templates: list[Template] = []
        places: dict[bytes, int] = {}
        for skeleton, row in scanned.examples().items():
            try:
                template, parts = self._split(texts[row])
            except FormulaError:
                continue  # Each row of this skeleton gets its own message below.
            if "".join(parts) == texts[row]:
                places[skeleton] = len(templates)
                templates.append(template)
        template_of = np.array([places.get(key, -1) for key in scanned.skeletons], dtype=np.intp)
        template_of[~scanned.is_plain] = -1
        start = scanned.first.copy()
        numbers = scanned.numbers.tolist()
        errors: dict[int, FormulaError] = {}
        place_of = {id(template): place for place, template in enumerate(templates)}
        for row in np.flatnonzero(template_of < 0).tolist():
            try:
                template, own_numbers = self._template_of(texts[row].strip())
            except FormulaError as error:
                errors[row] = error
                continue
            place = place_of.setdefault(id(template), len(templates))
            templates += [template] if place == len(templates) else []
            template_of[row], start[row] = place, len(numbers)
            numbers += own_numbers
        rows = np.flatnonzero(template_of >= 0)
        block = multiply_out(templates, template_of[rows], start[rows], numbers)
        return self._finish(texts, rows, templates, block, errors)

    def _read_few(self, texts: Sequence[str]) -> CompositionBatch:
        """Read formulas one by one."""
        cores: list[tuple[tuple[str, float], ...] | None] = []
        errors: dict[int, FormulaError] = {}
        for row, text in enumerate(texts):
            try:
                template, amounts = self._amounts_of(text.strip(), need_a_site=True)
                cores.append(tuple(zip(template.species, amounts, strict=True)))
            except FormulaError as error:
                errors[row] = error
                cores.append(None)
        return replace(self.batch(cores), errors=errors)

    def batch(self, cores: Sequence[tuple[tuple[str, float], ...] | None]) -> CompositionBatch:
        """Put compositions (ion amounts) into arrays; None is a row of padding."""
        width = max((len(core) for core in cores if core is not None), default=1)
        index, empty = self.species_index, [("", 0.0)] * width
        filled = [[*(core or ()), *empty][:width] for core in cores]
        species = [[index[symbol] if symbol else -1 for symbol, _ in pairs] for pairs in filled]
        amounts = [[amount for _, amount in pairs] for pairs in filled]
        shape = (len(cores), width)
        return CompositionBatch(
            np.array(species, dtype=np.int16).reshape(shape),
            np.array(amounts, dtype=float).reshape(shape),
            {},
        )

    def _finish(
        self,
        texts: Sequence[str],
        rows: npt.NDArray[np.intp],
        templates: Sequence[Template],
        block: Amounts,
        errors: dict[int, FormulaError],
    ) -> CompositionBatch:
        """Check amounts and charges, and put the rows where they were."""
        width = block.amounts.shape[1]
        table = np.full((max(len(templates), 1), width), -1, dtype=np.int16)
        for place, template in enumerate(templates):
            table[place, : len(template.species)] = [
                self.species_index[symbol] for symbol in template.species
            ]
        good = block.good.copy()
        for row in np.flatnonzero(~good):
            # Not neutral with the first charges, or faulty: the strict reader decides.
            try:
                self.read_core(texts[rows[row]])
                good[row] = True
            except FormulaError as error:
                errors[int(rows[row])] = error
        species = np.full((len(texts), width), -1, dtype=np.int16)
        amounts = np.zeros((len(texts), width))
        species[rows[good]] = table[block.template[good]]
        amounts[rows[good]] = block.amounts[good]
        return CompositionBatch(species, amounts, dict(sorted(errors.items())))


def _refuse_sites(text: str, template: Template) -> None:
    if template.site_fault:
        msg = f"core {text!r}: {template.site_fault}"
        raise FormulaError(msg)


def _refuse_shape(what: str, text: str) -> None:
    if len(text) > MAX_LENGTH:
        msg = f"{what} {text[:20]!r}...: {len(text)} characters, at most {MAX_LENGTH} are read"
        raise FormulaError(msg)
    if text.startswith(tuple(_SPREADSHEET)):
        msg = f"{what} {text!r}: begins with {text[0]!r} like a spreadsheet formula"
        raise FormulaError(msg)
    if what == "core" and any(letter.isspace() for letter in text):
        msg = f"{what} {text!r}: blanks inside a formula"
        raise FormulaError(msg)


_OPEN_AMOUNT = re.compile(r"[xyzδ](?![a-z])|(?<![a-zA-Z])[nm](?![a-z])|X(?!e)")


def _refuse_open_amounts(text: str) -> None:
    """Refuse what leaves an amount open, naming the sign that does."""
    if "|" in text:
        msg = f"core {text!r}: '|' joins shell layers; write them in the shell cell"
        raise FormulaError(msg)
    if "@" in text:
        msg = f"core {text!r}: '@' joins core and shell; such a name needs an empty shell cell"
        raise FormulaError(msg)
    negative = re.search(r"-\d", text)
    if negative and not re.search(r"-\d*\.?\d*[a-zδ]", text):
        msg = f"core {text!r}: negative amount {negative[0]!r}; amounts are above 0"
        raise FormulaError(msg)
    for sign in "/,;:~±<>-–":
        if sign in text:
            msg = (
                f"core {text!r}: {sign!r} leaves an amount open; write each amount as a decimal, "
                f"as in CsPb(Br0.5I0.5)3"
            )
            raise FormulaError(msg)
    unknown = _OPEN_AMOUNT.search(text)
    if unknown:
        msg = (
            f"core {text!r}: {unknown[0]!r} is no element and leaves the composition open; "
            f"write each ion with its amount, as in CsPb(Br0.5I0.5)3"
        )
        raise FormulaError(msg)


def _collect_terms(text: str, tokens: list[tuple[str, str]]) -> dict[str, list[tuple[int, ...]]]:
    """Resolve brackets: each species gets the index tuples of the numbers to multiply."""
    stack: list[list[tuple[str, tuple[int, ...]]]] = [[]]
    brackets: list[str] = []
    pending: list[tuple[str, tuple[int, ...]]] = []
    count = 0
    for kind, token in tokens:
        if kind == "number":
            if not pending:
                msg = f"core {text!r}: number {token} does not follow an ion or a bracket"
                raise FormulaError(msg)
            pending = [(symbol, (*term, count)) for symbol, term in pending]
            stack[-1].extend(pending)
            pending = []
            count += 1
            continue
        stack[-1].extend(pending)
        pending = []
        if kind == "species":
            pending = [(token, ())]
        elif kind == "open":
            stack.append([])
            brackets.append(token)
        else:
            pending = _closed_group(text, token, stack, brackets)
    stack[-1].extend(pending)
    if brackets:
        msg = f"core {text!r}: bracket {brackets[-1]!r} is not closed"
        raise FormulaError(msg)
    terms: dict[str, list[tuple[int, ...]]] = {}
    for symbol, term in stack[0]:
        if len(term) > MAX_DEPTH:
            msg = f"core {text!r}: amounts in brackets deeper than {MAX_DEPTH}; multiply them out"
            raise FormulaError(msg)
        terms.setdefault(symbol, []).append(term)
    return terms


def _closed_group(
    text: str,
    token: str,
    stack: list[list[tuple[str, tuple[int, ...]]]],
    brackets: list[str],
) -> list[tuple[str, tuple[int, ...]]]:
    if not brackets or _OPEN.index(brackets[-1]) != _CLOSE.index(token):
        msg = f"core {text!r}: bracket {token!r} closes nothing"
        raise FormulaError(msg)
    brackets.pop()
    group = stack.pop()
    if not group:
        msg = f"core {text!r}: empty brackets"
        raise FormulaError(msg)
    return group


def _split_outside_brackets(text: str, signs: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter in signs and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _common_divisor(amounts: Sequence[float], ions: Sequence[Ion]) -> float:
    """Return what reduces Cs2Pb2Br6 to CsPbBr3; 1 where B-site charges differ (Cs2AgInCl6)."""
    charges = {ion.charges for ion in ions if ion.site == "B"}
    pairs = list(zip(amounts, ions, strict=True))
    totals = [sum(amount for amount, ion in pairs if ion.site == site) for site in "ABX"]
    whole = [round(total) for total in totals if total > 0]
    integral = all(math.isclose(total, round(total), abs_tol=1e-9) for total in totals)
    if len(charges) > 1 or not integral or 0 in whole:
        return 1.0
    return float(math.gcd(*whole))


def _amount_text(amount: float) -> str:
    text = f"{amount:.9f}".rstrip("0").rstrip(".")
    return "" if text == "1" else text


_ELEMENT_TOKEN = re.compile(r"([A-Z][a-z]?)|(\d+(?:\.\d+)?)|([()])")


def element_amounts(formula: str) -> dict[str, float]:
    """Count the elements of a formula of the shell table, brackets included.

    Args:
        formula: A plain formula such as `Zn(C4H5N2)2`.

    Raises:
        FormulaError: The formula has a sign that is neither element, number nor bracket.
    """
    tokens: list[tuple[str, str]] = []
    numbers: list[float] = []
    for symbol, number, bracket in _ELEMENT_TOKEN.findall(formula):
        if symbol:
            tokens.append(("species", symbol))
        elif number:
            tokens.append(("number", number))
            numbers.append(float(number))
        else:
            tokens.append(("open" if bracket == "(" else "close", bracket))
    if "".join(token for _, token in tokens) != formula:
        msg = f"formula {formula!r}: only elements, decimals and brackets are read"
        raise FormulaError(msg)
    return {
        symbol: sum(math.prod(numbers[index] for index in term) for term in terms)
        for symbol, terms in _collect_terms(formula, tokens).items()
    }
