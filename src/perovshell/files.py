"""Files that are there whole or not at all, and data as JSON can hold it."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from perovshell.errors import WorkspaceError


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is replaced; cheap, and empty where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a temporary file in the same folder and rename it: the file is complete, or absent."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file with the folders it stands in; return its path. Text ends with a line end.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    text = content if isinstance(content, bytes) else f"{content.removesuffix(chr(10))}\n".encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise WorkspaceError(msg) from error
    return path


def write_json(path: Path, data: Any) -> Path:
    """Write data as JSON, with what it cannot hold as `jsonable` says; see `write_file`."""
    return write_file(path, json.dumps(jsonable(data), indent=1, sort_keys=True, allow_nan=False))


def finite(value: float) -> float | None:
    """Return a number that JSON can hold, None for NaN and infinity."""
    return value if math.isfinite(value) else None


def jsonable(value: Any) -> Any:
    """Return nested data with lists for tuples, text for keys and None for NaN and infinity.

    A dataclass is a mapping of its fields.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    return finite(value) if isinstance(value, float) else value


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written into, before work begins for it.

    The nearest folder that is there is tried, and nothing is left behind.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest, prefix=".probe-"):
            pass
    except OSError as error:
        msg = f"folder {folder}: cannot be written ({error.strerror})"
        raise WorkspaceError(msg) from error
