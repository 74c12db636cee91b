"""Ranking one space by processes, by a local Dask cluster, and by workers started apart.

The space has 216 million combinations. Each way is `perovshell rank` as a user calls it, with the
start of its processes; the ways alternate in rounds, and medians are compared: of the time, and of
the processor's time of all processes, which other programs on the machine change less. The third
cluster runs already: a scheduler and two workers, without settings of memory or threads. All write
the same `ranking.csv`, byte for byte.
"""

import itertools
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from _bench import seconds, trained_workspace

from perovshell.serve.space.file import read_space

ROUNDS = 3
SPACE = """
name: large
cores:
  A: {ions: [Cs, MA], step: 1/20}
  B: {ions: [Pb, Sn], step: 1/20}
  X: {ions: [Cl, Br, I], step: 1/20, at_most: 3}
shells: all known
structures: [core/shell, janus]
sizes_nm: [unknown, 4, 6, 8, 10, 12]
pl_window_nm: [510, 540]
stressor: water
"""
WAYS = {
    "processes": ("--jobs", "2"),
    "local_cluster": ("--engine", "dask", "--jobs", "2"),
    "cluster": ("--engine", "dask"),
}


def main() -> None:
    """Print times, rates and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        _, model = trained_workspace(folder)
        space = Path(folder) / "space.yaml"
        space.write_text(SPACE)
        size = read_space(space, model.predictor.featurizer.reader).size
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        tables = set()
        with cluster() as (address, processes):
            for number, (way, options) in itertools.product(range(ROUNDS), WAYS.items()):
                where = ("--scheduler", address) if way == "cluster" else ()
                report = Path(folder) / f"{way}-{number}"
                command = ["rank", str(space), "-o", str(report), *options, *where]
                before = cpu_seconds(processes)
                passed = seconds(lambda: perovshell(command, folder))  # noqa: B023
                times[way].append((passed, cpu_seconds(processes) - before))
                tables.add((report / "ranking.csv").read_bytes())
                both = "{:.1f} s, of processors {:.1f} s".format(*times[way][-1])
                print(f"round {number + 1}, {way}: {both}", flush=True)
    wall, cpu = (
        {way: statistics.median(one[kind] for one in some) for way, some in times.items()}
        for kind in range(2)
    )
    print(f"{size:,} combinations; tables {'equal' if len(tables) == 1 else 'NOT EQUAL'}")
    for way, median in wall.items():
        print(
            f"{way}: {median:.1f} s ({median / wall['processes']:.2f} of processes), of processors "
            f"{cpu[way]:.1f} s ({cpu[way] / cpu['processes']:.2f}), {size / median:,.0f}/s"
        )
    figures = {
        "combinations": size,
        **{f"seconds_{way}": median for way, median in wall.items()},
        **{f"combinations_per_s_{way}": size / median for way, median in wall.items()},
        **{f"cpu_seconds_{way}": median for way, median in cpu.items()},
        "ratio_slowest_fastest": max(wall.values()) / min(wall.values()),
        "ratio_cpu": max(cpu.values()) / min(cpu.values()),
        "different_tables": len(tables) - 1,
    }
    print(json.dumps(figures))


def cpu_seconds(processes: list[subprocess.Popen[bytes]]) -> float:
    """Return the processor's time of finished commands, and of running ones with their children."""
    commands = [psutil.Process(process.pid) for process in processes]
    running = [one.cpu_times() for top in commands for one in (top, *top.children(recursive=True))]
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.ru_utime + done.ru_stime + sum(times.user + times.system for times in running)


def perovshell(arguments: list[str], workspace: str) -> None:
    """Run the command line."""
    command = [sys.executable, "-m", "perovshell", *arguments, "--workspace", workspace]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers; yield the address and the processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    with (
        dask("scheduler", "--host", "127.0.0.1", "--port", str(port)) as scheduler,
        dask("worker", address, "--nworkers", "2", "--nthreads", "1") as workers,
    ):
        time.sleep(5)  # It is there before a ranking begins.
        yield address, [scheduler, workers]


@contextmanager
def dask(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Dask, in an environment without settings of memory or threads."""
    settings = ("MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "DASK_")
    environment = {name: v for name, v in os.environ.items() if not name.startswith(settings)}
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdout=silent, stderr=silent)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
