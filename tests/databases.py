"""A real PostgreSQL server, for pages and tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """Run a PostgreSQL server of our own; yield the environment that leads to it."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *os.get_exec_path()]
    programs = next((p for p in map(Path, places) if (p / "initdb").exists()), None)
    assert programs is not None, "this page needs PostgreSQL: install it"
    # It refuses to run as root, and root's temporary folders let nobody else in.
    folder = Path(tempfile.mkdtemp(prefix="perovshell-postgres-", dir="/tmp"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    data = str(folder / "data")
    made = [*as_user, str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "postgres"]
    subprocess.run(made, check=True, capture_output=True, cwd=folder)
    server = subprocess.Popen(
        [*as_user, str(programs / "postgres"), "-D", data, "-k", str(folder), "-h", ""],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    environment = {"PGHOST": str(folder), "PGUSER": "postgres"}
    try:
        waiting = [str(programs / "pg_isready"), "-q"]
        while subprocess.run(waiting, env=environment, check=False).returncode:
            assert server.poll() is None, "PostgreSQL did not start"
            time.sleep(0.1)
        yield environment
    finally:
        stop = [*as_user, str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True, cwd=folder)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
