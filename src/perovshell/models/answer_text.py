"""An answer in words: what was measured first, then what is predicted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from perovshell.models.evidence import Neighbour
from perovshell.models.outputs import Answer
from perovshell.targets.declared import GAIN, LIFETIME, POINTS
from perovshell.targets.target import ENDS
from perovshell.texts import counted, number

_SHOWN: Final = 15
"""Measured samples that are shown."""


def answer_lines(
    answer: Answer,
    asked: Mapping[str, str],
    stressors: Sequence[str],
    coverage: float,
    pooled: Sequence[str] = (),
) -> list[str]:
    """Return the lines of an answer.

    Args:
        answer: An answer without an error.
        asked: The inputs that it was asked with.
        stressors: The stressors it was asked for.
        coverage: Coverage of its intervals.
        pooled: What is known at least; see `answer_details.known_at_least`.
    """
    values = answer.values
    lines = ["Measured:", *_measured(answer)]
    lines += ["Known at least (90 %), pooled over papers and like shells:"] if pooled else []
    lines += [f"  {line}" for line in pooled]
    lines += ["", f"Predicted, with {100 * coverage:g} % intervals:"]
    lines += [f"  {line}" for line in _predicted(values, asked, stressors)]
    reasons = values["domain_reasons"]
    domain = ["Out of domain:", *(f"  {reason}" for reason in reasons)] if reasons else []
    flags = [f"Flag: {flag}" for flag in values["flags"]]
    notes = [f"Note: {note}" for note in values["notes"]]
    nearest = ["Nearest papers:", *(f"  {_neighbour(one)}" for one in answer.nearest)]
    return [*lines, "", *domain, *flags, *notes, *nearest]


def _measured(answer: Answer) -> list[str]:
    if not answer.measured:
        return ["  no paper on this core and shell"]
    papers = len({one.paper for one in answer.measured})
    head = f"  {counted(len(answer.measured), 'sample')} of {counted(papers, 'paper')}:"
    more = len(answer.measured) - _SHOWN
    rest = (
        [f"  and {counted(more, 'more sample')}: perovshell evidence shows all"] if more > 0 else []
    )
    return [head, *(f"  {_neighbour(one)}" for one in answer.measured[:_SHOWN]), *rest]


def _neighbour(one: Neighbour) -> str:
    facts = [f"{one.core} / {one.shell}", one.core_size, *one.results]
    return f"{', '.join(filter(None, facts))} ({one.paper})"


def _predicted(
    values: Mapping[str, Any], asked: Mapping[str, str], stressors: Sequence[str]
) -> Iterator[str]:
    for point in POINTS:
        verdict = _verdict(values, point.domain.column)
        yield f"{point.title}: {_interval(values, point.column, point.unit)}{verdict}"
        effect = point.effect
        # Without a measured bare sample the interval of a shell's effect is that of two papers.
        if effect is not None and asked.get(effect.anchor):
            change = _interval(values, effect.column, point.error_unit)
            yield f"  change by the shell: {change}"
    for stressor in stressors:
        for target in (LIFETIME, GAIN):
            if target.no_skill in values["notes"]:
                continue
            column = target.column(stressor)
            shown = target.shown(values[column], values[target.bound_column(stressor)])
            least = target.shown(values[f"{column}_lower"])
            name = f"{target.quantity[0].upper()}{target.quantity[1:]}"
            (verdict_column,) = target.domain.columns([stressor])
            verdict = _verdict(values, verdict_column)
            yield f"{name} under {stressor}: {shown}, at least {least}{verdict}"


def _verdict(values: Mapping[str, Any], column: str) -> str:
    return "" if values[column] else " (out of domain)"


def _interval(values: Mapping[str, Any], column: str, unit: str) -> str:
    value, low, high = (number(float(f"{values[f'{column}{end}']:.3g}")) for end in ENDS)
    return f"{value} {unit} [{low}, {high}]"
