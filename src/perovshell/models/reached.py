"""Where the medians of lifetimes were reached by the tests of the literature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from perovshell.data.shells import ShellMaterial

MIN_EVIDENCE: Final = 3
"""Papers from which the tests of a shell, or of its class, tell whether its median was reached."""
_HALF: Final = 0.5


@dataclass(frozen=True)
class Reached:
    """Where the medians of lifetimes were reached by the tests of the literature.

    Attributes:
        papers: Papers with tests, by `evidence_key`.
        open_share: Share of these tests whose lifetime has no upper end.
        floors: Median distance of the lower ends of the lifetimes, widened as in scoring, from
            their predictions, in log units, of bare and of coated sides; at most 0.
    """

    papers: Mapping[str, int]
    open_share: Mapping[str, float]
    floors: tuple[float, float]

    def is_open(self, stressor: str, layers: Sequence[ShellMaterial]) -> bool:
        """Whether more than half of the tests have no upper end: the median was not reached.

        The tests are those of the same shells under the stressor, if enough papers have some; else
        those of their classes; else all of the side under the stressor; else all of the side.
        """
        for keys in evidence_keys(stressor, layers):
            known = [(self.papers.get(key, 0), self.open_share.get(key, 0.0)) for key in keys]
            papers = sum(count for count, _ in known)
            if papers >= MIN_EVIDENCE:
                return sum(count * share for count, share in known) / papers > _HALF
        return False

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "papers": dict(self.papers),
            "open_share": dict(self.open_share),
            "floors": list(self.floors),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reached:
        """Rebuild from JSON data."""
        bare, coated = data["floors"]
        return cls(data["papers"], data["open_share"], (float(bare), float(coated)))


def evidence_keys(stressor: str, layers: Sequence[ShellMaterial]) -> list[list[str]]:
    """Return the keys of the tests that tell of a side, the most specific ones first."""
    if not layers:
        return [[f"bare, {stressor}"], ["bare"]]
    names = [f"shell:{layer.name}, {stressor}" for layer in layers]
    classes = [f"class:{layer.material_class}, {stressor}" for layer in layers]
    return [[*dict.fromkeys(names)], [*dict.fromkeys(classes)], [f"coated, {stressor}"], ["coated"]]
