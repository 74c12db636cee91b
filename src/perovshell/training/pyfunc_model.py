"""The MLflow model as code: it loads the model folder and calls the same predictor.

MLflow runs this file when the model is loaded; nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel

from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.texts import table_cell


class PerovshellModel(PythonModel):  # type: ignore[misc]
    """Predicts requests; see `perovshell.model.Model.predict`."""

    def load_context(self, context: Any) -> None:
        """Load the model folder among the artifacts."""
        self.model = Model.from_folder(context.artifacts["folder"])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer each row.

        Args:
            context: MLflow's; not needed.
            model_input: A DataFrame, a list of dictionaries, or a dictionary of columns, as the
                server of MLflow makes it of `inputs`.
            params: MLflow's; there are none.

        Raises:
            MlflowException: The rows are refused, for the reason of `Model.predict`; the server of
                MLflow repeats the message of no other exception.
        """
        del context, params
        rows: Any = model_input
        try:
            answers = self.model.predict(_frame(rows) if isinstance(rows, Mapping) else rows)
        except InputError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        if isinstance(answers, pd.DataFrame):
            return answers
        return pd.DataFrame([{name: table_cell(v) for name, v in row.items()} for row in answers])


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table of columns; single cells are a single row."""
    if any(np.ndim(cells) for cells in columns.values()):
        return pd.DataFrame(columns)
    # The server of MLflow wraps single cells into arrays without a dimension.
    return pd.DataFrame([{name: np.asarray(cell, object).item() for name, cell in columns.items()}])


mlflow.models.set_model(PerovshellModel())
