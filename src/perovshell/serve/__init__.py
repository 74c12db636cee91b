"""Batch predictions, ranking and reports."""
