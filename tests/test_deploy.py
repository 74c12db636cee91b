"""The container file and the systemd unit: linted, and what linters do not look at."""

import configparser
import inspect
import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from perovshell.cli.options import FAULT
from perovshell.serve.service import metrics
from perovshell.serve.service.server import GRACE_SECONDS

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
UNIT = ROOT / "deploy" / "perovshell.service"
HAS_HADOLINT = (sys.platform, platform.machine()) == ("linux", "x86_64")


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """Name and text of each instruction, its lines joined."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (name, text)
        for name, _, text in (line.partition(" ") for line in joined.split("\n") if line)
    ]


@pytest.fixture(scope="module")
def final(instructions: list[tuple[str, str]]) -> dict[str, str]:
    """The last instruction of each name in the stage that runs."""
    start = max(place for place, (name, _) in enumerate(instructions) if name == "FROM")
    return dict(instructions[start:])


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return parser["Service"]


@pytest.mark.skipif(not HAS_HADOLINT, reason="hadolint is built for Linux on x86_64")
def test_the_container_file_is_clean() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [str(hadolint), "--no-color", str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint ignore" not in DOCKERFILE.read_text()


def test_the_container_does_not_run_as_root(final: dict[str, str]) -> None:
    user, _, group = final["USER"].partition(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000


def test_the_container_tells_its_health_and_ends_on_a_signal(final: dict[str, str]) -> None:
    check = json.loads(final["HEALTHCHECK"].partition("CMD ")[2])
    assert check[0] == "python"
    assert ":8000/healthz" in check[-1]
    compile(check[-1], "HEALTHCHECK", "exec")
    assert final["STOPSIGNAL"] == "SIGTERM"
    assert final["EXPOSE"] == "8000"


def test_the_container_starts_the_service_without_a_shell(final: dict[str, str]) -> None:
    # Not through a shell, which would keep the signal to itself.
    assert json.loads(final["CMD"]) == [
        "perovshell", "serve", "--host", "0.0.0.0", "--port", "8000", "--workspace", "/workspace",
    ]  # fmt: skip
    assert final["VOLUME"] == "/workspace"


def test_all_that_is_installed_is_locked(instructions: list[tuple[str, str]]) -> None:
    runs = " ".join(text for name, text in instructions if name == "RUN")
    installs = re.findall(r"pip install [^&]*", runs)
    assert len(installs) == 3
    for install in installs:
        assert "--no-deps" in install
        assert "--require-hashes" in install or "--no-index dist/" in install
    (tag,) = [text for name, text in instructions if name == "ARG"]
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim", tag)


def test_what_the_container_copies_is_there_and_not_ignored(
    instructions: list[tuple[str, str]],
) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [
        name
        for kind, text in instructions
        if kind == "COPY" and "--from" not in text
        for name in text.split()[:-1]
    ]
    assert set(copied) > {"src", "requirements-serve.lock"}
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_the_unit_ends_gracefully_and_starts_again(service: configparser.SectionProxy) -> None:
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) > GRACE_SECONDS
    assert service["Restart"] == "on-failure"
    assert int(service["RestartPreventExitStatus"]) == FAULT


def test_the_unit_may_do_little(service: configparser.SectionProxy) -> None:
    wanted = {
        "User": "perovshell",
        "ProtectSystem": "strict",
        "StateDirectory": "perovshell",
        "NoNewPrivileges": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
    }
    assert wanted.items() <= dict(service).items()
    assert service["MemoryMax"]
    assert f"--workspace /var/lib/{service['StateDirectory']}" in service["ExecStart"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text()
    program = text.partition("ExecStart=")[2].split()[0]
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(program, sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_alerts_ask_for_figures_that_the_service_has() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"perovshell_\w+", rule["expr"])}
    assert asked
    source = inspect.getsource(metrics)
    assert all(f'"{name.removesuffix("_total")}"' in source for name in asked)
