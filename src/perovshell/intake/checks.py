"""One value of a new paper that a person should look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One value that a person should look at.

    Attributes:
        sample_id: The sample.
        column: Column of the value, with the stressor of a test such as `coated_percent (water)`.
        value: The value as stated, with its unit.
        expected: What was expected instead, such as `90 % interval 466 to 564 nm`.
        reason: What looks wrong, and how it may have come about.
        is_outlier: Whether it needs an explicit acceptance.
    """

    sample_id: str
    column: str
    value: str
    expected: str
    reason: str
    is_outlier: bool

    def __str__(self) -> str:
        """Say all of it on one line."""
        kind = "outlier" if self.is_outlier else "please check"
        where = f"{kind}: {self.sample_id}, {self.column} {self.value}"
        return f"{where}: expected {self.expected}; {self.reason}"
