"""The whole loop from Python: train, add papers, retrain, promote, go back."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perovshell.errors import InputError, OutdatedModelError, PerovshellWarning
from perovshell.model import Model, load
from perovshell.outcomes import Retraining, Training
from perovshell.workspace import championship
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.known_models import KnownModel, known_models
from perovshell.workspace.promotions import Promotion

# A prediction needs neither the dataset nor the papers: they are imported where they are used.
if TYPE_CHECKING:
    from pandas import DataFrame

    from perovshell.data.dataset import Dataset
    from perovshell.evidence.table import EvidenceTable
    from perovshell.intake.adding import Addition, Proposal, Source
    from perovshell.intake.inbox import Taken
    from perovshell.training.promotion.verdict import Comparison
    from perovshell.training.train import TrainedModel
    from perovshell.workspace.materials import MaterialStore
    from perovshell.workspace.papers import MergedDataset, Removal

_NAME = re.compile(r"[0-9a-f]{12}|[0-9]+")
"""A model id, or a version of the registry."""
_WAIT = "give wait=True"
Progress = Callable[[str, int, int], None]
"""Called with the stage of the work, the number of its steps that are done, and that of all."""


def _silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""


class Workspace:
    """A workspace: its papers, its models, and which of them is the champion.

    It is a folder, made when something is first written into it. Methods that change it hold its
    locks, so that several processes can share it.

    Args:
        path: The folder; else PEROVSHELL_HOME, else ./perovshell-workspace.
        data: The dataset that its papers are added to, or its folder; else the bundled one.

    Attributes:
        folder: Where its parts are.

    Examples:
        >>> import perovshell
        >>> workspace = perovshell.Workspace()
        >>> workspace.load()
        <Model ...>
    """

    def __init__(
        self, path: Path | str | None = None, *, data: Dataset | Path | str | None = None
    ) -> None:
        self.folder = WorkspaceFolder.locate(path)
        self._data = data

    def __repr__(self) -> str:
        """Return its path."""
        return f"<Workspace {self.folder.root}>"

    # Data ---------------------------------------------------------------------------------------

    @property
    def base(self) -> Dataset:
        """The dataset that the papers of the workspace are added to, with its materials.

        Raises:
            DatasetError: Its files break the rules; all faults are listed.
            InputError: The folder does not exist.
        """
        return self._without_materials.with_materials(self.materials.read())

    @cached_property
    def _without_materials(self) -> Dataset:
        from perovshell.data.dataset import Dataset

        if isinstance(self._data, Dataset):
            return self._data
        return Dataset.bundled() if self._data is None else Dataset.from_folder(Path(self._data))

    @property
    def materials(self) -> MaterialStore:
        """Its shells and ions beside the bundled ones.

        Examples:
            >>> import perovshell
            >>> materials = perovshell.Workspace().materials
            >>> row = materials.add_shell("PVK", "polymer", source="10.1000/x")  # doctest: +SKIP
        """
        from perovshell.workspace.materials import MaterialStore

        return MaterialStore(self.folder)

    def merged(self) -> MergedDataset:
        """Return the dataset in use, with the papers that are left out of it and why.

        Raises:
            DatasetError: The dataset itself breaks the rules; all faults are listed.
        """
        from perovshell.workspace.papers import PaperStore

        return PaperStore(self.folder).merged(self.base)

    def dataset(self) -> Dataset:
        """Return the dataset in use: the base with the papers of the workspace.

        A paper that is damaged or breaks a rule is left out, with a `PerovshellWarning`.

        Raises:
            DatasetError: The dataset itself breaks the rules; all faults are listed.

        Examples:
            >>> import perovshell
            >>> dataset = perovshell.Workspace().dataset()
            >>> dataset.papers["hu2018"].year
            2018
        """
        merged = self.merged()
        for fault in merged.faults:
            text = f"not used: {self.folder.papers / fault.file}: {fault}"
            warnings.warn(text, PerovshellWarning, stacklevel=2)
        return merged.dataset

    def evidence_table(self, **query: Any) -> EvidenceTable:
        """Return what papers measured, with pooled values and citations.

        Args:
            query: What is asked, as in `evidence`.

        Raises:
            InputError: A formula, a shell or a word is not known.
        """
        from perovshell.evidence.query import EvidenceQuery
        from perovshell.evidence.table import EvidenceTable

        dataset = self.dataset()
        return EvidenceTable(dataset, EvidenceQuery.read(dataset.reader, **query))

    def evidence(self, *, pooled: bool = False, **query: Any) -> DataFrame:
        """Return the stability tests that papers made, as a pandas DataFrame.

        Half-lives are in hours. An end of an interval is None where it is not known.

        Args:
            pooled: Whether the values pooled over papers are returned instead.
            query: What is asked: `core`, `family`, `halide`, `shell` (a name or a class),
                `stressor`, `medium`, `structure`, `quality`, `since`, `until`.

        Raises:
            InputError: A formula, a shell or a word is not known.

        Examples:
            >>> import perovshell
            >>> tests = perovshell.Workspace().evidence(core="CsPbBr3", shell="SiO2")
            >>> "half_life_h_low" in tests.columns
            True
        """
        table = self.evidence_table(**query)
        return table.pooled_frame() if pooled else table.to_frame()

    def citations(self, papers: Iterable[str], form: str = "bibtex") -> str:
        """Return papers as citations, such as those behind an answer or a ranking.

        Args:
            papers: DOIs or paper_ids, such as `Answer.papers` or `Ranking.papers`.
            form: `bibtex`, `ris` or `text`.

        Raises:
            InputError: There is no such paper, or no such format.

        Examples:
            >>> import perovshell
            >>> workspace = perovshell.Workspace()
            >>> [answer] = workspace.load().answer([{"core": "CsPbBr3", "shell": "zeolite:LTA"}])
            >>> "lta2021" in workspace.citations(answer.papers, "text")
            True
        """
        from perovshell.evidence.citations import citations_of

        return citations_of(self.dataset().papers.values(), papers, form)

    def propose(
        self, source: Source, *, replace: bool = False, columns: Path | str | None = None
    ) -> Proposal:
        """Check papers and return how they are understood; nothing is written.

        Args:
            source: A file or a folder with tables, the text of a YAML file, or its mapping.
            replace: Whether they correct papers of the same paper_ids.
            columns: The mapping file of a table of any columns.

        Raises:
            DocumentError: They break rules, alone or with the others; all faults are listed.
            InputError: The source cannot be read.
            UnchangedError: All papers are in the workspace already.
        """
        from perovshell.intake.adding import propose

        champion = self.load().predictor if self.folder.champion_id else None
        return propose(source, self.folder, self.base, champion, replace=replace, columns=columns)

    def accept(self, proposal: Proposal, *, replace: bool = False) -> Addition:
        """Add the papers of a proposal, its outliers included.

        Args:
            proposal: What `propose` returned.
            replace: As it was asked for there.

        Raises:
            InputError: They break a rule, together with papers added in the meantime.
            WorkspaceError: The workspace is not writable.
        """
        from perovshell.intake.adding import accept

        return accept(proposal, self.folder, self.base, replace=replace)

    def add(
        self,
        source: Source,
        *,
        replace: bool = False,
        accept_outliers: bool = False,
        dry_run: bool = False,
        columns: Path | str | None = None,
    ) -> Addition:
        """Check papers and add them to the data.

        Args:
            source: A file or a folder with tables, the text of a YAML file, or its mapping.
            replace: Whether they correct papers of the same paper_ids; the old ones are kept.
            accept_outliers: Whether values are taken that look wrong.
            dry_run: Whether they are only checked.
            columns: The mapping file of a table of any columns, such as one of a laboratory.

        Raises:
            DocumentError: They break rules, alone or with the others; all faults are listed.
            InputError: The source cannot be read, or has outliers; all are listed.
            UnchangedError: All papers are in the workspace already.
            WorkspaceError: The workspace is not writable.

        Examples:
            >>> import perovshell
            >>> sample = {"name": "1", "core": "CsPbBr3", "shell": "SiO2", "pl_peak_nm": 515}
            >>> sample["structure"] = "core/shell"
            >>> paper = {"paper_id": "smith2026", "source": "a talk", "samples": [sample]}
            >>> addition = perovshell.Workspace().add(paper, dry_run=True)
            >>> addition.papers, addition.files
            (('smith2026',), ())
        """
        from perovshell.intake.adding import Addition

        proposal = self.propose(source, replace=replace, columns=columns)
        if not accept_outliers:
            proposal.refuse_outliers()
        return Addition(proposal, ()) if dry_run else self.accept(proposal, replace=replace)

    def remove(self, paper_id: str, why: str) -> Removal:
        """Take a paper out of the data; its rows are kept.

        Args:
            paper_id: A paper of the workspace or of the base dataset.
            why: The reason, which is kept.

        Raises:
            InputError: There is no such paper, or no reason in words.
            WorkspaceError: The workspace is not writable.

        Examples:
            >>> import perovshell
            >>> perovshell.Workspace().remove("hu2081", "wrong numbers")
            Traceback (most recent call last):
            ...
            perovshell.errors.InputError: paper 'hu2081': not in the data; nearest: hu2018...
        """
        from perovshell.workspace.papers import PaperStore, Removal

        store = PaperStore(self.folder)
        with self.folder.locked("papers", wait=True):
            before = store.merged(self.base).dataset.digests
            file = store.remove(paper_id, why, self.base)
            return Removal.between(file, before, store.merged(self.base).dataset.digests)

    # Models -------------------------------------------------------------------------------------

    def train(
        self,
        *,
        quick: bool = False,
        seed: int = 0,
        jobs: int = 2,
        track: bool = True,
        progress: Progress = _silent,
    ) -> Training:
        """Validate by paper, fit on all papers, and register the model.

        It becomes champion where there is none, or where the champion was written by an older
        Perovshell and cannot be read. `retrain` compares a new model with the champion.

        Args:
            quick: Whether to make a small validation, for trying things.
            seed: Seed of the models.
            jobs: Processes; the result does not depend on it.
            track: Whether it is registered in MLflow.
            progress: Called after each fit of the validation.

        Raises:
            DatasetError: The dataset breaks the rules; all faults are listed.
            WorkspaceError: The workspace is not writable.
            TrackingError: MLflow is certain to refuse, and nothing was trained; or it refused or
                cannot be reached, and the model folder is whole, and is the champion where there
                was none.

        Examples:
            >>> import perovshell
            >>> training = perovshell.Workspace().train(quick=True, track=False)
            >>> print(training.lines()[-1])
            It is the champion...
        """
        from perovshell.training import tracking
        from perovshell.training import train as training
        from perovshell.training.retrain import counted
        from perovshell.training.validation.nested import Settings

        self.folder.prepare()
        if track:
            tracking.refuse_surroundings(self.folder)
        settings = replace(training.QUICK if quick else Settings(), seed=seed, jobs=jobs)
        dataset = self.dataset()
        advance = counted(progress, training.validation_steps(dataset, settings))
        trained = training.train(dataset, self.folder.models, settings, advance)
        version, why = self._registered(trained, track=track)
        champion = self.folder.champion_id or trained.model_id
        return Training(trained.model_id, trained.folder, trained.info, version, champion, why)

    def _registered(self, trained: TrainedModel, *, track: bool) -> tuple[str | None, str]:
        """Register a model; return its version, and why it became champion, if it did."""
        from perovshell.training import tracking

        version = None
        with self.folder.locked("models", wait=True):
            try:
                version = tracking.track(trained, self.folder).version if track else None
                why = championship.ensure_champion(self.folder, trained.model_id, version)
            except BaseException:  # An interrupt, too: the exception goes on.
                # The model folder is complete, and predictions need a champion.
                championship.ensure_champion(self.folder, trained.model_id, None)
                raise
        return version, why

    def retrain(
        self,
        *,
        inbox: Path | str | None = None,
        dry_run: bool = False,
        force: bool = False,
        jobs: int = 2,
        wait: bool = False,
        progress: Progress = _silent,
    ) -> Retraining:
        """Train a challenger on all papers and promote it if it is not worse than the champion.

        A champion that an older Perovshell wrote and this one cannot read is replaced first.

        Args:
            inbox: Folder whose paper files are taken in first.
            dry_run: Whether to compare and report only.
            force: Whether to retrain where this dataset was already evaluated.
            jobs: Processes; the result does not depend on it.
            wait: Whether to wait for another process that changes the models.
            progress: Called as each stage begins, and after each fit of the validation.

        Raises:
            InputError: An inbox is given for a dry run, or is not there.
            WorkspaceError: There is no champion, another process changes the models, or somebody
                else promoted another champion in the meantime.
            ModelFolderError: The champion is damaged or of a newer format; or of an older one, and
                a dry run replaces none.
            TrackingError: MLflow refused or cannot be reached; the champion is unchanged.

        Examples:
            >>> import perovshell
            >>> print(perovshell.Workspace().retrain())
            The champion ... was trained on this very data.
        """
        from perovshell.training import retrain as retraining
        from perovshell.training import tracking

        if dry_run and inbox is not None:
            msg = "retrain: inbox adds papers, dry_run=True changes nothing: give one of them"
            raise InputError(msg)
        replacement = None if dry_run else self._replaced(wait=wait, jobs=jobs, progress=progress)
        with self._models_locked(wait=wait):
            champion = retraining.champion_of(self.folder, follow=not dry_run)
            if not dry_run:
                tracking.refuse_surroundings(self.folder)
            taken = self._taken_in(inbox, champion) if inbox is not None else ()
            dataset, challenge = self.dataset(), None
            reason = "" if force else retraining.reason_not_to(self.folder, dataset, champion)
            if not reason:
                challenge = retraining.retrain(
                    self.folder, dataset, champion, progress, jobs=jobs, dry_run=dry_run
                )
        return Retraining(challenge, reason, self.folder.champion_id or "", taken, replacement)

    def _replaced(self, *, wait: bool, jobs: int, progress: Progress) -> Training | None:
        """Train where the champion was written by an older Perovshell and cannot be read."""
        from perovshell.training import retrain as retraining

        try:
            with self._models_locked(wait=wait):
                retraining.champion_of(self.folder)
        except OutdatedModelError:
            return self.train(jobs=jobs, progress=progress)
        return None

    def _taken_in(self, inbox: Path | str, champion: Model) -> tuple[Taken, ...]:
        from perovshell.intake.inbox import take_in

        return tuple(take_in(Path(inbox), self.folder, self.base, champion.predictor))

    def promote(self, name: str, why: str, *, wait: bool = False) -> Promotion:
        """Make a model champion, whatever the result of a promotion check.

        Args:
            name: Model id, or version of the registry.
            why: The reason, which is kept.
            wait: Whether to wait for another process that changes the models.

        Raises:
            WorkspaceError: There is no such model, or it is the champion already.
            ModelFolderError: Its folder is damaged.
            TrackingError: The registry cannot be reached; nothing is changed.

        Examples:
            >>> import perovshell
            >>> workspace = perovshell.Workspace()
            >>> workspace.promote(workspace.load().info.model_id, "the best so far")
            Traceback (most recent call last):
            ...
            perovshell.errors.WorkspaceError: model ...: is the champion already
        """
        with self._models_locked(wait=wait):
            return championship.promote(self.folder, name, why)

    def rollback(self, why: str = "rolled back", *, wait: bool = False) -> Promotion:
        """Make the champion before the present one champion again.

        Args:
            why: The reason, which is kept.
            wait: Whether to wait for another process that changes the models.

        Raises:
            WorkspaceError: There was none before.
            ModelFolderError: Its folder is damaged.
            TrackingError: The registry cannot be reached; nothing is changed.

        Examples:
            >>> import perovshell
            >>> perovshell.Workspace().rollback("worse in use")
            Traceback (most recent call last):
            ...
            perovshell.errors.WorkspaceError: rollback: there is no champion before the present one
        """
        with self._models_locked(wait=wait):
            return championship.roll_back(self.folder, why)

    def align(self, *, wait: bool = False) -> str:
        """Follow the champion of a shared registry; return what was taken over, or nothing.

        `train`, `retrain` and `rollback` begin with it.

        Args:
            wait: Whether to wait for another process that changes the models.

        Raises:
            TrackingError: The registry cannot be reached, or its champion cannot be fetched.
            ModelFolderError: Its champion is damaged or of another format.

        Examples:
            >>> import perovshell
            >>> perovshell.Workspace().align()
            ''
        """
        with self._models_locked(wait=wait):
            return championship.align(self.folder)

    def models(self) -> tuple[KnownModel, ...]:
        """Return the models of the workspace and its registry, the newest version first.

        Raises:
            TrackingError: The registry cannot be reached.

        Examples:
            >>> import perovshell
            >>> [model.papers for model in perovshell.Workspace().models()]
            [307]
        """
        return tuple(known_models(self.folder))

    @property
    def promotions(self) -> tuple[Promotion, ...]:
        """Every promotion, the present champion's last.

        Raises:
            WorkspaceError: The file that holds them is damaged.
        """
        return self.folder.promotions

    def load(self, name: Path | str | None = None) -> Model:
        """Load a model.

        Args:
            name: Model id, version of the registry, model folder, or an MLflow URI such as
                `models:/perovshell@champion`; None is the champion.

        Raises:
            ModelFolderError: The folder is missing, foreign, of another format or damaged.
            WorkspaceError: There is no champion, or no such model.
            TrackingError: The registry has no such model, or cannot be reached.

        Examples:
            >>> import perovshell
            >>> model = perovshell.Workspace().load()
            >>> [answer] = model.predict([{"core": "CsPbBr3", "shell": "SiO2"}])
            >>> 480 < answer["pl_peak_nm"] < 560
            True
        """
        source = self._folder_of(name) if name is not None and _is_name(name) else name
        return load(source, workspace=self.folder.root)

    def _folder_of(self, name: Path | str) -> Path:
        """Return the folder of a model id, a version or a model folder."""
        if not _is_name(name):
            return Path(name)
        model_id = str(name)
        if model_id not in self.folder.model_ids():
            model_id, _ = championship.resolve(self.folder, model_id)
        return self.folder.models / model_id

    def compare(self, before: Path | str, after: Path | str) -> tuple[Comparison, ...]:
        """Compare the validations of two models, paired on the papers of both training sets.

        Nothing is fitted and nothing predicted, so models of other descriptors can be compared.

        Args:
            before: Model id, version of the registry or model folder of one model.
            after: The same of the other.

        Raises:
            ModelFolderError: A folder is missing, foreign, of another format or damaged.
            TrackingError: The registry has no such version, or cannot be reached.
            WorkspaceError: There is no such model.

        Examples:
            >>> import perovshell
            >>> workspace = perovshell.Workspace()
            >>> model_id = workspace.load().info.model_id
            >>> [comparison.target for comparison in workspace.compare(model_id, model_id)]
            ['pl', 'plqy', 'lifetime', 'gain']
        """
        from perovshell.training.retrain import compare_validations

        return compare_validations(self._folder_of(before), self._folder_of(after))

    @contextmanager
    def _models_locked(self, *, wait: bool) -> Iterator[None]:
        with self.folder.locked("models", wait=wait, hint=_WAIT):
            yield


def _is_name(name: Path | str) -> bool:
    """Whether it is a model id or a version, and no folder."""
    return bool(_NAME.fullmatch(str(name))) and not Path(name).exists()
