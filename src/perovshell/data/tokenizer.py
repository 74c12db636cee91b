"""Formulas as tokens: which letters are an element, which the abbreviation of an ion."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from perovshell.data.grammar import SPREADSHEET, element_amounts, refuse_open_amounts, refuse_shape
from perovshell.data.ions import ELEMENTS, Ion, Ions, needs_brackets
from perovshell.data.spelling import Spellings
from perovshell.errors import FormulaError
from perovshell.texts import listed

Token: TypeAlias = tuple[str, str]
"""Kind (species, number, open, close) and text."""

NUMBER: Final = r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"

_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_TO_ASCII: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789") | _FULL_WIDTH
_GROUP: Final = re.compile(r"([(\[{])([^()\[\]{}]+)([)\]}])")
"""What stands in brackets that hold no other brackets."""
_CAPITALS: Final = re.compile(r"[A-Z]+(?![a-z])")
_ABBREVIATION: Final = re.compile(
    r"(?:\d-?|[a-z]-?)*[A-Z](?:[A-Za-z]|-(?=[A-Za-z]))*[A-Z][A-Za-z]*"
)
"""What looks like the abbreviation of an organic ion."""
_WRITTEN_OUT: Final = re.compile(r"C\d*H\d+(?:(?:[CHNOSFI]|Cl|Br)\d*)*")
"""The letters of an organic ion without its structure."""
_OXIDATION_STATE: Final = re.compile(
    r"(?<=[a-z])(?:\((?:II|III|IV|V|VI)\)(?!\d)|(?:II|III|IV)(?![a-z]))"
    r"|(?<=Cu|Ag|Au|Tl|In|Hg)\(I\)(?!\d)"
)
"""Sn(II), SnIV, Au(I); CsPb(I)3 has none."""
_ORGANIC: Final = frozenset("CHNOSP")
"""Elements that a core has within an organic ion only."""
_OFFERED: Final = 3


class Tokenizer:
    """Splits formulas into tokens.

    Args:
        ions: The ion table.
    """

    def __init__(self, ions: Ions) -> None:
        """Prepare the patterns."""
        self.ions = ions
        self._known = {*ELEMENTS, *ions.polyatomic}
        self._abbreviations = Spellings(ions.by_abbreviation)
        alone = [name for name in ions.by_abbreviation if name.isalpha() and name[0].isupper()]
        self._brackets_only = [
            name for name in ions.by_abbreviation if not (name.isalpha() and name[0].isupper())
        ]
        self._in_brackets = {name for name in alone if needs_brackets(name, ions.by_symbol)}
        self._written_out = re.compile("|".join(map(re.escape, ions.written_out)) or "$^")
        # CPbI3 is C and Pb, not CP and b.
        names = sorted({*ions.polyatomic, *alone}, key=len, reverse=True)
        symbols = "|".join(f"{re.escape(name)}(?![a-z])" for name in names)
        self._token = re.compile(
            rf"(?P<species>{symbols or '$^'}|[A-Z][a-z]?)|(?P<number>{NUMBER})"
            r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<unknown>.)",
            re.DOTALL,
        )

    # Names of ions -----------------------------------------------------------------------------

    def plain(self, text: str) -> str:
        """Write each ion of several atoms by its symbol, and letters and digits in ASCII.

        Raises:
            FormulaError: It is unclear which ion is meant.
        """
        text = to_ascii(text)
        state = _OXIDATION_STATE.search(text)
        if state:
            msg = f"core {text!r}: {state[0]!r} is an oxidation state; leave it out"
            raise FormulaError(msg)
        if "H" in text:
            text = self._written_out.sub(self._symbol_of_written_out, text)
        return _GROUP.sub(self._symbol_of_group, text)

    def _symbol_of_written_out(self, match: re.Match[str]) -> str:
        if match.string[match.end() : match.end() + 1].isdigit():
            msg = (
                f"core {match.string!r}: unclear where {match[0]} ends and its amount begins; "
                f"put it in brackets"
            )
            raise FormulaError(msg)
        ion = self.ions.by_symbol[self.ions.written_out[match[0]]]
        return f"({ion.symbol})" if ion.in_brackets else ion.symbol

    def _symbol_of_group(self, group: re.Match[str]) -> str:
        """Return what stands in brackets, with the symbol of an ion where it is a name of one."""
        named = self.ions.by_abbreviation.get(group[2], [])
        if len(named) > 1:
            msg = f"core {group.string!r}: {group[2]!r} names {_choices(named)}"
            raise FormulaError(msg)
        return f"{group[1]}{named[0].symbol}{group[3]}" if named else group[0]

    # Tokens ------------------------------------------------------------------------------------

    def tokens(self, text: str) -> list[Token]:
        """Split a formula into tokens.

        Args:
            text: A formula as `plain` returns it.

        Raises:
            FormulaError: A sign is none of a formula, or letters may be several symbols.
        """
        if text[0] in SPREADSHEET:
            refuse_shape("core", text)
        tokens: list[Token] = []
        for match in self._token.finditer(text):
            kind, token = str(match.lastgroup), match[0]
            if kind == "species":
                token = self._symbol_of(match)
            elif kind == "unknown":
                self._refuse_sign(match)
            elif kind == "number" and tokens and tokens[-1][0] == "open":
                self._refuse_group(text, match.start())
            elif kind == "number" and tokens and tokens[-1] == ("number", "0"):
                msg = f"core {text!r}: amount '0{token}' begins with 0; write it as a decimal"
                raise FormulaError(msg)
            tokens.append((kind, token))
        self._refuse_run_together(text, tokens)
        return tokens

    def _symbol_of(self, match: re.Match[str]) -> str:
        """Return the symbol of an element or an ion."""
        text, name = match.string, match[0]
        named = self.ions.by_abbreviation.get(name, [])
        around = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        if len(named) > 1:
            self._refuse_group(text, match.start())
            msg = f"core {text!r}: {name!r} names {_choices(named)}"
            raise FormulaError(msg)
        if name in self._in_brackets and not (around[0] in {*"([{"} and around[1] in {*")]}"}):
            msg = (
                f"core {text!r}: unclear whether {name!r} is one ion or several; "
                f"write ({name}) for {named[0]}"
            )
            raise FormulaError(msg)
        if not named and name not in self._known:
            self._refuse_sign(match)
        return named[0].symbol if named else name

    def _refuse_sign(self, match: re.Match[str]) -> None:
        text, token = match.string, match[0]
        refuse_shape("core", text)
        named = [
            name
            for name in self._brackets_only
            if text.startswith(name, match.start()) and f"({name})" not in text
        ]
        if named:
            name = max(named, key=len)
            msg = f"core {text!r}: ion {name!r} is read in brackets only; write ({name})"
            raise FormulaError(msg)
        self._refuse_group(text, match.start())
        refuse_open_amounts(text)
        run = _CAPITALS.match(text, match.start())
        raise self._unknown(text, run[0] if run else token)

    def _refuse_group(self, text: str, start: int) -> None:
        """Refuse what stands in brackets around a place if it looks like the name of an ion."""
        for group in _GROUP.finditer(text):
            if group.start() < start < group.end() and self._is_name(group[2]):
                raise self._unknown(text, group[2])

    def _unknown(self, text: str, name: str) -> FormulaError:
        near = self._abbreviations.nearest(name, count=_OFFERED, cutoff=0.6)
        offered = f"; nearest known ions: {', '.join(near)}" if near else ""
        return FormulaError(
            f"core {text!r}: {name!r} is neither an element nor a known ion{offered}"
        )

    def _is_name(self, group: str) -> bool:
        """Return whether what stands in brackets looks like the name of an ion, known or not."""
        if group in self.ions.by_abbreviation or _ABBREVIATION.fullmatch(group) is None:
            return False
        kinds, parts = zip(*self._parts(group), strict=True)
        meant = [self.ions.by_abbreviation.get(part, []) for part in parts]
        first = [
            ions[0] if ions else self.ions.by_symbol.get(part)
            for part, ions in zip(parts, meant, strict=True)
        ]
        is_mixture = (
            {*kinds} == {"species"}
            and None not in first
            and len({ion.site for ion in first if ion}) == 1
        )
        return not is_mixture

    def _refuse_run_together(self, text: str, tokens: list[Token]) -> None:
        """Refuse letters that may be one ion or several: FPEA, or F and PEA."""
        for group in _GROUP.finditer(text):
            parts = [name for kind, name in self._parts(group[2]) if kind == "species"]
            if len(parts) > 1 and group[2].isalpha() and not {*parts} <= {*ELEMENTS}:
                if not {*parts} <= self.ions.by_symbol.keys():
                    raise self._unknown(text, group[2])
                msg = (
                    f"core {text!r}: {group[2]!r} is no known ion, and unclear as "
                    f"{listed(parts)}; put each in brackets"
                )
                raise FormulaError(msg)
        around = [("", ""), *tokens, ("", "")]
        for before, (_, token), after in zip(around, tokens, around[2:], strict=False):
            if token not in self.ions.polyatomic:
                continue
            pair = [other for kind, other in (before, after) if kind == "species"]
            for other in filter(self._could_run, pair):
                first, second = (other, token) if before[1] == other else (token, other)
                msg = (
                    f"core {text!r}: {first + second!r} is no known ion, and unclear as {first} "
                    f"and {second}; put each in brackets, as ({first})({second})"
                )
                raise FormulaError(msg)

    def _could_run(self, symbol: str) -> bool:
        """Return whether a symbol in front of or behind an ion could be part of its name."""
        ion = self.ions.by_symbol.get(symbol)
        return symbol.isupper() or (ion is not None and (ion.name != "" or ion.site == "X"))

    def _parts(self, text: str) -> list[Token]:
        return [(str(match.lastgroup), match[0]) for match in self._token.finditer(text)]

    def no_ion(self, text: str, symbol: str) -> FormulaError:
        """Return why an element is no ion: no charge of it is known, or it is part of an isomer."""
        written = _WRITTEN_OUT.search(text) if symbol in _ORGANIC else None
        for group in _GROUP.finditer(text):
            if symbol in group[2] and not written and self._is_name(group[2]):
                return self._unknown(text, group[2])
        if not written:
            msg = f"no charge is known for {symbol!r}: it is not in the ion table"
        elif isomers := self.ions.with_elements(element_amounts(written[0])):
            msg = f"{written[0]!r} names {_choices(isomers)}"
        else:
            msg = f"{written[0]!r} is no known organic ion"
        return FormulaError(f"core {text!r}: {msg}")


def to_ascii(text: str) -> str:
    """Return a text with subscript digits and full-width letters as ASCII."""
    return text if text.isascii() else text.translate(_TO_ASCII)


def _choices(ions: list[Ion]) -> str:
    """Return the ions that a spelling may mean, and how to write each."""
    written = listed([ion.written for ion in ions], "or")
    one = "one of several ions" if len(ions) > 1 else "any of several isomers"
    return f"{one}: {listed(list(map(str, ions)), 'or')}; write {written}"
