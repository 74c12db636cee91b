"""The MLflow model as code: it loads the model folder and calls the same predictor.

MLflow runs this file when the model is loaded; nothing is pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.pyfunc import PythonModel

from perovshell.model import Model

if TYPE_CHECKING:
    import pandas as pd


class PerovshellModel(PythonModel):  # type: ignore[misc]
    """Predicts a DataFrame of requests; see `perovshell.model.Model.predict`."""

    def load_context(self, context: Any) -> None:
        """Load the model folder among the artifacts."""
        self.model = Model.from_folder(context.artifacts["folder"])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer each row."""
        del context, params
        return self.model.predict(model_input)


mlflow.models.set_model(PerovshellModel())
