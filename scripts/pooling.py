"""Bounds of pooled evidence where the truth is known: `make pooling`, ten minutes."""

from perovshell.research.pooled_bounds import (
    OPEN_FROM,
    RANKED,
    SPREADS,
    share_below,
    shares_of_ranking,
    worth_of_best,
)

DATASETS = 500
RANKED_DATASETS = 200


def main() -> None:
    """Print two tables: of groups, with the worth of the best five of 24 shells; of rankings."""
    for spread in SPREADS:
        for name, open_from in OPEN_FROM.items():
            share = share_below(DATASETS, spread, open_from)
            worth = worth_of_best(DATASETS, spread, open_from).values()
            cells = [f"{share:.3f}", *(f"{one:.2f}" for one in worth)]
            print(f"| {spread} | {name} | {' | '.join(cells)} |", flush=True)
    for case, spreads in RANKED.items():
        for name, open_from in OPEN_FROM.items():
            shares = shares_of_ranking(RANKED_DATASETS, spreads, open_from).values()
            cells = [f"{share:.3f}" for share in shares]
            print(f"| {case} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
