"""Bounds of pooled evidence where the truth is known: `make pooling`, five minutes."""

from perovshell.research.pooled_bounds import (
    OPEN_FROM,
    SPREADS,
    share_below,
    worth_of_best,
)

DATASETS = 500


def main() -> None:
    """Print a table: how often bounds hold, and the worth of the best five of 24 shells."""
    for spread in SPREADS:
        for name, open_from in OPEN_FROM.items():
            share = share_below(DATASETS, spread, open_from)
            worth = worth_of_best(DATASETS, spread, open_from).values()
            cells = [f"{share:.3f}", *(f"{one:.2f}" for one in worth)]
            print(f"| {spread} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
