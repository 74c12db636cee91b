"""The words and columns of the dataset, in one place."""

from __future__ import annotations

STRUCTURES = ("core/shell", "janus", "core/island", "matrix", "bare", "other")
ENCAPSULATIONS = ("single-particle", "multi-particle", "none", "unknown")
MEDIA = ("solution", "film", "powder", "water", "unknown")
MORPHOLOGIES = ("nanocrystal", "nanoplatelet", "nanowire")
WORDS = {
    "structure": STRUCTURES,
    "encapsulation": ENCAPSULATIONS,
    "medium": MEDIA,
    "morphology": MORPHOLOGIES,
}
"""Vocabulary of each column with fixed words, in the order of the context descriptors."""
TREATMENTS = ("ligand", "dopant")
"""What a sample may carry beside its shell, named in its note as `ligand:` or `dopant:`."""
# fmt: off
NOTHING = frozenset({
    "", "-", "--", "\u2013", "\u2014", "0", "0.0", "<na>", "?", "false", "n/a", "n.a.", "na", "nan",
    "nat", "nil", "no", "none", "nothing", "null", "undoped", "unknown", "untreated", "without",
})
# fmt: on
"""Texts, in lower case, by which a free text says that there is nothing."""
_SODIUM = "Na"
ROLES = ("core", "dopant", "shell", "other")
BOUNDS = ("", "~", ">", "<")
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

PAPER_COLUMNS = ("paper_id", "doi", "via_doi", "year", "title", "source", "note")
# fmt: off
SAMPLE_COLUMNS = (
    "sample_id", "paper_id", "core", "composition", "shell", "structure", "encapsulation",
    "core_size_nm", "shell_thickness_nm", "medium", "pl_peak_nm", "pl_peak_bound", "fwhm_nm",
    "plqy_percent", "plqy_bound", "bare_sample_id", "role", "note",
)
STABILITY_COLUMNS = (
    "sample_id", "stressor", "condition", "temperature_c", "humidity_percent",
    "irradiance_mw_cm2", "wavelength_nm", "measure", "coated_duration_h", "coated_percent",
    "coated_percent_low", "coated_percent_high", "coated_bound", "bare_duration_h",
    "bare_percent", "bare_percent_low", "bare_percent_high", "bare_bound", "shared_group", "note",
)
# fmt: on


def column_name(stressor: str) -> str:
    """Return a stressor as it stands in column names."""
    return stressor.replace("-", "_")


def is_nothing(text: str) -> bool:
    """Return whether a free text says that there is nothing, in any case and between any blanks.

    `Na` is sodium, a dopant; `NA` and `na` are nothing.

    Examples:
        >>> [is_nothing(text) for text in ("", "None", "n/a", "NA", "Na", "oleylamine")]
        [True, True, True, True, False, False]
    """
    text = text.strip()
    return text != _SODIUM and text.casefold() in NOTHING
