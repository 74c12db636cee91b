"""The description of the service is true: what it allows is answered as it says."""

import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from perovshell.serve.service.app import create_app
from perovshell.serve.service.source import Champion, Source
from perovshell.workspace import Workspace

EXAMPLES = 12
OPERATIONS = [
    ("POST", "/v1/predict"), ("POST", "/v1/rank"), ("GET", "/v1/model"), ("GET", "/v1/vocabulary"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
]  # fmt: skip


@pytest.fixture(scope="module")
def described(trained, tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("described"))
    place.prepare()
    shutil.copytree(trained.folder, place.models / trained.model_id)
    place.set_champion(trained.model_id, "the first")
    champion = Champion(Source(place))
    champion.open()
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(champion))


def test_every_operation_is_tried(described):
    found = {(one.ok().method.upper(), one.ok().path) for one in described.get_all_operations()}
    assert found == set(OPERATIONS)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_description_is_true(described, method, path, mode):
    operation = described[path][method]

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        case.call_and_validate()

    check()
