"""Ask a prediction service from a script, and get what `perovshell.Model` would give.

Needs httpx2 and stamina: pip install 'perovshell[client]'.

Examples:
    >>> from perovshell.client import Client
    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     answers = client.predict([{"core": "CsPbBr3", "shell": "SiO2"}])
"""

from __future__ import annotations

from perovshell.client.client import Client

__all__ = ["Client"]
