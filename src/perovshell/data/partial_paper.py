"""Papers with faults: what can be read of them, so that the rest is checked in the same round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from perovshell.data.formula import FormulaReader
from perovshell.data.nodes import Node
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_file import paper_reader, whole_name
from perovshell.data.schema import Reader
from perovshell.errors import DocumentError, Fault

_IDENTITIES: Final = frozenset({"sample_id", "name", "bare"})
"""Keys of a sample that can be checked whatever else is missing."""


@dataclass(frozen=True)
class PartialPaper:
    """What was read of one paper.

    Attributes:
        entry: The paper without what is at fault; None where nothing can be read.
        faults: The faults of the document.
        names: The samples that the document names, those that could not be read too.
        incomplete: Lines of samples and tests of which a part is left out.
    """

    entry: PaperEntry | None
    faults: tuple[Fault, ...] = ()
    names: frozenset[str] = frozenset()
    incomplete: frozenset[int] = frozenset()

    def further(self, faults: Iterable[Fault]) -> Iterator[Fault]:
        """Yield the faults of the dataset that are not noted, nor due to what is left out.

        Args:
            faults: The faults of a dataset with the entry.
        """
        known = {(fault.row, fault.column) for fault in self.faults}
        for fault in faults:
            key = fault.column.rpartition(".")[2]
            is_unread = key == "bare" and str(fault.value) in self.names
            is_partial = fault.row in self.incomplete and key not in _IDENTITIES
            if (fault.row, fault.column) not in known and not is_unread and not is_partial:
                yield fault


def read_partly(node: Node, formulas: FormulaReader) -> PartialPaper:
    """Read a paper of YAML, and what can be read of one with faults.

    Args:
        node: The paper.
        formulas: Reads cores and shells.
    """
    try:
        return PartialPaper(paper_reader(formulas).read(node))
    except DocumentError as error:
        faults = {(fault.row, fault.column): fault for fault in error.faults}
    entry, more = _readable(node, paper_reader())
    faults = {**{(fault.row, fault.column): fault for fault in more}, **faults}
    return PartialPaper(
        entry,
        tuple(sorted(faults.values(), key=lambda fault: fault.row)),
        _names(node),
        _incomplete(node, faults.values()),
    )


def _readable(node: Node, reader: Reader[PaperEntry]) -> tuple[PaperEntry | None, list[Fault]]:
    """Return a paper without what is at fault, and its faults; None where it cannot be read."""
    faults: list[Fault] = []
    size = 0
    while size != node.size:
        size = node.size
        try:
            return reader.read(node), faults
        except DocumentError as error:
            # What is missing was left out here: the first reading names what the document lacks.
            faults += [one for one in error.faults if not one.rule.startswith("missing")]
            node = node.without({(fault.row, fault.column) for fault in error.faults})
    return None, faults


def _items(node: Node, key: str) -> Sequence[Node]:
    """Return the items of the list that a mapping has under a key."""
    lists = [value.items for name, value in node.entries or () if name.text == key]
    return (lists[0] or ()) if lists else ()


def _names(node: Node) -> frozenset[str]:
    """Return the identities of all samples that a paper names."""
    paper_id = next((value.text for key, value in node.entries or () if key.text == "paper_id"), "")
    names = {
        str(value.text)
        for sample in _items(node, "samples")
        for key, value in sample.entries or ()
        if key.text in _IDENTITIES - {"bare"}
    }
    return frozenset(names | {whole_name(str(paper_id), name) for name in names})


def _incomplete(node: Node, faults: Iterable[Fault]) -> frozenset[int]:
    """Return the lines of the samples and tests of which some are at fault, but for their tests."""
    spans = [
        one.lines
        for sample in _items(node, "samples")
        for one in (sample, *_items(sample, "stability"))
    ]

    def innermost(line: int) -> range | None:
        return min((span for span in spans if line in span), key=len, default=None)

    wrong = [innermost(fault.row) for fault in faults]
    return frozenset(line for span in wrong if span for line in span if innermost(line) == span)
