"""Facts that the literature tables hold in their notes: morphology, monolayers, treatments."""

from __future__ import annotations

import math
import re

from perovshell.data.vocabulary import TREATMENTS

MONOLAYER_NM = 0.59
"""Thickness of one layer of octahedra: the lattice of CsPbBr3 (10.1021/jacs.5b12124)."""
_PLATELET = re.compile(r"\bnano-?(platelet|plate|sheet)s?\b", re.IGNORECASE)
_WIRE = re.compile(r"\b(nano-?)?wires?\b", re.IGNORECASE)
_MONOLAYERS = re.compile(r"\bn ?= ?(\d+)\b|\b(\d+) ?(?:ML|monolayers?)\b")


def morphology(note: str) -> str:
    """Return the morphology that a note names, of `vocabulary.MORPHOLOGIES`."""
    if _PLATELET.search(note):
        return "nanoplatelet"
    return "nanowire" if _WIRE.search(note) else "nanocrystal"


def platelet_thickness_nm(note: str) -> float:
    """Return the thickness of a platelet whose monolayers a note counts; NaN otherwise."""
    found = _MONOLAYERS.search(note) if morphology(note) == "nanoplatelet" else None
    return int(found[1] or found[2]) * MONOLAYER_NM if found else math.nan


def treatments(note: str) -> tuple[str, ...]:
    """Return the treatments that a note names, of `vocabulary.TREATMENTS`."""
    return tuple(kind for kind in TREATMENTS if re.search(rf"\b{kind}:", note))
