"""Workers keep the memory of arrays, in the environment that Dask starts them in as well."""

import os
import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
import numpy as np
from perovshell.serve.ranking.memory import keep_memory

if sys.argv[1] == "kept":
    keep_memory()
np.ones(2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    """Of arrays of 8 MB, one after the other, the first asks for pages, or each does."""
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", _FAULTS, how],
                env=environment, capture_output=True, text=True, check=True,
            ).stdout
        )
        for how in ("kept", "returned")
    }  # fmt: skip
    assert faults["kept"] < 100
    assert faults["returned"] > 5_000
