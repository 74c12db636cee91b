"""Ask a prediction service with Perovshell's client: pip install '.[client]'.

Start one with `perovshell serve`, then run this with its address, and a key where it wants one:

    python examples/client.py http://127.0.0.1:8000 [KEY]
"""

from __future__ import annotations

import sys

from perovshell import Thresholds
from perovshell.client import Client

ROWS = [
    {"core": "CsPbBr3", "shell": "SiO2", "bare_pl_peak_nm": 517},
    {"core": "CsPb(Br0.6I0.4)3", "shell": "CdS|Al2O3", "medium": "film"},
    {"core": "CsPbBr4", "shell": "SiO2"},
]


def main() -> None:
    """Predict, look behind an answer, rank, and ask for probabilities."""
    url, key = (*sys.argv[1:], None, None)[:2]
    url = url or "http://127.0.0.1:8000"
    with Client(url, key=key) as client:
        print("model", client.model()["model"]["id"])
        for row, answer in zip(ROWS, client.predict(ROWS, stressors=["water"]), strict=True):
            print(row["core"], "/", row["shell"], end=": ")
            if answer["error"]:
                print("no answer:", answer["error"])
                continue
            ends = answer["pl_peak_nm_lower"], answer["pl_peak_nm_upper"]
            print(f"PL {answer['pl_peak_nm']:g} nm [{ends[0]:g}, {ends[1]:g}]")
        (answer,) = client.answer(ROWS[:1])
        print("nearest:", *(f"{near.core}/{near.shell}" for near in answer.nearest[:3]))
        space = {
            "cores": ["CsPbBr3", "CsPbBr2.5I0.5"],
            "shells": ["SiO2", "ZrO2", "PMMA"],
            "pl_window_nm": [510, 540],
            "stressor": "water",
        }
        best = client.rank(space, top=3)["measured"][0]
        print("best:", best["core"], "/", best["shell"])
        green = client.predict(ROWS, thresholds=Thresholds(pl_window_nm=(510, 540)))
        print(f"chance of green: {green[0]['p_pl_in_window']:.0%}")
        print(len(client.vocabulary()["shells"]), "known shells")


if __name__ == "__main__":
    main()
