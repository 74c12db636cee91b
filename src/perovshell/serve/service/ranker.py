"""Rankings in a separate process, so that single predictions stay fast."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request

from perovshell.serve.service import limits
from perovshell.serve.service.places import MakeSlots, Places, Slots
from perovshell.serve.service.problems import Problem, busy
from perovshell.serve.service.source import Served

_LOG: Final = logging.getLogger("perovshell.service")
_WORKER: Final = "perovshell.serve.service.rank_worker"
_LOOK_SECONDS: Final = 0.2
"""How often it is looked whether the client is still there."""


class ClientLeftError(Exception):
    """The client closed the connection before its answer was there."""


class Ranker:
    """Runs rankings, a few at a time; the others wait, and too many are sent away.

    Args:
        slots: Makes the slots of its places.
    """

    def __init__(self, slots: MakeSlots = Slots) -> None:
        self._places = Places(limits.RANKINGS, limits.RANKINGS_WAITING, slots)

    async def rank(self, served: Served, asked: dict[str, Any], request: Request) -> Any:
        """Rank a design space.

        Args:
            served: The model.
            asked: What `rank_worker` reads from its input, but for the model folder.
            request: Whose client is watched: where it leaves, the ranking ends.

        Returns:
            The output of the worker.

        Raises:
            Problem: Too many wait, the space is not allowed, or it took too long.
            ClientLeftError: Nobody waits for the answer any more.
        """
        return await self._while_wanted(self._run(served, asked), request)

    async def _while_wanted(self, work: Any, request: Request) -> Any:
        """Await some work, unless the client leaves."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_LOOK_SECONDS)
                if not task.done() and await request.is_disconnected():
                    raise ClientLeftError
            return task.result()
        finally:
            task.cancel()

    async def _run(self, served: Served, asked: dict[str, Any]) -> Any:
        most = limits.RANKINGS + limits.RANKINGS_WAITING
        async with self._places.one(f"{most} rankings are running or waiting.", 5):
            job = {**asked, "folder": str(served.model.folder)}
            answer = await self._output(json.dumps(job).encode())
        if answer["kind"] != "ranking":
            raise Problem(422, answer["kind"], answer["detail"])
        return answer["ranking"]

    async def _output(self, asked: bytes) -> Any:
        pipe = asyncio.subprocess.PIPE
        # -P: a file of the current folder, such as csv.py, is not taken for a module.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", _WORKER, stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(limits.RANK_SECONDS):
                output, fault = await process.communicate(asked)
        except TimeoutError as error:
            detail = f"The ranking took more than {limits.RANK_SECONDS:g} s; take a smaller space."
            raise busy(detail, 60) from error
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if process.returncode:
            fields = {"code": process.returncode, "stderr": fault.decode(errors="replace")[-2000:]}
            _LOG.error("ranking failed", extra={"fields": fields})
            raise Problem(500, "failed", "The ranking failed; the log tells why.")
        return json.loads(output)
