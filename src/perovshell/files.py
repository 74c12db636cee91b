"""Files that are complete or absent, outputs at the paths of users, and data as JSON holds it."""

from __future__ import annotations

import errno
import glob
import json
import math
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Final

from perovshell.errors import InputError, WorkspaceError

if sys.platform != "win32":
    import fcntl

_NOT_REPLACEABLE: Final = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY}
"""The folder is read-only, the owner cannot be kept, or the file is mounted by itself."""

_MARK: Final = "[a-f]" + 7 * "[0-9a-f]"
"""What the name of a file in the making ends with."""


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is replaced; cheap, and empty where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def write_atomically(
    path: Path, content: bytes, mode: int = 0o666, like: os.stat_result | None = None
) -> None:
    """Write a temporary file in the same folder and rename it: the file is complete, or absent.

    Args:
        path: The file; a link of that name is replaced.
        content: What it holds.
        mode: Its mode, of which the umask takes its part.
        like: A file whose owner, group and mode it gets instead.

    Raises:
        OSError: It cannot be written, or cannot have that owner.
    """
    with _naming(path), _half_written(path, 0o600 if like else mode) as (temporary, handle):
        # Closed first where open files cannot be renamed.
        with os.fdopen(handle, "wb", closefd=sys.platform == "win32") as file:
            if like is not None:
                _make_alike(handle, like)
            file.write(content)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error name a file: that of a full disk names none."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def _half_written(path: Path, mode: int) -> Iterator[tuple[Path, int]]:
    """Yield a new hidden file beside another and its descriptor; those of killed processes go."""
    # A name may have 255 bytes, and a letter up to four.
    start = f".{path.name[:50]}-"
    for other in path.parent.glob(glob.escape(start) + _MARK):
        remove_abandoned(other)
    while True:
        # It begins with a letter, which no date does that somebody else puts there.
        mark = secrets.choice("abcdef") + secrets.token_hex(4)[1:]
        temporary = path.with_name(f"{start}{mark}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            if _is_held(handle):
                yield temporary, handle
                return
        finally:
            temporary.unlink(missing_ok=True)
            with suppress(OSError):
                os.close(handle)


@contextmanager
def hidden_folder(parent: Path) -> Iterator[Path]:
    """Make a folder to write a model into, and remove what is left of it at the end."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=".writing-"))
        handle = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
        try:
            if handle is None or _is_held(handle):
                yield folder
                return
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if handle is not None:
                os.close(handle)


def _is_held(handle: int) -> bool:
    """Hold what was just made for as long as it is open; whether nobody has removed it yet.

    A killed process lets go, so that others need no clock to tell what is abandoned. Where the
    system or the file system knows no such locks, nothing is removed.
    """
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
    return os.fstat(handle).st_nlink > 0


def remove_abandoned(path: Path) -> None:
    """Remove a hidden file or folder, unless a process is still writing it."""
    if sys.platform == "win32":
        return
    # Whoever is at it removes it, or gives it its name, at any moment.
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        finally:
            os.close(handle)


def _make_alike(handle: int, like: os.stat_result) -> None:
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(handle, like.st_uid, like.st_gid)
    os.fchmod(handle, stat.S_IMODE(like.st_mode))


def write_output(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write what a user asked for where the path leads to.

    Links are followed. Pipes, devices and open descriptors such as /dev/stdout are written into. A
    plain file keeps its owner and its mode and is replaced in one step; one that has several names
    (hard links), or that cannot be replaced so, is overwritten, and an error on the way leaves it
    incomplete.

    Args:
        path: Where to.
        content: What is written.
        mode: Mode of a new file, of which the umask takes its part.

    Raises:
        OSError: It cannot be written.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        write_atomically(Path(os.path.realpath(path)), content, mode)
        return
    descriptor = descriptor_of(path)
    if descriptor is not None:
        sys.stdout.flush()
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.write(content)
    elif stat.S_ISREG(status.st_mode):
        _write_plain(Path(os.path.realpath(path)), content, status)
    else:
        with path.open("wb") as stream:
            stream.write(content)


def _write_plain(path: Path, content: bytes, status: os.stat_result) -> None:
    # A file that is protected stays as it is.
    with os.fdopen(os.open(path, os.O_WRONLY), "wb") as file:
        if status.st_nlink == 1:
            try:
                write_atomically(path, content, like=status)
            except OSError as error:
                if error.errno not in _NOT_REPLACEABLE:
                    raise
            else:
                return
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def descriptor_of(path: Path) -> int | None:
    """Return the open descriptor of this process that a path names, such as 1 for /dev/stdout."""
    named = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", str(path))
    if named:
        return int(named[1])
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
    return None


def refuse_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output file that is an input or cannot be made, before work begins for it.

    Args:
        path: The output.
        inputs: Files that are read, and folders of such files.

    Raises:
        InputError: It is one of the inputs, under whatever name.
        WorkspaceError: It is not there, and its folder is not writable.
    """
    if not path.exists():
        refuse_unwritable(Path(os.path.realpath(path)).parent)
    if not path.is_file():
        return
    for source in inputs:
        files = source.iterdir() if source.is_dir() else [source]
        if any(file.is_file() and file.samefile(path) for file in files):
            msg = f"{path}: is an input ({source}) and would be overwritten; choose another output"
            raise InputError(msg)


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file and the folders above it, as `write_output`; text ends with a line end.

    Returns:
        The path.

    Raises:
        WorkspaceError: It cannot be written.
    """
    text = content if isinstance(content, bytes) else f"{content.removesuffix(chr(10))}\n".encode()
    try:
        Path(os.path.realpath(path.parent)).mkdir(parents=True, exist_ok=True)
        write_output(path, text)
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
        msg = f"folder {folder}: cannot be written ({error.strerror}); choose another folder"
        raise WorkspaceError(msg) from error
