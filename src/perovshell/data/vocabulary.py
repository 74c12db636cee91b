"""The words of the dataset."""

from __future__ import annotations

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
    "", "?", "#n/a", "<na>", "n.a.", "n.d.", "n/a", "n/d", "na", "nan", "nat", "none",
    "not applicable", "not available", "not determined", "not known", "not measured",
    "not reported", "null", "unknown", "unspecified",
})
"""Texts, in lower case, by which a cell says that its content is not known. So do dashes alone.
`none` is here too: Python and tables write an unknown cell so."""
THERE_IS_NONE = frozenset({
    "false", "nil", "no", "none", "nothing", "undoped", "untreated", "without",
})
"""Texts, in lower case, by which a free text says that there is none."""
# fmt: on
_DASHES = "-_\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_SODIUM = "Na"
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
    text = text.strip()
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
    text = text.strip()
    if text == _SODIUM:
        return False
    return is_unknown(text) or text.casefold() in THERE_IS_NONE or plain_number(text) == 0
