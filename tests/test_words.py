"""The words of the field: what the project no longer says, anywhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".yaml"}
GENERATED = {"CHANGELOG.md"}
"""The changelog names what was renamed."""
GONE = (
    # Phrases
    "is said to be",
    "stands in the way",
    "come to rest",
    "comes to rest",
    "unlike one another",
    "learned and judged",
    "Learn from it",
    "that both know",
    "they were learned",
    "First stands",
    "traded against",
    "as it must be",
    "Let other machines",
    "nobody answered",
    "rests on:",
    "class speaks for it",
    "answered from the null model",
    "held back",
    # Names
    "energy_ev",
    "Wishes",
    "WISHES",
    "rests_on",
    "above_next",
    "on_front",
    "in_front",
    "plqy_ranked",
    "gain_ranked",
    "half_life_ranked",
    "Harvest",
    "Basket",
    "Finisher",
    "Prospects",
    "Surroundings",
    "carried_scores",
    "step_scores",
    "as_given",
    "records_of",
    "SHELL_PRIOR_PAPERS",
    "WIDENED",
    "_TURNED",
    "_RESTLESS",
    "--again",
    "--novel",
    "--measure-next",
    "--by best",
)
RARE = ("own", "found", "place", "said", "told", "whatever", "beside")
"""Words of a private dialect: right in a sentence, wrong as the name of a thing."""


def texts() -> dict[str, str]:
    files = [ROOT / "README.md", *(ROOT / "src").rglob("*"), *(ROOT / "docs").rglob("*")]
    return {
        str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
        for file in files
        if file.suffix in SUFFIXES and file.name not in GENERATED
    }


@pytest.mark.parametrize("phrase", GONE)
def test_words_that_were_replaced_are_gone(phrase: str) -> None:
    pattern = re.compile(rf"(?<![\w-]){phrase}(?![\w-])")
    places = [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not places


@pytest.mark.parametrize("word", RARE)
def test_words_of_the_dialect_are_rare(word: str) -> None:
    """At most one in 1,000 lines of the package."""
    code = [text for name, text in texts().items() if name.endswith(".py")]
    count = sum(len(re.findall(rf"\b{word}\b", text)) for text in code)
    assert count <= sum(text.count("\n") for text in code) / 1000
