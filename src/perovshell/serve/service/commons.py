"""What the workers of one service share: places for heavy work, the rate of clients, counts.

A lock is a record lock on one byte of a file: the system frees those of a process that is killed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import TracebackType
from typing import Final, Self

from perovshell.serve.service.places import Slots
from perovshell.serve.service.rates import Bucket, Buckets, Change

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder that is made there has a random name
"""Where files are kept in memory: a full disk then stops no worker."""


_MOST_BEATS: Final = 2**31


class Commons:
    """What the workers share; made before the first of them.

    Args:
        workers: How many there are.

    Attributes:
        folder: Folder of files that last as long as the service.
        supervisor: Process id of the supervisor, which makes this.
        buckets: Token buckets of the clients.
    """

    def __init__(self, workers: int) -> None:
        place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        self._temporary = TemporaryDirectory(
            prefix="perovshell-", dir=place, ignore_cleanup_errors=True
        )
        self.folder = Path(self._temporary.name)
        # It has no name: only this process and the workers, its copies, can write and read it.
        self._message = TemporaryFile(dir=self.folder)  # noqa: SIM115 - as long as this
        self._locks = _Locks(self.folder / "locks")
        self._processes = _shared_numbers(workers)
        self._connections = _shared_numbers(workers)
        self._beats = _shared_numbers(workers)
        self.supervisor = os.getpid()
        self.buckets = SharedBuckets(self._locks)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the folder."""
        self.remove()

    def remove(self) -> None:
        """Remove the folder."""
        self._temporary.cleanup()

    def put(self, message: bytes) -> None:
        """Leave a message for the workers, in place of the one before.

        Raises:
            OSError: There is no room for it.
        """
        self._message.seek(0)
        self._message.truncate()
        self._message.write(message)
        self._message.flush()

    def get(self) -> bytes:
        """Return the message that the supervisor left."""
        file = self._message.fileno()
        return os.pread(file, os.fstat(file).st_size, 0)

    def slots(self, number: int) -> Slots:
        """Make slots that the workers share; each must be made before the first worker."""
        return _SharedSlots(number, self._locks)

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers that live."""
        return [process for process in self._processes if process]

    def note(self, worker: int, process: int) -> None:
        """Note the process of a worker; 0 where it has none."""
        self._processes[worker] = process
        self._connections[worker] = 0

    def beat(self, worker: int) -> None:
        """Count that a worker can answer."""
        self._beats[worker] = (self._beats[worker] + 1) % _MOST_BEATS

    def beats(self, worker: int) -> int:
        """Return how often a worker has counted."""
        return self._beats[worker]

    def note_connections(self, worker: int, count: int) -> int:
        """Note the connections of a worker; return the fewest that one has."""
        self._connections[worker] = count
        both = zip(self._processes, self._connections, strict=True)
        return min((connections for process, connections in both if process), default=count)


def _shared_numbers(count: int) -> memoryview[int]:
    """Return numbers that the processes share, all 0."""
    return memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("i")[:count]


class _Locks:
    """Locks of some processes, which are freed where a process ends.

    A lock keeps out other processes, not the same one.

    Args:
        path: A file for them.
    """

    def __init__(self, path: Path) -> None:
        # Never closed: where a process closes the file, all its locks are freed.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._numbers = count()

    def new(self, number: int) -> list[int]:
        """Return the numbers of new locks."""
        return [next(self._numbers) for _ in range(number)]

    def take(self, lock: int, *, wait: bool) -> bool:
        """Take a lock; return whether it was free."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, lock)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def free(self, lock: int) -> None:
        """Free a lock."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, lock)


class _SharedSlots(Slots):
    """Slots that are free where no process has them."""

    def __init__(self, number: int, locks: _Locks) -> None:
        super().__init__(number)
        self._locks = locks
        self._numbers = locks.new(number)

    def _take(self, number: int) -> bool:
        return self._locks.take(self._numbers[number], wait=False)

    def _give_back(self, number: int) -> None:
        self._locks.free(self._numbers[number])


class SharedBuckets(Buckets):
    """Token buckets of clients in a table that processes share.

    A client is in one of the rows of its group; where all are taken, the client of the group that
    was seen least recently is forgotten.

    Args:
        locks: The locks of the processes.
    """

    _GROUPS: Final = 2048
    _ROWS: Final = 8
    _ROW: Final = struct.Struct("qdd")  # hash of the client, tokens left, when

    def __init__(self, locks: _Locks) -> None:
        self._table = mmap.mmap(-1, self._GROUPS * self._ROWS * self._ROW.size)
        self._locks = locks
        self._group_locks = locks.new(self._GROUPS)

    def exchange(self, client: str, change: Change) -> float:
        """Change the bucket of a client; see `Buckets`."""
        name = hash(client) or 1  # Alike in all workers: they are copies of one process.
        group = name % self._GROUPS
        self._locks.take(self._group_locks[group], wait=True)
        try:
            size = self._ROW.size
            first = group * self._ROWS * size
            rows = range(first, first + self._ROWS * size, size)
            known = {place: self._ROW.unpack_from(self._table, place) for place in rows}
            place = min(rows, key=lambda place: (known[place][0] != name, known[place][2]))
            is_known = known[place][0] == name
            bucket, answer = change(Bucket(*known[place][1:]) if is_known else None)
            self._ROW.pack_into(self._table, place, name, bucket.left, bucket.last)
            return answer
        finally:
            self._locks.free(self._group_locks[group])
