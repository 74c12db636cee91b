"""The files of deploy/: linted and parsed, and what linters do not look at."""

import asyncio
import configparser
import inspect
import json
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient
from typer.main import get_command

from perovshell.cli import app
from perovshell.cli.options import FAULT
from perovshell.serve.service import limits, metrics, operations
from perovshell.serve.service.app import create_app
from perovshell.serve.service.server import GRACE_SECONDS
from perovshell.serve.service.source import Champion, Source
from perovshell.training.train import TrainedModel
from servers import workspace_of

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
UNIT = ROOT / "deploy" / "perovshell.service"
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
CLUSTER = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text()))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
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


Stages = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def stages(instructions: list[tuple[str, str]]) -> Stages:
    """For each stage, the last instruction of each name, with those of the stage it begins from."""
    made: Stages = {}
    for name, text in instructions:
        if name == "FROM":
            base, _, own = text.partition(" AS ")
            stage = made[own] = dict(made.get(base, {}))
        elif made:
            stage[name] = text
    return made


@pytest.fixture(scope="module")
def final(stages: Stages) -> dict[str, str]:
    """The last instructions of the stage that serves."""
    return stages[""]


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


@pytest.mark.parametrize("stage", ["", "learning"])
def test_the_container_does_not_run_as_root(stages: Stages, stage: str) -> None:
    user, _, group = stages[stage]["USER"].partition(":")
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
    assert len(installs) == 6
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


def accepted(command: list[str]) -> dict[str, Any]:
    """Return the options of a command of `perovshell`, which its command line has read."""
    program, name, *words = command
    assert program == "perovshell"
    found = get_command(app).commands[name]  # type: ignore[attr-defined]
    return dict(found.make_context(name, words).params)


# Docker Compose ------------------------------------------------------------------------------


SERVICES = COMPOSE["services"]
OWN = {name: one for name, one in SERVICES.items() if "command" in one}
LASTING = {name: one for name, one in SERVICES.items() if "profiles" not in one}


def test_the_services_are_those_that_are_described() -> None:
    assert set(LASTING) == {"serve", "mlflow", "postgres"}
    assert set(OWN) == {"serve", "mlflow", "retrain"}
    assert set(COMPOSE["volumes"]) == {
        volume.split(":")[0] for one in SERVICES.values() for volume in one["volumes"]
    }


@pytest.mark.parametrize("name", ["serve", "retrain"])
def test_the_commands_of_the_services_are_accepted(name: str) -> None:
    """That of MLflow is run elsewhere."""
    workspace = accepted(OWN[name]["command"])["workspace"]
    assert OWN[name]["volumes"] == [f"workspace:{workspace}"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].partition(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_a_version(name: str, stages: Stages, final: dict[str, str]) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].partition(":")
    if "build" not in service:
        assert re.match(r"\d+\.\d+", tag)
        return
    assert tag == VERSION
    assert (ROOT / service["build"]["dockerfile"]) == DOCKERFILE
    target = service["build"].get("target", "")
    assert image == "-".join(filter(None, ["perovshell", target]))
    assert service["user"] == stages[target]["USER"]
    if name == "serve":
        assert service["command"] == json.loads(final["CMD"])


@pytest.mark.parametrize("name", LASTING)
def test_a_service_that_lasts_has_its_health_and_starts_again(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    kind, program, *words = service["healthcheck"]["test"]
    assert kind == "CMD"
    if program == "python":
        compile(words[-1], "healthcheck", "exec")


def test_a_machine_with_many_cores_has_room_for_threads(
    service: configparser.SectionProxy,
) -> None:
    # The service, two processes for large batches and a ranking, each with a thread a core.
    threads = 4 * 128
    assert int(service["TasksMax"]) > threads
    assert SERVICES["serve"]["pids_limit"] > threads


def test_a_service_has_time_to_end() -> None:
    assert int(SERVICES["serve"]["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS


def test_what_is_secret_is_not_in_the_file() -> None:
    example = (ROOT / "deploy" / "compose.env.example").read_text()
    named = {
        (name, value)
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if "PASS" in name
    }
    assert {name for name, _ in named} == {"PGPASSWORD", "POSTGRES_PASSWORD"}
    for _, value in named:
        variable = re.fullmatch(r"\$\{(\w+):\?.+\}", value)
        assert variable is not None
        assert f"\n{variable[1]}=\n" in example
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


# Kubernetes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> dict[str, dict[str, Any]]:
    """The objects by their kind."""
    return {one["kind"]: one for one in CLUSTER}


@pytest.fixture(scope="module")
def pod(cluster: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = cluster["Deployment"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return dict(only)


def test_a_pod_runs_the_image(
    cluster: dict[str, dict[str, Any]], container: dict[str, Any], final: dict[str, str]
) -> None:
    assert set(cluster) == {"Deployment", "Service", "Ingress"}
    assert container["command"] == json.loads(final["CMD"])
    accepted(container["command"])
    assert container["image"].rpartition(":")[2] == VERSION


def test_probes_ask_routes_that_are_there(container: dict[str, Any]) -> None:
    paths = {route.path for route in operations.router.routes}
    asked = {name: container[name]["httpGet"] for name in container if name.endswith("Probe")}
    assert {name: one["path"] for name, one in asked.items()} == {
        "startupProbe": "/readyz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/healthz",
    }
    assert {one["path"] for one in asked.values()} <= paths
    assert {one["port"] for one in asked.values()} == {"http"}


def test_a_broken_champion_takes_no_pod_out(
    container: dict[str, Any], trained: TrainedModel, tmp_path: Path
) -> None:
    workspace = workspace_of(trained, tmp_path)
    champion = Champion(Source(workspace))
    with TestClient(create_app(champion)) as client:
        (workspace.models / "ffffffffffff").mkdir()
        workspace.set_champion("ffffffffffff", "broken")
        asyncio.run(champion.refresh())
        assert "ffffffffffff" in client.get("/readyz").json()["fault"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert client.get(container[name]["httpGet"]["path"]).status_code == 200


def test_ports_and_names_meet(
    cluster: dict[str, dict[str, Any]], container: dict[str, Any]
) -> None:
    (port,) = container["ports"]
    assert port == {"name": "http", "containerPort": accepted(container["command"])["port"]}
    service, ingress = cluster["Service"], cluster["Ingress"]
    labels = cluster["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels
    assert cluster["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert [one["targetPort"] for one in service["spec"]["ports"]] == ["http"]
    assert {"name": "PEROVSHELL_ROOT_PATH", "value": path["path"]} in container["env"]


def test_settings_of_a_pod_are_read(pod: dict[str, Any], container: dict[str, Any]) -> None:
    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {parameter.envvar for parameter in serve.params}
    assert {variable["name"] for variable in container["env"]} <= known
    # Else a cluster sets PEROVSHELL_PORT to the address of the object 'Service'.
    assert pod["enableServiceLinks"] is False


def test_a_pod_has_time_to_end(pod: dict[str, Any], container: dict[str, Any]) -> None:
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + GRACE_SECONDS


def test_a_pod_may_do_little(
    pod: dict[str, Any], container: dict[str, Any], final: dict[str, str]
) -> None:
    user, _, group = final["USER"].partition(":")
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    (workspace,) = [one for one in pod["volumes"] if one["name"] == "workspace"]
    assert workspace["persistentVolumeClaim"]["readOnly"] is True
    mounts = {one["name"]: one for one in container["volumeMounts"]}
    assert mounts["workspace"]["readOnly"] is True
    folder = str(accepted(container["command"])["workspace"])
    assert mounts["workspace"]["mountPath"] == folder


def test_what_is_given_to_a_pod_is_what_is_given_to_the_others(
    container: dict[str, Any], service: configparser.SectionProxy
) -> None:
    memory = container["resources"]["limits"]["memory"]
    assert memory.removesuffix("i") == service["MemoryMax"]
    assert SERVICES["serve"]["mem_limit"] == service["MemoryMax"].lower()


def test_the_ingress_lets_through_what_the_service_takes(
    cluster: dict[str, dict[str, Any]],
) -> None:
    settings = cluster["Ingress"]["metadata"]["annotations"]
    prefix = "nginx.ingress.kubernetes.io/proxy"
    assert settings[f"{prefix}-body-size"] == f"{limits.BODY_BYTES // 2**20}m"
    turns = (limits.RANKINGS + limits.RANKINGS_WAITING) / limits.RANKINGS
    assert int(settings[f"{prefix}-read-timeout"]) > limits.RANK_SECONDS * turns
