"""The data of a run: the rows that train, as datasets of MLflow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.dataset import Dataset
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.scales import flip_bounds
from perovshell.targets.target import Target
from perovshell.training.fit.problems import PointProblem
from perovshell.training.train import TrainedModel

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS_FILE: Final = "data/training_rows.csv"
"""The artifact of a run that holds the rows."""
_DIGITS: Final = 12
"""MLflow takes 36 characters of a digest; content hashes are shown with so many everywhere."""


@dataclass(frozen=True)
class RunData:
    """Rows of a run as MLflow shows them.

    Attributes:
        name: Name of the dataset.
        context: What the run used it for.
        digest: What tells it from others of its name.
        rows: The rows.
        counts: Numbers of papers, samples and stability tests.
    """

    name: str
    context: str
    digest: str
    rows: DataFrame
    counts: dict[str, int]

    def as_dataset(self, run_id: str) -> Any:
        """Return it as a dataset of mlflow.data; its source is the artifact of the run."""
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.pandas_dataset import PandasDataset

        where = {"mlflow.source.name": f"runs:/{run_id}/{ROWS_FILE}", "mlflow.source.type": "RUN"}
        source = CodeDatasetSource(where)
        return PandasDataset(self.rows, source, name=self.name, digest=self.digest)

    def as_input(self, run_id: str) -> Any:
        """Return it as an input of a run, with its counts."""
        from mlflow.entities import Dataset as Logged
        from mlflow.entities import DatasetInput, InputTag

        described = self.as_dataset(run_id).to_dict()
        profile = json.dumps({**json.loads(described["profile"]), **self.counts})
        tags = [InputTag("mlflow.data.context", self.context)]
        return DatasetInput(Logged(**{**described, "profile": profile}), tags)


def training_data(trained: TrainedModel) -> RunData:
    """Return the rows that train a model, under the content hash of their dataset."""
    dataset = trained.dataset
    digest = dataset.content_hash[:_DIGITS]
    return RunData("literature", "training", digest, training_rows(trained), dict(dataset.counts))


def added_data(trained: TrainedModel, papers: Collection[str]) -> RunData:
    """Return the rows of the papers that are new to a model, under a hash of their contents."""
    part = trained.dataset.subset(papers)
    rows = training_rows(trained)
    digests = json.dumps(dict(sorted(part.digests.items())))
    digest = hashlib.sha256(digests.encode()).hexdigest()[:_DIGITS]
    mine = rows[rows["paper"].isin([*papers])]
    return RunData("new papers", "added", digest, mine, dict(part.counts))


def training_rows(trained: TrainedModel) -> DataFrame:
    """Return what trains a model as a table with one row a value.

    A value is an interval in the unit of its target: both ends are the same where it has no bound,
    and an end that is open is NaN.
    """
    import pandas as pd

    lifetime, gain = trained.problems.stability.lifetime, trained.problems.stability.gain
    sides = np.where(lifetime.is_coated, "coated", "bare").tolist()
    tables = [
        _table(trained.dataset, problem.spec.target, problem.sample_ids, *_ends(problem))
        for problem in trained.problems.points.values()
    ]
    tables += [
        _table(trained.dataset, target, one.sample_ids, one.low, one.high).assign(
            stressor=one.stressors.tolist(), side=side
        )
        for target, one, side in ((LIFETIME, lifetime, sides), (GAIN, gain, "both"))
    ]
    return pd.concat(tables, ignore_index=True)


def _table(
    dataset: Dataset, target: Target, sample_ids: Sequence[str], low: Floats, high: Floats
) -> DataFrame:
    import pandas as pd

    samples = [dataset.samples[name] for name in sample_ids]
    return pd.DataFrame(
        {
            "target": target.title,
            "unit": target.unit,
            "paper": [sample.paper_id for sample in samples],
            "sample": sample_ids,
            "core": [sample.core_text for sample in samples],
            "shell": [sample.shell for sample in samples],
            "stressor": "",
            "side": "",
            "lower": low,
            "upper": np.where(np.isinf(high), np.nan, high),
        }
    )


def _ends(problem: PointProblem) -> tuple[Floats, Floats]:
    """Return the ends of the values of a problem, NaN where open."""
    bounds = np.array(flip_bounds(problem.spec.target.scale, problem.bounds), dtype=np.str_)
    low = np.where(bounds == "<", np.nan, problem.values)
    return low, np.where(bounds == ">", np.nan, problem.values)
