"""The words of the dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

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
_MEANINGS: Final[Mapping[tuple[str, ...], Mapping[str, str]]] = {
    COMPOSITIONS: {"exact": "definite known", "open": "mixed partial unclear unstated"},
    STRUCTURES: {
        "core/shell": "shell coating coated core-shell core@shell encapsulated",
        "janus": "dimer heterodimer",
        "core/island": "decorated island islands",
        "matrix": "composite nanocomposite embedded host glass fibre fiber microsphere "
        "monolith gel",
        "bare": "naked pristine uncoated",
        "other": "heterostructure",
    },
    ENCAPSULATIONS: {
        "single-particle": "single individual one",
        "multi-particle": "multi multiple many several cluster aggregate matrix composite",
    },
    MEDIA: {
        "solution": "toluene hexane octane cyclohexane chloroform colloid colloidal dispersion "
        "suspension ink liquid",
        "film": "layer substrate solid fibre fiber membrane sheet",
        "powder": "solid powders dried microsphere",
        "water": "aqueous",
    },
    MORPHOLOGIES: {
        "nanocrystal": "nc dot dots quantum_dot qd cube nanocube sphere nanoparticle np",
        PLATELET: "platelet npl plate nanoplate sheet nanosheet disk nanodisk",
        "nanowire": "rod nanorod wire nw fibre nanofibre",
    },
    ROLES: {
        "core": "band-edge exciton perovskite",
        "dopant": "impurity",
        "other": "ste self-trapped defect",
    },
    QUALITIES: {
        "printed": "stated",
        "best value": "best champion record maximum max up_to",
        "second-hand": "review cited secondhand",
        "verbal": "qualitative words text",
    },
    STRESSORS: {
        "water": "immersion aqueous h2o",
        "humidity": "moisture rh humid damp steam vapor vapour",
        "light": "uv illumination laser photo photostability irradiation led sunlight",
        "heat": "thermal temperature annealing heating",
        "polar-solvent": "ethanol methanol isopropanol ipa acetone alcohol dmf dmso polar",
        "sonication": "ultrasound ultrasonic ultrasonication",
        "ambient": "air storage shelf ageing aging atmosphere",
        "anion-exchange": "exchange halide iodide",
        "other": "acid base alkali oxygen ozone vacuum ph plasma x-ray",
    },
    MEASURES: {
        "remnant PL": "pl intensity emission fluorescence photoluminescence",
        "remnant PLQY": "plqy qy yield",
        "time to failure": "t50 t80 t90 t95 half-life lifetime stable phase",
    },
}
"""Words of papers for the words of each vocabulary, in lower case; `_` is a blank."""
CONDITIONS = {"temperature_c": "deg C", "humidity_percent": "%", "irradiance_mw_cm2": "mW/cm2"}
"""Test conditions a lifetime is modelled with, and their units: the more, the harsher."""


def column_name(stressor: str) -> str:
    """Return a stressor as it is written in column names."""
    return stressor.replace("-", "_")


def meant_words(text: str, words: Sequence[str]) -> list[str]:
    """Return the words of a vocabulary that a word of a paper may mean.

    Examples:
        >>> meant_words("UV light", STRESSORS), meant_words("rods", MORPHOLOGIES)
        (['light'], ['nanowire'])
        >>> meant_words("colour", STRESSORS)
        []
    """
    meanings = next((means for all_, means in _MEANINGS.items() if {*all_} <= {*words}), {})
    plain = re.sub(r"[\s_]+", " ", text.casefold()).strip()
    for parts in ({plain}, {*plain.split(), *re.split(r"[\W_]+", plain)}):
        spellings = parts | {part.removesuffix("s") for part in parts}
        meant = [
            word
            for word, others in meanings.items()
            if spellings & {word.casefold(), *(one.replace("_", " ") for one in others.split())}
        ]
        if meant:
            return meant
    return []


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
