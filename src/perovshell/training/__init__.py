"""Validation by paper, fitting, tracking."""
