"""What a run of MLflow holds of a training: its name and note, figures, parameters and data."""
