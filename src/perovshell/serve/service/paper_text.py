"""The mapping of a paper as text with one value a line: the line of a fault leads to its value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from perovshell.errors import Fault

Path: TypeAlias = tuple[int | str, ...]
"""Keys and indexes that lead to a value of a mapping."""


@dataclass
class PaperText:
    """A paper as JSON with one value a line.

    Attributes:
        lines: The lines.
        paths: Where the value of each line is.
    """

    lines: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, paper: Mapping[str, Any]) -> PaperText:
        """Write a paper."""
        written = cls()
        written._add("", paper, (), "")
        return written

    def __str__(self) -> str:
        """Return the text."""
        return "\n".join(self.lines) + "\n"

    def _add(self, head: str, value: Any, path: Path, tail: str = ",") -> None:
        if isinstance(value, list):
            self._line(f"{head}[", path)
            for index, item in enumerate(value):
                self._add("", item, (*path, index))
            self._line(f"]{tail}", path)
        elif isinstance(value, Mapping):
            self._line(f"{head}{{", path)
            for key, inner in value.items():
                self._add(f"{json.dumps(key)}: ", inner, (*path, key))
            self._line(f"}}{tail}", path)
        else:
            self._line(f"{head}{json.dumps(value)}{tail}", path)

    def _line(self, text: str, path: Path) -> None:
        self.lines.append(text)
        self.paths.append(path)

    def path_of(self, fault: Fault) -> Path:
        """Return where a fault is; a key that is missing is in the mapping that lacks it.

        Args:
            fault: A fault of this text.
        """
        path = self.paths[fault.row - 1] if fault.row else ()
        keys = [part for part in path if isinstance(part, str)]
        wanted = fault.column.split(".") if fault.column else []
        return (*path, *wanted[len(keys) :]) if wanted[: len(keys)] == keys else path
