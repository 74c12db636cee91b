"""Models of the targets, their intervals, the model folder and its predictor."""
