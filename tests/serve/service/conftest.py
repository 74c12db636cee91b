"""What the tests of the service share."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from fastapi import FastAPI


@pytest.fixture(scope="session", autouse=True)
def _described_once() -> Iterator[None]:
    """Describe one application: all have the same routes, and this is most of making one."""
    describe, known = FastAPI.openapi, []

    def described(app: FastAPI) -> dict[str, Any]:
        if not known:
            known.append(deepcopy(describe(app)))
        if app.openapi_schema is None:
            app.openapi_schema = deepcopy(known[0])
        return app.openapi_schema

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FastAPI, "openapi", described)
        yield
