"""Every code block of README.md and docs/ is run, page by page, in a fresh copy of the checkout.

- `sh` blocks run in bash, one after the other; a block that starts a server runs until its page
  ends. A `text` block is what the `sh` or `python` block before it prints, `...` standing for
  anything, whatever the width of its columns; from Python 3.12 on, any numbers for numbers.
- `python` blocks share their names, as a notebook's cells do.
- `yaml` and `toml` blocks that begin with `# NAME` are files of that name; `diff` blocks are
  applied. A YAML block of another kind is a design space or must at least be YAML.

A page finds the workspace of `perovshell train --quick` unless it trains one itself, and that of
`make run`, which runs once, where it runs or tells of it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from hypothesis import HealthCheck, settings
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from databases import postgres
from shared import Shared

# No test fails for its time: a busy machine is no fault.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).parent
MAKE_RUN, WORKSPACE = "make run", "perovshell-workspace"
PRINTED = "printed.txt"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", "__pycache__", "*.egg-info", "build", "dist", "mutants",
    WORKSPACE, ".coverage*", ".hypothesis",
)  # fmt: skip
SERVERS = {
    "perovshell serve": "Serving model",
    "mlflow server": "Application startup complete",
    "dask scheduler": "Scheduler at:",
    "dask worker": "Registered to:",
}
"""Commands that go on until they are stopped, with what they say when they are ready."""
SECONDS = 600
HAS_FIGURES_OF_PAGES = sys.version_info < (3, 12)
"""The lock has other versions of numpy and xgboost for later Pythons: figures differ by little."""


@dataclass
class Page:
    """Where the blocks of a page run.

    Attributes:
        folder: A copy of the checkout.
        locks: Folder of locks that all test processes share.
        printed: What the last block printed.
        servers: The servers that were started.
        database: Where a PostgreSQL server is, as its own commands are told.
    """

    folder: Path
    locks: Path
    printed: str = ""
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    database: dict[str, str] = field(default_factory=dict)
    held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands: the copy's package, this Python, and no measuring."""
        ours = ("COVERAGE", "MAKE", "MFLAGS")  # of those who run the tests
        kept = {
            name: value
            for name, value in os.environ.items()
            if not any(own in name for own in ours)
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        return {
            **kept,
            "PYTHONPATH": str(self.folder / "src"),
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            # A tracking server of few requests: each worker, and each queue of jobs, loads MLflow.
            "MLFLOW_WORKERS": "1",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            **self.database,
        }

    def run(self, commands: str) -> None:
        """Run commands in bash; they must succeed."""
        server = next((name for name in SERVERS if name in commands.splitlines()[-1]), None)
        if server is not None:
            self._start(commands, server)
            return
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        self.printed = done.stdout

    def _start(self, commands: str, server: str) -> None:
        # Pages name fixed ports, and pages run side by side.
        name = server.replace(" ", "-")
        self.held.enter_context(FileLock(self.locks / f"{name}.lock", timeout=SECONDS))
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", commands],
                cwd=self.folder, env=self.environment, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self.servers.append(process)
        end = time.monotonic() + 90
        while time.monotonic() < end and process.poll() is None:
            if SERVERS[server] in log.read_text(errors="replace"):
                return
            time.sleep(0.1)
        raise AssertionError(f"{server} is not ready\n{log.read_text()}")

    def close(self) -> None:
        """Stop the servers, the last one first."""
        for process in reversed(self.servers):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.held.close()


def run_shell(example: Example) -> None:
    page, commands = page_of(example), str(example.parsed).strip()
    if commands == MAKE_RUN:
        _make_run(page, example.namespace["shared"])
    else:
        page.run(commands)


def _make_run(page: Page, shared: Shared) -> None:
    """Run `make run`, once for all pages: others have its workspace and what it printed."""

    def make(place: Path) -> None:
        page.run(MAKE_RUN)
        shutil.copytree(page.folder / WORKSPACE, place / WORKSPACE)
        (place / PRINTED).write_text(page.printed)

    made = shared.made("make-run", make)
    if not (page.folder / WORKSPACE).exists():
        shutil.copytree(made / WORKSPACE, page.folder / WORKSPACE)
    page.printed = (made / PRINTED).read_text()


def run_python(example: Example) -> None:
    page, printed = page_of(example), io.StringIO()
    code = compile("\n" * (example.line - 1) + example.parsed, example.path, "exec")
    with contextlib.chdir(page.folder), contextlib.redirect_stdout(printed):
        exec(code, example.namespace)
    page.printed = printed.getvalue()


def check_output(example: Example) -> None:
    # Columns are as wide as what stands in them.
    both = (page_of(example).printed, str(example.parsed))
    printed, expected = (re.sub(r"[ \t]+", " ", text).strip() for text in both)
    pattern = re.escape(expected).replace(r"\.\.\.", ".*")
    if not HAS_FIGURES_OF_PAGES:
        pattern = re.sub(r"\d+(\\[.,]\d+|,\d+)*", r"[\\d.,]+", pattern)
    assert re.fullmatch(pattern, printed, re.DOTALL), f"expected\n{expected}\n\nfound\n{printed}"


def write_or_read(example: Example) -> None:
    text = str(example.parsed)
    named = re.match(r"# ([\w./-]+\.\w+)\n", text)
    if named:
        path = page_of(example).folder / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return
    from perovshell.data.formula import FormulaReader
    from perovshell.serve.space.file import read_space

    content = yaml.safe_load(text)
    if "cores" in content:
        path = page_of(example).folder / "block.yaml"
        path.write_text(text)
        read_space(path, FormulaReader.bundled())


def apply_patch(example: Example) -> None:
    patch = ["patch", "-p1", "--fuzz=0"]
    done = subprocess.run(
        patch, input=example.parsed, cwd=page_of(example).folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def page_of(example: Example) -> Page:
    """Return the page of a block, made when its first block runs."""
    space = example.namespace
    if "__page__" not in space:
        name = re.sub(r"\W+", "-", str(Path(example.path).relative_to(ROOT)))
        shared: Shared = space["shared"]
        folder = shared.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ROOT, folder, symlinks=True, ignore=NOT_COPIED)
        (folder / ".venv").symlink_to(Path(sys.executable).parent.parent)
        space["__page__"] = page = Page(folder, shared.folder)
        if not re.search(rf"^({MAKE_RUN}|perovshell train)\b", example.document.text, re.MULTILINE):
            if MAKE_RUN in example.document.text:
                _make_run(page, shared)
            else:
                shutil.copytree(shared.workspace(), folder / WORKSPACE)
        if "createdb" in example.document.text:
            page.database = page.held.enter_context(postgres())
    page: Page = space["__page__"]
    return page


def close_page(space: dict[str, object]) -> None:
    page = space.pop("__page__", None)
    if isinstance(page, Page):
        page.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Shared:
    """What all test processes share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return Shared(folder)


pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser("sh", run_shell),
        CodeBlockParser("python", run_python),
        CodeBlockParser("text", check_output),
        CodeBlockParser("yaml", write_or_read),
        CodeBlockParser("diff", apply_patch),
    ],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    teardown=close_page,
    fixtures=["shared"],
).pytest()
