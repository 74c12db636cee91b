"""Run every benchmark and write docs/benchmarks.md: `make bench`, about 35 minutes.

Each benchmark runs both sides in one go, on inputs that are all different, and prints its figures
as JSON in its last line. What is asked of them stands here.
"""

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from perovshell.files import write_file

TOP = Path(__file__).parent.parent
BENCHMARKS = ("descriptors", "prediction", "ranking", "cluster", "serving", "training")
COUNTS_FROM = 1000
"""Figures from here on are written as counts."""
PACKAGES = ("perovshell", "numpy", "xgboost-cpu", "scikit-learn", "matminer", "mlflow", "fastapi")


@dataclass(frozen=True)
class Row:
    """One thing that is asked: of which figure of which benchmark, and how much of it."""

    what: str
    benchmark: str
    figure: str
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def asked(self) -> str:
        """What is asked, in words."""
        sign, value = ("≥", self.least) if self.least is not None else ("≤", self.most)
        return f"{sign} {number(value)} {self.unit}".strip()

    def is_met(self, value: float) -> bool:
        """Whether a figure is what is asked."""
        return value >= self.least if self.least is not None else value <= (self.most or 0.0)


ROWS = (
    Row("composition descriptors in bulk, strings in, matrix out", "descriptors",
        "formulas_per_s", "formulas/s", least=200_000),
    Row("beside matminer, `featurize_dataframe`, one process", "descriptors",
        "ratio_matminer", "times", least=300),
    Row("one prediction in process, all default outputs", "prediction",
        "ms_per_row", "ms", most=0.8),
    Row("with its reasons", "prediction", "ms_with_reasons", "ms", most=2.5),
    Row("`perovshell predict` of one row, cold", "prediction", "cold_start_s", "s", most=0.5),
    Row("ranking a product of 10^7: PL, PLQY, gain, half-life", "ranking",
        "combinations_per_s", "combinations/s", least=2_500_000),
    Row("beside matminer and the boosters, row by row", "ranking",
        "ratio_row_by_row", "times", least=5000),
    Row("beside the boosters alone, rows ready-made", "ranking",
        "ratio_batch_predict", "times", least=4),
    Row("peak memory of a ranking", "ranking", "peak_memory_mb", "MB", most=400),
    Row("that memory at 10^8 over that at 10^6", "ranking", "memory_growth", "times", most=1.1),
    Row("2 x 10^8 by processes, a local Dask cluster, a cluster: slowest over fastest", "cluster",
        "ratio_slowest_fastest", "times", most=1.3),
    Row("rankings among these that are not the same, byte by byte", "cluster",
        "different_tables", "rankings", most=0),
    Row("service: single predictions, one worker, 8 connections", "serving",
        "requests_per_s", "requests/s", least=1500),
    Row("99 % of them within", "serving", "p99_ms", "ms", most=15),
    Row("beside `mlflow models serve` of the same model", "serving",
        "ratio_mlflow_serve", "times", least=8),
    Row("service: batches of 10,000 rows", "serving", "rows_per_s", "rows/s", least=30_000),
    Row("growth of its memory from the first second of load to 100,000 requests", "serving",
        "memory_growth", "of it", most=0.05),
    Row("`perovshell train` on the bundled data, headline included", "training",
        "seconds", "s", most=90),
    Row("its peak memory, all processes", "training", "peak_memory_mb", "MB", most=1500),
)  # fmt: skip
REASONS = {
    "ms_per_row": (
        "a row takes about a hundred and fifty calls of numpy, at two to four microseconds each: "
        "what makes batches fast, columns instead of rows, costs a single row a twentieth of a "
        "millisecond, and rows are answered by the same path as batches."
    ),
}
"""Why a budget is not met."""


def main() -> None:
    """Run all, one after the other, and write the page."""
    found = {name: figures_of(name) for name in BENCHMARKS}
    write_file(TOP / "docs" / "benchmarks.md", page(found))


def figures_of(name: str) -> dict[str, float]:
    """Run a benchmark; return its figures."""
    print(f"== {name}", flush=True)
    command = [sys.executable, str(TOP / "benchmarks" / f"{name}.py")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def page(found: dict[str, dict[str, float]]) -> str:
    """Return the page."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Benchmarks",
        "",
        (
            f"Made by `make bench` on {time.strftime('%Y-%m-%d')}: {machine()}, Python "
            f"{platform.python_version()}, {versions}. Both sides of a ratio ran in one go, on "
            "inputs that are all different; each line is printed by `python benchmarks/NAME.py`."
        ),
        "",
        "| what | benchmark | asked | measured | |",
        "|---|---|---|---|---|",
    ]
    missed = []
    for row in ROWS:
        value = found[row.benchmark][row.figure]
        met = row.is_met(value)
        verdict = "met" if met else "**not met**"
        measured = f"{number(value)} {row.unit}"
        lines.append(f"| {row.what} | `{row.benchmark}` | {row.asked} | {measured} | {verdict} |")
        if not met:
            missed.append(f"- {row.what}: {REASONS.get(row.figure, 'to be looked into')}")
    if missed:
        lines += ["", "## Budgets not met", "", *missed]
    lines += ["", "## All figures", "", "| benchmark | figure | value |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {figure} | {number(value)} |"
        for name, figures in found.items()
        for figure, value in figures.items()
    ]
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Write a number with three digits, or as a count."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= COUNTS_FROM else f"{value:.3g}"


def version(name: str) -> str:
    """Return the installed version of a package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"


def machine() -> str:
    """Describe the machine: cores, processor, memory."""
    info = Path("/proc/cpuinfo")
    models = [
        line.split(": ")[1]
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores ({name}), {memory:.0f} GB"


if __name__ == "__main__":
    main()
