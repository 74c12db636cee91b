"""Workers keep the memory of arrays and use one thread, in the environment of Dask as well."""

import os
import platform
import subprocess
import sys
from pathlib import Path

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
    # The least of three: a system short of memory takes some pages back in between.
    faults = {
        how: min(
            int(
            subprocess.run(
                [sys.executable, "-c", _FAULTS, how],
                env=environment, capture_output=True, text=True, check=True,
            ).stdout
            )
            for _ in range(3)
        )
        for how in ("kept", "returned")
    }  # fmt: skip
    assert faults["returned"] > 5_000
    assert faults["kept"] < 100


_PLACES = """
import ctypes, sys, threading
from perovshell.serve.ranking.memory import share_memory

if sys.argv[1] == "shared":
    share_memory()
barrier = threading.Barrier(4)

def work():
    barrier.wait()
    made = [bytearray(1000) for _ in range(1000)]
    barrier.wait()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
@pytest.mark.parametrize("how", ["shared", "apart"])
def test_threads_take_memory_from_one_place(how: str, tmp_path: Path) -> None:
    report = tmp_path / "report"
    subprocess.run([sys.executable, "-c", _PLACES, how, report], check=True)
    places = report.read_text().count("<heap nr=")
    assert places == 1 if how == "shared" else places > 1


_THREADS = """
import numpy, threadpoolctl
from perovshell.serve.ranking.job import use_one_thread

threads = lambda: max(one["num_threads"] for one in threadpoolctl.threadpool_info())
before = threads()
use_one_thread()
print(before, threads())
"""


def test_a_worker_computes_with_one_thread() -> None:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", _THREADS],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["2", "1"]
