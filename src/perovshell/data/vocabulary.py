"""The words of the dataset."""

from __future__ import annotations

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
NOTHING = frozenset({
    "", "-", "--", "\u2013", "\u2014", "<na>", "false", "n/a", "n.a.", "na", "nan", "nat", "nil",
    "no", "none", "nothing", "null", "undoped", "unknown", "untreated", "without",
})
# fmt: on
"""Texts, in lower case, by which a free text says that there is nothing."""
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


def is_nothing(text: str) -> bool:
    """Return whether a free text says that there is nothing, in any case and between any blanks.

    So does a number that is zero. `Na` is sodium, a dopant; `NA` and `na` are nothing.

    Examples:
        >>> [is_nothing(text) for text in ("", "None", "n/a", "NA", "0.0", "Na", "DDAB")]
        [True, True, True, True, True, False, False]
    """
    text = text.strip()
    return text != _SODIUM and (text.casefold() in NOTHING or plain_number(text) == 0)
