"""The description of the service is true: what it allows is answered as it says."""

import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from perovshell.serve.service.app import create_app
from perovshell.serve.service.source import Champion, Source
from servers import workspace_of

EXAMPLES = 6
OPERATIONS = [
    ("POST", "/v1/predict"), ("POST", "/v1/rank"), ("GET", "/v1/model"), ("GET", "/v1/vocabulary"),
    ("POST", "/v1/papers/draft"), ("POST", "/v1/papers/check"), ("POST", "/v1/papers"),
    ("GET", "/v1/evidence"), ("GET", "/v1/evidence/plot.svg"), ("GET", "/v1/evidence/papers.bib"),
    ("GET", "/v1/evidence/papers.ris"), ("GET", "/v1/evidence/papers.txt"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
]  # fmt: skip


@pytest.fixture(scope="module")
def described(trained, tmp_path_factory):
    workspace = workspace_of(trained, tmp_path_factory.mktemp("described"))
    champion = Champion(Source(workspace))
    champion.open()
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(champion))


def test_every_operation_is_tried(described):
    found = {(one.ok().method.upper(), one.ok().path) for one in described.get_all_operations()}
    assert found == set(OPERATIONS)


def cases():
    """Operations with requests as described, and those that take a body with others too."""
    for method, path in OPERATIONS:
        for mode in GenerationMode if method == "POST" else [GenerationMode.POSITIVE]:
            yield pytest.param(method, path, mode, id=f"{path}-{mode.value}")


@pytest.mark.parametrize(("method", "path", "mode"), cases())
def test_the_description_is_true(described, method, path, mode):
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def check(case):
        response = case.call(timeout=60)
        allowed = [positive_data_acceptance] if is_meant(path, response) else []
        case.validate_response(response, excluded_checks=allowed)

    check()


def is_meant(path, response):
    """Whether a request is refused for what a JSON schema cannot say.

    That one wavelength is above the other, which words the literature has, what a design space may
    hold, which is that of its file, what a shell is, and what a paper that is added may hold. What
    the schema does say is in `errors`, and is never meant.
    """
    if path == "/v1/papers":
        return True
    if response.status_code != 422:
        return False
    told = response.json()
    rises = "two rising wavelengths" in told["detail"]
    is_shell = told["detail"].startswith("shells")
    is_beyond = path == "/v1/rank" or (path == "/v1/predict" and (rises or is_shell))
    is_beyond |= path.startswith("/v1/evidence")
    return "errors" not in told and is_beyond


def test_a_whole_number_may_be_written_as_a_float(described):
    case = described["/v1/rank"]["POST"].Case(body={"space": "no such preset", "batch": 0.0})
    assert "no such preset" in case.call().json()["detail"]


@pytest.mark.parametrize(
    "space", ['{"x": 18446744073709551616}', '{"x": "\\ud800"}', '{"\\ud800": 1}', '"\\ud800"']
)
def test_a_space_of_odd_values_is_refused_as_others(described, space):
    case = described["/v1/rank"]["POST"].Case(body=f'{{"space": {space}}}'.encode())
    assert case.call(headers={"content-type": "application/json"}).status_code == 422


def test_a_name_of_odd_letters_is_refused(described):
    case = described["/v1/predict"]["POST"].Case(body=b'{"rows": [{"\\ud800": 1}]}')
    response = case.call(headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["errors"]


VALID = b'{"rows": [{"core": "CsPbBr3", "shell": "SiO2", "core_size_nm": 6.5}]}'
CUT = st.builds(
    lambda start, end, put: VALID[:start] + put + VALID[end:],
    st.integers(0, len(VALID)), st.integers(0, len(VALID)), st.binary(max_size=8),
)  # fmt: skip


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@example(body=b"")
@example(body=VALID.decode().encode("utf-16"))
@example(body=b"\xef\xbb\xbf" + VALID)
@example(body=b"[" * 50_000)
@example(body=b'{"rows":' * 50_000)
@example(body=VALID.replace(b"6.5", b"9" * 5000))
@example(body=VALID.replace(b"6.5", b"1e999"))
@example(body=VALID.replace(b"CsPbBr3", b"\xed\xa0\x80"))
@given(body=st.binary(max_size=300) | CUT)
def test_any_bytes_are_answered_or_refused(described, body):
    case = described["/v1/predict"]["POST"].Case(body=body)
    response = case.call(headers={"content-type": "application/json"})
    assert response.status_code in {200, 400, 422}
    told = response.json()
    assert "answers" in told if response.status_code == 200 else told["status"] == 422
