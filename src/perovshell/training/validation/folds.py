"""Splits by paper: fixed by the hash of paper_id, so that a new paper moves no other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from perovshell.arrays import Indices


def fold_of(paper_id: str, folds: int, fold_seed: str = "") -> int:
    """Return the fold of a paper, 0 to folds - 1."""
    digest = hashlib.sha256(f"{fold_seed}{paper_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % folds


def folds_of(papers: Sequence[str], folds: int, fold_seed: str = "") -> Indices:
    """Return the fold of each row by its paper."""
    by_paper = {paper: fold_of(paper, folds, fold_seed) for paper in set(papers)}
    return np.array([by_paper[paper] for paper in papers], dtype=np.intp)
