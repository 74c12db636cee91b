"""How often lower bounds of pooled evidence hold where the truth is known: `make pooling`."""

from perovshell.research.pooled_bounds import OPEN_FROM, SPREADS, share_below

DATASETS = 500


def main() -> None:
    """Print a table."""
    for spread in SPREADS:
        for name, open_from in OPEN_FROM.items():
            share = share_below(DATASETS, spread, open_from)
            print(f"| {spread} | {name} | {share:.3f} |", flush=True)


if __name__ == "__main__":
    main()
