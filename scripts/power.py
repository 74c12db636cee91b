"""Print how often the promotion check refuses simulated additions, by the share of false papers."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from perovshell.research.power import Power, promotion_power

SHARES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def main() -> None:
    """Simulate; print the refusals after each draw, and one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40, help="simulated literatures")
    parser.add_argument("--added", type=int, default=10, help="papers added to each")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws")
    parser.add_argument("--jobs", type=int, default=2, help="processes; the result is the same")
    parser.add_argument("--plot", type=Path, help="SVG file for the curve")
    options = parser.parse_args()
    print(f"{options.added} papers added; share of refusals by share of false papers:")
    print(" draws" + "".join(f"{share:>9.0%}" for share in SHARES), flush=True)
    powers = promotion_power(
        options.draws, options.added, SHARES, options.seed, options.jobs, watch=print_row
    )
    for power in powers:
        reasons = ", ".join(f"{name} {count}" for name, count in power.reasons.items())
        print(f"{power.share:.0%}: {power.refused:.0%} +- {power.error:.0%} ({reasons or 'none'})")
    if options.plot:
        draw(powers, options.plot)
    print(json.dumps([asdict(power) for power in powers]))


def draw(powers: list[Power], path: Path) -> None:
    """Draw the refusals against the share of false papers, with their Monte Carlo errors."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    share, refused, error = zip(*((p.share, p.refused, p.error) for p in powers), strict=True)
    axes.errorbar(share, refused, error, marker="o", capsize=3, color="tab:blue")
    axes.axhline(0.1, color="tab:red", linewidth=1, linestyle="--")
    axes.set(xlabel=f"share of false papers among {powers[0].added} added", ylabel="refused")
    axes.set(ylim=(0, 1), xlim=(-0.03, 1.03))
    figure.savefig(path, metadata={"Date": None})


def print_row(powers: list[Power]) -> None:
    """Print a line of the table."""
    refused = "".join(f"{power.refused:>9.0%}" for power in powers)
    print(f"{powers[0].draws:>6}{refused}", flush=True)


if __name__ == "__main__":
    main()
