"""The verdict on a combination: which targets are out of domain, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from perovshell.targets.declared import DOMAINS, POINTS
from perovshell.targets.target import IN_DOMAIN

POINT_DOMAINS: Final = tuple(dict.fromkeys(point.domain.label for point in POINTS))
"""Labels of the domains that `in_domain` stands for."""


class DomainVerdict(NamedTuple):
    """Which targets of a combination are out of domain, and why.

    Attributes:
        outside: Reason by label of a domain, of `targets.declared.DOMAINS`; without those it is
            inside.
        thin: Reason by stressor, for those with too few papers.
        stressors: The stressors asked for.
    """

    outside: Mapping[str, str]
    thin: Mapping[str, str]
    stressors: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """All reasons, each once; one that is of a single target begins with it."""
        return list(dict.fromkeys((*self.outside.values(), *self.thin.values())))

    @property
    def reasons(self) -> dict[str, list[str]]:
        """The reasons by output column of the verdict on a target; none in domain."""
        reasons = {}
        for rule in DOMAINS.values():
            own = self.outside.get(rule.label, "")
            of_stressor = [self.thin.get(one, "") for one in self.stressors]
            more = of_stressor if rule.by_stressor else [""]
            for column, text in zip(rule.columns(self.stressors), more, strict=True):
                reasons[column] = list(filter(None, (own, text)))
        return reasons

    @property
    def values(self) -> tuple[bool, ...]:
        """The values of `domain_columns`."""
        return _values(tuple(self.outside), tuple(self.thin), self.stressors)


@lru_cache(maxsize=1024)
def _values(
    outside: tuple[str, ...], thin: tuple[str, ...], stressors: tuple[str, ...]
) -> tuple[bool, ...]:
    """Return the values of `domain_columns`, which few of the many answers differ in."""
    values = [not any(label in outside for label in POINT_DOMAINS)]
    for rule in DOMAINS.values():
        inside = rule.label not in outside
        known = [one not in thin for one in stressors] if rule.by_stressor else [True]
        values += [inside and one for one in known]
    return tuple(values)


def domain_columns(stressors: Sequence[str]) -> tuple[str, ...]:
    """Return the output columns of the verdict: on PL and PLQY together, then on each target.

    Examples:
        >>> domain_columns(["water"])
        ('in_domain', 'in_domain_pl', 'in_domain_plqy', 'in_domain_stability_water')
    """
    return (IN_DOMAIN, *chain.from_iterable(one.columns(stressors) for one in DOMAINS.values()))
