"""The public model: load it, ask it for predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perovshell.models.folder import ModelInfo, read_folder
from perovshell.models.frames import to_input_type, to_record, to_records
from perovshell.models.outputs import (
    DEFAULT_COVERAGE,
    DEFAULT_STRESSORS,
    NO_THRESHOLDS,
    Answer,
    Thresholds,
)
from perovshell.models.predictor import Predictor
from perovshell.targets.declared import TARGETS
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.registry import download

if TYPE_CHECKING:
    from perovshell.laboratory import Laboratory
    from perovshell.models.reason import Reason


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        predictor: The models of all targets.
        info: What the model says of itself: id, dataset, settings, figures, skill.
        folder: Where it was loaded from.
    """

    predictor: Predictor
    info: ModelInfo
    folder: Path

    @classmethod
    def from_folder(cls, folder: Path | str) -> Model:
        """Load a model folder.

        Raises:
            ModelFolderError: The folder is missing, foreign, of another format or damaged.
        """
        predictor, info = read_folder(Path(folder))
        return cls(predictor, info, Path(folder))

    def with_shells(self, shells: Sequence[Mapping[str, Any]]) -> Model:
        """Return the same model for requests with shells that no table has.

        Args:
            shells: Shells as a paper file introduces them: `name`, `class`, `source`, and where
                they are known `formula`, `aliases` and `in_water`.

        Raises:
            DocumentError: The description of a shell has faults; all are listed.
            InputError: A name is that of another material.

        Examples:
            >>> import perovshell
            >>> shell = {"name": "PVK", "class": "polymer", "source": "10.1000/x"}
            >>> model = perovshell.load().with_shells([shell])
            >>> model.predict([{"core": "CsPbBr3", "shell": "PVK"}])[0]["notes"][0]
            'shell PVK is not in the training data, predicted from its material class'
        """
        from perovshell.data.paper_file import read_shells

        rows = read_shells(shells)
        featurizer = self.predictor.featurizer.with_shells(rows)
        return replace(self, predictor=replace(self.predictor, featurizer=featurizer))

    def calibrate(self, measured: Any, *, coverage: float = DEFAULT_COVERAGE) -> Laboratory:
        """Return predictions as a laboratory would measure, by what it measured.

        Args:
            measured: Rows with the inputs of `predict`, and `pl_peak_nm` or `plqy_percent` as they
                were measured; of at least three combinations, replicates each in a row.
            coverage: Coverage of the intervals of the offsets.

        Raises:
            InputError: The rows are no table or have no measured values, one of them cannot be
                read, a column nearly has the name of an input, or the coverage is not allowed.

        Examples:
            >>> import perovshell
            >>> shells = ["SiO2", "TiO2", "PMMA"]
            >>> rows = [{"core": "CsPbBr3", "shell": s, "pl_peak_nm": 520} for s in shells]
            >>> laboratory = perovshell.load().calibrate(rows)
            >>> sorted(laboratory.offsets)
            ['pl_peak_nm']
        """
        from perovshell.laboratory import calibrate

        return calibrate(self, measured, coverage)

    def __repr__(self) -> str:
        """Return its id, its dataset and which targets it predicts with skill."""
        return "; ".join([f"<Model {self.info.model_id}", *self._about()]) + ">"

    def _repr_html_(self) -> str:
        return "<br>".join([f"<b>Model {self.info.model_id}</b>", *map(escape, self._about())])

    def _about(self) -> list[str]:
        dataset, skill = self.info.dataset, self.info.skill
        about = [f"dataset {dataset['hash'][:12]}, {dataset['papers']} papers"]
        for words, has_skill in (("skill", True), ("no skill", False)):
            titles = [
                target.title
                for name, target in TARGETS.items()
                if skill[name]["has_skill"] is has_skill
            ]
            about += [f"{words}: {', '.join(titles)}"] if titles else []
        return about

    def answer(
        self,
        rows: Any,
        *,
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> list[Answer]:
        """Answer requests with values, nearest samples, measured values and conditions.

        A row that cannot be answered says why in `error`. The arguments are those of `predict`.

        Raises:
            InputError: A column nearly has the name of an input, the rows are no table, or an
                option is not allowed.

        Examples:
            >>> import perovshell
            >>> row = {"core": "CsPbBr3", "shell": "SiO2"}
            >>> [answer] = perovshell.load().answer([row])
            >>> len(answer.nearest)
            3
        """
        return self.predictor.answer(to_records(rows), stressors, coverage, thresholds)

    def explain(
        self, row: Mapping[str, Any], *, stressors: Sequence[str] = DEFAULT_STRESSORS
    ) -> list[Reason]:
        """Return how far each group of descriptors moved the prediction of one request.

        The contributions are exact: they add up to the prediction.

        Raises:
            InputError: The request cannot be read, a key nearly has the name of an input, or a
                stressor is not allowed.

        Examples:
            >>> import perovshell
            >>> reasons = perovshell.load().explain({"core": "CsPbBr3", "shell": "SiO2"})
            >>> reasons[0].target, reasons[0].unit
            ('pl_peak_nm', 'eV')
        """
        return self.predictor.explain(to_record(row), stressors)

    def predict(
        self,
        rows: Any,
        *,
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> Any:
        """Predict PL peak, PLQY, the shell's effect and stability.

        Args:
            rows: Dictionaries or a pandas DataFrame with `core` and `shell`, and any other column
                of `perovshell.models.inputs.INPUTS`. Further columns are ignored.
            stressors: Stressors to answer for.
            coverage: Coverage of the intervals.
            thresholds: Thresholds whose probability is asked.

        Returns:
            For dictionaries a list of dictionaries, for a DataFrame a DataFrame with the same
            index: the output columns (nm, percent, hours). A row that cannot be answered has
            NaN values and its reason in `error`.

        Raises:
            InputError: A required column is missing, a column nearly has the name of an input,
                the rows are no table, or an option is not allowed.

        Examples:
            >>> import perovshell
            >>> rows = [{"core": "CsPbBr3", "shell": "none", "bare_pl_peak_nm": 517}]
            >>> [answer] = perovshell.load().predict(rows, stressors=["water"])
            >>> answer["pl_peak_nm"], answer["error"]
            (517.0, '')
        """
        values = self.predictor.values(to_records(rows), stressors, coverage, thresholds)
        return to_input_type(values, rows, stressors, thresholds)


def load(source: Path | str | None = None, *, workspace: Path | str | None = None) -> Model:
    """Load a model.

    Args:
        source: A model folder, or an MLflow URI such as `models:/perovshell@champion`; the
            champion of the workspace where it is None.
        workspace: The workspace folder; else PEROVSHELL_HOME, else ./perovshell-workspace.

    Raises:
        ModelFolderError: The folder is missing, foreign, of a newer format or damaged.
        WorkspaceError: The workspace has no champion.
        MissingExtraError: An MLflow URI is given and mlflow is not installed.
        TrackingError: The registry has no such model, or cannot be reached.

    Examples:
        >>> import perovshell
        >>> perovshell.load()
        <Model ...; dataset ..., 307 papers; skill: PL peak...>
    """
    folder = WorkspaceFolder.locate(workspace)
    if source is None:
        return Model.from_folder(folder.champion())
    if isinstance(source, str) and source.startswith(("models:/", "runs:/")):
        return Model.from_folder(download(source, folder))
    return Model.from_folder(source)
