"""Which measurements of the literature are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Final

from perovshell.data.composition import Composition
from perovshell.data.dataset import Dataset
from perovshell.data.formula import FormulaReader
from perovshell.data.open_formula import OpenFormula, leaves_open
from perovshell.data.records import Sample, StabilityTest
from perovshell.data.shells import NONE, ShellMaterial
from perovshell.data.spelling import near_name
from perovshell.data.vocabulary import MEDIA, QUALITIES, STRESSORS, STRUCTURES
from perovshell.errors import FormulaError, InputError
from perovshell.texts import excerpt

HALIDES: Final = ("Cl", "Br", "I")
FAMILIES: Final = ("lead", "tin", "lead-free")
"""Families of cores by their B site: `lead` and `tin` hold the metal, `lead-free` no lead."""
_LAYERS: Final = "|"
_WORDS: Final[Mapping[str, Sequence[str]]] = {
    "family": FAMILIES,
    "halide": HALIDES,
    "stressor": STRESSORS,
    "medium": MEDIA,
    "structure": STRUCTURES,
    "quality": QUALITIES[1:],
}


@dataclass(frozen=True)
class EvidenceQuery:
    """What is asked of the literature; what is left out asks for everything.

    Attributes:
        core: The core; of one whose composition is open, the samples whose papers leave the same
            open.
        family: One of `FAMILIES`.
        halide: One of `HALIDES`: the halide of which the core has most.
        is_bare: Whether only samples without a shell are asked for.
        layers: A single layer that a shell must have, or all layers of it, from the inside out.
        material_class: Class of a layer, such as `oxide`.
        stressor: One of `vocabulary.STRESSORS`.
        medium: One of `vocabulary.MEDIA`: of the emission measurement.
        structure: One of `vocabulary.STRUCTURES`.
        quality: One of `vocabulary.QUALITIES`: how a number was stated.
        since: First year of publication.
        until: Last year of publication.
    """

    core: Composition | OpenFormula | None = None
    family: str = ""
    halide: str = ""
    is_bare: bool = False
    layers: tuple[ShellMaterial, ...] = ()
    material_class: str = ""
    stressor: str = ""
    medium: str = ""
    structure: str = ""
    quality: str = ""
    since: int | None = None
    until: int | None = None

    @classmethod
    def read(
        cls, reader: FormulaReader, *, core: str | None = "", shell: str | None = "", **others: Any
    ) -> EvidenceQuery:
        """Read a query.

        Args:
            reader: Reads the formulas.
            core: Formula of the core, or nothing. It may leave open what papers do: `CsPb(Br/I)3`.
            shell: Name or alias of a shell, its layers joined by `|`, a class, or `none` for bare
                samples; nothing is any.
            others: Other attributes, but for `layers` and `material_class`.

        Raises:
            InputError: A formula, a shell or a word is not known, or a year is none; the message
                names what is.
        """
        given = {
            name: value
            for name, value in {"core": core, "shell": shell, **others}.items()
            if value is not None and not (isinstance(value, str) and not value.strip())
        }
        for name in ("core", "shell"):
            if not isinstance(given.get(name, ""), str):
                msg = f"{name} {excerpt(repr(given[name]))}: a text is needed"
                raise InputError(msg)
        for name, words in _WORDS.items():
            _refuse_word(name, given.get(name, ""), words)
        _refuse_years(given)
        shells = _read_shell(given.pop("shell"), reader) if "shell" in given else {}
        if "core" in given:
            given["core"] = _read_core(given["core"], reader)
        return cls(**shells, **given)

    @property
    def words(self) -> dict[str, str]:
        """What is asked for, by attribute, as texts."""
        texts = {
            "core": _core_text(self.core),
            "shell": NONE if self.is_bare else _LAYERS.join(layer.name for layer in self.layers),
            "class": self.material_class,
            **{name: getattr(self, name) for name in _WORDS},
            **{name: str(getattr(self, name) or "") for name in ("since", "until")},
        }
        return {name: text for name, text in texts.items() if text}

    def counts(self, dataset: Dataset, sample: Sample) -> bool:
        """Whether what was measured of a sample counts as evidence, whatever its core and shell."""
        year = dataset.papers[sample.paper_id].year
        if self.since is not None and (year is None or year < self.since):
            return False
        if self.until is not None and (year is None or year > self.until):
            return False
        is_medium = self.medium in {"", sample.medium}
        return is_medium and self.structure in {"", sample.structure}

    def counts_test(self, dataset: Dataset, test: StabilityTest) -> bool:
        """Whether a test counts as evidence, whatever its core and shell."""
        is_asked = self.stressor in {"", test.stressor} and self.quality in {"", test.quality}
        return is_asked and self.counts(dataset, test.sample)

    def shows(self, sample: Sample) -> bool:
        """Whether core and shell of a sample are those asked for."""
        return self._has_core(sample) and self._has_shell(sample)

    def _has_core(self, sample: Sample) -> bool:
        if self.core is not None and sample.core_key != self.core.key:
            return False
        if not (self.family or self.halide):
            return True
        known = sample.described_core
        if known is None:
            return False
        metals = {"lead": "Pb" in known.fractions, "tin": "Sn" in known.fractions}
        is_family = metals.get(self.family, "Pb" not in known.fractions) or not self.family
        shares = {halide: known.fractions.get(halide, 0.0) for halide in HALIDES}
        return is_family and self.halide in {"", max(shares, key=shares.__getitem__)}

    def _has_shell(self, sample: Sample) -> bool:
        if self.is_bare:
            return sample.is_bare
        if self.material_class and all(
            layer.material_class != self.material_class for layer in sample.layers
        ):
            return False
        if len(self.layers) == 1:
            return self.layers[0] in sample.layers
        return not self.layers or self.layers == sample.layers


def _refuse_word(name: str, word: object, words: Sequence[str]) -> None:
    if not isinstance(word, str) or word not in {"", *words}:
        near = near_name(word, words) if isinstance(word, str) else ""
        hint = f"; nearest: {near}" if near else ""
        msg = f"{name} {excerpt(repr(word))}: allowed: {', '.join(words)}{hint}"
        raise InputError(msg)


def _refuse_years(given: Mapping[str, Any]) -> None:
    years = {name: given[name] for name in ("since", "until") if name in given}
    for name, year in years.items():
        if not isinstance(year, Integral) or isinstance(year, bool):
            msg = f"{name} {excerpt(repr(year))}: a year is needed, such as 2021"
            raise InputError(msg)
    if len(years) > 1 and years["since"] > years["until"]:
        msg = f"since {years['since']}: later than until {years['until']}"
        raise InputError(msg)


def _read_core(text: str, reader: FormulaReader) -> Composition | OpenFormula:
    return reader.read_open(text) if leaves_open(text) else reader.read_core(text.strip())


def _core_text(core: Composition | OpenFormula | None) -> str:
    if core is None:
        return ""
    return core.formula if isinstance(core, Composition) else core.text


def _read_shell(text: str, reader: FormulaReader) -> dict[str, Any]:
    """Return the layers of a shell, or its class."""
    classes = sorted({shell.material_class for shell in reader.shells.materials.values()})
    if text.strip() in classes:
        return {"material_class": text.strip()}
    try:
        layers = reader.read_shell(text)
    except FormulaError as error:
        msg = f"{error}; or a class: {', '.join(classes)}"
        raise InputError(msg) from error
    return {"layers": layers, "is_bare": not layers}
