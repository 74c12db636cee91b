"""The errors Perovshell raises. Each message says who, what was given and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from perovshell.texts import counted, excerpt


class PerovshellError(Exception):
    """Base of every error that Perovshell raises on purpose."""


class PerovshellWarning(UserWarning):
    """Something is left out, and all else goes on."""


class InputError(PerovshellError, ValueError):
    """A file, a row or a request is invalid."""


class UnchangedError(InputError):
    """All papers of a file are in the workspace already, word for word.

    Attributes:
        papers: Their names.
    """

    def __init__(self, source: str, papers: tuple[str, ...]) -> None:
        """Name the papers."""
        self.papers = papers
        super().__init__(f"{source}: in the workspace already, word for word: {', '.join(papers)}")


class FormulaError(InputError):
    """A core or a shell cannot be read as one definite composition."""


class DesignSpaceError(InputError):
    """A design space is empty, contradictory or not readable."""


class ModelFolderError(PerovshellError):
    """A model folder is damaged, foreign or of a newer format."""


class OutdatedModelError(ModelFolderError):
    """A model was written by an older Perovshell than this one reads; training replaces it."""


class WorkspaceError(PerovshellError):
    """A workspace cannot be used: not writable, or without a champion."""


class UntoldError(WorkspaceError):
    """The registry cannot be told of a promotion that was made without it: a person decides."""


class FitError(PerovshellError):
    """A fit did not converge within its iterations."""


class TrackingError(PerovshellError):
    """The tracking server cannot be reached or refused, or has no such model."""


class ClusterError(PerovshellError):
    """A cluster cannot be reached, has no workers, or failed."""


class ServiceError(PerovshellError):
    """The prediction service cannot start, cannot be reached by a client, or refuses a request.

    Attributes:
        status: HTTP status of its answer; None where there is none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        """Keep the status."""
        super().__init__(message)
        self.status = status


class LeakError(PerovshellError):
    """A model knows what it is tested on."""


class BacktestLeakError(LeakError):
    """A model of a backtest knows what it is tested on."""


class MissingExtraError(PerovshellError, ImportError):
    """A part of Perovshell needs packages of an extra that is not installed."""


def line_text(file: str, line: int) -> str:
    """Return what messages call a line of a file: `row 3` of a table, else `line 3`."""
    return f"{'row' if file.endswith('.csv') else 'line'} {line}"


@dataclass(frozen=True)
class Fault:
    """One fault of a table or a document.

    Attributes:
        file: Name of the file.
        row: Line in the file, counting the header of a table as 1; 0 for the file as a whole.
        column: Column of a table or key of a document, or an empty string.
        value: The value; None if there is none.
        rule: What is allowed.
    """

    file: str
    row: int
    column: str
    value: object
    rule: str

    def __str__(self) -> str:
        """Return where, what was given and what is allowed, on one line."""
        where = self.file
        if self.row:
            where += f", {line_text(self.file, self.row)}"
        if self.column:
            where += f", {'column' if self.file.endswith('.csv') else 'key'} {self.column}"
        value = excerpt(self.value) if isinstance(self.value, str) else self.value
        given = f": {value!r}" if self.column and value is not None else ""
        return f"{where}{given}: {self.rule}"


class DocumentError(InputError):
    """A document breaks its declaration; carries every fault of it.

    Attributes:
        faults: All faults, in the order of the lines.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Collect the faults into one message, a line each."""
        self.faults = tuple(sorted(faults, key=lambda fault: fault.row))
        super().__init__("\n".join(map(str, self.faults)))


class DatasetError(DocumentError):
    """A dataset breaks its rules; carries all faults.

    Attributes:
        faults: All faults, in the order of the files.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Collect the faults into one message, a line each."""
        self.faults = tuple(faults)
        files = {fault.file for fault in self.faults}
        where = (
            "the dataset" if any(".csv" in file for file in files) else " and ".join(sorted(files))
        )
        count = f"{counted(len(self.faults), 'fault')} in {where}"
        InputError.__init__(self, "\n".join([count, *(f"  {fault}" for fault in self.faults)]))
