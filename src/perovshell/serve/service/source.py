"""The served model, and its replacement while requests arrive."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, Final, Self, TypeAlias

from perovshell.errors import PerovshellError
from perovshell.files import stamp_of
from perovshell.model import Model, load
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.materials import MaterialStore

_LOG: Final = logging.getLogger("perovshell.service")
Stamp: TypeAlias = tuple[tuple[int, ...], ...]
_WARMING: Final = {"core": "CsPbBr3", "shell": "SiO2"}


@dataclass(frozen=True, eq=False)
class Served:
    """A served model; each answer is made by one of these.

    Attributes:
        model: The model, warm.
        version: Its version in the model registry, where it is known.
    """

    model: Model
    version: str | None

    def warmed(self) -> Self:
        """Make the first prediction, which fills what is computed once."""
        self.model.answer([_WARMING])
        self.model.explain(_WARMING)
        return self

    @property
    def named(self) -> dict[str, str | None]:
        """Model id and dataset hash, as in every answer."""
        info = self.model.info
        return {"id": info.model_id, "version": self.version, "dataset_hash": info.dataset["hash"]}

    @cached_property
    def materials(self) -> str:
        """What changes with the shells and ions that it reads."""
        reader = self.model.predictor.featurizer.reader
        content = json.dumps([reader.shells.shell_rows, reader.ions.rows])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    @property
    def etag(self) -> str:
        """Entity tag of what depends on the model, its materials and this software alone."""
        model_id, software = self.model.info.model_id, version("perovshell")
        return f'"{model_id}-{self.version or 0}-{self.materials}-{software}"'


@dataclass(frozen=True)
class Source:
    """Where the model comes from.

    Attributes:
        workspace: The workspace whose champion is served.
        given: A model folder or an MLflow URI that is served instead, and never changes.
    """

    workspace: WorkspaceFolder
    given: str | None = None

    def load(self) -> Served:
        """Load the model and warm it.

        Raises:
            PerovshellError: There is no model, or it is damaged or of another format.
        """
        if self.given is None:
            model_id = self.workspace.champion().name
            version = self.workspace.version_of(model_id)
            model = Model.from_folder(self.workspace.models / model_id)
        else:
            model, version = load(self.given, workspace=self.workspace.root), None
        return Served(model, version).warmed()

    @property
    def stamp(self) -> Stamp:
        """What changes with the champion and the materials of the workspace; cheap to ask for."""
        if self.given is not None:
            return ()
        store = MaterialStore(self.workspace)
        return tuple(map(stamp_of, (self.workspace.promotions_file, *store.paths)))


def settle() -> None:
    """Leave what is loaded out of later garbage collections.

    Looking through a model and the libraries takes 50 ms, during which nobody is answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class Champion:
    """Holds the model that is served.

    Args:
        source: Where it comes from.

    Attributes:
        fault: Why a newer champion cannot be served; empty where nothing is wrong.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.fault = ""
        self._stamp: Stamp = ()
        self._served: Served | None = None

    def open(self) -> None:
        """Load the first model, where that is not done yet.

        Raises:
            PerovshellError: There is no model, or it is damaged or of another format.
        """
        if self._served is None:
            self._stamp = self.source.stamp
            self._served = self.source.load()

    @property
    def served(self) -> Served:
        """The model that is served now."""
        if self._served is None:
            msg = "the service has no model before it is opened"
            raise RuntimeError(msg)
        return self._served

    async def watch(self, seconds: float) -> None:
        """Look for another champion and for other materials now and again, for ever."""
        while True:
            await asyncio.sleep(seconds)
            if not self.is_behind:
                continue
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - such as that no thread can start
                self.refuse(error)

    @property
    def is_behind(self) -> bool:
        """Whether there may be another champion, or other materials; cheap to ask for."""
        return bool(self.fault) or self.source.stamp != self._stamp

    async def refresh(self) -> None:
        """Load the champion, then replace the served model; a broken one changes nothing."""
        served = await asyncio.to_thread(self.load_next)
        if served is not None:
            self.announce(self.take(served))
            settle()  # The old model, which nothing refers to any more, is collected.

    def load_next(self) -> Served | None:
        """Load the champion, and return it; None, and the fault is kept, where it is broken."""
        stamp = self.source.stamp
        try:
            served = self.source.load()
        except Exception as error:  # noqa: BLE001 - the old model stays for any fault
            self.refuse(error)
            return None
        self._stamp = stamp
        return served

    def take(self, served: Served) -> Served:
        """Serve another model from now on; return the one before."""
        before, self._served, self.fault = self.served, served, ""
        return before

    def announce(self, before: Served) -> None:
        """Log what has changed since another model was served, if anything has."""
        if before.etag != self.served.etag:
            what = "materials" if before.named == self.served.named else "model"
            fields = {"from": before.named, "to": self.served.named}
            _LOG.info(f"{what} changed", extra={"fields": fields})

    def refuse(self, error: Exception) -> None:
        """Keep the model, since a newer one cannot be served."""
        fault = str(error) if isinstance(error, PerovshellError) else repr(error)
        if fault != self.fault:
            fields: dict[str, Any] = {"fault": fault, "serving": self.served.named}
            _LOG.error("new champion cannot be served, the old one stays", extra={"fields": fields})
        self.fault = fault
