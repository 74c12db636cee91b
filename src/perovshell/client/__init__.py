"""Ask a prediction service from a script, and get what `perovshell.Model` would give.

Needs httpx2: pip install 'perovshell[client]'.

Examples:
    >>> from perovshell.client import Client
    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     answers = client.predict([{"core": "CsPbBr3", "shell": "SiO2"}])
"""

from __future__ import annotations

from perovshell.client.clients import AsyncClient, Client
from perovshell.client.plans import RefusedError

__all__ = ["AsyncClient", "Client", "RefusedError"]
