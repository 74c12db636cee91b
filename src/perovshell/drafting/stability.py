"""Stability statements of a sentence: what was left of a sample, after what, and for how long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from perovshell.data.targets import TIME_TO_FAILURE
from perovshell.drafting.binding import Clause, Reading
from perovshell.drafting.mentions import Material
from perovshell.drafting.quantities import (
    DURATION,
    HUMIDITY,
    IRRADIANCE,
    LIGHT,
    REMNANT,
    TEMPERATURE,
    Quantity,
)
from perovshell.drafting.stressors import Stress, distinct, find_stresses

_LUMINESCENCE: Final = re.compile(
    r"luminescence|fluorescence|\bemission|\bPL\b|\bPLQYs?\b|\bQYs?\b|quantum (?:yield|efficienc)"
    r"|intensit|brightness",
)
_YIELD_LEFT: Final = re.compile(
    r"\s?of (?:its|their|the) (?:\w+ )?(?:PL ?QY|QY|quantum (?:yield|efficiency)"
    r"|photoluminescence quantum)"
)
_OF_ANOTHER_STATE: Final = re.compile(
    r"\s?of (?:that|those|(?:the|its|their) [^,;.\d]{0,25})\s(?:\w+ )?at "
    r"(?:room temperature|RT\b|\d+ ?(?:K|\u00b0))"
)
"""A value at one temperature over that at another: no test of stability."""
_DEVICE: Final = re.compile(
    r"\b(?:solar cells?|devices?|transistors?|photodetectors?|luminance|efficiency of|EQE"
    r"|conductivity|photocurrent"
    r"|power conversion|luminous)\b",
    re.IGNORECASE,
)
_FAILED: Final = re.compile(
    r"\b(?:completely|fully|totally|entirely) (?:quench|los[et]|vanish|disappear|decompos|degrad"
    r"|disintegrat|extinguish)\w*"
    r"|\b(?:PL|emission|luminescence|fluorescence)\b[^,;]{0,40} (?:disappear|vanish)(?:ed|s|es)\b"
    r"|\b(?:were|was) (?:dead|quenched)\b(?! to)|\bnothing was left\b|\bno (?:PL|emission"
    r"|luminescence|fluorescence)"
    r" (?:\w+ )?(?:left|observed|detect\w+|remain\w*)|\b(?:lose|loses"
    r"|lost) (?:all )?(?:of )?(?:its|their|the)? ?"
    r"(?:entire |whole )?(?:PL|emission|luminescence|fluorescence|photoluminescence)\b",
    re.IGNORECASE,
)
_UNCHANGED: Final = re.compile(
    r"\b(?:no|without|hardly any|negligible|not (?:\w+ )?any)(?: (?:obvious|significant"
    r"|noticeable|visible|measurable"
    r"|apparent|detectable|clear|any|further|observable))?(?: (?:PL|emission|intensity"
    r"|photoluminescence))?"
    r" (?:changes?|decay|loss(?:es)?|drops?|decreases?|degradation|decline|quenching|attenuation"
    r"|emission)\b"
    r"|\b(?:remain\w*|stay\w*|is|was|were|kept) (?:almost |nearly |virtually )?(?:unchanged"
    r"|constant|stable)\b"
    r"|\bdid not (?:lose|change|decay|decrease|drop|fade)\b",
    re.IGNORECASE,
)
_CARRIED: Final = re.compile(
    r"^(?:for|in (?:contrast|comparison)|by (?:contrast|comparison)|without|bare|the (?:bare"
    r"|uncoated|pristine)|uncoated"
    r"|pristine|under the same|those|conversely|on the contrary|however)\b",
    re.IGNORECASE,
)
_Item = TypeVar("_Item")
_CONDITIONS: Final = {
    TEMPERATURE: "heat",
    HUMIDITY: "humidity",
    IRRADIANCE: "light",
    LIGHT: "light",
}


@dataclass(frozen=True)
class Remnant:
    """One side of a stability test, as a sentence states it.

    Attributes:
        sample: The sample; None where it is not clear.
        measure: The measure of the test.
        percent: What was left, as printed; empty for a time to failure.
        duration: How long; empty where it is not clear or not stated.
        stressor: The stressor; empty where it is not clear.
        group: Number of the sentence that the test is from.
        text: The sentence.
        conditions: Numbers by their keys.
        quality: How it was stated; empty is printed.
        doubts: What is not clear, by key.
    """

    sample: Material | None
    measure: str
    percent: str
    duration: str
    stressor: str
    group: int
    text: str
    conditions: tuple[tuple[str, str], ...] = ()
    quality: str = ""
    doubts: tuple[tuple[str, str], ...] = ()


@dataclass
class StabilityReader:
    """Reads the stability statements of sentences, one after the other."""

    _number: int = 0
    _group: int = -1
    _before: tuple[str, ...] = field(default=())
    _conditions: tuple[tuple[str, str], ...] = field(default=())

    def read(self, reading: Reading) -> list[Remnant]:
        """Return the readings of a sentence.

        Args:
            reading: The sentence.
        """
        self._number += 1
        stresses = find_stresses(reading.text, reading.quantities)
        is_carried = not stresses and bool(self._before) and self._continues(reading)
        group = self._group if is_carried else self._number
        statement = _Statement(
            reading,
            stresses,
            group,
            self._before if is_carried else (),
            self._conditions if is_carried else (),
        )
        remnants = [*statement.remnants()]
        if not is_carried:
            names = distinct(stresses)
            self._before = names if len(names) == 1 else ()
            self._group = self._number
            self._conditions = statement.conditions(names[0]) if len(names) == 1 else ()
        return remnants

    def _continues(self, reading: Reading) -> bool:
        return _CARRIED.search(reading.text) is not None


@dataclass(frozen=True)
class _Statement:
    reading: Reading
    stresses: Sequence[Stress]
    group: int
    carried: tuple[str, ...]
    carried_conditions: tuple[tuple[str, str], ...]

    def remnants(self) -> Iterator[Remnant]:
        text = self.reading.text
        for quantity in self.reading.quantities:
            if quantity.kind == REMNANT and self._is_luminescence(quantity):
                measure = (
                    "remnant PLQY" if _YIELD_LEFT.match(text[quantity.end :]) else "remnant PL"
                )
                yield self._remnant(
                    quantity.start, self.reading.sample_of(quantity), measure, quantity
                )
        yield from self._verbal(_FAILED, "<")
        if _LUMINESCENCE.search(text):
            yield from self._verbal(_UNCHANGED, ">")

    def _is_luminescence(self, quantity: Quantity) -> bool:
        clause = self.reading.clause_at(quantity.start)
        words = self.reading.text[clause.start : clause.end]
        has_noun = _LUMINESCENCE.search(self.reading.text) or self.carried
        is_by_others = self.reading.is_by_others(quantity.start)
        if _OF_ANOTHER_STATE.match(self.reading.text[quantity.end :]):
            return False
        return bool(has_noun) and _DEVICE.search(words) is None and not is_by_others

    def _verbal(self, form: re.Pattern[str], bound: str) -> Iterator[Remnant]:
        for match in form.finditer(self.reading.text):
            clause = self.reading.clause_at(match.start())
            durations = [other for other in self._quantities(DURATION) if other.start in clause]
            if len(durations) != 1 or self.reading.is_by_others(match.start()):
                continue
            if any(
                q.kind == REMNANT
                for q in self._in(self.reading.quantities, clause.start, clause.end)
            ):
                continue
            number = re.search(r"\d.*", durations[0].text)
            duration = f"{bound}{number[0]}" if number else ""
            sample = self.reading.sample_at(match.start(), match.end())
            yield self._remnant(
                match.start(), sample, TIME_TO_FAILURE, None, duration=duration, quality="verbal"
            )

    def _remnant(
        self,
        position: int,
        sample: Material | None,
        measure: str,
        quantity: Quantity | None,
        *,
        duration: str = "",
        quality: str = "",
    ) -> Remnant:
        doubts: dict[str, str] = {}
        stressor, choices = self._stressor(position, quantity)
        if not stressor:
            doubts["stressor"] = " or ".join(choices)
        percent = quantity.text if quantity else ""
        if quantity and re.match(r"up to|as high as", percent):
            percent, quality = re.sub(r"^(?:up to|as high as) ?", "", percent), "best value"
        if quantity:
            duration = self._duration(quantity)
        if not duration:
            doubts["duration"] = " or ".join(
                dict.fromkeys(other.text for other in self._quantities(DURATION))
            )
        conditions = self.conditions(stressor) if stressor else ()
        return Remnant(
            sample=sample,
            measure=measure,
            percent=percent,
            duration=duration,
            stressor=stressor,
            group=self.group,
            text=self.reading.text,
            conditions=conditions if self.stresses else self.carried_conditions,
            quality=quality,
            doubts=tuple(doubts.items()),
        )

    # Stressor, duration, conditions ------------------------------------------------------------

    def _stressor(self, position: int, quantity: Quantity | None) -> tuple[str, tuple[str, ...]]:
        """Return the stressor, empty where it is not clear, and the candidates."""
        listed = self._listed(quantity, self._distinct_stresses())
        if listed is not None:
            return listed.stressor, ()
        clause = self.reading.clause_at(position)
        for start, end in self._segments(quantity, clause, self.stresses):
            inside = self._in_stresses(start, end)
            names = distinct(stress for stress in inside if stress.start in clause)
            if names:
                return (names[0], ()) if len(names) == 1 else ("", names)
        others = [
            stress
            for stress in self.stresses
            if quantity is None or not self._is_of_another(stress, clause)
        ]
        names = distinct(others) or (() if self.stresses else self.carried)
        return (names[0], ()) if len(names) == 1 else ("", names)

    def _distinct_stresses(self) -> list[Stress]:
        """Return the first words of each run of equal stressors."""
        return [
            stress
            for index, stress in enumerate(self.stresses)
            if not index or stress.stressor != self.stresses[index - 1].stressor
        ]

    def _duration(self, quantity: Quantity) -> str:
        listed = self._listed(quantity, self._quantities(DURATION))
        if listed is not None:
            return listed.text
        clause = self.reading.clause_at(quantity.start)
        for start, end in self._segments(quantity, clause, self._quantities(DURATION)):
            inside = self._in(self._quantities(DURATION), start, end)
            durations = [duration for duration in inside if duration.start in clause]
            if durations:
                return durations[0].text if len(durations) == 1 else ""
        durations = self._quantities(DURATION)
        is_shared = len(durations) == 1 and not self._is_of_another(durations[0], clause)
        return durations[0].text if is_shared else ""

    def _is_of_another(self, item: Quantity | Stress, clause: Clause) -> bool:
        """Whether a duration or a stressor stands with another percentage of the same clause.

        The sides of a comparison share it.
        """
        percents = [other for other in self._quantities(REMNANT) if other.start in clause]
        samples = {self.reading.sample_of(other) for other in percents}
        return item.start in clause and len(percents) > len(samples)

    def _segments(
        self, quantity: Quantity | None, clause: Clause, items: Sequence[Quantity | Stress]
    ) -> list[tuple[int, int]]:
        """Return where to look for what belongs to a percentage: the nearest part first.

        Of several percentages in one clause, each has its part of it, in front of it or behind it.
        """
        percents = [other for other in self._quantities(REMNANT) if other.start in clause]
        if quantity is None or len(percents) < 2:  # noqa: PLR2004
            return [(clause.start, clause.end)]
        index, first = percents.index(quantity), percents[0].start
        if any(clause.start <= item.start < first for item in items):
            start = percents[index - 1].end if index else clause.start
            return [(start, quantity.start), (clause.start, first)]
        end = percents[index + 1].start if index + 1 < len(percents) else clause.end
        return [(quantity.end, end), (quantity.end, clause.end)]

    def _listed(self, quantity: Quantity | None, others: Sequence[_Item]) -> _Item | None:
        """Return what stands at the same place of a list, in a sentence with "respectively"."""
        percents = self._quantities(REMNANT)
        if quantity is None or not self.reading.is_listed or not 1 < len(percents) == len(others):
            return None
        return others[percents.index(quantity)]

    def conditions(self, stressor: str) -> tuple[tuple[str, str], ...]:
        """Return the numbers of a sentence that are conditions of a test."""
        names = distinct(self.stresses)
        conditions = []
        for kind, of in _CONDITIONS.items():
            texts = {quantity.text for quantity in self._quantities(kind)}
            is_of_it = stressor == of or (kind == TEMPERATURE and len(names) == 1)
            if len(texts) == 1 and is_of_it:
                conditions.append((kind, texts.pop()))
        return tuple(conditions)

    def _quantities(self, kind: str) -> list[Quantity]:
        return [quantity for quantity in self.reading.quantities if quantity.kind == kind]

    def _in_stresses(self, start: int, end: int) -> list[Stress]:
        return [stress for stress in self.stresses if start <= stress.start < end]

    def _in(self, quantities: Sequence[Quantity], start: int, end: int) -> list[Quantity]:
        return [quantity for quantity in quantities if start <= quantity.start < end]
