"""Time and memory of `perovshell train` on the bundled data, and of `retrain` after one paper."""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from _load import memory_mb


def watched(*arguments: str) -> tuple[float, float]:
    """Run the command line in a process of its own; return its seconds and its peak memory."""
    command = [sys.executable, "-m", "perovshell", *arguments]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.2):
            peak = max(peak, memory_mb(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        code = process.wait()
        seconds = time.perf_counter() - start
    finally:
        process.terminate()  # Where this one is interrupted: that one is in another session.
        done.set()
        watcher.join()
    if code:
        sys.exit(f"{' '.join(arguments)} ended with exit code {code}")
    return seconds, peak


def main() -> None:
    """Train; then take a paper out and put it back, and retrain each time, beside training."""
    with tempfile.TemporaryDirectory() as folder:
        own = ("--workspace", folder)
        seconds, peak = watched("train", *own)
        print(f"train: {seconds:.1f} s, peak memory of all its processes {peak:.0f} MB")
        watched("data", "remove", "hu2018", "--why", "to be learned again", *own)
        pairs = []
        for number in range(4):
            # The second training finds its database made, as a retraining does.
            retrain, _ = watched("retrain", "--force", *own)
            train, _ = watched("train", *own)
            pairs.append((retrain, train))
            watched("data", "remove", "hu2018", "--why", f"in or out, {number}", *own)
        again = statistics.median(retrain for retrain, _ in pairs)
        ratio = statistics.median(retrain / train for retrain, train in pairs)
        shown = ", ".join(f"{retrain:.1f} / {train:.1f} s" for retrain, train in pairs)
        print(
            f"retrain after one paper: {again:.1f} s, {again / seconds:.2f} of the first training"
        )
        print(f"beside training again where the database is made: {shown}: ratio {ratio:.2f}")
    print(
        json.dumps(
            {
                "seconds": round(seconds, 2),
                "peak_memory_mb": round(peak, 1),
                "retrain_seconds": round(again, 2),
                "ratio_retrain_train": round(again / seconds, 3),
                "ratio_retrain_train_again": round(ratio, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
