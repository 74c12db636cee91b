"""Ranking a design space: constraints, scores, engines, and what is said of each line."""
