"""The words of the dataset."""

from __future__ import annotations

import re
from collections.abc import Sequence

from perovshell.data.tables import plain_number

COMPOSITIONS = ("exact", "open")
STRUCTURES = ("core/shell", "janus", "core/island", "matrix", "bare", "other")
ENCAPSULATIONS = ("single-particle", "multi-particle", "none", "unknown")
MEDIA = ("solution", "film", "powder", "water", "unknown")
PLATELET = "nanoplatelet"
MORPHOLOGIES = ("nanocrystal", PLATELET, "nanowire")
WORDS = {
    "structure": STRUCTURES,
    "encapsulation": ENCAPSULATIONS,
    "medium": MEDIA,
    "morphology": MORPHOLOGIES,
}
"""Vocabulary of each column with fixed words, in the order of the context descriptors."""
TREATMENTS = ("ligand", "dopant")
"""What a sample may have in addition to its shell, each with a column of its name."""
# fmt: off
NOT_KNOWN = frozenset({
    "", "#bezug!", "#div/0!", "#n/a", "#name?", "#null!", "#num!", "#nv", "#ref!", "#value!",
    "<na>", "?", "\\n", "\u65e0\u6570\u636e", "k.a.", "n.a.", "n.d.", "n.r.", "n.s.", "n/a", "n/d",
    "n/s", "na", "nan", "nat", "none", "not applicable", "not available", "not determined",
    "not given", "not known", "not measured", "not reported", "not specified", "not stated", "null",
    "tbd", "unbekannt", "unknown", "unspecified",
})
"""Texts, in lower case, by which a cell says that its content is not known. So do dashes alone.
`none` is here too: Python and tables write an unknown cell so."""
THERE_IS_NONE = frozenset({
    "\u2205", "\u65e0", "as synthesized", "as-synthesized", "control", "falsch", "false",
    "intrinsic", "kein", "keine", "keiner", "native ligand", "native ligands", "native", "nein",
    "nil", "no", "none", "nothing", "ohne", "pristine", "pure", "undoped", "untreated", "w/o",
    "without", "x", "zero",
})
"""Texts, in lower case, by which a free text says that there is none."""
# fmt: on
_DASHES = "-_\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_SODIUM = "Na"
_AROUND = " .,:;()[]{}/\\'\"\u2026"
"""What may stand around a word that says that there is nothing."""
_NEGATED = re.compile(
    r"(?:no|not|non|un|without|w/o|ohne|keine?r?|nominally undoped)\b.*", re.IGNORECASE
)
_REMARK = re.compile(r"(?<=\S)\s*\([^()]*\)$")
"""`none (control)`."""
_BROKEN = re.compile(r"(?<=[A-Za-z]\.)\s+(?=[A-Za-z]\b)")
"""`n. d.`."""
_ZERO = re.compile(
    r"[-+]?0+(?:[.,]0+)?\s*(?:(?:mol|at|wt)?\.?\s*%|mM|M|mg/mL|eq)?(?:\s+[A-Z][a-z]?)?"
)
NATIVE_LIGANDS = frozenset(
    {
        "oa",
        "oam",
        "ola",
        "oley",
        "oleate",
        "oleic acid",
        "oleylamine",
        "oleylammonium",
    }
)
"""Ligands of nearly every synthesis, in lower case: alone or together they are no treatment."""
_AMOUNT = re.compile(r"[\d.,\s]+(?:%|(?:mol|at|wt)\.?\s*%|nm|mM|M|h|min)")
_JOINTS = re.compile(r"\s*(?:/|,|;|\+|&|\band\b|-(?=o))\s*")
ROLES = ("core", "dopant", "shell", "other")
BOUNDS = ("", "~", ">", "<")
QUALITIES = ("", "printed", "best value", "second-hand", "verbal")
"""How a number was stated: `best value` is "up to", `verbal` a statement without a number. An empty
text is `printed`."""
STRESSORS = (
    "water",
    "humidity",
    "light",
    "heat",
    "polar-solvent",
    "sonication",
    "ambient",
    "anion-exchange",
    "other",
)
MEASURES = ("remnant PL", "remnant PLQY", "time to failure")
CONDITIONS = {"temperature_c": "deg C", "humidity_percent": "%", "irradiance_mw_cm2": "mW/cm2"}
"""Test conditions a lifetime is modelled with, and their units: the more, the harsher."""


def column_name(stressor: str) -> str:
    """Return a stressor as it is written in column names."""
    return stressor.replace("-", "_")


def is_unknown(text: str) -> bool:
    """Return whether a text says that its content is not known, in any case.

    Examples:
        >>> [is_unknown(text) for text in ("", "N/A", "None", "\u2013", "0", "no", "film")]
        [True, True, True, True, False, False, False]
    """
    text = _BROKEN.sub("", text.strip())
    return text.casefold() in NOT_KNOWN or not text.strip(_DASHES)


def read_word(text: str, words: Sequence[str], unknown: str) -> str | None:
    """Return the word of a vocabulary that a text is.

    Args:
        text: The text.
        words: The vocabulary.
        unknown: What a text that says that it is not known is read as.

    Returns:
        None where it is neither.

    Examples:
        >>> [read_word(text, ENCAPSULATIONS, "unknown") for text in ("None", "n/a", "one")]
        ['none', 'unknown', None]
    """
    if text in words:
        return text
    if not is_unknown(text):
        return None
    # Words such as `none` are in some vocabularies.
    return text.casefold() if text.casefold() in words else unknown


def is_nothing(text: str) -> bool:
    """Return whether a free text says that there is nothing, or that nothing is known.

    So does a number that is zero. `Na` is sodium, a dopant; `NA` and `na` are nothing.

    Examples:
        >>> [is_nothing(text) for text in ("", "None", "n/a", "no", "0.0", "Na", "DDAB")]
        [True, True, True, True, True, False, False]
    """
    text = _REMARK.sub("", text.strip())
    if text == _SODIUM:
        return False
    word = text.strip(_AROUND)
    is_none = word.casefold() in THERE_IS_NONE or _NEGATED.fullmatch(word) is not None
    is_zero = plain_number(text) == 0 or _ZERO.fullmatch(word) is not None
    return is_unknown(text) or is_unknown(word) or is_none or is_zero


def treatment(kind: str, text: str) -> str:
    """Return the name of a ligand or a dopant, empty where there is none.

    Oleic acid and oleylamine, the ligands of nearly every synthesis, are no special ligand.

    Examples:
        >>> [treatment("ligand", text) for text in ("OA/OAm", "no ligand", "DDAB")]
        ['', '', 'DDAB']
    """
    text = text.strip()
    is_native = kind == "ligand" and all(
        part in NATIVE_LIGANDS for part in _JOINTS.split(text.casefold())
    )
    return "" if is_native or is_nothing(text) else text


def treatment_fault(name: str) -> str:
    """Return why a text cannot be the name of a ligand or a dopant; empty where it may be.

    Examples:
        >>> treatment_fault("film"), treatment_fault("Mn2+")
        ('a name is needed, or an empty cell; it is a word of medium', '')
    """
    rule = "a name is needed, or an empty cell"
    columns = [column for column, words in WORDS.items() if name.casefold() in words]
    if columns:
        return f"{rule}; it is a word of {columns[0]}"
    is_name = re.search(r"[^\W\d_]", name) and not _AMOUNT.fullmatch(name)
    return "" if is_name else rule
