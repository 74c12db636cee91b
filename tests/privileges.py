"""Commands for which the modes of files count, whoever runs the tests."""

import ctypes
import subprocess
import sys
from pathlib import Path

_DROP, _WRITE_ANYWHERE, _READ_ANYWHERE = 24, 1, 2
"""PR_CAPBSET_DROP, CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of Linux."""


def drop_privileges() -> None:
    """Give up what root may do whatever the modes of files are; for `preexec_fn`."""
    for capability in (_WRITE_ANYWHERE, _READ_ANYWHERE):
        ctypes.CDLL(None).prctl(_DROP, capability, 0, 0, 0)


def run_unprivileged(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as a user who may only do what the modes of files allow."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=drop_privileges,
    )  # fmt: skip
