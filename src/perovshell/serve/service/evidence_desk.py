"""The evidence of the workspace: what papers measured, those that were just added included."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.evidence import forest_plot
from perovshell.evidence.citations import citations_of
from perovshell.evidence.drawing import svg_page
from perovshell.evidence.pictures import PICTURES, NothingToPlotError, pictures
from perovshell.evidence.query import EvidenceQuery
from perovshell.evidence.table import EvidenceTable
from perovshell.files import stamp_of
from perovshell.serve.service.problems import Problem
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.materials import MaterialStore
from perovshell.workspace.papers import PaperStore

_KEPT: Final = 64
"""Answers that are remembered."""
_NARROW_PX: Final = 600
"""Width of a plot that has no layout for a phone; its texts would overlap below it."""
Answer = TypeVar("Answer")


def _plots(table: EvidenceTable) -> list[str]:
    """Return the plots that have something to show."""
    return [show for show, plots_of in PICTURES.items() if plots_of(table)]


def _narrowed(plots: Sequence[Any]) -> list[Any]:
    """Return plots as they are drawn for a phone."""
    return [
        # What is asked stands beside it; there is no room for it in the title.
        replace(plot, layout=forest_plot.NARROW, title=plot.title.partition(": ")[0])
        if isinstance(plot, forest_plot.ForestPlot)
        else replace(plot, width=_NARROW_PX)
        for plot in plots
    ]


class EvidenceDesk:
    """Answers queries of the literature.

    Args:
        workspace: The workspace whose papers join the bundled ones.
    """

    def __init__(self, workspace: WorkspaceFolder) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._tables: OrderedDict[tuple[Any, ...], EvidenceTable] = OrderedDict()
        self._dataset: Dataset | None = None

    def json(self, words: dict[str, Any]) -> dict[str, Any]:
        """Return the tests, the samples and the pooled values of a query, and which plots it has.

        Raises:
            Problem: The query has a word that is not known.
        """
        return self._answer(words, lambda table: {**table.to_json(), "plots": _plots(table)})

    def table(self) -> EvidenceTable:
        """Return what papers measured of all cores and shells."""
        with self._lock:
            return self._table({})

    def svg(self, words: dict[str, Any], show: str, *, is_narrow: bool = False) -> str:
        """Return the plots of a query.

        Args:
            words: The query.
            show: One of `pictures.PICTURES`.
            is_narrow: Whether they are drawn for a phone.

        Raises:
            Problem: The query has a word that is not known, or there is nothing to plot.
        """

        def draw(table: EvidenceTable) -> str:
            plots = pictures(table, show)
            return svg_page(_narrowed(plots) if is_narrow else plots)

        return self._answer(words, draw)

    def citations(self, words: dict[str, Any], form: str) -> str:
        """Return the papers behind a query as citations.

        Raises:
            Problem: The query has a word that is not known.
        """
        return self._answer(words, lambda table: table.citations(form))

    def cited(self, names: Sequence[str], form: str) -> str:
        """Return papers as citations, each once, in the order of their names.

        Args:
            names: Their DOIs or ids.
            form: One of `citations.FORMATS`.

        Raises:
            Problem: A paper is not in the data, or the materials of the workspace cannot be read.
        """
        try:
            with self._lock:
                papers = self._in_use().papers.values()
            return citations_of(papers, names, form)
        except InputError as error:
            raise Problem(422, "invalid-request", str(error)) from error

    def _answer(self, words: dict[str, Any], make: Callable[[EvidenceTable], Answer]) -> Answer:
        with self._lock:
            try:
                return make(self._table(words))
            except NothingToPlotError as error:
                raise Problem(404, "not-found", str(error)) from error
            except InputError as error:
                raise Problem(422, "invalid-request", str(error)) from error

    def _table(self, words: dict[str, Any]) -> EvidenceTable:
        dataset = self._in_use()
        key = tuple(sorted(words.items()))
        if key not in self._tables:
            self._tables[key] = EvidenceTable(dataset, EvidenceQuery.read(dataset.reader, **words))
            if len(self._tables) > _KEPT:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return self._tables[key]

    def _in_use(self) -> Dataset:
        """Return the dataset in use; it is read again when papers or materials change."""
        stamp = self._stamps()
        if self._dataset is None or stamp != self._stamp:
            base = self._bundled.with_materials(MaterialStore(self._workspace).read())
            self._dataset = PaperStore(self._workspace).merged(base).dataset
            self._stamp = stamp
            self._tables.clear()
        return self._dataset

    @cached_property
    def _bundled(self) -> Dataset:
        return Dataset.bundled()

    def _stamps(self) -> list[tuple[str, tuple[int, ...]]]:
        root = self._workspace.root
        folders: tuple[Path, ...] = (root / "papers", root / "materials")
        files = [path for folder in folders if folder.is_dir() for path in folder.rglob("*")]
        return sorted((str(path), stamp_of(path)) for path in files if path.is_file())
