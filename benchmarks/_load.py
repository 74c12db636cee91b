"""What the benchmarks and campaigns send, wrk as the generator of the load, and the servers.

The scripts reach this file by a link in their folder.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

CONNECTIONS: Final = 8
PATIENCE: Final = 60.0
"""Seconds that a start or an answer may take."""
_GRACE: Final = 20.0

SHELLS: Final = (
    "SiO2", "ZrO2", "TiO2", "Al2O3", "ZnS", "CdS|Al2O3", "SiO2|PMMA", "PMMA", "PS", "Cs4PbBr6",
    "CsPb2Br5", "ZIF-8", "PVDF", "none",
)  # fmt: skip
STRUCTURES: Final = ("core/shell", "janus", "matrix")
MEDIA: Final = ("solution", "film", "powder", "unknown")
_HALIDE_STEPS, _ION_STEPS = 9973, 997
_CORES: Final = _HALIDE_STEPS * _ION_STEPS
_STRIDE: Final = 7_654_321
"""Has no factor in common with `_CORES`, so that every core comes once."""


# What is sent --------------------------------------------------------------------------------


def core(number: int) -> str:
    """Return the core of a number; all numbers below 9.9 million have different ones."""
    halide, ion = divmod(number * _STRIDE % _CORES, _ION_STEPS)
    cs, br = (ion + 1) / 1000, (halide + 1) / 10_000
    metal = "Pb" if number % 3 else "Pb0.9Sn0.1"
    pair = ("Br", "I") if number % 4 else ("Cl", "Br")
    return f"Cs{cs:g}FA{1 - cs:.3g}{metal}({pair[0]}{br:g}{pair[1]}{1 - br:.4g})3"


def row(number: int) -> dict[str, Any]:
    """Return the row of a number: its core, and shells, structures, media and sizes in turn."""
    shell = SHELLS[number % len(SHELLS)]
    made: dict[str, Any] = {"core": core(number), "shell": shell}
    made["medium"] = MEDIA[number % len(MEDIA)]
    made["structure"] = STRUCTURES[number % len(STRUCTURES)] if shell != "none" else "bare"
    made["core_size_nm"] = 5 + number % 97 / 10
    return made


# The load ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """What a load found.

    Attributes:
        requests: Answered requests.
        seconds: How long it took.
        p50_ms: Time in ms within which half of the requests were answered.
        p99_ms: Time in ms within which 99 % of them were answered.
        max_ms: Time of the slowest in ms.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def wrk(
    url: str, bodies: Iterable[str], *, seconds: int, rows: int = 1, connections: int = CONNECTIONS
) -> Load:
    """Send requests by wrk over some connections, each the next one once it has its answer.

    Args:
        url: Where to, with the path.
        bodies: Their bodies, a line each; more than can be sent in the time.
        seconds: How long.
        rows: Rows of each, which the answers are checked for.
        connections: Number of connections.

    Raises:
        RuntimeError: An answer is wrong or missing, or there are too few bodies.
    """
    script = Path(__file__).with_name("load.lua")
    with NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(f"{body}\n" for body in bodies)
        file.flush()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={PATIENCE:.0f}s",
             "-s", script, url, "--", f"/{url.split('/', 3)[3]}", file.name, str(rows)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        msg = f"wrk: {done.stderr}{done.stdout}"
        raise RuntimeError(msg)
    figures = json.loads(done.stdout.splitlines()[-1])
    if failed := figures.pop("failed"):
        msg = f"{url}: {failed} requests failed; the first: {done.stderr.strip()}"
        raise RuntimeError(msg)
    return Load(**figures)


# The servers ---------------------------------------------------------------------------------


@contextmanager
def running(
    command: Sequence[str], port: int, ready: str, log: Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process group of its own until it is ready, and end it.

    Args:
        command: Its command line.
        port: Where it listens.
        ready: A path that answers 200 when it is ready.
        log: File of its output.
        environment: Further environment variables.

    Raises:
        RuntimeError: It ended, or was not ready in time.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, env={**os.environ, **environment},
        )  # fmt: skip
    try:
        _await(process, port, ready, log)
        yield process
    finally:
        _end(process)


def _await(process: subprocess.Popen[bytes], port: int, ready: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError, HTTPException):
            if get(port, ready)[0] == HTTPStatus.OK:
                return
        time.sleep(0.005)
    end = log.read_text(errors="replace")[-2000:]
    msg = f"{' '.join(process.args)}: not ready (exit code {process.poll()}): {end}"  # type: ignore[arg-type]
    raise RuntimeError(msg)


def get(port: int, path: str) -> tuple[int, bytes]:
    """Return status and body of a page.

    Raises:
        OSError: There is nobody.
    """
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started; it leads a group of its own."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with suppress(ProcessLookupError):  # What outlived it.
        os.killpg(process.pid, signal.SIGKILL)


def memory_mb(leader: int, name: str = "Rss") -> float:
    """Return a figure of the memory of all processes of a group, in MB (Linux).

    Args:
        leader: The process that leads the group.
        name: `Rss`, or `Pss`, in which pages that processes share count once.
    """
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):  # One that ends meanwhile.
            if os.getpgid(int(folder.name)) == leader:
                text = (folder / "smaps_rollup").read_text()
                total += int(text.split(f"\n{name}:")[1].split()[0])
    return total / 1024


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
