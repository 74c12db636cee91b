"""The facts of a text put together: one entry a sample, with its values and its tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from perovshell.data.paper_fields import sample_fields, side_fields, stability_fields
from perovshell.drafting.mentions import UNKNOWN_SHELL, Material
from perovshell.drafting.stability import Remnant
from perovshell.drafting.statements import OPTICS, Statement
from perovshell.errors import InputError

_STRUCTURES: Final = {
    "core/shell": r"\bcore[-/\u2013@]shell\b|\bshells?\b",
    "janus": r"\bjanus\b",
    "matrix": r"\bmatri(?:x|ces)\b|\bembed\w+\b|\bhosts?\b|\bglass\b",
}
_NAME: Final = re.compile(r"[\s,;|]+")
_LENGTHENING: Final = re.compile(r"^(?:over|within|beyond|up to|above|as high as)\s", re.IGNORECASE)


@dataclass(frozen=True)
class DraftValue:
    """A value of a paper file.

    Attributes:
        key: Its key in a paper file.
        value: The text of the value; empty where it is not clear.
        doubt: What is not clear.
        sentences: Where it was read.
        is_required: Whether a paper file needs it.
        statement: The unclear statement of an empty value; empty where the text has none.
    """

    key: str
    value: str
    doubt: str = ""
    sentences: tuple[str, ...] = ()
    is_required: bool = False
    statement: str = ""


@dataclass(frozen=True)
class DraftTest:
    """A stability test.

    Attributes:
        coated: The reading of the coated sample.
        bare: The reading of the bare sample.
        shared_group: A name that tests of one experiment share.
    """

    coated: Remnant | None
    bare: Remnant | None
    shared_group: str = ""

    @property
    def first(self) -> Remnant:
        """The reading that says what was done."""
        remnant = self.coated or self.bare
        assert remnant is not None
        return remnant


@dataclass(frozen=True)
class DraftSample:
    """A sample with what was read of it.

    Attributes:
        material: Core and shell.
        name: Its name.
        bare: The name of the bare sample; empty where there is none.
        structure: Its structure, where the text says it.
        sentence: Where it is named.
        values: Its values.
        tests: Its stability tests.
    """

    material: Material
    name: str
    bare: str
    structure: str
    sentence: str
    values: tuple[DraftValue, ...]
    tests: tuple[DraftTest, ...]


@dataclass(frozen=True)
class Facts:
    """What the sentences of a text state.

    Attributes:
        samples: The samples.
        named_in: The sentences that each sample is named in.
        statements: Optical values and sizes.
        remnants: Readings of stability tests.
    """

    samples: tuple[Material, ...]
    named_in: Mapping[Material, Sequence[str]]
    statements: tuple[Statement, ...]
    remnants: tuple[Remnant, ...]

    @cached_property
    def kept(self) -> tuple[Material, ...]:
        """The samples of which something is known; those of the first core where nothing is."""
        facts: tuple[Statement | Remnant, ...] = (*self.statements, *self.remnants)
        measured = {fact.sample for fact in facts}
        kept = tuple(sample for sample in self.samples if sample in measured)
        exact = [sample for sample in self.samples if not sample.is_open] or self.samples
        first = tuple(sample for sample in exact if sample.core == exact[0].core)
        return kept or tuple(sample for sample in first if sample.layers) or first

    @cached_property
    def unclear(self) -> tuple[Statement | Remnant, ...]:
        """What cannot be given to a sample."""
        facts: tuple[Statement | Remnant, ...] = (*self.statements, *self.remnants)
        return tuple(dict.fromkeys(fact for fact in facts if fact.sample is None))

    def entries(self) -> tuple[DraftSample, ...]:
        """Return the samples with their values and tests."""
        tests = _tests(self.remnants)
        return tuple(self._entry(sample, tests.get(sample, ())) for sample in self.kept)

    def _entry(self, sample: Material, tests: Sequence[DraftTest]) -> DraftSample:
        bare = Material(sample.core, (), sample.is_open)
        sentences = self.named_in.get(sample, ())
        return DraftSample(
            material=sample,
            name=sample_name(sample),
            bare=sample_name(bare) if sample.layers and bare in self.kept else "",
            structure=_structure(sentences) if sample.layers else "",
            sentence=sentences[0] if sentences else "",
            values=tuple(filter(None, (self._value(sample, key) for key in OPTICS))),
            tests=tuple(tests),
        )

    def _value(self, sample: Material, key: str) -> DraftValue | None:
        """Return the value of a key; open where sentences differ, or name no sample."""
        alike = [fact for fact in self.statements if fact.key == key]
        certain = [fact for fact in alike if fact.sample == sample]
        texts = list({number_of(fact.value): fact.value for fact in reversed(certain)}.values())
        sentences = tuple(dict.fromkeys(fact.text for fact in certain))
        if len(texts) == 1:
            fault = fault_of(key, texts[0])
            value = "" if fault else texts[0]
            return DraftValue(key, value, fault, sentences[:1], statement=f"{key}: {fault}")
        if texts:
            doubt = f"{' or '.join(reversed(texts))}?"
            return DraftValue(key, "", doubt, sentences, statement=f"{key}: {doubt}")
        unclear = [fact for fact in alike if fact.sample is None and _may_be_of(key, sample)]
        if not unclear:
            return None
        values = ", ".join(dict.fromkeys(fact.value for fact in unclear))
        sentences = tuple(dict.fromkeys(fact.text for fact in unclear))
        doubt = f"{values}; of this sample?"
        return DraftValue(key, "", doubt, sentences, statement=f"{key}: {doubt}")


def _may_be_of(key: str, sample: Material) -> bool:
    return key != "shell_thickness_nm" or bool(sample.layers)


def sample_name(sample: Material) -> str:
    """Return the name of a sample, such as `CsPbBr3-SiO2`."""
    layers = sample.layers or ("bare",)
    return _NAME.sub("-", "-".join((sample.core, *layers))).replace(UNKNOWN_SHELL, "coated")


def number_of(text: str) -> str:
    """Return the numbers of a text alone, to compare texts."""
    return "-".join(re.findall(r"[\d.]+", text))


def fault_of(key: str, value: str) -> str:
    """Return why a paper file cannot hold a value; empty where it can."""
    fields = {field.key: field for field in (*sample_fields(), *stability_fields(), *side_fields())}
    try:
        fields[key].cells(value)
    except InputError as error:
        return f"{value}: {error}"
    return ""


def _structure(sentences: Iterable[str]) -> str:
    """Return the structure that the sentences of a sample name, if they agree."""
    named = {
        structure
        for structure, form in _STRUCTURES.items()
        for sentence in sentences
        if re.search(form, sentence, re.IGNORECASE)
    }
    return named.pop() if len(named) == 1 else ""


def _tests(remnants: Iterable[Remnant]) -> dict[Material, list[DraftTest]]:
    """Return the tests of each sample: both sides in one where one experiment has one of each."""
    groups: dict[tuple[object, ...], list[Remnant]] = defaultdict(list)
    seen: set[tuple[object, ...]] = set()
    for remnant in remnants:
        if remnant.sample is None:
            continue
        known = (remnant.sample, remnant.percent, remnant.duration, remnant.stressor)
        if known not in seen:
            seen.add(known)
            key = (remnant.group, remnant.measure, remnant.stressor, remnant.sample.core)
            groups[key].append(remnant)
    tests: dict[Material, list[DraftTest]] = defaultdict(list)
    for group in groups.values():
        for sample, test in _paired(group):
            tests[sample].append(test)
    return tests


def _paired(group: Sequence[Remnant]) -> list[tuple[Material, DraftTest]]:
    coated = [remnant for remnant in group if remnant.sample and remnant.sample.layers]
    bare = [remnant for remnant in group if remnant.sample and not remnant.sample.layers]
    if len(coated) == 1 and len(bare) == 1 and coated[0].sample:
        return [(coated[0].sample, DraftTest(coated[0], bare[0]))]
    tests = []
    for side in (coated, bare):
        for remnant in side:
            assert remnant.sample is not None
            several = sum(other.sample == remnant.sample for other in side) > 1
            what = remnant.stressor or "test"
            shared = f"{sample_name(remnant.sample)}-{what}" if several else ""
            test = (
                DraftTest(remnant, None, shared)
                if side is coated
                else DraftTest(None, remnant, shared)
            )
            tests.append((remnant.sample, test))
    return tests


def plain_duration(remnant: Remnant) -> str:
    """Return the duration of a reading; "over 30 d" is 30 d."""
    return _LENGTHENING.sub("", remnant.duration)
