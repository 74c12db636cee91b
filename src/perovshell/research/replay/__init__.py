"""Replay of past years: what retraining would have gained."""
