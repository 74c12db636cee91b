"""Precision and recall of drafted paper files on the made-up texts of tests/drafting/texts.

    python scripts/draft_scores.py [-v]

A drafted value is right where its sample, key, number and sign are those of a fact of the text. Of
the readings of stability tests, the side and the stressor are also counted by themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from perovshell.data.printed import ENERGIES, UNITS, read_printed
from perovshell.drafting.draft import draft

TEXTS = Path(__file__).parents[1] / "tests" / "drafting" / "texts"
UNIT_OF = {
    "pl_peak_nm": "nm", "fwhm_nm": "nm", "core_size_nm": "nm", "shell_thickness_nm": "nm",
    "plqy_percent": "%", "percent": "%", "duration": "h", "temperature_c": "deg C",
    "humidity_percent": "%", "irradiance_mw_cm2": "mW/cm2", "wavelength_nm": "nm",
}  # fmt: skip
"""The scored keys, and the unit that their numbers are compared in."""
ASPECTS = ("values", "sides", "stressors")


@dataclass(frozen=True)
class Fact:
    """A value of a sample.

    Attributes:
        sample: Core and shell, as `CsPbBr3/SiO2`; the bare one for a bare side.
        key: Its key in a paper file.
        value: The number with its sign and its range, in the unit of the key.
        side: Coated or bare, for a reading of a stability test.
        stressor: The stressor of its test.
    """

    sample: str
    key: str
    value: tuple[tuple[str, str], ...]
    side: str = ""
    stressor: str = ""

    def of(self, aspect: str) -> tuple[object, ...] | None:
        """Return what is compared for an aspect; None where it does not concern this fact."""
        core = self.sample.partition("/")[0]
        if aspect == "sides":
            return (core, self.key, self.value, self.side) if self.side else None
        if aspect == "stressors":
            return (core, self.key, self.value, self.stressor) if self.stressor else None
        return (self.sample, self.key, self.value)


def fact(sample: str, key: str, text: str, side: str = "", stressor: str = "") -> Fact:
    """Return a fact with its number in the unit of its key."""
    unit = UNIT_OF[key]
    parts = read_printed(text, {**UNITS[unit], **(ENERGIES if key == "pl_peak_nm" else {})})
    number = tuple(sorted((name, _rounded(part)) for name, part in parts.items()))
    core = sample.rpartition("/")[0] if sample.count("/") == 1 else sample.rsplit("/", 1)[0]
    return Fact(f"{core}/none" if side == "bare" else sample, key, number, side, stressor)


def _rounded(part: str) -> str:
    try:
        return f"{float(part):.4g}"
    except ValueError:
        return part


def expected_facts(path: Path) -> set[Fact]:
    """Return the facts of a text, from the YAML file of its name."""
    rows = yaml.load(path.with_suffix(".yaml").read_text(), yaml.BaseLoader)
    return {
        fact(row["sample"], row["key"], row["value"], row.get("side", ""), row.get("stressor", ""))
        for row in rows
        if row["sample"] != "paper"
    }


def drafted_facts(path: Path) -> set[Fact]:
    """Return the values of the paper file that is drafted from a text."""
    document = draft(path.read_text(), paper_id=f"draft{path.stem}").yaml
    return set(_facts(yaml.load(document, yaml.BaseLoader)))


def _facts(paper: dict[str, object]) -> Iterator[Fact]:
    for sample in paper["samples"]:  # type: ignore[attr-defined]
        name = f"{sample['core']}/{sample['shell']}"
        yield from (fact(name, key, sample[key]) for key in UNIT_OF if sample.get(key))
        for test in sample.get("stability") or ():
            stressor = test["stressor"]
            for key in UNIT_OF:
                if test.get(key):
                    yield fact(name, key, test[key], "", stressor)
                for side in ("coated", "bare"):
                    if text := (test.get(side) or {}).get(key):
                        yield fact(name, key, text, side, stressor)


@dataclass
class Score:
    """Counts of one aspect.

    Attributes:
        right: Drafted and right.
        drafted: Drafted.
        expected: In the text.
    """

    right: int = 0
    drafted: int = 0
    expected: int = 0

    @property
    def precision(self) -> float:
        """Share of what is drafted that is right."""
        return self.right / self.drafted if self.drafted else 1.0

    @property
    def recall(self) -> float:
        """Share of what is in the text that is drafted."""
        return self.right / self.expected if self.expected else 1.0


def scores(paths: list[Path]) -> dict[str, Score]:
    """Return the scores of each aspect over some texts."""
    totals = {aspect: Score() for aspect in ASPECTS}
    for path in paths:
        drafted, expected = drafted_facts(path), expected_facts(path)
        for aspect, total in totals.items():
            first, second = (
                {of for one in facts if (of := one.of(aspect)) is not None}
                for facts in (drafted, expected)
            )
            total.right += len(first & second)
            total.drafted += len(first)
            total.expected += len(second)
    return totals


def differences(path: Path) -> Iterator[str]:
    """Yield what is drafted wrongly and what is missing, a line each."""
    drafted, expected = drafted_facts(path), expected_facts(path)
    for sign, facts in (("wrong", drafted - expected), ("missing", expected - drafted)):
        for one in sorted(facts, key=str):
            where = " ".join(filter(None, (one.side, one.stressor)))
            yield f"{path.stem} {sign:8} {one.sample} {one.key} {dict(one.value)} {where}"


def all_texts() -> list[Path]:
    """Return the texts, in order."""
    return sorted(TEXTS.glob("*.txt"))


def main() -> None:
    """Print the table."""
    paths = all_texts()
    groups = {"1-15": paths[:15], "16-30": paths[15:30], "31-": paths[30:], "all": paths}
    head = ("right", "drafted", "expected", "precision", "recall")
    print(f"{'texts':6} {'of':10}", *(f"{name:>9}" for name in head))
    for name, some in groups.items():
        for aspect, score in scores(some).items():
            counts = (score.right, score.drafted, score.expected)
            shares = (f"{share:9.3f}" for share in (score.precision, score.recall))
            print(f"{name:6} {aspect:10}", *(f"{count:9}" for count in counts), *shares)
    if "-v" in sys.argv:
        print("\n".join(line for path in paths for line in differences(path)))


if __name__ == "__main__":
    main()
