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
from dataclasses import replace

import numpy as np

from perovshell.arrays import Indices
from perovshell.data.blends import JOINT, blend_name, blend_of
from perovshell.data.composition import Composition, CompositionBatch, SampleName, amount_text
from perovshell.data.formula_templates import (
    MAX_AMOUNT,
    MIN_AMOUNT,
    NEUTRAL_WITHIN,
    Amounts,
    FormulaTemplate,
    multiply_out,
    scan,
)
from perovshell.data.grammar import (
    MAX_LENGTH,
    collect_terms,
    refuse_shape,
    split_outside_brackets,
)
from perovshell.data.hints import Hints
from perovshell.data.ions import ELEMENTS, NONMETALS, SITES, Ion, Ions
from perovshell.data.open_formula import OpenFormula, leaves_open, read_open
from perovshell.data.shells import ShellMaterial, Shells, is_none
from perovshell.data.spelling import Spellings
from perovshell.data.tokenizer import NUMBER, Tokenizer, to_ascii
from perovshell.data.vocabulary import is_nothing
from perovshell.errors import FormulaError
from perovshell.remembered import Remembered

_FEW = 24
"""Fewer formulas than this are read faster one by one than by arrays."""

_HALIDES = frozenset({"halide", "perovskite-like"})
"""Classes of shell materials that are made of the ions of a core."""
_NUMBER = re.compile(f"({NUMBER})")


class FormulaReader:
    """Reads cores, shells and whole samples by an ion and a shell table.

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
        self.species: tuple[str, ...] = (*ELEMENTS, *ions.polyatomic)
        self.species_index = {symbol: index for index, symbol in enumerate(self.species)}
        self._tokenizer = Tokenizer(ions)
        known = {core.casefold(): core for core in self.known_cores}
        self._hints = Hints(self._is_core, self._shell_of, known)
        self._templates: Remembered[tuple[str, ...], FormulaTemplate] = Remembered()
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

    def split_whole(self, text: str) -> tuple[str, str]:
        """Split a whole sample such as `CsPbBr3@SiO2` into core and shell.

        Raises:
            FormulaError: There is no shell in it, the shell comes first, or it is too long.
        """
        if len(text) > 2 * MAX_LENGTH + 1:
            refuse_shape("core", text)
        core, *layers = map(str.strip, split_outside_brackets(to_ascii(text), "@/"))
        hint = "" if self._is_core(core) else self._hints.core(text)
        if hint:
            msg = f"core {text!r}: {hint}"
            raise FormulaError(msg)
        if not layers:
            msg = f"shell of core {text!r}: no shell given; write 'none' for a bare core"
            raise FormulaError(msg)
        return core, "|".join(layers)

    # Shells ----------------------------------------------------------------------------------

    def read_shell(self, text: str) -> tuple[ShellMaterial, ...]:
        """Read shell layers by name, alias or neutral halide formula, from the inside out.

        Raises:
            FormulaError: A layer is empty, unknown or leaves its composition open.
        """
        text = text.strip()
        if is_none(text):
            return ()
        if self.shells.find(text) is None and is_nothing(text):
            msg = f"shell {text!r}: unclear whether there is none; write 'none' for a bare core"
            raise FormulaError(msg)
        refuse_shape("shell", text)
        layers = [layer.strip() for layer in text.split("|")]
        for layer in layers:
            if not layer:
                msg = f"shell {text!r}: empty layer; write layers from the inside out, as CdS|Al2O3"
                raise FormulaError(msg)
            if is_none(layer):
                msg = f"shell {text!r}: {layer!r} is not a layer; leave it out"
                raise FormulaError(msg)
        return tuple(map(self._read_layer, layers))

    def _read_layer(self, layer: str) -> ShellMaterial:
        material = self._layer(layer)
        if material is None:
            hint = self._open_shell(layer) or self._hints.shell(layer)
            msg = f"shell {layer!r}: {hint or self._nearest_shell(layer)}"
            raise FormulaError(msg)
        return material

    def _layer(self, layer: str) -> ShellMaterial | None:
        known = self.shells.find(to_ascii(layer))
        return known or self._blend(layer) or self._unlisted_halide(layer)

    def _blend(self, layer: str) -> ShellMaterial | None:
        """Read several materials in one layer, such as PMMA+PVDF; None where it has one."""
        names = [name.strip() for name in split_outside_brackets(layer, JOINT)]
        if len(names) == 1 or not all(names):
            return None
        parts = [self._read_layer(name) for name in names]
        return self.shells.find(blend_name(parts)) or blend_of(parts)

    def _unlisted_halide(self, layer: str) -> ShellMaterial | None:
        """Read a shell that is no known name as a neutral halide, such as CsPbBr2Cl."""
        try:
            composition = self._compose(layer, need_a_site=False)
        except FormulaError:
            return None
        if composition.is_metal:
            return None
        known = self.shells.find(composition.formula)
        if known is not None:
            return known
        sites = {ion.site for ion in composition.ions}
        halides = {ion.symbol for ion in composition.ions if ion.site == "X"}
        is_like = {"A", "B"} <= sites and halides != {"F"}
        kind = "perovskite-like" if is_like else "halide"
        in_water = "reacts" if kind == "perovskite-like" else ""
        return ShellMaterial(
            composition.formula, kind, self.atoms_text(composition), in_water, listed=False
        )

    def _open_shell(self, layer: str) -> str:
        """Return what is open of a perovskite, and what to write; empty where it is none."""
        try:
            formula = self.read_open(layer) if leaves_open(layer) else None
        except FormulaError:
            return ""
        if formula is None:
            return ""
        return (
            f"its composition is open ({formula}); write each amount as a decimal, or introduce "
            f"it as a shell of class perovskite-like without a formula: key shells of a paper "
            f"file, or Workspace.materials.add_shell"
        )

    def _nearest_shell(self, layer: str) -> str:
        collision = self.shells.collision(layer)
        if collision:
            other = "a formula" if collision.isupper() else "an abbreviation"
            return f"may be {other}; write {collision} if that is meant"
        general = self._hints.general(layer)
        near = self.shells.nearest(layer, like=general)
        offered = f"; nearest known: {', '.join(near)}" if near else ""
        offered += f"; general name: {general}" if general and general not in near else ""
        return f"unknown shell and not a neutral halide formula{offered}"

    # Cores -----------------------------------------------------------------------------------

    def read_core(self, text: str) -> Composition:
        """Read one core formula.

        Raises:
            FormulaError: The text is no formula, leaves an amount open, is not neutral to
                `NEUTRAL_WITHIN` with the charges of the ion table, or is no halide perovskite.
        """
        text = text.strip()
        try:
            return self._compose(text, need_a_site=True)
        except FormulaError as error:
            raise self._explained(text, error) from error

    def read_open(self, text: str) -> OpenFormula:
        """Read a core whose paper leaves amounts, or the ions of a site, open.

        Raises:
            FormulaError: It is no halide perovskite or related halide for any amounts.
        """
        return read_open(text, self.ions, self.read_core, self._spellings)

    def _explained(self, text: str, error: FormulaError) -> FormulaError:
        """Return an error that says what to write, where that is known, or the same error."""
        hint = self._hints.core(text) if len(text) <= 2 * MAX_LENGTH else ""
        material = self.shells.find(text)
        if not hint and material is not None and material.material_class not in _HALIDES:
            hint = "a shell material, not a core; write it in the shell cell"
        return FormulaError(f"core {text!r}: {hint}") if hint else error

    def _is_core(self, text: str) -> bool:
        try:
            return not self._compose(text, need_a_site=True).is_metal
        except FormulaError:
            return False

    def _shell_of(self, text: str) -> str:
        """Return the standard name of a layer, empty where it is unknown."""
        try:
            material = None if is_none(text) else self._layer(text)
        except FormulaError:
            return ""
        return "" if material is None else material.name

    def _compose(self, text: str, *, need_a_site: bool) -> Composition:
        template, amounts = self._amounts_of(text, need_a_site=need_a_site)
        divisor = 1.0 if template.is_metal else _common_divisor(amounts, template)
        return Composition(
            amounts=tuple(zip(template.species, [a / divisor for a in amounts], strict=True)),
            is_metal=template.is_metal,
            ions=template.ions,
        )

    def _amounts_of(self, text: str, *, need_a_site: bool) -> tuple[FormulaTemplate, list[float]]:
        """Return the template of a formula and the amount of each of its species."""
        template, numbers = self._template_of(text)
        if need_a_site:
            _refuse_sites(text, template)
        amounts = template.amounts(numbers)
        self._refuse_amounts(text, template, amounts)
        return template, amounts

    def _refuse_amounts(self, text: str, template: FormulaTemplate, amounts: list[float]) -> None:
        for symbol, amount in zip(template.species, amounts, strict=True):
            if amount == 0.0:
                msg = f"core {text!r}: amount 0 of {symbol}; leave out an ion that is not there"
                raise FormulaError(msg)
            if not MIN_AMOUNT <= amount <= MAX_AMOUNT:
                msg = (
                    f"core {text!r}: amount {amount:g} of {symbol}; "
                    f"amounts are from {MIN_AMOUNT:g} to {MAX_AMOUNT:g}"
                )
                raise FormulaError(msg)
        charges = template.charge_choices[template.nearest_to_neutral(amounts)].tolist()
        net = sum(map(operator.mul, charges, amounts))
        if abs(net) > NEUTRAL_WITHIN + 1e-9:
            near = self._nearest_core(text)
            msg = (
                f"core {text!r}: not neutral: net charge {net:+.3g} with the charges of the ion "
                f"table (at most {NEUTRAL_WITHIN} is allowed); nearest known: {near}"
            )
            raise FormulaError(msg)

    def _nearest_core(self, text: str) -> str:
        return self._spellings.nearest(text, count=1, cutoff=0.0)[0]

    def _template_of(self, text: str) -> tuple[FormulaTemplate, list[float]]:
        template, parts = self._split(text)
        return template, [float(number) for number in parts[1::2]]

    def _split(self, text: str) -> tuple[FormulaTemplate, list[str]]:
        """Return the template of a formula, and its skeleton and numbers in turn."""
        if not text:
            msg = "core: no core given; write a formula such as CsPbBr3"
            raise FormulaError(msg)
        if len(text) > MAX_LENGTH:
            refuse_shape("core", text)
        parts = _NUMBER.split(text)
        template = self._templates.get(tuple(parts[::2]))
        if template is None:
            text = self._tokenizer.plain(text)
            parts = _NUMBER.split(text)
            tokens = self._tokenizer.tokens(text)
            template = self._templates.made(
                tuple(parts[::2]), lambda _: self._template(text, collect_terms(text, tokens))
            )
        return template, parts

    def _template(self, text: str, terms: dict[str, list[tuple[int, ...]]]) -> FormulaTemplate:
        is_metal = all(symbol not in NONMETALS for symbol in terms) and not any(
            symbol in self.ions.polyatomic for symbol in terms
        )
        unsorted = [self._ion(text, symbol, is_metal=is_metal) for symbol in terms]
        ions = tuple(sorted(unsorted, key=self._rank))
        species = tuple(ion.symbol for ion in ions)
        choices = itertools.product(*((0,) if is_metal else ion.charges for ion in ions))
        return FormulaTemplate(
            species=species,
            terms=tuple(tuple(terms[symbol]) for symbol in species),
            ions=ions,
            charge_choices=np.asarray(list(choices), dtype=float),
            is_metal=is_metal,
        )

    def _ion(self, text: str, symbol: str, *, is_metal: bool) -> Ion:
        ion = self.ions.by_symbol.get(symbol)
        if ion is not None:
            return ion
        if is_metal:
            return Ion(symbol, "B", (0,), (math.nan,), {symbol: 1.0})
        raise self._tokenizer.no_ion(text, symbol)

    def _rank(self, ion: Ion) -> tuple[int, int, str]:
        """Return the position of an ion in the standard order A, B, X."""
        return SITES.index(ion.site), self._order.get(ion.symbol, len(self._order)), ion.symbol

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
        return "".join(f"{element}{amount_text(count)}" for element, count in atoms.items())

    # The bulk path ---------------------------------------------------------------------------

    def read_many(self, texts: Sequence[str]) -> CompositionBatch:
        """Read many core formulas at once.

        Args:
            texts: Core formulas, shape (n,).

        Returns:
            The compositions as arrays; rows that cannot be read are in `errors`. Amounts are
            as written: `Cs2Pb2Br6` is not reduced to `CsPbBr3`.
        """
        if len(texts) < _FEW:
            return self._read_few(texts)
        scanned = scan(texts, MAX_LENGTH)
        templates: list[FormulaTemplate] = []
        indexes: dict[bytes, int] = {}
        for skeleton, row in scanned.examples().items():
            try:
                template, parts = self._split(texts[row])
            except FormulaError:
                continue  # Each row of this skeleton gets a message below.
            if "".join(parts) == texts[row]:
                indexes[skeleton] = len(templates)
                templates.append(template)
        template_of = np.array([indexes.get(key, -1) for key in scanned.skeletons], dtype=np.intp)
        template_of[~scanned.is_plain] = -1
        start = scanned.first.copy()
        numbers = scanned.numbers.tolist()
        errors: dict[int, FormulaError] = {}
        index_of = {id(template): index for index, template in enumerate(templates)}
        for row in np.flatnonzero(template_of < 0).tolist():
            try:
                template, own_numbers = self._template_of(texts[row].strip())
            except FormulaError as error:
                errors[row] = self._explained(texts[row].strip(), error)
                continue
            index = index_of.setdefault(id(template), len(templates))
            templates += [template] if index == len(templates) else []
            template_of[row], start[row] = index, len(numbers)
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
                errors[row] = self._explained(text.strip(), error)
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
        rows: Indices,
        templates: Sequence[FormulaTemplate],
        block: Amounts,
        errors: dict[int, FormulaError],
    ) -> CompositionBatch:
        """Check amounts and charges, and put the rows where they were."""
        width = block.amounts.shape[1]
        table = np.full((max(len(templates), 1), width), -1, dtype=np.int16)
        for index, template in enumerate(templates):
            table[index, : len(template.species)] = [
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


def _refuse_sites(text: str, template: FormulaTemplate) -> None:
    if template.site_fault:
        msg = f"core {text!r}: {template.site_fault}"
        raise FormulaError(msg)


def _common_divisor(amounts: Sequence[float], template: FormulaTemplate) -> float:
    """Return what reduces Cs2Pb2Br6 to CsPbBr3; 1 where B-site charges differ (Cs2AgInCl6)."""
    ions = template.ions
    choice = template.charge_choices[template.nearest_to_neutral(amounts)].tolist()
    charges = {charge for charge, ion in zip(choice, ions, strict=True) if ion.site == "B"}
    pairs = list(zip(amounts, ions, strict=True))
    totals = [sum(amount for amount, ion in pairs if ion.site == site) for site in SITES]
    whole = [round(total) for total in totals if total > 0]
    integral = all(math.isclose(total, round(total), abs_tol=1e-9) for total in totals)
    if len(charges) > 1 or not integral or 0 in whole:
        return 1.0
    return float(math.gcd(*whole))
