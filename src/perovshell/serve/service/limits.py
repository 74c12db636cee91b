"""What one request may ask for; the OpenAPI description says the same."""

from __future__ import annotations

from typing import Final

from perovshell.data.grammar import MAX_LENGTH

ROWS: Final = 10_000
"""Rows of one prediction request."""
TEXT: Final = MAX_LENGTH
"""Characters of one cell."""
BODY_BYTES: Final = 16 * 2**20
"""Bytes of one request."""
SHELLS: Final = 20
"""Shells that a request may bring."""
DETAILED_ROWS: Final = 100
"""Rows of one request that asks for reasons, which are computed row by row."""
COMBINATIONS: Final = 2_000_000
"""Combinations of a design space ranked over HTTP: about two seconds of one core."""
LINES: Final = 500
"""Lines of a ranking over HTTP."""
CHOSEN: Final = 50
"""Largest number of mutually dissimilar candidates of a ranking over HTTP."""
CITED: Final = 200
"""Papers that a request may name to be cited: their DOIs fit an address."""
BATCHES: Final = 16
"""Large batches that may be computed or wait at a time; more are asked to come back."""
WAITING_ROWS: Final = 20_000
"""Rows of small requests that may wait at a time; more are asked to come back."""
RANKINGS: Final = 1
"""Rankings computed at a time."""
RANKINGS_WAITING: Final = 4
"""Rankings that may wait for their turn; more are asked to come back."""
RANK_SECONDS: Final = 120.0
"""Longest time one ranking may take."""
DRAFT_TEXT: Final = 200_000
"""Characters of a text that a paper is drafted from."""
PAPER_TEXT: Final = 50_000
"""Characters of a paper written out: a paper has some thousands."""
PAPERS: Final = 1
"""Papers drafted, checked or added at a time."""
PAPERS_WAITING: Final = 8
"""Papers that may wait for their turn; more are asked to come back."""
