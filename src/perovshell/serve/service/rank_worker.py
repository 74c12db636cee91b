"""The process that ranks one design space for the service: JSON in, JSON out.

The JSON of Python's own library: a space may hold numbers and texts that orjson does not write.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from perovshell.errors import DesignSpaceError, InputError
from perovshell.model import Model
from perovshell.serve.ranking import ranking as ranks
from perovshell.serve.ranking.results import Ranking
from perovshell.serve.report import tables
from perovshell.serve.service import limits
from perovshell.serve.space.file import read_space
from perovshell.serve.space.preset import presets
from perovshell.serve.space.space import DesignSpace
from perovshell.workspace.folder import WorkspaceFolder

_NICENESS: Final = 10
_TASK: Final = 200_000
"""Combinations between two looks at whether the service is still there."""


def main() -> None:
    """Read the job from the input, and write the ranking to the output."""
    service = os.getppid()
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # A terminal sends it to all its processes.
    asked = json.loads(sys.stdin.buffer.read())

    def advance(_: object) -> None:
        if os.getppid() != service:
            sys.exit(1)

    sys.stdout.buffer.write(json.dumps(_answer(asked, advance), allow_nan=False).encode())


def _answer(asked: dict[str, Any], advance: Any) -> dict[str, Any]:
    model = Model.from_folder(Path(asked["folder"]))
    try:
        model = model.with_shells(asked["shells"]) if asked["shells"] else model
        space = _space(asked["space"], model)
        if space.size > limits.COMBINATIONS:
            detail = (
                f"design space {space.name}: {space.sizes}; at most {limits.COMBINATIONS:,} are "
                f"ranked over HTTP: save it as a file and run 'perovshell rank SPACE.yaml'"
            )
            return {"kind": "space-too-large", "detail": detail}
        run = ranks.Run(task_size=_TASK)
        options = {name: asked[name] for name in ("top", "order_by", "batch")}
        ranking = ranks.rank(space, model=model, run=run, progress=advance, **options)
        if asked["html"]:
            return {"kind": "ranking", "ranking": _report(ranking, Path(asked["workspace"]))}
    except InputError as error:
        return {"kind": "invalid-request", "detail": str(error)}
    content = tables.ranking_json(ranking, suggest_experiments=asked["suggest_experiments"])
    return {"kind": "ranking", "ranking": content}


def _space(given: Any, model: Model) -> DesignSpace:
    # A text is the name of a preset and never that of a file.
    if isinstance(given, str) and given not in presets():
        msg = f"design space {given!r}: no such preset; allowed: {', '.join(presets())}"
        raise DesignSpaceError(msg)
    return read_space(given, model.predictor.featurizer.reader)


def _report(ranking: Ranking, workspace: Path) -> str:
    # Only this needs its templates, and the literature.
    from perovshell.serve.report.report import render
    from perovshell.serve.service.evidence_desk import EvidenceDesk

    return render(ranking, EvidenceDesk(WorkspaceFolder(workspace)).table())


if __name__ == "__main__":
    main()
