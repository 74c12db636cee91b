"""The process that ranks one design space for the service: JSON in, JSON out.

The JSON of Python's own library: a space may hold numbers and texts that orjson does not write.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from perovshell.errors import DesignSpaceError, InputError
from perovshell.model import Model
from perovshell.models.shell_evidence import PLQY
from perovshell.serve.ranking import ranking as ranks
from perovshell.serve.ranking.point_objectives import PLQY_AT_LEAST
from perovshell.serve.ranking.results import CANDIDATES, MEASURED, Candidate, Ranking
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.report import tables
from perovshell.serve.service import limits
from perovshell.serve.service.orders import ORDER_TEXTS
from perovshell.serve.space.file import presets, read_space
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

    def advance(_: int) -> None:
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
        ranking = ranks.rank(space, model=model, run=run, advance=advance, **options)
        if asked["html"]:
            return {"kind": "ranking", "ranking": _report(ranking, Path(asked["workspace"]))}
    except InputError as error:
        return {"kind": "invalid-request", "detail": str(error)}
    experiments = ranking.suggest_experiments if asked["suggest_experiments"] else ()
    lists = {**_json(ranking), "suggest_experiments": [vars(one) for one in experiments]}
    return {"kind": "ranking", "ranking": lists}


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


def _json(ranking: Ranking) -> dict[str, Any]:
    lists = tables.json_lists(ranking)
    for name, candidates in ((MEASURED, ranking.measured), (CANDIDATES, ranking.candidates)):
        for line, candidate in zip(lists[name], candidates, strict=True):
            line["at_least_evidence"] = _bounds_from(ranking, candidate)
    for line, candidate in zip(lists[MEASURED], ranking.measured, strict=True):
        line["samples"] = [vars(sample) for sample in candidate.measured]
    return {
        "space": ranking.space.name,
        "ranked": ranking.total,
        "removed": dict(ranking.removed),
        "removed_text": tables.removed_text(ranking),
        "order": _order(ranking),
        "statements": list(ranking.statements),
        **lists,
        "batch": [{"core": line.core, "shell": line.shell} for line in ranking.batch],
    }


def _order(ranking: Ranking) -> dict[str, dict[str, str]]:
    """Return what each list is ordered by."""
    texts = ORDER_TEXTS[ranking.options.order_by]
    return {name: asdict(getattr(texts, name)) for name in (MEASURED, CANDIDATES)}


def _bounds_from(ranking: Ranking, line: Candidate) -> dict[str, str]:
    """Return the tests or samples that each lower bound of a line is from, by its column."""
    pair = (line.core, line.item.layers)
    texts = {}
    for objective in ranking.objectives.every:
        if isinstance(objective, StabilityObjective):
            for (_, at_least), fit in zip(objective.columns(), objective.fits, strict=True):
                if fit is not None:
                    texts[at_least] = fit.level(*pair)
    if plqy := ranking.model.predictor.shell_evidence.fit(PLQY):
        texts[PLQY_AT_LEAST] = f"model and {plqy.level(*pair, kind='samples')}"
    return texts


if __name__ == "__main__":
    main()
