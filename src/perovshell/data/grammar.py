"""The grammar of formulas: brackets, amounts, and what is refused for its look alone."""

from __future__ import annotations

import math
import re

from perovshell.errors import FormulaError

MAX_DEPTH = 3
"""Most numbers that multiply for one ion: that behind it and those of the brackets around it."""
MAX_LENGTH = 200
"""Longest text read as a formula or a shell."""
SPREADSHEET = "=+-@"
"""What a cell that a spreadsheet would compute begins with."""
_OPEN, _CLOSE = "([{", ")]}"


def refuse_shape(what: str, text: str) -> None:
    """Refuse a text that is too long, begins like a spreadsheet formula or has blanks."""
    if len(text) > MAX_LENGTH:
        msg = f"{what} {text[:20]!r}...: {len(text)} characters, at most {MAX_LENGTH} are read"
        raise FormulaError(msg)
    if text.startswith(tuple(SPREADSHEET)):
        msg = f"{what} {text!r}: begins with {text[0]!r} like a spreadsheet formula"
        raise FormulaError(msg)
    if what == "core" and any(letter.isspace() for letter in text):
        msg = f"{what} {text!r}: blanks inside a formula"
        raise FormulaError(msg)


_OPEN_AMOUNT = re.compile(r"[xyzδ](?![a-z])|(?<![a-zA-Z])[nm](?![a-z])|X(?!e)")


def refuse_open_amounts(text: str) -> None:
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
    joint = re.search(r"(?<=[A-Za-z0-9)\]}])([-\u2013/])(?=[A-Z][A-Za-z]*\d)", text)
    if joint and "(" not in text[: joint.start()].rpartition(")")[2]:
        msg = (
            f"core {text!r}: {joint[0]!r} joins two materials; write core and shell in cells of "
            f"their own, or a whole sample as CsPbBr3@SiO2"
        )
        raise FormulaError(msg)
    for sign in ":;":
        if sign in text:
            msg = (
                f"core {text!r}: {sign!r} is no sign of a formula; write the core alone, and a "
                f"dopant in the column dopant"
            )
            raise FormulaError(msg)
    for sign in "/,~±<>-–":
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


def collect_terms(text: str, tokens: list[tuple[str, str]]) -> dict[str, list[tuple[int, ...]]]:
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


def split_outside_brackets(text: str, signs: str) -> list[str]:
    """Split a text at any of some signs, outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter in signs and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


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
        for symbol, terms in collect_terms(formula, tokens).items()
    }
