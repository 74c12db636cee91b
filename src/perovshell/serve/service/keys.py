"""API keys: random, kept as hashes only."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perovshell.errors import InputError, WorkspaceError
from perovshell.files import stamp_of, write_output
from perovshell.serve.service.problems import Problem
from perovshell.workspace.folder import WorkspaceFolder

_LOG: Final = logging.getLogger("perovshell.service")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_PREFIX: Final = "pvs_"


@dataclass(frozen=True)
class Keys:
    """The keys that a service takes.

    A key is 256 random bits, so one round of SHA-256 suffices: it cannot be guessed.

    Attributes:
        hashes: SHA-256 of each key, by its name.
    """

    hashes: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read the keys of a file; none where there is no file.

        Raises:
            WorkspaceError: The file is damaged.
        """
        try:
            return cls(_checked(json.loads(path.read_bytes())))
        except FileNotFoundError:
            return cls({})
        except (OSError, TypeError, ValueError) as error:
            msg = f"{path}: cannot be read ({error}); remove it and make new keys"
            raise WorkspaceError(msg) from error

    def name_of(self, key: str) -> str | None:
        """Return the name of a key, or None; in the same time for any key."""
        given = _hash(key)
        match = None
        for name, known in self.hashes.items():
            if hmac.compare_digest(given, known):
                match = name
        return match


class KeyRing:
    """The keys of a running service: those of a file, as it stands now.

    Args:
        path: The file; None needs no key.

    Attributes:
        is_needed: Whether a key is needed: if there was one when the service started. Removing
            the last key does not open the service.

    Raises:
        WorkspaceError: The file is damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._stamp = stamp_of(path) if path else ()
        self._keys = Keys.read(path) if path else Keys({})
        self._fault = ""
        self.is_needed = bool(self._keys.hashes)

    @property
    def are_needed_to_write(self) -> bool:
        """Whether a key is needed to change the workspace: also if the first one is new."""
        return self.is_needed or bool(self._current.hashes)

    def name_of(self, key: str) -> str | None:
        """Return the name of a key, or None where it is no key."""
        return self._current.name_of(key)

    def refuse_without(self, headers: Mapping[str, str]) -> str:
        """Return the name of the key that a request has.

        Raises:
            Problem: It has none of these keys.
        """
        scheme, _, key = headers.get("authorization", "").partition(" ")
        name = self.name_of(key.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            detail = "Send a key as 'Authorization: Bearer KEY'; 'perovshell keys add' makes one."
            raise Problem(401, "key-needed", detail, headers={"www-authenticate": "Bearer"})
        return name

    @property
    def _current(self) -> Keys:
        """The keys of the file as it is now."""
        if self._path and (stamp := stamp_of(self._path)) != self._stamp:
            try:
                self._keys = Keys.read(self._path)
            except WorkspaceError as error:
                # It is read again for the next request: that it may be read now changes no stamp.
                if str(error) != self._fault:
                    _LOG.error(
                        "keys cannot be read, the previous ones stay valid",
                        extra={"fields": {"why": str(error)}},
                    )
                self._fault = str(error)
            else:
                self._stamp, self._fault = stamp, ""
        return self._keys


def add_key(workspace: WorkspaceFolder, name: str) -> str:
    """Make a key and store its hash; return the key, which is shown only once.

    Raises:
        InputError: The name is not allowed or taken.
        WorkspaceError: The workspace is not writable, or its keys are damaged.
    """
    if not _NAME.fullmatch(name):
        msg = f"key {name!r}: a name of letters, digits and . _ -, at most 64, letter first"
        raise InputError(msg)
    with workspace.locked("keys"):
        keys = Keys.read(workspace.keys_file)
        if name in keys.hashes:
            msg = f"key {name!r}: it exists already; remove it first"
            raise InputError(msg)
        key = _PREFIX + secrets.token_urlsafe(32)
        _write(workspace.keys_file, {**keys.hashes, name: _hash(key)})
    return key


def remove_key(workspace: WorkspaceFolder, name: str) -> None:
    """Remove a key.

    Raises:
        InputError: There is none of that name.
        WorkspaceError: The workspace is not writable, or its keys are damaged.
    """
    with workspace.locked("keys"):
        hashes = dict(Keys.read(workspace.keys_file).hashes)
        if hashes.pop(name, None) is None:
            msg = f"key {name!r}: there is none; known: {', '.join(hashes) or 'none'}"
            raise InputError(msg)
        _write(workspace.keys_file, hashes)


def _checked(content: object) -> dict[str, str]:
    # A mapping without hashes would else let everybody in, or nobody.
    if not isinstance(content, dict) or not all(map(_HASH.fullmatch, content.values())):
        msg = "it holds no names with hashes"
        raise TypeError(msg)
    return content


def _write(path: Path, hashes: Mapping[str, str]) -> None:
    write_output(path, (json.dumps(hashes, indent=1) + "\n").encode(), mode=0o600)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
