"""Papers over HTTP: drafted from a text, checked, and added to the workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, Final, ParamSpec, TypeVar

from perovshell.data.dataset import Dataset
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_fields import key_path
from perovshell.data.paper_writing import mapping_to_yaml
from perovshell.drafting.draft import draft
from perovshell.errors import (
    DocumentError,
    InputError,
    UnchangedError,
    WorkspaceError,
)
from perovshell.intake.adding import IN_THE_DATA, SOURCE, Proposal, accept, propose
from perovshell.intake.checks import Check
from perovshell.serve.service import limits
from perovshell.serve.service.paper_text import PaperText, Path
from perovshell.serve.service.places import MakeSlots, Places, Slots
from perovshell.serve.service.problems import Problem, pointer, writable
from perovshell.serve.service.source import Champion
from perovshell.workspace.materials import MaterialStore
from perovshell.workspace.papers import PaperStore

_NEXT: Final = "The model does not know the paper until it is trained: run 'perovshell retrain'."
P = ParamSpec("P")
T = TypeVar("T")
Paper = Mapping[str, Any]


class Turns:
    """Runs work on papers in a thread, a little at a time: predictions do not wait for it.

    Args:
        slots: Makes the slots of its places.
    """

    def __init__(self, slots: MakeSlots = Slots) -> None:
        self._places = Places(limits.PAPERS, limits.PAPERS_WAITING, slots)

    async def run(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Run some work when it has its turn.

        Raises:
            Problem: Too many wait.
        """
        most = limits.PAPERS + limits.PAPERS_WAITING
        async with self._places.one(f"{most} papers are checked or wait.", 2):
            return await asyncio.to_thread(work, *args, **options)


class PaperDesk:
    """Drafts and checks papers, and adds them to the workspace.

    Args:
        champion: Holds the model that new values are compared with, and the workspace.
    """

    def __init__(self, champion: Champion) -> None:
        self._champion = champion
        self._workspace = champion.source.workspace

    def draft(self, text: str) -> dict[str, Any]:
        """Draft a paper from a text.

        Raises:
            Problem: The materials of the workspace cannot be read.
        """
        drafted = draft(text, formulas=self._base().reader)
        return {**drafted.to_json(), "yaml": drafted.yaml}

    def check(self, paper: Paper, *, replace: bool) -> dict[str, Any]:
        """Return the faults of a paper, how it is understood, and what is asked.

        Raises:
            Problem: The paper is too large, or the materials of the workspace cannot be read.
        """
        text = _text_of(paper)
        answer: dict[str, Any] = {
            "faults": [],
            "understood": [],
            "questions": [],
            "changes": [],
            "unchanged": [],
            "yaml": writable(mapping_to_yaml(paper)),
        }
        try:
            proposal = self._proposal(text, self._base(), replace=replace)
        except UnchangedError as error:
            return answer | {"unchanged": list(error.papers)}
        except InputError as error:
            faults = [
                {"pointer": _pointer(path), "detail": detail}
                for path, detail in _faults(error, text)
            ]
            return answer | {"faults": faults}
        return answer | {
            "understood": [writable(line) for line in proposal.lines()],
            "questions": _questions(proposal),
            "changes": [writable(line) for line in proposal.changes],
        }

    def add(self, paper: Paper, *, accept_outliers: bool, replace: bool) -> dict[str, Any]:
        """Add a paper to the workspace.

        Raises:
            Problem: It has faults or values that need an explicit acceptance, is there already,
                or the workspace cannot be written.
        """
        if self._champion.source.given is not None:
            detail = (
                "This service serves a model folder and not a workspace, so it adds no papers; "
                "use 'perovshell add', or serve the workspace."
            )
            raise Problem(409, "no-workspace", detail)
        text, base = _text_of(paper), self._base()
        try:
            proposal = self._proposal(text, base, replace=replace)
        except UnchangedError as error:
            raise Problem(409, "paper-exists", str(error)) from error
        except InputError as error:
            raise _refusal(error, text) from error
        if proposal.outliers and not accept_outliers:
            raise _outliers(proposal)
        self._accept(proposal, text, base, replace=replace)
        dataset = PaperStore(self._workspace).merged(self._base()).dataset
        return {
            "paper_id": proposal.entries[0].paper_id,
            "understood": [writable(line) for line in proposal.lines()],
            "dataset": {**dataset.counts, "hash": dataset.content_hash},
            "next": _NEXT,
            "yaml": writable(mapping_to_yaml(paper)),
        }

    def _accept(self, proposal: Proposal, text: PaperText, base: Dataset, *, replace: bool) -> None:
        """Write a proposed paper; somebody else may have added it since it was read."""
        try:
            accept(proposal, self._workspace, base, replace=replace)
        except DocumentError as error:
            raise _refusal(error, text) from error
        except InputError as error:
            raise Problem(409, "paper-exists", _words(str(error))) from error
        except WorkspaceError as error:
            raise Problem(409, "no-workspace", str(error)) from error

    @cached_property
    def _bundled(self) -> Dataset:
        return Dataset.bundled()

    def _base(self) -> Dataset:
        """Return the dataset that papers are added to, with the materials as they are now."""
        try:
            return self._bundled.with_materials(MaterialStore(self._workspace).read())
        except InputError as error:
            raise Problem(409, "no-workspace", str(error)) from error

    def _proposal(self, text: PaperText, base: Dataset, *, replace: bool) -> Proposal:
        predictor = self._champion.served.model.predictor
        return propose(str(text), self._workspace, base, predictor, replace=replace)


def _text_of(paper: Paper) -> PaperText:
    """Return a paper as text.

    Raises:
        Problem: It is too large.
    """
    text = PaperText.of(paper)
    length = len(str(text))
    if length > limits.PAPER_TEXT:
        detail = f"{length} characters of a paper; at most {limits.PAPER_TEXT} are read"
        raise Problem(413, "body-too-large", detail)
    return text


def _pointer(path: Sequence[int | str]) -> str:
    """Return a path in a paper as a JSON pointer."""
    return pointer(path).removeprefix("#")


def _words(rule: str) -> str:
    """Return a rule with the names of this interface."""
    return writable(rule.replace("replace=True", '"replace": true'))


def _faults(error: InputError, text: PaperText) -> list[tuple[Path, str]]:
    """Return where each fault of a paper is, and what is allowed there.

    A paper may also break a rule together with another one, whose file is then named.
    """
    if not isinstance(error, DocumentError):
        return [((), _words(str(error)))]
    return [
        (text.path_of(fault), _words(fault.rule)) if fault.file == SOURCE else ((), str(fault))
        for fault in error.faults
    ]


def _refusal(error: InputError, text: PaperText) -> Problem:
    """Return the problem of a paper with faults."""
    faults = [
        {"pointer": pointer(("paper", *path)), "detail": detail}
        for path, detail in _faults(error, text)
    ]
    first = f"{faults[0]['pointer']}: {faults[0]['detail']}"
    more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
    rules = [fault.rule for fault in getattr(error, "faults", ())]
    status, kind = (409, "paper-exists") if IN_THE_DATA in rules else (422, "invalid-request")
    return Problem(status, kind, f"{first}{more}", faults=faults)


def _outliers(proposal: Proposal) -> Problem:
    """Return the problem of values that need an explicit acceptance."""
    questions = [one for one in _questions(proposal) if one["is_outlier"]]
    more = f", and {len(questions) - 1} more" if len(questions) > 1 else ""
    first = writable(str(proposal.outliers[0]))
    detail = f'nothing is added; correct it, or send "accept_outliers": true: {first}{more}'
    return Problem(422, "outliers", detail, questions=questions)


def _questions(proposal: Proposal) -> list[dict[str, Any]]:
    """Return what a person should look at, each with the JSON pointer of its value."""
    entries = {entry.paper_id: entry for entry in proposal.entries}
    return [
        {
            **{
                key: writable(text) if isinstance(text, str) else text
                for key, text in asdict(check).items()
            },
            "pointer": _pointer(_path_of(check, entries[each.paper_id])),
        }
        for each in proposal.reviews
        for check in each.checks
    ]


def _path_of(check: Check, entry: PaperEntry) -> Path:
    """Return where the value of a check is in the mapping of its paper."""
    column, _, stressor = check.column.removesuffix(")").partition(" (")
    names = [row["sample_id"] for row in entry.samples]
    if check.sample_id not in names:
        return (column,)
    sample = ("samples", names.index(check.sample_id))
    if not stressor:
        return (*sample, key_path("samples.csv", column).rpartition(".")[2])
    tests = [row for row in entry.tests if row["sample_id"] == check.sample_id]
    number = next(k for k, row in enumerate(tests) if row["stressor"] == stressor)
    keys = key_path("stability.csv", column).split(".")[2:]
    return (*sample, "stability", number, *keys)
